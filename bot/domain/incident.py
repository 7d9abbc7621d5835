"""The record of one decision and everything that came of it."""

from dataclasses import dataclass
from datetime import datetime

from bot.domain.actions import Action, Outcome
from bot.domain.message import Message
from bot.domain.review import Appeal, Review
from bot.domain.rules import Decision, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """A decision as it is written down: `decided_at` by the clock, `ms` from taking up to deciding."""

    decision: Decision
    decided_at: datetime
    ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedAction:
    """One action that is to be done, with all that a platform needs to do it. `attempts` counts this one, too, and so
    names it: whoever was thought dead meanwhile speaks of an earlier one. `defect`: it has failed by itself so often
    (the name of what was raised) that it is to be closed instead."""

    id: int
    incident_id: int
    action: Action
    message: Message
    rule: str
    reason: Reason
    language: str
    attempts: int = 0
    planned_at: datetime | None = None
    defect: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """`outcomes` pairs each planned action with what came of it; None: still to be done."""

    id: int
    decision: Decision
    decided_at: datetime
    outcomes: tuple[tuple[Action, Outcome | None], ...]
    review: Review | None = None  # the call that closed it
    appeal: Appeal | None = None
    withdrawn_at: datetime | None = None  # when the message was taken away by somebody else
