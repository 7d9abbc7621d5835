"""Everything the core needs from the outside world, on one screen. Adapters and storage implement these.

Every method may raise `Unavailable` (try again later) or `Broken` (never again in this process); nothing else
crosses a port.
"""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from bot.domain.actions import Action, Outcome
from bot.domain.bots import Bot
from bot.domain.community import Community
from bot.domain.conditions import Text, Words
from bot.domain.delivery import Delivery, State
from bot.domain.digest import Tally
from bot.domain.figures import Pulse
from bot.domain.incident import Incident, PlannedAction, Settlement, Trace
from bot.domain.journal import Amendment, Aside, Outage
from bot.domain.keys import ApiKey
from bot.domain.message import Author, Message, MessageRef, Platform
from bot.domain.report import Edition, Figures, Report, Totals
from bot.domain.review import Appeal, Call, History, Review
from bot.domain.rules import Decision, Policy
from bot.domain.schedule import Schedule
from bot.domain.turns import UnderWay
from bot.domain.verdict import Exchange, GuardVersion, Screening, Task


class ChatPlatform(Protocol):
    """One chat network: messages come from it and actions land on it."""

    platform: Platform

    def messages(self) -> AsyncIterator[Sequence[Message]]:
        """Yield what has arrived, in order, in batches as they come. Asking for the next batch says that the
        last one is kept: only then may the platform be told that we have it."""
        ...

    async def perform(self, planned: PlannedAction) -> Outcome:
        """Carry out one action. Repeating a repeatable action must be harmless."""
        ...

    async def meet(self, message: Message) -> Author:
        """Who wrote a message, as the platform knows them now: asked where an author is `unmet`, before anything is
        done about the message. May take a moment: those asked about together are asked about at once."""
        ...

    async def announce(self, channel_id: str, text: str) -> None:
        """Write to a moderators' channel. One that does not exist or may not be written to is passed over."""
        ...

    async def publish(self, channel_id: str, edition: Edition, *, mark: str) -> Outcome:
        """Post a report: its text, its picture, and as many of its files as the platform takes. `mark` (at most 25
        characters) names this very post: a platform that knows it posted the same mark shortly before does not post
        it again. Done with a receipt, Gone where the channel is no more, Refused where it may not be written to."""
        ...


class Guard(Protocol):
    """One model that judges."""

    @property
    def version(self) -> GuardVersion: ...

    @property
    def tasks(self) -> frozenset[Task]:
        """What it can judge at all."""
        ...

    async def judge(self, exchanges: Sequence[Exchange]) -> Sequence[Screening]:
        """One screening for each exchange, in order. Must be cancellable."""
        ...


class Searcher(Protocol):
    """Looks for what only an engine that may take for ever understands (`Policy.to_search`)."""

    async def find(self, text: Text, content: str) -> Words:
        """As `Text.find`. Raises TimeoutError where it took too long and was given up."""
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
        out at once, until one of them is alone."""
        ...

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        """Close the messages, open their incidents and plan their actions, all or nothing, exactly once: a
        message that is already settled stays as it is. The text of a message without an incident is erased."""
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

    async def were_aside(self, since: datetime) -> Mapping[tuple[Platform, str], Aside]:
        """By platform and community, what was set aside since then, settled or not."""
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

    async def tally(self, start: datetime, end: datetime, community_id: str | None = None) -> Tally:
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
        out again. Suspects are handed out as by `Inbox.claim`; what has three faults comes with its `defect`."""
        ...

    async def record(self, results: Sequence[tuple[PlannedAction, Outcome]]) -> None:
        """Write down what came of planned actions, and plan its undoing where the incident was called wrong
        meanwhile. Repeating a record changes nothing; nor does one of an attempt after which somebody else made
        another. One that was closed as `Unconfirmed` gets the outcome that its process brings after all. Where
        something was given up, a Flag is planned, so that moderators see it."""
        ...

    async def plan(self, incident_id: int, actions: Sequence[Action], *, due: datetime) -> None:
        """Add actions to an incident, to be claimed at or after `due`."""
        ...

    async def postpone(self, planned: PlannedAction, until: datetime, *, defect: str = "") -> None:
        """Give a started action back, to be claimed again at or after `until`; close it as `CalledOff` where the
        incident was called wrong meanwhile. `defect` names an exception of its own, and counts as a fault. Repeating
        it changes nothing, also once it has been claimed again."""
        ...


class IncidentLog(Protocol):
    """What was decided, for people to read."""

    async def between(self, start: datetime, end: datetime, community_id: str | None = None) -> Sequence[Incident]:
        """Incidents decided in start <= t < end, oldest first."""
        ...

    async def of(self, refs: Sequence[MessageRef]) -> Sequence[Incident]:
        """The incidents of these revisions."""
        ...

    async def traces(self, since: datetime, *, each: int) -> Sequence[Trace]:
        """Of the incidents of live rules decided at or after `since` the newest `each` of every member, oldest
        first."""
        ...

    async def get(self, platform: Platform, community_id: str, incident_id: int) -> Incident | None:
        """None also where it is another community's."""
        ...

    async def mine(self, platform: Platform, author_id: str, incident_id: int) -> Incident | None:
        """None also where it is about somebody else's message."""
        ...

    async def whose(self, platform: Platform, incident_id: int) -> str | None:
        """The id of its community."""
        ...

    async def history(self, platform: Platform, community_id: str, author_id: str) -> History:
        """What is on record about a member."""
        ...

    async def count(self, start: datetime, end: datetime, platform: Platform, community_id: str) -> int:
        """How many incidents of live rules are about messages sent, and were decided, in start <= t <= end."""
        ...


class Chronicle(Protocol):
    """The record, boiled down for reports. Messages count by when they were sent, incidents by when they were
    decided, in start <= t < end; both instants lie on a quarter hour."""

    async def communities(self) -> Sequence[str]:
        """The ids of those that have ever had a message settled."""
        ...

    async def figures(self, community_id: str, start: datetime, end: datetime) -> Figures: ...

    async def sizes(self, start: datetime, end: datetime) -> Mapping[str, int]:
        """How many messages each community had; those that had none are left out."""
        ...

    async def totals(self, community_id: str, start: datetime, end: datetime) -> Totals:
        """Equal to `(await figures(…)).totals`, and cheap."""
        ...


class Reviews(Protocol):
    """Moderators' calls, and members' appeals."""

    async def record(self, platform: Platform, community_id: str, review: Review, *, due: datetime) -> Review | None:
        """Write a call down and plan what follows (`consequences`), in one transaction. A call that closes the review
        is refused when another one closed it before: then nothing is written, and that other one is returned. What
        nobody has begun of an incident that is called wrong is closed as `CalledOff`. Nothing happens where the
        community has no such incident."""
        ...

    async def appeal(
        self, platform: Platform, community_id: str, appeal: Appeal, then: Sequence[Action], *, due: datetime
    ) -> bool:
        """Write an author's appeal down and plan what follows, in one transaction. False where there is one already,
        or the community has no such incident: then nothing is written."""
        ...


class Changes(NamedTuple):
    """What became of settings: those stored since then, in order, and how many communities have settings now."""

    communities: Sequence[Community]
    number: int


class Communities(Protocol):
    """What communities have set."""

    async def all(self) -> Sequence[Community]: ...

    async def since(self, version: int) -> Changes:
        """What was stored after this version, the newest last; after 0: everything."""
        ...

    async def change(
        self, platform: Platform, community_id: str, edit: Callable[[Community], Community], *, by: str
    ) -> Community:
        """Store what `edit` makes of the settings that are stored now (empty ones where there are none), in the
        transaction that reads them: of two changes at a time, neither undoes the other. Their version counts up over
        all communities, and what changed is noted in the journal. `by` is the name of who changed it, empty for the
        bot itself. Where nothing changes, nothing is written. Returns what is stored then."""
        ...

    async def move(self, platform: Platform, old_id: str, new_id: str) -> None:
        """A community has a new id (a Telegram group became a supergroup): settings, messages, incidents, journal and
        everything planned follow, in one transaction, and so does what any community's settings say about a channel
        of that id; repeating it changes nothing. Messages keep their refs: they were sent where they were sent."""
        ...


class Journal(Protocol):
    """What befell the bot itself. Changes of settings come in through `Communities.change`."""

    async def guard_went(self, since: datetime) -> datetime:
        """The guard is away. Changes nothing while it is on record as away. Returns since when it is."""
        ...

    async def guard_came_back(self, at: datetime) -> datetime | None:
        """Returns since when it had been away, whoever wrote down that it is back; None: it never was."""
        ...

    async def is_first_to_tell(self, began: datetime, word: str, platform: Platform) -> bool:
        """Whether nobody has asked this before: of several processes, one tells people about an outage."""
        ...

    async def guard_is_away(self) -> bool:
        """Whether the last that was written down is that it went; a process that died cannot have seen it return."""
        ...

    async def outages(self, start: datetime, end: datetime) -> Sequence[Outage]:
        """Those that were going on at some moment in start <= t < end, whole, oldest first."""
        ...

    async def amendments(self, community_id: str, start: datetime, end: datetime) -> Sequence[Amendment]:
        """Settings that a community changed in start <= t < end, oldest first."""
        ...


class BotRoll(Protocol):
    """The other bots of every community, as far as settled messages tell."""

    async def all(self) -> Sequence[tuple[Platform, str, Bot]]:
        """Each with its community's platform and id."""
        ...


class Desk(Protocol):
    """What a chat platform asks the core while moderators press buttons and type commands. Who may, is the
    platform's to check, every time."""

    def community(self, platform: Platform, community_id: str) -> Community:
        """The settings, empty ones where nothing was set."""
        ...

    def communities(self, platform: Platform) -> Sequence[Community]:
        """All that have set something."""
        ...

    def schedule(self, platform: Platform, community_id: str) -> Schedule:
        """When a community gets which report."""
        ...

    def policy(self, message: Message) -> Policy:
        """The rules that a message is under, now."""
        ...

    async def change(
        self, platform: Platform, community_id: str, edit: Callable[[Community], Community], *, by: str
    ) -> Community:
        """See `Communities.change`."""
        ...

    def bots(self, platform: Platform, community_id: str) -> Sequence[tuple[Bot, bool]]:
        """The other bots that were seen there, and whether what each says is judged as answers."""
        ...

    async def move(self, platform: Platform, old_id: str, new_id: str) -> None:
        """See `Communities.move`."""
        ...

    async def look_up(self, platform: Platform, community_id: str, incident_id: int) -> tuple[Incident, History] | None:
        """An incident as it is now, and what is on record about its author; None also where it is another
        community's."""
        ...

    async def whose(self, platform: Platform, incident_id: int) -> str | None:
        """The id of the community that an incident is of: to ask there what somebody may do, and for nothing else."""
        ...

    async def mine(self, platform: Platform, author_id: str, incident_id: int) -> Incident | None:
        """An incident about a member's own message, wherever they ask; None also where it is somebody else's."""
        ...

    async def call(
        self,
        platform: Platform,
        community_id: str,
        incident_id: int,
        call: Call,
        *,
        moderator_id: str,
        moderator_name: str,
    ) -> tuple[Incident, History] | None:
        """A moderator's call; what follows from it is planned. `Incident.review` is the call that counts: somebody
        else's where that came first."""
        ...

    async def appeal(self, platform: Platform, community_id: str, incident_id: int, words: str) -> bool:
        """The author of an incident's message objects: that is written down, and shown to the moderators on its card.
        False where they had done so before or it is another community's incident, and nothing follows. Who objects, is
        the platform's to check (`mine`)."""
        ...

    async def judge(self, message: Message) -> Decision:
        """What would be decided about a message. Nothing is kept and nothing is done."""
        ...

    async def report(
        self, platform: Platform, community_id: str, period: str | None = None, *, unmasked: bool = False
    ) -> Edition | None:
        """A report on a community, made now, in its language: of last week, or of the period of that name
        (`Period.name`); None where there is no such period. `unmasked`: with members' names, for moderators only."""
        ...


class Bookmarks(Protocol):
    """How far a platform has been read, for a process that starts after another has died."""

    async def place(self, name: str) -> str | None: ...

    async def within(self, name: str) -> Mapping[str, str]:
        """The places of all whose name begins with `name` and a slash, by what comes after it."""
        ...

    async def put(self, name: str, place: str) -> None: ...

    async def put_all(self, places: Mapping[str, str | None]) -> None:
        """By name, all or nothing; None takes one away."""
        ...


class ApiKeys(Protocol):
    """Keys to the HTTP API. What a key opens with is never kept, only its hash."""

    async def all(self) -> Sequence[ApiKey]:
        """Oldest first, the revoked ones too."""
        ...

    async def add(self, key: ApiKey) -> None: ...

    async def revoke(self, key_id: str, at: datetime) -> bool:
        """False where there is no such key, or it was revoked before."""
        ...

    async def note_use(self, uses: Mapping[str, datetime]) -> None:
        """When keys (by id) were used last. An earlier use than the noted one changes nothing."""
        ...


class Vitals(Protocol):
    """How the application is doing, for health checks and metrics."""

    def pulse(self) -> Pulse: ...

    async def waiting(self) -> int:
        """See `Inbox.waiting`: asks the database."""
        ...


class ReportPress(Protocol):
    """Makes of a report what people see."""

    def edition(self, report: Report, language: str, *, with_pdf: bool = True) -> Edition:
        """Takes seconds, and is best called in a thread. Broken: a library is missing."""
        ...


class Deliveries(Protocol):
    """Reports on their way: planned, handed out, and what came of them. Each is sent at most once."""

    async def plan(self, deliveries: Sequence[Delivery], *, apart: timedelta = timedelta(0)) -> Sequence[bool]:
        """Write them down, durably when it returns; False for one that there was before, or that is due within
        `apart` after another of its kind and community. An older one of its kind and community that nobody has begun
        is skipped: who comes late gets the latest report, not all of them."""
        ...

    async def claim(self, limit: int, *, now: datetime, platforms: Collection[Platform]) -> Sequence[Delivery]:
        """Lease up to `limit` that are due on these platforms, those of the largest communities first. A lease ends
        by `record` or `postpone`, or by itself when its holder has died."""
        ...

    async def start(self, delivery_id: int) -> bool:
        """Write down that sending begins, just before it does: if its holder dies after this, a delivery is closed as
        unconfirmed and not handed out again. False: it is somebody else's by now, and must not be sent."""
        ...

    async def record(self, delivery_id: int, state: State, *, receipt: str = "", reason: str = "") -> None:
        """Close a claimed delivery with a final state. The first record counts."""
        ...

    async def postpone(self, delivery_id: int, until: datetime, *, reason: str) -> None:
        """Give a claimed delivery back, surely not sent, to be claimed again at or after `until`."""
        ...

    async def latest(self, limit: int, community_id: str | None = None) -> Sequence[Delivery]:
        """For people to read, the newest first."""
        ...


class Timetable(Protocol):
    """Alarm clocks of this process, one a community: they only wake, and are gone with it."""

    async def arm(self, alarms: Mapping[tuple[Platform, str], datetime | None]) -> None:
        """Set each anew, in place of what it was set for; None: take it away."""
        ...

    def rings(self) -> AsyncIterator[Mapping[tuple[Platform, str], datetime]]:
        """Which have gone off, each once, with the time for which it was set, which may be long ago."""
        ...


class Clock(Protocol):
    def now(self) -> datetime:
        """Wall-clock time, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go backwards, for measuring."""
        ...

    async def sleep(self, seconds: float) -> None: ...
