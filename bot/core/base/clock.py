"""Time, as the core needs it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Wall-clock time, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go backwards, for measuring."""
        ...

    async def sleep(self, seconds: float) -> None: ...


@dataclass(slots=True, weakref_slot=True, eq=False)
class HeardClock:
    """Our `own`, as long as it agrees with somebody whose time counts; otherwise theirs. Once they were heard it is
    counted on by a clock that nobody sets: ours may be wrong by half an hour and then put right."""

    own: Clock
    _began: datetime | None = None  # when our own monotonic clock was 0

    def hear(self, there: datetime, within: timedelta) -> None:
        """That it was `there` at some moment of the last `within`."""
        ours = self.own.now()
        self._began = (ours if there <= ours <= there + within else there) - timedelta(seconds=self.own.monotonic())

    def now(self) -> datetime:
        return self._began + timedelta(seconds=self.own.monotonic()) if self._began else self.own.now()

    def monotonic(self) -> float:
        return self.own.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self.own.sleep(seconds)
