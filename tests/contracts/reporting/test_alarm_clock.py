"""AlarmClock: what every implementation must do."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from adapters.reports.alarm_clock import ApschedulerAlarmClock
from bot.core.chat.message import CommunityRef
from bot.core.reporting.ports import AlarmClock
from tests.builders import DISCORD, TELEGRAM
from tests.fakes.clock import ManualClock
from tests.fakes.reporting import MemoryAlarmClock

Opens = Callable[[], AbstractAsyncContextManager[AlarmClock]]
CAFE, GROUP = CommunityRef(DISCORD, "1"), CommunityRef(TELEGRAM, "-100")


def now(seconds: float = 0) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)


@asynccontextmanager
async def in_memory() -> AsyncIterator[AlarmClock]:
    yield MemoryAlarmClock(ManualClock(now()))


@pytest.fixture(params=[in_memory, ApschedulerAlarmClock])
def opens(request: pytest.FixtureRequest) -> Opens:
    opens: Opens = request.param
    return opens


async def wake(alarm_clock: AlarmClock) -> Mapping[CommunityRef, datetime]:
    async with asyncio.timeout(30):
        return await anext(aiter(alarm_clock.rings()))


def test_one_that_is_due_rings_once_and_those_for_later_do_not(opens: Opens) -> None:
    async def scenario() -> None:
        missed = now(-3 * 86_400)
        async with opens() as alarm_clock:
            await alarm_clock.arm({GROUP: now(3600), CAFE: missed})
            assert await wake(alarm_clock) == {CAFE: missed}
            await alarm_clock.arm({CAFE: (again := now(-5))})
            assert await wake(alarm_clock) == {CAFE: again}

    asyncio.run(scenario())


def test_one_that_is_set_anew_or_taken_away_does_not_ring_for_what_it_was_set_for(opens: Opens) -> None:
    async def scenario() -> None:
        nobody = CommunityRef(DISCORD, "nobody")
        async with opens() as alarm_clock:
            await alarm_clock.arm({CAFE: now(0.5), GROUP: now(0.5), nobody: None})
            await alarm_clock.arm({CAFE: now(3600), GROUP: None})
            await alarm_clock.arm({nobody: (at := now(-1))})
            assert await wake(alarm_clock) == {nobody: at}
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.0):
                    await anext(aiter(alarm_clock.rings()))

    asyncio.run(scenario())


def test_many_that_share_an_instant_ring_together(opens: Opens) -> None:
    async def scenario() -> None:
        at = now(-60)
        many = {CommunityRef(DISCORD, str(number)): at for number in range(5_000)}
        async with opens() as alarm_clock:
            await alarm_clock.arm(many)
            assert await wake(alarm_clock) == many

    asyncio.run(scenario())
