"""What moderators count: an incident or a deed of their own, each with a number of its community, and a code for
members."""

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from bot.core.chat.message import Author, CommunityRef, Message, MessageRef
from bot.core.chat.rights import Right
from bot.core.rules.actions import (
    Action,
    Answer,
    Ban,
    CalledOff,
    DeletePost,
    Done,
    Flag,
    Kick,
    Lock,
    Outcome,
    Purge,
    Refused,
    Timeout,
    Unlock,
    Unsanction,
    Warn,
)
from bot.core.rules.ladder import Strike

LONGEST_WORDS = 1000  # characters of a reason or a note

#: Of a code: no letters that are taken for digits, and nothing that spells a word.
_ALPHABET, _LENGTH = "23456789BCDFGHJKLMNPQRSTVWXZ", 10
#: A code as it is read back; or the number of an incident, which members were told by earlier versions.
CODE = rf"[{_ALPHABET}]{{{_LENGTH}}}|[0-9]{{1,18}}"

#: What is no deed, but said of one.
_BESIDE = (DeletePost, Flag, Answer, Unlock)

#: Two who do the same to the same member within so short a time have not seen each other's deed.
AT_ONCE = timedelta(seconds=10)


class CaseKind(StrEnum):
    """An incident, or what a moderator did by hand."""

    INCIDENT = "incident"
    WARN = "warn"
    MUTE = "mute"
    UNMUTE = "unmute"
    KICK = "kick"
    BAN = "ban"
    UNBAN = "unban"
    PURGE = "purge"
    NOTE = "note"
    RAID = "raid"  # many at once; nobody's deed
    LOCK = "lock"

    @property
    def right(self) -> Right:
        """What it takes to do it, and to take it back."""
        return _RIGHTS[self]

    @property
    def strikes(self) -> bool:
        """Whether it counts against the member."""
        return self in (CaseKind.WARN, CaseKind.MUTE, CaseKind.KICK, CaseKind.BAN)

    @property
    def repeats(self) -> bool:
        """Whether somebody may do it twice in a moment and mean both."""
        return self in (CaseKind.NOTE, CaseKind.PURGE)


_RIGHTS = {
    CaseKind.INCIDENT: Right.DELETE, CaseKind.WARN: Right.MUTE, CaseKind.MUTE: Right.MUTE, CaseKind.UNMUTE: Right.MUTE,
    CaseKind.KICK: Right.KICK, CaseKind.BAN: Right.BAN, CaseKind.UNBAN: Right.BAN, CaseKind.PURGE: Right.DELETE,
    CaseKind.NOTE: Right.REVIEW, CaseKind.RAID: Right.BAN,
    CaseKind.LOCK: Right.MANAGE,
}  # fmt: skip


class CaseState(StrEnum):
    OPEN = "open"
    TAKEN = "taken"  # a moderator is at it
    RESOLVED = "resolved"  # a moderator has closed the review, or has done it by hand
    REOPENED = "reopened"  # it is to be called again
    APPEALED = "appealed"  # somebody objects to it
    UNDONE = "undone"  # a deed by hand that was taken back


class Severity(IntEnum):
    """How much a case waits for a moderator."""

    DONE = 0  # the rules have acted; a look is welcome
    WAITS = 1  # nothing was done: somebody has to say
    URGENT = 2  # people were called


#: It waits until somebody has called it, and for so long nobody is reminded; after a week nobody is any more.
WAITING = (CaseState.OPEN, CaseState.REOPENED, CaseState.APPEALED)
PATIENCE, GIVEN_UP = timedelta(hours=4), timedelta(days=7)


def new_code() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def read_code(typed: str) -> str | None:
    """`CODE` in what somebody has written as such; None: it is none."""
    code = typed.strip().removeprefix("#").upper()
    return code if re.fullmatch(CODE, code) else None


@dataclass(frozen=True, slots=True)
class Person:
    """By the network's id; the name is what they were called then."""

    id: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a moderator wants done by hand. `at`: when they said so by the network's clock, the same however often that
    is delivered. `channel`: where they said it. `actions`: what is to be done. `done`: they have done it with the
    network's own tools; with what it is known by there. `strike`: how it counts against them."""

    kind: CaseKind
    member: Person
    moderator: Person
    at: datetime
    words: str = ""
    language: str = "ko"
    channel: str = ""
    actions: tuple[Action, ...] = ()
    done: Done | None = None
    strike: Strike | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`number`: as moderators call it; `code`: as members do. `moderator`: who did it by hand. `outcomes` pairs each
    action with what came of it; None: still to be done."""

    number: int
    code: str = ""
    kind: CaseKind
    state: CaseState
    opened_at: datetime
    member: Person
    moderator: Person = Person("")
    words: str = ""
    incident: int | None = None
    rule: str = ""  # by which the incident came about, where the whole case was asked for
    severity: Severity = Severity.DONE
    closed_at: datetime | None = None
    objection: str = ""  # what its member has to say to a deed by hand
    outcomes: tuple[tuple[Action, Outcome | None], ...] = ()

    def is_of(self, order: Order) -> bool:
        """Whether it was this order, delivered before; or somebody has just done the same to the same member."""
        if self.kind is not order.kind or self.member.id != order.member.id or self.state is CaseState.UNDONE:
            return False
        if self.moderator.id == order.moderator.id and self.opened_at == order.at:
            return True
        if self.lock and not any(isinstance(one, Lock) and one.is_as(self.lock) for one in order.actions):
            return False
        failed = self.deed is not None and isinstance(self.deed[1], Refused)
        return not (self.kind.repeats or failed) and abs(self.opened_at - order.at) < AT_ONCE

    @property
    def lock(self) -> Lock | None:
        """What it has locked, or was to lock."""
        return next((action for action, _ in self.outcomes if isinstance(action, Lock)), None)

    @property
    def is_under_way(self) -> bool:
        """Whether what it is about is still to be done. A word beside it may take its time."""
        beside = _BESIDE if self.kind is CaseKind.WARN else (*_BESIDE, Warn)
        return any(outcome is None for action, outcome in self.outcomes if not isinstance(action, beside))

    @property
    def imposes(self) -> bool:
        """Whether something runs because of it, which ends or is taken back."""
        return self.kind in (CaseKind.MUTE, CaseKind.BAN)

    @property
    def of_bans(self) -> bool:
        """Whether it is a ban that it imposes or lifts, and not a time-out."""
        return self.kind in (CaseKind.BAN, CaseKind.UNBAN)

    @property
    def deed(self) -> tuple[Action, Outcome | None] | None:
        """What it is about, and what came of it; the word to the member where that is all."""
        weighty = [one for one in self.outcomes if not isinstance(one[0], (Warn, *_BESIDE))]
        return next(iter(weighty or self.outcomes), None)

    @property
    def ends_at(self) -> datetime | None:
        """When what it imposes is over by itself; None: never."""
        lasting = next((action.lasting for action, _ in self.outcomes if isinstance(action, Timeout | Ban)), None)
        return self.opened_at + lasting if lasting else None

    @property
    def taken_back(self) -> tuple[tuple[Action, Outcome | None], ...]:
        """What was done of it and is undone, and what is not done any more."""
        against = (Unsanction, Unlock) if self.imposes else (Unlock,)
        beside = (Warn, *_BESIDE)
        return tuple(
            (action, outcome)
            for action, outcome in self.outcomes
            if (not isinstance(action, beside) if isinstance(outcome, CalledOff) else isinstance(action, against))
        )

    @property
    def lost(self) -> bool:
        """Whether the platform cannot give back what was taken: membership, roles, messages."""
        done = [action for action, outcome in self.outcomes if isinstance(outcome, Done)]
        return any(isinstance(action, Kick | Ban | Purge) for action in done)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sanction:
    """What runs. `case`: the number of the case that imposed it, `code`: as members call that; `ends_at` None: never by
    itself."""

    case: int
    code: str = ""
    kind: str
    member: Person
    begins_at: datetime
    ends_at: datetime | None = None
    moderator: Person = Person("")


class Look(StrEnum):
    """What of the record somebody has looked at."""

    CASE = "case"
    HISTORY = "history"
    SEARCH = "search"
    REVEAL = "reveal"  # the whole text of an incident
    REPORT = "report"  # one with members' names
    EXPORT = "export"


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """Somebody has. `case`: the number of what they looked at, where it was one case or one incident's."""

    by: Person
    what: Look
    at: datetime
    case: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Which cases are meant; what is None does not matter. `since` <= opened < `until`."""

    member: str | None = None
    moderator: str | None = None
    kind: CaseKind | None = None
    state: CaseState | None = None
    since: datetime | None = None
    until: datetime | None = None


def measures(kind: CaseKind, lasting: timedelta = timedelta()) -> tuple[Action, ...]:
    """What is done for an order: a word to the member while they can be reached, then the deed."""
    match kind:
        case CaseKind.WARN:
            return (Warn(),)
        case CaseKind.MUTE:
            return (Warn(), Timeout(lasting))
        case CaseKind.KICK:
            return (Warn(), Kick())
        case CaseKind.BAN:
            return (Warn(), Ban(lasting))
        case CaseKind.UNMUTE | CaseKind.UNBAN:
            return (Unsanction(),)
    return ()


def undoing(action: Action, outcome: Outcome | None, begun: str = "") -> Action | None:
    """What takes a done action of a deed back; None: nothing does, or nothing came of it. A lock that was `begun` and
    never done stands in some channels already."""
    if isinstance(action, Lock):
        if isinstance(outcome, Done):
            return action.undone(outcome.receipt)
        return action.undone(begun) if begun else None
    return Unsanction() if action.undone_by is Unsanction and isinstance(outcome, Done) else None


def about(case: Case, community: CommunityRef, channel: str) -> Message:
    """Stands where an incident has its message: whose it is, and where it was asked for."""
    return Message(
        ref=MessageRef(community.platform, channel, "0"),
        community_id=community.id,
        author=Author(id=case.member.id, name=case.member.name),
        sent_at=case.opened_at,
    )


def native(kind: CaseKind, lasting: timedelta = timedelta()) -> tuple[Action, ...]:
    """What a moderator has done with the network's own tools: the same, without a word to the member."""
    return tuple(action for action in measures(kind, lasting) if not isinstance(action, Warn))
