"""The record of one decision and everything that came of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from bot.core.chat.message import CommunityRef, Message
from bot.core.guarding.verdict import Opinion
from bot.core.incidents.case import Case, Severity
from bot.core.incidents.review import Appeal, Review, Standing, Step, standing
from bot.core.rules.actions import Action, Answer, Ban, Done, Escalate, Flag, Kick, OnCard, Outcome
from bot.core.rules.decision import Decision
from bot.core.rules.ladder import USUAL, Ladder
from bot.core.rules.policy import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """A decision as it is written down: `decided_at` by the clock, `ms` from taking up to deciding. `counts_for`: how
    many messages of a new member it stands for. `ladder`: what its strike is to lead to."""

    decision: Decision
    decided_at: datetime
    ms: float = 0.0
    counts_for: int = 0
    ladder: Ladder = USUAL

    @property
    def severity(self) -> Severity:
        actions = self.decision.actions
        if any(isinstance(one, Escalate) for one in actions):
            return Severity.URGENT
        return Severity.WAITS if actions and all(isinstance(one, Flag) for one in actions) else Severity.DONE


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedAction:
    """One action that is to be done, with all that a platform needs to do it. `attempts` counts this one, too, and so
    names it: whoever was thought dead meanwhile speaks of an earlier one. `defect`: it has failed by itself so often
    (the name of what was raised) that it is to be closed instead. `begun`: the receipt of what an earlier attempt has
    put there and not finished, in whatever process. `case`: the deed by hand that it belongs to, which
    has no incident (0), and whose `message` says no more than whom it is about and where it was asked for. When it was
    handed out, its incident stood on the card with the receipt `card` (empty: on none), and its author had `appealed`
    or not."""

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
    begun: str = ""
    case: Case | None = None
    number: int = 0  # of its case, incident or deed,
    code: str = ""  # and what members see instead
    card: str = ""
    appealed: bool = False

    @property
    def matter(self) -> tuple[CommunityRef, int, int]:
        """What it belongs to: an incident, or a deed by hand."""
        return self.message.community, self.incident_id, self.case.number if self.case else 0


class Trace(NamedTuple):
    """As much of an incident as rules about repeated offences and cooldowns ask for; never the text."""

    community: CommunityRef
    author_id: str
    channel_id: str
    sent_at: datetime
    decided_at: datetime
    rule: str  # the first live one that matched
    acted: bool  # more was planned than to show it to the moderators


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
    case: int = 0  # its number in its community,
    code: str = ""  # and what members see instead
    taken: Review | None = None  # who is at it, since when
    flags: int = 0  # members who pointed to its message
    opinion: Opinion | None = None  # of a guard that has read its community's rules

    @property
    def steps(self) -> tuple[Step, ...]:
        """The same as `outcomes`, as calls look at them; who is at work on one is not known here."""
        decided = len(self.decision.actions)
        return tuple(
            Step(action=action, outcome=outcome, decided=place < decided)
            for place, (action, outcome) in enumerate(self.outcomes)
        )

    @property
    def standing(self) -> Standing:
        """How things are for its message and author, when all that is planned is done."""
        return standing(self.steps)

    @property
    def card(self) -> str:
        """The receipt of the card on which moderators see it; empty: it is on none."""
        shown = [outcome for action, outcome in self.outcomes if isinstance(action, OnCard)]
        return next((outcome.receipt for outcome in reversed(shown) if isinstance(outcome, Done)), "")

    @property
    def lost(self) -> bool:
        """Whether the platform cannot give back all that was taken: roles, membership."""
        return any(isinstance(action, Kick | Ban) and isinstance(outcome, Done) for action, outcome in self.outcomes)

    @property
    def is_only_flagged(self) -> bool:
        """Members have pointed to it, and no rule had anything to say."""
        return self.decision.message.flagged and self.decision.rule is None

    @property
    def awaits_answer(self) -> bool:
        """Whether its author has appealed, and no moderator has said anything to that."""
        return self.appeal is not None and not any(isinstance(action, Answer) for action, _ in self.outcomes)
