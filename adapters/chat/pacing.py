"""Many calls at once -> so few in any second that whoever counts them never finds too many."""

from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bot.core.base.clock import Clock


def alone() -> int:
    """How many processes use one token, where nobody says otherwise."""
    return 1


@dataclass(slots=True, kw_only=True)
class Pace:
    """A call counts from when it begins until a second after it has ended: the other side has seen it some time in
    between, however slow either of us was."""

    clock: Clock
    per_second: int
    among: Callable[[], int] = alone  # processes that share that
    _under_way: int = 0
    _ended: deque[float] = field(default_factory=deque)

    @asynccontextmanager
    async def turn(self, count: int = 1) -> AsyncIterator[None]:
        """Around one call that counts as so many."""
        while self._taken() + min(count, most := max(1, self.per_second // self.among())) > most:
            oldest = self._ended[0] + 1 if self._ended else self.clock.monotonic() + 0.05
            await self.clock.sleep(max(0.01, oldest - self.clock.monotonic()))
        self._under_way += count
        try:
            yield
        finally:
            self._under_way -= count
            self._ended += [self.clock.monotonic()] * count

    def _taken(self) -> int:
        past = self.clock.monotonic() - 1
        while self._ended and self._ended[0] <= past:
            self._ended.popleft()
        return self._under_way + len(self._ended)
