"""A guard's answers and failures -> whether it is away, since when, and how long to wait before it is greeted."""

import asyncio
from dataclasses import dataclass, field

import structlog

from bot.core.base.clock import Clock
from bot.core.base.errors import Unavailable
from bot.core.guarding.figures import QueueFigures

_log = structlog.get_logger(__name__)

SELDOMEST = 5.0  # seconds between two greetings of a guard that is away: it shall be back soon after it is back


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

    def __post_init__(self) -> None:
        self.closed.set()

    @property
    def is_open(self) -> bool:
        return self.open.is_set()

    def is_open_for(self, seconds: float) -> bool:
        return self.is_open and self.clock.monotonic() - self._open_since >= seconds

    def failed(self, error: Unavailable) -> None:
        if self.closed.is_set():
            self.figures.outages += 1
            self._open_since = self.clock.monotonic()
            _log.warning("guard is away", reason=str(error))
        self.closed.clear()
        self.open.set()
        self.pause = error.retry_after or min(max(self.pause * 2, 0.25), SELDOMEST)

    def recovered(self) -> None:
        if self.is_open:
            _log.info("guard is back")
        self.has_answered = True
        self.open.clear()
        self.closed.set()
        self.pause = 0.0
