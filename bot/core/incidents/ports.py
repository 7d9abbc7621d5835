"""The record of what was decided, and of what people said to it.

Every method may raise `Unavailable` (try again later) or `Broken` (never again in this process); nothing else
crosses a port.
"""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.core.chat.message import CommunityRef, Message, MessageRef, Platform
from bot.core.guarding.verdict import Opinion
from bot.core.incidents.case import Case, Look, Looked, Order, Person, Sanction, Search
from bot.core.incidents.incident import Incident, Trace
from bot.core.incidents.review import Appeal, Filed, History, Review
from bot.core.incidents.webhooks.webhook import Notice, Reception, Webhook
from bot.core.rules.actions import Action
from bot.core.rules.ladder import Strike
from bot.core.rules.precedent import Judged, Precedent

#: Precedents of one community.
MOST = 200

#: Accounts that are linked as one person's.
MOST_LINKED = 6

#: Hears of an incident, once something new is on record about it.
Changed = Callable[[CommunityRef, int], None]


class CardBoard(Protocol):
    """Where moderators see incidents."""

    def incident_changed(self, community: CommunityRef, incident_id: int, *, emptied: bool = False) -> None:
        """Something new is on record about an incident: its card, if any, is to be drawn anew. Returns at once.
        `emptied`: its words are gone, so that they must go from the card, too, however old that is."""
        ...

    def taken_over(self) -> None:
        """Cards of other processes are this one's from now on: who is not known here is looked for."""
        ...


class Incidents(Protocol):
    """What was decided, for people to read."""

    async def between(
        self, start: datetime, end: datetime, community: CommunityRef | None = None
    ) -> Sequence[Incident]:
        """Incidents decided in start <= t < end, oldest first."""
        ...

    async def of(self, refs: Sequence[MessageRef]) -> Sequence[Incident]:
        """The incidents of these revisions."""
        ...

    async def traces(
        self, since: datetime, *, each: int, most: int, shares: Collection[int] | None = None
    ) -> Sequence[Trace]:
        """Of the incidents of live rules decided at or after `since` the newest `each` of every member, oldest first.
        Where those are more than `most`, everybody's newest go before anybody's second newest. `shares`: of communities
        (None: of all)."""
        ...

    async def get(self, community: CommunityRef, incident_id: int) -> Incident | None:
        """None also where it is another community's."""
        ...

    async def mine(self, platform: Platform, author_id: str, code: str) -> Incident | None:
        """By `CODE`. None also where it is about somebody else's message."""
        ...

    async def numbers(self, community: CommunityRef, incidents: Sequence[int]) -> Mapping[int, int]:
        """Of each of these, as far as there are such, the number by which moderators call it."""
        ...

    async def numbered(self, community: CommunityRef, numbers: Sequence[int]) -> Mapping[int, int]:
        """By these numbers, as far as there are such, the incidents."""
        ...

    async def on_card(self, community: CommunityRef, receipt: str) -> Sequence[int]:
        """Those that are shown on the card with this receipt (`Incident.card`), by id, whenever they were decided: a
        card takes in what waited for it, and the clock of who decided may have been wrong."""
        ...

    async def whose(self, platform: Platform, incident_id: int) -> CommunityRef | None:
        """Its community; None also where it is another platform's."""
        ...

    async def history(self, community: CommunityRef, author_id: str, *, besides: Collection[int] = ()) -> History:
        """What is on record about a member, `besides` these incidents."""
        ...

    async def count(self, community: CommunityRef, start: datetime, end: datetime) -> int:
        """How many incidents of live rules are about messages sent, and were decided, in start <= t <= end."""
        ...


class Reviews(Protocol):
    """Moderators' calls, and members' appeals."""

    async def record(
        self,
        community: CommunityRef,
        review: Review,
        *,
        due: datetime,
        precedent: Precedent | None = None,
        strike: Strike | None = None,
    ) -> Review | None:
        """Write a call down and plan what follows (`consequences`), in one transaction; where it closes the review,
        `precedent` takes the place of the one that the incident was before (None: it is none any more), and `strike` of
        the one that it was (None: it stays); what that led to, and nothing else leads to, is taken back. A call is
        refused when another one came at the same moment, or somebody else has taken the incident (`TAKEN_FOR`): then
        nothing is written, and that other one is returned. What nobody has begun of an incident that is called wrong is
        closed as `CalledOff`. Nothing happens where the community has no such incident."""
        ...

    async def appeal(
        self, community: CommunityRef, appeal: Appeal, then: Sequence[Action], *, due: datetime
    ) -> Filed | None:
        """Write an author's appeal down and plan what follows, in one transaction. Nothing is written where there is
        one already, where the author has written too many (`MOST_APPEALS`), and (None) where the community has no
        such incident."""
        ...


class Cases(Protocol):
    """What moderators count, and what they do by hand."""

    async def open(self, community: CommunityRef, order: Order) -> tuple[Case, bool]:
        """Open a case and plan what was ordered, in one transaction. Where the same was ordered just now (see
        `Case.is_of`) nothing is written: that case, and False."""
        ...

    async def get(self, community: CommunityRef, number: int) -> Case | None:
        """By its number in that community."""
        ...

    async def mine(self, platform: Platform, member: str, code: str) -> tuple[CommunityRef, Case] | None:
        """A deed by hand that counts against this member, and where; None also where it does against somebody else."""
        ...

    async def undo(self, community: CommunityRef, number: int, *, by: str, at: datetime) -> tuple[Case, bool] | None:
        """Take a deed by hand back: what waits is called off, of what is done that is undone which can be, in one
        transaction. False: it was taken back before. None: there is no such deed."""
        ...

    async def appeal(
        self, community: CommunityRef, number: int, member: str, words: str, *, at: datetime
    ) -> Filed | None:
        """The member to whom a deed by hand was done objects: that is written down, and planned to be shown. See
        `Reviews.appeal`; None where there is no such deed of theirs, or it was taken back. Who takes it back then tells
        them."""
        ...

    async def uphold(self, community: CommunityRef, number: int, *, by: str, at: datetime) -> tuple[Case, bool] | None:
        """It stays, and who objects to it is told, in one transaction. False: nobody waits for an answer (any more).
        None: there is no such deed."""
        ...

    async def find(
        self, community: CommunityRef, search: Search, *, most: int, before: int | None = None
    ) -> Sequence[Case]:
        """The newest `most` of those meant, of numbers less than `before`."""
        ...

    async def waiting(self, community: CommunityRef, *, most: int) -> Sequence[Case]:
        """Those that wait for a call (`WAITING`): the most severe first, of equal ones the oldest. It costs the same
        however many there are."""
        ...

    async def neglected(self, now: datetime) -> Sequence[CommunityRef]:
        """Where something that is no mere look (`Severity.WAITS`) waits longer than `PATIENCE`."""
        ...

    async def running(self, community: CommunityRef, *, most: int, member: str | None = None) -> Sequence[Sanction]:
        """The newest `most` time-outs and bans that run now, whoever imposed them."""
        ...

    async def held(
        self, community: CommunityRef, member: str, kind: str, *, besides: int | None = None
    ) -> Sanction | None:
        """Of the sanctions of a kind that run against a member and that no incident has imposed, but somebody by hand
        or with the network's own tools, the one that lasts longest; none of the case of this number, nor of one that
        was taken back."""
        ...

    async def end(self, now: datetime, most: int) -> int:
        """Note of up to `most` sanctions whose time is over that they are, and plan to lift those that their platform
        does not end itself, in one transaction; how many. One that is noted is never ended twice."""
        ...

    async def remind(self, now: datetime, most: int) -> int:
        """Plan to call people again for urgent cases that nobody has taken, and to show appeals again that nobody has
        answered, in one transaction; how many. Up to `most` of each are looked at."""
        ...

    async def looked(
        self, community: CommunityRef, by: Person, what: Look, *, case: int | None = None, incident: int | None = None
    ) -> None:
        """Somebody is about to look at a case (by its number) or an incident, or at what is on record about somebody:
        written down before they see it."""
        ...

    async def looks(self, community: CommunityRef, *, most: int, by: str | None = None) -> Sequence[Looked]:
        """The newest `most` of these, of everybody or of one."""
        ...


class Flags(Protocol):
    """Who has pointed the moderators to which message; shown to nobody."""

    async def add(self, message: Message, by: str, *, at: datetime) -> tuple[Filed, int | None]:
        """Write it down, once a member and message; and the incident of that message, if there is one by now. Nothing
        is written where they point too often (`FLAGS_APART`, `MOST_FLAGS_A_DAY`), or too many messages of a community
        were pointed to within a minute (`MOST_FLAGGED`)."""
        ...

    async def untold(self, community: CommunityRef, incident_id: int) -> Sequence[tuple[int, str]]:
        """Members who pointed to its message, the first `MOST_TOLD`, and were not told what came of it, each with the
        number of what was written down."""
        ...

    async def told(self, flag: int, *, at: datetime) -> None:
        """They were, or cannot be: who it was is not known any more."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedBan:
    """One that runs and was not handed on yet. `case`: the number of what has imposed it."""

    id: int
    case: int
    member: str
    began_at: datetime
    ends_at: datetime | None = None


class SharedBans(Protocol):
    """What of the bans of one community was handed on to another, and what became of it there."""

    async def due(
        self, of: CommunityRef, to: CommunityRef, since: datetime, *, most: int, a_day: int
    ) -> Sequence[SharedBan]:
        """Up to `most` that began at or after `since`, the oldest first; none that was handed on itself, nor of whom a
        ban runs there already or was lifted there since then, and no more than `a_day` within a day."""
        ...

    async def done(self, ban: SharedBan, to: CommunityRef, case: int | None) -> None:
        """It became the case of this number there; None: it is passed over."""
        ...

    async def freed(self, of: CommunityRef, to: CommunityRef, *, most: int) -> Sequence[int]:
        """Numbers of the cases there which stand, though what they were handed on from was lifted before its time."""
        ...


class Links(Protocol):
    """Which accounts moderators have linked as those of one person. It shows, and nothing follows from it."""

    async def link(
        self, one: tuple[CommunityRef, str], other: tuple[CommunityRef, str], *, by: str, at: datetime
    ) -> bool:
        """False: the person would have more than `MOST_LINKED`."""
        ...

    async def unlink(self, community: CommunityRef, member: str) -> bool:
        """This account is no other's any more. False: it was not."""
        ...

    async def of(self, community: CommunityRef, member: str) -> Sequence[tuple[CommunityRef, str]]:
        """The other accounts of the same person."""
        ...


class Opinions(Protocol):
    """What a guard says of incidents that has read their community's own rules, and what it was asked for that."""

    async def ask(
        self, communities: Sequence[CommunityRef], *, a_day: int, most: int
    ) -> Sequence[tuple[CommunityRef, int]]:
        """Up to `most` incidents of which it is to be asked now, one of each of these communities, in that order. They
        wait for a moderator and were decided lately (`opinions.RECENT`): what members have pointed to first, then the
        newest; nothing that is said again, and no member's more than `OF_A_MEMBER` a day. Each community has its budget
        (`may_ask`). It is written down before it is told, and so costs the same whoever dies; what nobody has answered
        is told again after `AGAIN`, `TRIES` times in all."""
        ...

    async def answer(self, community: CommunityRef, incident_id: int, opinion: Opinion | None) -> bool:
        """Write it down, with the incident; None: there is none to rely on. False where the words of the incident are
        gone meanwhile: then nothing is kept that quotes them."""
        ...


class Called(Protocol):
    """What was called right or wrong, as hashes. At most `MOST` of a community, the newest."""

    async def since(self, moment: datetime) -> Sequence[tuple[CommunityRef, Hashable, Precedent | None]]:
        """By community and what it was called of, those that were made or withdrawn (None) at or after that moment, in
        order."""
        ...


class Feedback(Called, Protocol):
    """What bots' owners say of judgements that they were given over HTTP."""

    async def code(self, community: CommunityRef, about: Judged) -> str:
        """What stands for a judgement: nothing is stored of it, and nobody but we can make or read one."""
        ...

    async def read(self, community: CommunityRef, code: str) -> Judged | None:
        """None where this community was given no such code, or nobody can read it any more."""
        ...

    async def take(self, community: CommunityRef, code: str, precedent: Precedent, *, by: str) -> bool:
        """False where the same was said with that code before: then nothing is written."""
        ...


class Precedents(Protocol):
    """What moderators have called right or wrong, as hashes. At most `MOST` of a community, the newest."""

    async def since(self, moment: datetime) -> Sequence[tuple[CommunityRef, int, Precedent | None]]:
        """By community and incident, those that were made or withdrawn (None) at or after that moment, in order."""
        ...

    async def of(self, community: CommunityRef) -> Sequence[Precedent]:
        """Those that hold, the newest first."""
        ...

    async def withdraw(self, community: CommunityRef, number: int) -> bool:
        """By the number of its case: it is none any more; the review stays. False where it was none, or is another
        community's."""
        ...


class Webhooks(Protocol):
    """Servers that are told of a community's incidents, and what they have still to be told. What is planned is planned
    by who settles an incident of a live rule, in the same transaction."""

    async def all(self) -> Sequence[Webhook]:
        """Oldest first, the stopped ones too."""
        ...

    async def add(self, webhook: Webhook) -> int | None:
        """Its id. None where the community has as many as it may have. One that has that address already goes on with
        the new secret, also where it was stopped."""
        ...

    async def remove(self, community: CommunityRef, webhook_id: int) -> bool:
        """False where the community has no such webhook."""
        ...

    async def claim(self, limit: int, *, now: datetime) -> Sequence[tuple[Webhook, Sequence[Notice]]]:
        """Up to `limit` that are due, those tried longest ago first, each with the oldest of what it is to be told;
        leased until one of the next three is called."""
        ...

    async def heard(self, webhook_id: int, notices: Sequence[int]) -> None:
        """These were told."""
        ...

    async def postpone(self, webhook_id: int, notices: Sequence[int], *, until: datetime, reason: str) -> None:
        """These were told, the next one was not. Of what waits then, the newest are kept."""
        ...

    async def stop(self, webhook_id: int, notices: Sequence[int], *, at: datetime, reason: str) -> int:
        """These were told, and nothing is told any more. How many were not."""
        ...


class Receiver(Protocol):
    """Tells somebody's server. Whatever it does, the answer is one of three; nothing is raised."""

    async def tell(self, webhook: Webhook, notice: Notice) -> Reception: ...
