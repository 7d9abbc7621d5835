"""Communities' schedules -> alarms that are set; alarms that go off -> deliveries that are planned."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from bot.core.base.clock import Clock
from bot.core.base.waiting import Wakeup, patiently
from bot.core.chat.message import CommunityRef
from bot.core.chat.ports import Bookmarks
from bot.core.communities.community import Community
from bot.core.communities.ports import Communities
from bot.core.reporting.delivery.delivery import Delivery
from bot.core.reporting.delivery.schedule import Schedule
from bot.core.reporting.ports import AlarmClock, Deliveries, ReportQueries

PLACE = "reports"  # the bookmark: all that was due up to that instant is planned

_QUARTER = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduler:
    """What is due follows from settings and from how far was planned; alarms only wake. Planning twice changes nothing,
    so that several processes may each do it. `changed` says whose settings have changed."""

    communities: Communities
    schedule_of: Callable[[Community], Schedule]
    alarm_clock: AlarmClock
    deliveries: Deliveries
    queries: ReportQueries
    bookmarks: Bookmarks
    clock: Clock
    planned: Wakeup  # the delivery worker's
    _changed: set[CommunityRef] = field(default_factory=set)  # each once
    _some_changed: asyncio.Event = field(default_factory=asyncio.Event)
    _armed: dict[CommunityRef, datetime] = field(default_factory=dict)

    def changed(self, community: CommunityRef) -> None:
        self._changed.add(community)
        self._some_changed.set()

    async def run(self) -> None:
        """Until cancelled."""
        await patiently(self._begin, self.clock)
        async with asyncio.TaskGroup() as both:
            both.create_task(self._listen())
            both.create_task(self._follow())

    async def _listen(self) -> None:
        async for ringing in self.alarm_clock.rings():
            await patiently(partial(self._plan, ringing), self.clock)

    async def _follow(self) -> None:
        while True:
            await self._some_changed.wait()
            self._some_changed.clear()
            changed = set(self._changed)
            self._changed.clear()
            await patiently(partial(self._arm, changed), self.clock)

    async def _begin(self) -> None:
        """What came due while no process was there, and the first alarm of everybody."""
        since = await self._planned_up_to()
        await self._plan(dict.fromkeys(await self._known(), since))

    async def _planned_up_to(self) -> datetime:
        """A database from before there was a bookmark tells by its newest delivery."""
        if place := await self.bookmarks.place(PLACE):
            return datetime.fromisoformat(place)
        return min([self.clock.now(), *(one.due for one in await self.deliveries.latest(1))])

    async def _plan(self, ringing: Mapping[CommunityRef, datetime]) -> None:
        """What has come due since the given instants. First written down, then set anew: who dies in between, finds it
        by the bookmark."""
        now, known = self.clock.now(), await self._known()
        end = datetime.fromtimestamp(now.timestamp() // _QUARTER.total_seconds() * _QUARTER.total_seconds(), now.tzinfo)
        sizes = await self.queries.sizes(end - timedelta(days=7), end)

        def due() -> list[Delivery]:
            return [
                Delivery(
                    community=community,
                    kind=due.kind,
                    period=due.period.name,
                    due=due.at,
                    size=sizes.get(community, 0),
                )
                for community, since in ringing.items()
                if community in known
                for due in self.schedule_of(known[community]).overdue(since, now)
            ]

        await self.deliveries.plan(await asyncio.to_thread(due))
        await self._set(ringing.keys(), known, now)
        self.planned.wake()

    async def _arm(self, some: Collection[CommunityRef]) -> None:
        await self._set(some, await self._known(), self.clock.now())

    async def _set(
        self, some: Collection[CommunityRef], known: Mapping[CommunityRef, Community], now: datetime
    ) -> None:
        """Wake for whatever these get next. One that is not yet planned holds the bookmark back."""

        def following() -> dict[CommunityRef, datetime | None]:
            return {one: self.schedule_of(known[one]).next(now) if one in known else None for one in some}

        alarms = await asyncio.to_thread(following)
        await self.alarm_clock.arm(alarms)
        for community, at in alarms.items():
            self._armed.pop(community, None)
            if at is not None:
                self._armed[community] = at
        await self.bookmarks.put(PLACE, min([now, *self._armed.values()]).isoformat())

    async def _known(self) -> dict[CommunityRef, Community]:
        return {community.ref: community for community in await self.communities.all()}
