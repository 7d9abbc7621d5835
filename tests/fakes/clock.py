"""Time in tests, which somebody moves on or which runs faster."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

from adapters.system_clock import SystemClock


class ManualClock:
    """Time stands still until a test moves it."""

    def __init__(self, now: datetime = datetime(2026, 5, 15, 12, tzinfo=UTC)) -> None:
        self._start = self._now = now
        self._sleepers: list[tuple[datetime, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._start).total_seconds()

    async def sleep(self, seconds: float) -> None:
        sleeper = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._now + timedelta(seconds=seconds), sleeper))
        await sleeper

    def jump(self, by: timedelta) -> None:
        """As somebody sets a clock, back as well: nobody wakes up."""
        self._now += by

    async def advance(self, seconds: float) -> None:
        """Move on step by step, so that whoever wakes up can go to sleep again on the way."""
        end = self._now + timedelta(seconds=seconds)
        await _settle()
        while due := sorted((moment for moment, sleeper in self._sleepers if moment <= end and not sleeper.done())):
            self._now = max(self._now, due[0])
            for moment, sleeper in self._sleepers:
                if moment <= self._now and not sleeper.done():
                    sleeper.set_result(None)
            self._sleepers = [(moment, sleeper) for moment, sleeper in self._sleepers if not sleeper.done()]
            await _settle()
        self._now = end
        await _settle()


class ImpatientClock(ManualClock):
    """Whoever sleeps has slept."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


class HurriedClock:
    """Runs `speed` times as fast as the world, so that a minute is over in a moment."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._began, self._at = time.monotonic(), datetime.now(UTC)

    def now(self) -> datetime:
        return self._at + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return (time.monotonic() - self._began) * self._speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._speed)


async def _settle() -> None:
    """Let every task run until all of them wait for something."""
    for _ in range(20):
        await asyncio.sleep(0)


class WrongClock(SystemClock):
    """The machine's, and as far `ahead` of the world as somebody has set it."""

    def __init__(self, ahead: timedelta) -> None:
        self.ahead = ahead

    def now(self) -> datetime:
        return super().now() + self.ahead
