"""A guard's answers and failures -> whether it is away, since when, and how long to wait before it is greeted."""

import asyncio
from dataclasses import dataclass, field

import structlog

from bot.core.base.clock import Clock
from bot.core.base.errors import Unavailable
from bot.core.base.waiting import Backoff
from bot.core.guarding.figures import QueueFigures

_log = structlog.get_logger(__name__)

GREETING_AGAIN = Backoff(first=0.25, longest=5.0)  # a guard that was away shall be back soon after it is back


@dataclass(slots=True, kw_only=True)
class Circuit:
    """`closed` while the guard answers, `open` while it is away: one of the two is always set."""

    clock: Clock
    figures: QueueFigures
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    pause: float = 0.0  # seconds until the next greeting
    has_answered: bool = False
    _open_since: float = 0.0
    _failures: int = 0  # in a row

    def __post_init__(self) -> None:
        self.closed.set()

    @property
    def is_open(self) -> bool:
        return self.open.is_set()

    def is_open_for(self, seconds: float) -> bool:
        return self.is_open and self.clock.monotonic() - self._open_since >= seconds

    def failed(self, error: Unavailable, *, greeted: bool = False) -> None:
        """`greeted`: it did not answer a greeting. Of calls that were under way when it went, the first one tells."""
        if self.is_open and not greeted:
            return
        if not self.is_open:
            self.figures.outages += 1
            self._open_since = self.clock.monotonic()
            _log.warning("guard is away", reason=error)
        self.closed.clear()
        self.open.set()
        self._failures += 1
        self.pause = GREETING_AGAIN.after(self._failures, asked=error.retry_after)

    def recovered(self) -> None:
        if self.has_answered and not self._failures:
            return
        if self.is_open:
            _log.info("guard is back")
        self.has_answered = True
        self.open.clear()
        self.closed.set()
        self._failures = 0
