"""Where messages and actions wait, and where actions land.

Every method may raise `Unavailable` (try again later) or `Broken` (never again in this process); nothing else
crosses a port.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from bot.core.chat.message import CommunityRef, Message, MessageRef, Platform
from bot.core.chat.ports import Announcer
from bot.core.communities.journal import Aside, Tally
from bot.core.guarding.kinds import HarmKind
from bot.core.incidents.incident import PlannedAction, Settlement
from bot.core.moderation.recent import SaidBefore
from bot.core.moderation.turns import UnderWay
from bot.core.rules.actions import Outcome
from bot.core.rules.difference import Difference

Member = tuple[CommunityRef, str]  # and author


class MemberRoll(Protocol):
    """How much each member has said, as far as settlements have counted it."""

    async def heard(self, members: Collection[Member]) -> Mapping[Member, int]:
        """The messages counted of each; those of whom none was are left out."""
        ...

    async def watched_since(self, communities: Collection[CommunityRef]) -> Mapping[CommunityRef, datetime]:
        """When the first message was counted in each; those in which none was are left out."""
        ...

    async def said_since(self, moment: datetime, shares: Collection[int] | None = None) -> SaidBefore:
        """What was settled of messages sent at or after `moment`, by hashes, as long as those are kept; in the
        communities of these shares (None: of all)."""
        ...


class Tried(NamedTuple):
    """What a guard on trial would have changed about a message: nothing (None), or, where it was not `judged`, nobody
    knows. `kind`: of harm, which it is about."""

    ref: MessageRef
    community: CommunityRef
    sent_at: datetime
    guard: str
    judged: bool
    difference: Difference | None
    kind: HarmKind | None
    is_incident: bool


class Trials(Protocol):
    """How guards on trial do."""

    async def record(self, tried: Sequence[Tried]) -> None:
        """Count them, and write down at incidents what would have become of them. An incident that is not on record yet
        is only counted."""
        ...


class Inbox(Protocol):
    """Every message that has arrived: the queue, and the memory of what was settled."""

    async def keep(self, messages: Sequence[Message]) -> Sequence[bool]:
        """Store for screening, durably when it returns; False for a revision that was kept before.
        Calls that come together share one commit."""
        ...

    async def claim(self, limit: int, *, fresh_since: datetime) -> Sequence[Message]:
        """Lease up to `limit` messages that nobody works on: those sent at or after `fresh_since` first, the
        communities taking turns; of one the newest, in the order in which they were sent: where more comes than can be
        judged, most are judged at once. A lease ends by `settle`, `fault` or `set_aside`, or by itself when its holder
        has died. What a process died of is suspected: beside the others only half of the suspects are handed
        out at once, until one of them is alone. Where communities are shared out, of those alone that are this
        process's."""
        ...

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[bool]:
        """Close the messages, open their incidents and plan their actions, all or nothing, exactly once: a
        message that is already settled stays as it is. The text of a message without an incident is erased. False: its
        share has been taken by another process since it was claimed, or given back; nothing of it is written."""
        ...

    def under_way(self, shares: Collection[int]) -> int:
        """How many messages of these shares this process has claimed and not yet settled or given back."""
        ...

    async def give_back(self, shares: Collection[int]) -> None:
        """All of those: what is still decided about them is not written."""
        ...

    async def fault(self, ref: MessageRef) -> None:
        """Working on this leased message raised an exception of its own: it is given back, with one fault more. So
        is what the process died of while it alone was suspected."""
        ...

    async def given_up(self, limit: int) -> Sequence[Message]:
        """Lease up to `limit` messages that have three faults: to be settled without working on them. What could not
        even be read of one is empty."""
        ...

    async def set_aside(self, refs: Sequence[MessageRef]) -> None:
        """Give back leased messages that were looked at while the guard was away: `claim` passes them over."""
        ...

    async def look_again(self, limit: int, *, sent_before: datetime) -> Sequence[Message]:
        """Lease up to `limit` messages that were set aside and sent before then, the newest first."""
        ...

    async def were_aside(self, since: datetime) -> Mapping[CommunityRef, Aside]:
        """By community, what was set aside since then, settled or not."""
        ...

    async def settled(self, refs: Sequence[MessageRef]) -> Sequence[bool]:
        """Which of these revisions are settled."""
        ...

    async def waiting(self) -> int:
        """How many revisions are kept and not settled."""
        ...

    async def recent(self, since: datetime) -> Sequence[Message]:
        """Messages sent at or after `since`, oldest first, as far as still known (text may be erased)."""
        ...

    async def tally(self, start: datetime, end: datetime, community: CommunityRef | None = None) -> Tally:
        """How many revisions sent in start <= t < end were kept and settled."""
        ...


class Outbox(Protocol):
    """Actions that were decided and are to be done."""

    async def claim(
        self, limit: int, *, now: datetime, platforms: Collection[Platform], under_way: UnderWay | None = None
    ) -> Sequence[PlannedAction]:
        """Lease up to `limit` actions that are due on these platforms and for which there is room beside what is
        `under_way` (None: nothing is, and nobody's share is less than all), and record them as started. First those
        that protect; the communities take turns; within one, those first that were tried the least, then the oldest.
        An action that is not repeatable and was already started is closed as `Unconfirmed` instead of being handed
        out again. Suspects are handed out as by `Inbox.claim`; what has three faults comes with its `defect`. Where the
        communities of a platform are shared out, of those alone that are this process's."""
        ...

    def under_way(self, platform: Platform, shares: Collection[int]) -> int:
        """How many actions in the communities of these shares this process has claimed and not yet recorded or given
        back."""
        ...

    async def is_ours(self, community: CommunityRef) -> bool:
        """Whether what is planned there is claimed by this process."""
        ...

    async def is_repeated(self, planned: PlannedAction, since: datetime) -> bool:
        """Whether the same was done to the same author in this community at or after `since`, is perhaps, or is just
        being done because of an earlier plan."""
        ...

    async def record(self, results: Sequence[tuple[PlannedAction, Outcome]]) -> None:
        """Write down what came of planned actions and plan what follows, in one transaction: its `aftermath`, and its
        undoing where the incident was called wrong meanwhile. Repeating a record changes nothing; nor does one of an
        attempt after which somebody else made another. One that was closed as `Unconfirmed` gets the outcome that its
        process brings after all."""
        ...

    async def postpone(self, planned: PlannedAction, until: datetime, *, begun: str = "", defect: str = "") -> None:
        """Give a started action back, to be claimed again at or after `until`, with what was `begun`; close it as
        `CalledOff` where the incident was called wrong meanwhile. `defect` names an exception of its own, and counts as
        a fault. Repeating it changes nothing, also once it has been claimed again."""
        ...


class ActionExecutor(Announcer, Protocol):
    """Where actions land."""

    async def perform(self, planned: PlannedAction) -> Outcome:
        """Carry out one action. Repeating a repeatable action must be harmless. What follows from the outcome is
        planned by who records it."""
        ...
