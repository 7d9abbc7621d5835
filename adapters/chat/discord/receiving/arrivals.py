"""Messages as they come in -> batches; and how far back the oldest one goes that is not yet kept."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Sequence
from datetime import datetime
from itertools import islice

import structlog

from bot.core.base.clock import Clock
from bot.core.chat.message import Message

BATCH = 256
CAPACITY = 100_000  # messages; while the database is away for longer than that, the gap is read again later

_log = structlog.get_logger(__name__)


class Arrivals:
    """Live messages come in at any time and go out first; who reads a backlog (`late`) waits for `room`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: deque[tuple[datetime, Message]] = deque()
        self._late: deque[tuple[datetime, Message]] = deque()
        self._out: Sequence[tuple[datetime, Message]] = ()  # handed out and not yet confirmed
        self._reading: dict[object, datetime] = {}  # messages whose attachments are still being fetched
        self._changed = asyncio.Event()
        self._ended = False
        self.overflowed = False

    @property
    def oldest(self) -> datetime | None:
        """When the oldest message arrived that is not yet confirmed; None: all of them are."""
        fronts = (*self._out, *islice(self._waiting, 1), *islice(self._late, 1))
        return min((*self._reading.values(), *(arrived for arrived, _ in fronts)), default=None)

    @property
    def is_drained(self) -> bool:
        """Whether everything that came has been handed out."""
        return not self._waiting and not self._late and not self._reading

    def put(self, message: Message, *, late: bool = False) -> None:
        if not message.is_sound:
            _log.error("a message is left out: what should be words is not", message=message.ref.message_id)
            return
        if len(self._waiting) + len(self._late) >= CAPACITY:
            self.overflowed = True
            return
        (self._late if late else self._waiting).append((self._clock.now(), message))
        self._changed.set()

    async def put_when_read(self, message: Awaitable[Message], *, late: bool = False) -> None:
        """For a message that needs a moment: it counts as arrived now."""
        mark = object()
        self._reading[mark] = self._clock.now()
        try:
            self.put(await message, late=late)
        finally:
            del self._reading[mark]

    async def room(self) -> None:
        """Return when there is room for a backlog beside the live messages."""
        while len(self._waiting) + len(self._late) + len(self._reading) > min(10 * BATCH, CAPACITY // 2):
            await self._clock.sleep(0.05)

    def end(self) -> None:
        self._ended = True
        self._changed.set()

    async def batches(self) -> AsyncIterator[Sequence[Message]]:
        """Until `end`. Asking for the next batch confirms the last."""
        while True:
            while not self._waiting and not self._late:
                if self._ended:
                    return
                self._changed.clear()
                await self._changed.wait()
            self._out = [self._next() for _ in range(min(len(self._waiting) + len(self._late), BATCH))]
            yield [message for _, message in self._out]
            self._out = ()

    def _next(self) -> tuple[datetime, Message]:
        return (self._waiting or self._late).popleft()
