"""Time, as the core needs it."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Wall-clock time, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go backwards, for measuring."""
        ...

    async def sleep(self, seconds: float) -> None: ...
