"""Alarms -> APScheduler jobs in memory, one an instant; jobs that are due -> rings.

APScheduler only wakes us: when a report is due is computed by bot/core/reporting/delivery/schedule.py from what a
community has set, so that nothing here has to outlive the process.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from bot.core.chat.message import CommunityRef

LOOK = 60  # seconds after which the clock is looked at again: a machine may have slept meanwhile

logging.getLogger("apscheduler").setLevel(logging.WARNING)


class ApschedulerAlarmClock:
    def __init__(self) -> None:
        late_is_due, once = None, True
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": late_is_due, "coalesce": once}
        )
        self._set_for: dict[CommunityRef, datetime] = {}
        self._rung: asyncio.Queue[Mapping[CommunityRef, datetime]] = asyncio.Queue()

    async def __aenter__(self) -> "ApschedulerAlarmClock":
        self._scheduler.add_job(_look, IntervalTrigger(seconds=LOOK))
        self._scheduler.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._scheduler.shutdown()

    async def arm(self, alarms: Mapping[CommunityRef, datetime | None]) -> None:
        for community, at in alarms.items():
            if at is None:
                self._set_for.pop(community, None)
            else:
                self._set_for[community] = at
        for at in {at for at in alarms.values() if at is not None}:
            self._scheduler.add_job(
                self._ring, DateTrigger(at), args=(at,), id=at.isoformat(), replace_existing=True
            )  # many communities share an instant; one that nobody waits for any more rings for nobody

    async def rings(self) -> AsyncIterator[Mapping[CommunityRef, datetime]]:
        while True:
            yield await self._rung.get()

    async def _ring(self, now: datetime) -> None:
        if ringing := {community: at for community, at in self._set_for.items() if at <= now}:
            for community in ringing:
                del self._set_for[community]
            self._rung.put_nowait(ringing)


async def _look() -> None:
    """APScheduler has looked at the clock when it calls this."""
