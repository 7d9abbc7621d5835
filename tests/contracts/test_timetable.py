"""Timetable: what every implementation must do."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from adapters.apscheduler_jobs import ApschedulerJobs
from bot.domain.message import Platform
from bot.ports import Timetable
from storage.database import Database, jobs_engine
from storage.errors import driver_errors
from tests.fakes import ManualClock, MemoryTimetable

Opens = Callable[[], AbstractAsyncContextManager[Timetable]]
CAFE, GROUP = (Platform.DISCORD, "1"), (Platform.TELEGRAM, "-100")


def now(seconds: float = 0) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)


def in_memory() -> Opens:
    alarms: dict[tuple[Platform, str], datetime] = {}

    @asynccontextmanager
    async def opens() -> AsyncIterator[Timetable]:
        timetable = MemoryTimetable(ManualClock(now()))
        timetable.alarms = alarms
        yield timetable

    return opens


def in_database(url: str) -> Opens:
    @asynccontextmanager
    async def opens() -> AsyncIterator[Timetable]:
        async with Database.open(url, ManualClock()):
            with jobs_engine(url) as engine:
                async with ApschedulerJobs(engine, driver_errors) as timetable:
                    yield timetable

    return opens


@pytest.fixture
def opens(url: str | None) -> Opens:
    return in_database(url) if url else in_memory()


async def first_ring(timetable: Timetable) -> Mapping[tuple[Platform, str], datetime]:
    async with asyncio.timeout(10), aclosing(timetable.rings()) as rings:  # type: ignore[type-var]
        return await anext(aiter(rings))
    raise AssertionError


def test_alarms_are_set_changed_and_taken_away(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as timetable:
            assert await timetable.armed() == {}
            await timetable.arm({CAFE: now(3600), GROUP: now(7200)})
            later = now(9000)
            await timetable.arm({CAFE: later, (Platform.DISCORD, "nobody"): None})
            assert (await timetable.armed())[CAFE] == later
            await timetable.arm({GROUP: None})
        async with opens() as timetable:
            assert await timetable.armed() == {CAFE: later}

    asyncio.run(scenario())


def test_what_was_missed_rings_once_the_process_is_back_until_it_is_set_anew(opens: Opens) -> None:
    async def scenario() -> None:
        missed = now(-3 * 86_400)
        async with opens() as timetable:
            await timetable.arm({GROUP: now(3600)})
        async with opens() as timetable:
            await timetable.arm({CAFE: missed})
            assert await first_ring(timetable) == {CAFE: missed}
            assert await timetable.armed() == {CAFE: missed, GROUP: (await timetable.armed())[GROUP]}
        async with opens() as timetable:  # died before it was set anew
            assert (await timetable.armed())[CAFE] == missed
            await timetable.arm({CAFE: now(3600)})
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await first_ring(timetable)

    asyncio.run(scenario())
