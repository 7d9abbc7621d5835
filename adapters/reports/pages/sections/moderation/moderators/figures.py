"""Incidents -> what each moderator closed."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from bot.core.reporting.figures import Entry, ReviewOutcome
from bot.core.reporting.shares import middle


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one moderator closed: `overturned` is what they called wrong, `wait` the median time until then."""

    name: str
    incidents: tuple[int, ...]
    overturned: tuple[int, ...]
    wait: timedelta


def loads(entries: Iterable[Entry]) -> tuple[Load, ...]:
    """Who closed how many reviews of these incidents, the busiest first."""
    theirs: dict[str, list[tuple[Entry, ReviewOutcome]]] = defaultdict(list)
    for entry in entries:
        if entry.review:
            theirs[entry.review.moderator].append((entry, entry.review))
    found = (
        Load(
            name=name,
            incidents=tuple(entry.id for entry, _ in closed),
            overturned=tuple(entry.id for entry, _ in closed if entry.is_overturned),
            wait=middle(review.at - entry.decided_at for entry, review in closed),
        )
        for name, closed in theirs.items()
    )
    return tuple(sorted(found, key=lambda load: (-len(load.incidents), load.name)))
