"""What reports are made of, how they are drawn, and where they wait and go.

Every method may raise `Unavailable` (try again later) or `Broken` (never again in this process); nothing else
crosses a port.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from bot.core.chat.message import CommunityRef, Platform
from bot.core.chat.ports import Announcer
from bot.core.chat.post import Post
from bot.core.guarding.kinds import HarmKind
from bot.core.reporting.delivery.delivery import Delivery, State
from bot.core.reporting.figures import Figures, Totals, TrialFigures
from bot.core.reporting.report import Report
from bot.core.reporting.what_if import Probabilities
from bot.core.rules.actions import Outcome


class ReportQueries(Protocol):
    """The record, boiled down for reports. Messages count by when they were sent, incidents by when they were
    decided, in start <= t < end; both instants lie on a quarter hour."""

    async def communities(self) -> Sequence[CommunityRef]:
        """Those that have ever had a message settled."""
        ...

    async def figures(self, community: CommunityRef, start: datetime, end: datetime) -> Figures: ...

    async def sizes(self, start: datetime, end: datetime) -> Mapping[CommunityRef, int]:
        """How many messages each community had; those that had none are left out."""
        ...

    async def probabilities(
        self, community: CommunityRef, kinds: Collection[HarmKind], since: datetime
    ) -> Probabilities:
        """How probable the likeliest of these kinds was, of messages since a day and of the newest incidents; without
        kinds, of all, and of incidents alone. Costs the same with many incidents on record as with few."""
        ...

    async def trials(self, community: CommunityRef, start: datetime, end: datetime) -> Sequence[TrialFigures]:
        """One a guard that was on trial then."""
        ...

    async def totals(self, community: CommunityRef, start: datetime, end: datetime) -> Totals:
        """Equal to `(await figures(…)).totals`, and cheap."""
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

    async def latest(self, limit: int, community: CommunityRef | None = None) -> Sequence[Delivery]:
        """For people to read, the newest first."""
        ...


class ReportRenderer(Protocol):
    """Makes of a report what people see."""

    def render(self, report: Report, language: str, *, with_pdf: bool = True) -> Post:
        """Takes seconds, and is best called in a thread. Broken: a library is missing."""
        ...


class AlarmClock(Protocol):
    """Alarm clocks of this process, one a community: they only wake, and are gone with it."""

    async def arm(self, alarms: Mapping[CommunityRef, datetime | None]) -> None:
        """Set each anew, in place of what it was set for; None: take it away."""
        ...

    def rings(self) -> AsyncIterator[Mapping[CommunityRef, datetime]]:
        """Which have gone off, each once, with the time for which it was set, which may be long ago."""
        ...


class Poster(Announcer, Protocol):
    """Where reports are posted."""

    async def publish(self, channel_id: str, post: Post, *, mark: str) -> Outcome:
        """Post a report: its text, its picture, and as many of its files as the platform takes. `mark` (at most 25
        characters) names this very post: a platform that knows it posted the same mark shortly before does not post
        it again. Done with a receipt, Gone where the channel is no more, Refused where it may not be written to."""
        ...
