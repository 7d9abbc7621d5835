"""Incidents -> which guards judged them, and which versions of the policy decided."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from bot.core.guarding.verdict import GuardVersion
from bot.core.reporting.figures import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    guard: GuardVersion
    since: datetime  # its first incident of the period
    incidents: int = 0


def guards(entries: Iterable[Entry]) -> tuple[Judging, ...]:
    """In the order in which they began."""
    known: dict[GuardVersion, Judging] = {}
    for entry in entries:
        if entry.guard and entry.guard.name:
            one = known.setdefault(entry.guard, Judging(guard=entry.guard, since=entry.decided_at))
            known[entry.guard] = replace(one, incidents=one.incidents + 1)
    return tuple(known.values())


def policies(entries: Iterable[Entry]) -> tuple[tuple[str, datetime, int], ...]:
    """The policy versions that decided, each with its first decision's time and number, in that order."""
    first: dict[str, tuple[str, datetime, int]] = {}
    for entry in entries:
        first.setdefault(entry.policy, (entry.policy, entry.decided_at, entry.id))
    return tuple(first.values())
