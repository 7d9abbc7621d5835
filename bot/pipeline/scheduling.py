"""Communities' schedules -> alarms that are set; alarms that go off -> deliveries that are planned."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from bot.domain.community import Community
from bot.domain.delivery import Delivery
from bot.domain.message import Platform
from bot.domain.schedule import Schedule
from bot.pipeline.bell import Bell, patiently
from bot.ports import Chronicle, Clock, Communities, Deliveries, Timetable

Key = tuple[Platform, str]

_QUARTER = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduler:
    """`changed` says whose settings have changed. The store is asked and not this process's memory: an alarm may go
    off here that another process's commands have set."""

    communities: Communities
    schedule_of: Callable[[Community], Schedule]
    timetable: Timetable
    deliveries: Deliveries
    chronicle: Chronicle
    clock: Clock
    planned: Bell  # the courier's
    _changed: "asyncio.Queue[Key]" = field(default_factory=asyncio.Queue)

    def changed(self, key: Key) -> None:
        self._changed.put_nowait(key)

    async def run(self) -> None:
        """Until cancelled."""
        await patiently(self._arm_all, self.clock)
        async with asyncio.TaskGroup() as both:
            both.create_task(self._listen())
            both.create_task(self._follow())

    async def _listen(self) -> None:
        async for ringing in self.timetable.rings():
            await patiently(partial(self._plan, ringing), self.clock)
            self.planned.ring()

    async def _follow(self) -> None:
        while True:
            keys = {await self._changed.get()}
            while not self._changed.empty():
                keys.add(self._changed.get_nowait())
            await patiently(partial(self._arm, keys), self.clock)

    async def _arm_all(self) -> None:
        """Those that have gone, too: they lose theirs. Alarms that rang in a process which died are answered."""
        armed, known = await self.timetable.armed(), await self._known()
        if rung := {key: at for key, at in armed.items() if at <= self.clock.now()}:
            await self._plan(rung)
            armed = await self.timetable.armed()
        await self._set(armed.keys() | known.keys(), armed, known)

    async def _arm(self, keys: set[Key]) -> None:
        await self._set(keys, await self.timetable.armed(), await self._known())

    async def _set(self, keys: set[Key], armed: Mapping[Key, datetime], known: Mapping[Key, Community]) -> None:
        """An alarm whose time has come stays: what is due with it is still to be planned."""
        now = self.clock.now()

        def wanted() -> dict[Key, datetime | None]:
            times = {
                key: self.schedule_of(known[key]).next(now) if key in known else None
                for key in keys
                if key not in armed or armed[key] > now or key not in known
            }
            return {key: at for key, at in times.items() if at != armed.get(key)}

        await self.timetable.arm(await asyncio.to_thread(wanted))

    async def _plan(self, ringing: Mapping[Key, datetime]) -> None:
        """First written down, then set anew: who dies in between, hears it once more."""
        now, known = self.clock.now(), await self._known()
        end = datetime.fromtimestamp(now.timestamp() // _QUARTER.total_seconds() * _QUARTER.total_seconds(), now.tzinfo)
        sizes = await self.chronicle.sizes(end - timedelta(days=7), end)

        def due() -> tuple[list[Delivery], dict[Key, datetime | None]]:
            found: list[Delivery] = []
            alarms: dict[Key, datetime | None] = {}
            for key, at in ringing.items():
                platform, id_ = key
                schedule = self.schedule_of(known[key]) if key in known else None
                alarms[key] = schedule.next(now) if schedule else None
                found += [
                    Delivery(
                        platform=platform,
                        community_id=id_,
                        kind=due.kind,
                        period=due.period.name,
                        due=due.at,
                        size=sizes.get(id_, 0),
                    )
                    for due in (schedule.overdue(at, now) if schedule else ())
                ]
            return found, alarms

        found, alarms = await asyncio.to_thread(due)
        await self.deliveries.plan(found)
        await self.timetable.arm(alarms)

    async def _known(self) -> dict[Key, Community]:
        return {(community.platform, community.id): community for community in await self.communities.all()}
