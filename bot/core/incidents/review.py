"""What moderators say about an incident, and what follows from it.

A call says how things should be; what was done says how they are. What follows is the next step from here to there,
one at a time for the message and one for the member: the step after it is found when its outcome is known.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from bot.core.rules.actions import (
    Action,
    Answer,
    Ban,
    CalledOff,
    Delete,
    DeletePost,
    Done,
    Escalate,
    Flag,
    Gone,
    Kick,
    Lock,
    OnCard,
    Outcome,
    Refused,
    Restore,
    Timeout,
    Unsanction,
    Warn,
    Weight,
)

LONGEST_APPEAL = 500  # characters

#: So many incidents of one community somebody may object to within so long a time.
MOST_APPEALS, APPEALS_WITHIN = 3, timedelta(hours=12)

#: A member points to one message in so long a time, to so many a day; and to so many of a community it is in a minute.
FLAGS_APART, MOST_FLAGS_A_DAY, MOST_FLAGGED = timedelta(minutes=1), 30, 5
MOST_TOLD = 20  # members who pointed to one message and hear what came of it

#: How long the button silences a member.
TIMEOUT = timedelta(minutes=10)

#: How long what is posted to be seen once stays there.
BRIEFLY = timedelta(seconds=30)

#: Of two moderators who close a review within so short a time, the second has not seen the first one's call.
AT_ONCE = timedelta(seconds=10)

#: How long what somebody has taken is theirs alone to call.
TAKEN_FOR = timedelta(minutes=15)


class Call(StrEnum):
    """A moderator's call. Those that say how it should be close the review; a later one overrules an earlier one."""

    RIGHT = "right"  # what the rules did was right, and nothing more is needed
    WRONG = "wrong"  # undo and restore
    DELETE = "delete"
    TIMEOUT = "timeout"
    HOUR = "hour"  # a time-out of that length
    DAY = "day"
    BAN = "ban"
    LIFT = "lift"  # the member is free again; the message stays as it is
    SOFTEN = "soften"  # the appeal is accepted as far as the sanction goes: that is lifted, and all else stays
    UPHOLD = "uphold"  # the appeal is turned down: all stays as it is
    ESCALATE = "escalate"
    TAKE = "take"  # nobody else need look at it, for a while
    REOPEN = "reopen"  # what was called stays as it is, and is to be called again

    @property
    def closes(self) -> bool:
        return self not in (Call.ESCALATE, Call.TAKE, Call.REOPEN)


#: How long each of these silences, at least.
SILENCED_FOR = {Call.TIMEOUT: TIMEOUT, Call.HOUR: timedelta(hours=1), Call.DAY: timedelta(days=1)}

#: What a moderator imposes.
IMPOSING = (*SILENCED_FOR, Call.BAN)

#: These say nothing of what the rules found.
_LIFTING = (Call.LIFT, Call.SOFTEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One call on one incident. All stay on record; of those that close it, the last counts."""

    incident_id: int
    call: Call
    moderator_id: str
    moderator_name: str
    at: datetime

    def overrules(self, earlier: "Review") -> bool:
        """Or comes too late: somebody else has pressed at the same moment."""
        return self.moderator_id == earlier.moderator_id or self.at - earlier.at >= AT_ONCE

    def waits_for(self, taken: "Review") -> bool:
        """Whether somebody else is at it."""
        return self.moderator_id != taken.moderator_id and self.at - taken.at < TAKEN_FOR


@dataclass(frozen=True, slots=True, kw_only=True)
class Appeal:
    """What the author of an incident's message has to say about it, once. It decides nothing: moderators do."""

    incident_id: int
    words: str
    at: datetime


class Filed(StrEnum):
    """What became of an objection, or of pointing to a message."""

    HEARD = "heard"
    HEARD_BEFORE = "heard_before"  # about the same incident or message
    TOO_MANY = "too_many"  # within a while
    TOO_MANY_TODAY = "too_many_today"
    OURS = "ours"  # the message is the bot's own


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A member's record in one community."""

    incidents: int
    upheld: int  # called right (or acted on) by a moderator
    overturned: int
    last_at: datetime | None
    strikes: int = 0  # that count now


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One action of an incident. `outcome` None: still to be done, and `begun` where somebody is at it."""

    action: Action
    outcome: Outcome | None = None
    begun: bool = False
    decided: bool = False  # by the rules, and not because of a call

    @property
    def came_about(self) -> bool:
        """Whether things are now as it wants them."""
        harmless = isinstance(self.action, Unsanction | DeletePost)
        return isinstance(self.outcome, Done) or (harmless and isinstance(self.outcome, Gone))

    @property
    def waits(self) -> bool:
        return self.outcome is None and not self.begun


@dataclass(frozen=True, slots=True)
class Standing:
    """How things are, or should be: whether the message is taken away, and what its author is under."""

    hidden: bool = False
    sanction: Action | None = None  # one that Unsanction undoes
    restored: str = ""  # the receipt of what was posted in the message's place

    def after(self, action: Action, outcome: Outcome | None = None) -> "Standing":
        match action:
            case Restore():
                return replace(self, hidden=False, restored=outcome.receipt if isinstance(outcome, Done) else "")
            case DeletePost(receipt) if receipt == self.restored:
                return replace(self, hidden=True, restored="")
            case Unsanction():
                return replace(self, sanction=None)
            case _ if action.undone_by is Restore:
                return replace(self, hidden=True, restored="")
            case _ if action.undone_by is Unsanction and (
                isinstance(action, Ban) or not isinstance(self.sanction, Ban)
            ):
                return replace(self, sanction=action)
        return self


@dataclass(frozen=True, slots=True)
class Consequences:
    """What is to be planned, and which of the steps that wait (by place) are not to be done any more."""

    then: tuple[Action, ...] = ()
    called_off: frozenset[int] = frozenset()


def aftermath(action: Action, outcome: Outcome) -> Mapping[Action, timedelta]:
    """What follows from an outcome whatever moderators say, and how long after it."""
    match outcome:
        case Done(receipt, brief=True):
            return {DeletePost(receipt): BRIEFLY}
        case Done(receipt) if isinstance(action, Lock):
            return {action.undone(receipt): action.lasting}
        case Refused() if outcome.given_up and not isinstance(action, OnCard):
            return {Flag(): timedelta(0)}  # moderators see what was not done; where their card was not, they cannot
    return {}


def standing(steps: Iterable[Step]) -> Standing:
    """How things are, when all that is still to be done is done."""
    now = Standing()
    for step in steps:
        if step.outcome is None or step.came_about:
            now = now.after(step.action, step.outcome)
    return now


def wanted(calls: Iterable[Call], steps: Iterable[Step]) -> Standing:
    """How things should be after these calls, in the order in which they were made."""
    as_decided = Standing()
    for step in steps:
        if step.decided and (step.came_about or step.outcome is None or isinstance(step.outcome, CalledOff)):
            as_decided = as_decided.after(step.action)
    want = as_decided
    for call in calls:
        match call:
            case Call.RIGHT:
                want = as_decided
            case Call.WRONG:
                want = Standing()
            case Call.DELETE:
                want = Standing(hidden=True, sanction=as_decided.sanction)
            case Call.TIMEOUT | Call.HOUR | Call.DAY:
                decided = as_decided.sanction.lasting if isinstance(as_decided.sanction, Timeout) else timedelta()
                want = Standing(hidden=True, sanction=Timeout(max(decided, SILENCED_FOR[call])))
            case Call.BAN:
                want = Standing(hidden=True, sanction=Ban())
            case Call.LIFT | Call.SOFTEN:
                want = replace(want, sanction=None)
    return want


def consequences(
    calls: Sequence[Call], steps: Sequence[Step], *, called: Call | None = None, appealed: bool = False
) -> Consequences:
    """What follows from all calls on an incident so far. `called` is the one that was made just now: None where an
    outcome has come in, and then nothing is tried again that has failed. `appealed`: its author waits for an answer."""
    want = wanted(calls, steps)
    closing = [call for call in calls if call.closes and call is not Call.UPHOLD]
    is_wrong = [call for call in closing if call not in _LIFTING][-1:] == [Call.WRONG]
    may_kick = not closing or closing[-1] in (Call.RIGHT, Call.DELETE)

    def serves(action: Action) -> bool:
        match action:
            case Unsanction():
                return want.sanction is None
            case Restore():
                return not want.hidden
            case Kick():
                return may_kick
            case Answer(accepted):
                return accepted is is_wrong
            case _ if action.undone_by is Unsanction:
                return want.sanction == action
            case _ if action.undone_by is Restore:
                return want.hidden
        return not is_wrong or action.weight is Weight.MODERATORS

    off = frozenset(place for place, step in enumerate(steps) if step.waits and not serves(step.action))
    kept = [step for place, step in enumerate(steps) if place not in off]
    done = standing(step for step in kept if step.outcome)
    sanction = None if done.sanction == want.sanction else _toward(want, done)
    then: list[Action] = []
    if done.hidden is not want.hidden:
        if want.hidden:
            then.append(DeletePost(done.restored) if done.restored else Delete())
        else:
            then.append(Restore())
    then = [action for action in then if _is_next(action, kept, called)]
    if called in IMPOSING and sanction and not _is_open(Warn(), kept):
        then.append(Warn())  # before the sanction: afterwards some are out of reach
    if sanction and _is_next(sanction, kept, called):
        then.append(sanction)
    if is_wrong:
        taken = {step.action.receipt for step in kept if isinstance(step.action, DeletePost)}
        then += [
            DeletePost(step.outcome.receipt)
            for step in kept
            if step.action.undone_by is DeletePost and isinstance(step.outcome, Done)
            if step.outcome.receipt and step.outcome.receipt not in taken
        ]
    if called is Call.ESCALATE:
        then.append(Escalate())
    elif called and called is not Call.LIFT and appealed:
        told = [step.action for step in kept if isinstance(step.action, Answer)]
        answer = Answer(accepted=is_wrong, softened=called is Call.SOFTEN)
        if told[-1:] != [answer]:
            then.append(answer)
    return Consequences(tuple(then), off)


def _toward(want: Standing, done: Standing) -> Action:
    if want.sanction is None or (isinstance(done.sanction, Ban) and isinstance(want.sanction, Timeout)):
        return Unsanction()
    return want.sanction


def _is_about_member(action: Action) -> bool:
    return isinstance(action, Unsanction) or action.undone_by is Unsanction


def _is_next(action: Action, steps: Sequence[Step], called: Call | None) -> bool:
    """Not while another step of the same matter is still to be done; nor, unless a moderator asks for it, where it was
    tried last and failed."""
    if _is_about_member(action):
        same = [step for step in steps if _is_about_member(step.action)]
    else:
        restored = {
            step.outcome.receipt
            for step in steps
            if isinstance(step.action, Restore) and isinstance(step.outcome, Done)
        }
        same = [
            step
            for step in steps
            if isinstance(step.action, Restore)
            or step.action.undone_by is Restore
            or (isinstance(step.action, DeletePost) and step.action.receipt in restored)
        ]
    if any(step.outcome is None for step in same):
        return False
    tried = [step for step in same if not isinstance(step.outcome, CalledOff)]
    return bool(called) or not tried or tried[-1].action != action or tried[-1].came_about


def _is_open(action: Action, steps: Sequence[Step]) -> bool:
    return any(step.action == action and step.outcome is None for step in steps)
