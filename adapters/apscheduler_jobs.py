"""Alarms -> APScheduler jobs in the database, one a community; jobs that are due -> rings.

APScheduler only keeps the alarms and wakes us: when a report is due is computed by bot/domain/schedule.py, and a job is
set for that one instant. Its trigger is an interval, so that a job which nobody sets anew fires again.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Lock
from typing import Any, TypeVar

from apscheduler.executors.base import BaseExecutor
from apscheduler.job import Job
from apscheduler.jobstores.base import JobLookupError
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from bot.domain.message import Platform

Key = tuple[Platform, str]
Result = TypeVar("Result")

AGAIN = timedelta(minutes=5)  # an alarm that was not set anew goes off again
LOOK = 60.0  # seconds after which alarms are noticed that another process has set
TABLE = "jobs"

logging.getLogger("apscheduler").setLevel(logging.WARNING)


def ring(at: datetime) -> None:
    """What the jobs name as their work. It is never called: `_Bellman` tells the loop instead."""


class ApschedulerJobs:
    """`engine`: a synchronous SQLAlchemy engine of the opened database; `errors` makes port errors of its errors.
    APScheduler works in a thread of its own, so that the messages never wait for it."""

    def __init__(self, engine: Any, errors: Callable[[], AbstractContextManager[None]]) -> None:
        self._errors = errors
        self._scheduler = _Scheduler(
            jobstores={"default": _Jobs(engine=engine, tablename=TABLE)},
            executors={"default": _Bellman(self._heard)},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1_000},
            timezone=UTC,
        )
        self._ringing: dict[Key, datetime] = {}
        self._news, self._arming = asyncio.Event(), Lock()
        self._loop = asyncio.get_running_loop()

    async def __aenter__(self) -> "ApschedulerJobs":
        await self._asked(self._scheduler.start)
        self._looking = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._looking.cancel()
        await asyncio.to_thread(self._scheduler.shutdown)

    async def armed(self) -> Mapping[Key, datetime]:
        jobs = await self._asked(self._scheduler.get_jobs)
        return {_key(job): job.kwargs["at"] for job in jobs}

    async def arm(self, alarms: Mapping[Key, datetime | None]) -> None:
        await self._asked(partial(self._arm, alarms))

    async def rings(self) -> AsyncIterator[Mapping[Key, datetime]]:
        while True:
            await self._news.wait()
            self._news.clear()
            ringing, self._ringing = self._ringing, {}
            if ringing:
                yield ringing

    def _arm(self, alarms: Mapping[Key, datetime | None]) -> None:
        """At rest meanwhile: the scheduler would look through its jobs after each."""
        with self._arming:
            self._scheduler.pause()
            try:
                self._set(alarms)
            finally:
                self._scheduler.resume()

    def _set(self, alarms: Mapping[Key, datetime | None]) -> None:
        for (platform, id_), at in alarms.items():
            name = f"{platform} {id_}"
            if at is not None:
                self._scheduler.add_job(
                    ring,
                    IntervalTrigger(seconds=int(AGAIN.total_seconds())),
                    id=name,
                    kwargs={"at": at},
                    next_run_time=at,
                    replace_existing=True,
                )
                continue
            try:
                self._scheduler.remove_job(name)
            except JobLookupError:
                continue

    def _heard(self, job: Job) -> None:
        """In APScheduler's thread."""

        def note() -> None:
            self._ringing[_key(job)] = job.kwargs["at"]
            self._news.set()

        self._loop.call_soon_threadsafe(note)

    async def _asked(self, call: Callable[[], Result]) -> Result:
        with self._errors():
            return await asyncio.to_thread(call)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            self._scheduler.wakeup()


class _Scheduler(BackgroundScheduler):  # type: ignore[misc]
    def _process_jobs(self) -> float | None:
        """A database that is away for a while must not end the thread."""
        try:
            wait: float | None = super()._process_jobs()
        except Exception:
            self._logger.warning("jobs not processed; trying again", exc_info=True)
            return float(self.jobstore_retry_interval)
        return wait


class _Jobs(SQLAlchemyJobStore):  # type: ignore[misc]
    def update_job(self, job: Job) -> None:
        """One that another process has taken away meanwhile needs no update."""
        try:
            super().update_job(job)
        except JobLookupError:
            self._logger.debug("job %s is gone", job.id)


class _Bellman(BaseExecutor):  # type: ignore[misc]
    def __init__(self, heard: Callable[[Job], None]) -> None:
        super().__init__()
        self._heard = heard

    def _do_submit_job(self, job: Job, run_times: list[datetime]) -> None:
        self._heard(job)
        self._run_job_success(job.id, [])


def _key(job: Job) -> Key:
    platform, _, id_ = job.id.partition(" ")
    return Platform(platform), id_
