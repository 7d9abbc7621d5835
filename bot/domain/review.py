"""What moderators say about an incident, and what follows from it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.actions import (
    RULE_ACTIONS,
    Action,
    Ban,
    Delete,
    Done,
    Escalate,
    Lift,
    Notice,
    Outcome,
    Restore,
    Retract,
    Timeout,
    Weight,
)

LONGEST_APPEAL = 500  # characters

#: Kinds of actions that are called off where nobody has begun them when a moderator calls an incident wrong.
CALLED_OFF = frozenset(action.kind for action in RULE_ACTIONS if action.weight > Weight.MODERATORS)


class Call(StrEnum):
    """A moderator's call. All but ESCALATE close the review."""

    RIGHT = "right"
    WRONG = "wrong"  # undo and restore
    DELETE = "delete"
    TIMEOUT = "timeout"
    BAN = "ban"
    ESCALATE = "escalate"

    @property
    def closes(self) -> bool:
        return self is not Call.ESCALATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One call on one incident. Of several that close it, the first counts."""

    incident_id: int
    call: Call
    moderator_id: str
    moderator_name: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Appeal:
    """What the author of an incident's message has to say about it, once. It decides nothing: moderators do."""

    incident_id: int
    words: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A member's record in one community."""

    incidents: int
    upheld: int  # called right (or acted on) by a moderator
    overturned: int
    last_at: datetime | None


def consequences(
    call: Call, outcomes: Iterable[tuple[Action, Outcome | None]], *, timeout: timedelta = timedelta(minutes=10)
) -> tuple[Action, ...]:
    """What is to be done when a moderator makes this call on an incident with these outcomes. An action that was under
    way when it was called wrong is undone when its outcome is known: then this is asked again, with that alone."""
    outcomes = tuple(outcomes)
    done = {action.kind for action, outcome in outcomes if isinstance(outcome, Done)}
    match call:
        case Call.RIGHT:
            return ()
        case Call.WRONG:
            lifted = done & {Timeout.kind, Ban.kind}
            notices = tuple(
                Retract(outcome.receipt)
                for action, outcome in outcomes
                if isinstance(action, Notice) and isinstance(outcome, Done) and outcome.receipt
            )
            return ((Restore(),) if Delete.kind in done else ()) + ((Lift(),) if lifted else ()) + notices
        case Call.DELETE:
            return () if Delete.kind in done else (Delete(),)
        case Call.TIMEOUT:
            return (Timeout(timeout),) if Delete.kind in done else (Delete(), Timeout(timeout))
        case Call.BAN:
            return (Ban(),) if Delete.kind in done else (Delete(), Ban())
        case Call.ESCALATE:
            return (Escalate(),)
