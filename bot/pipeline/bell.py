"""A bell one stage rings for the next: work has come; and patience with a port that is away for a while."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from bot.errors import Unavailable
from bot.ports import Clock

Result = TypeVar("Result")
_log = structlog.get_logger(__name__)

LONGEST_PAUSE = 30.0  # seconds between two tries


class Bell:
    """Wake-up or poll, whichever comes first: a ring that nobody hears is only a delay, never a loss."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def wait(self, at_most: float) -> None:
        """Return when rung since the last wait, or after `at_most` seconds."""
        try:
            async with asyncio.timeout(at_most):
                await self._rung.wait()
        except TimeoutError:
            pass
        self._rung.clear()


async def patiently(call: Callable[[], Awaitable[Result]], clock: Clock) -> Result:
    """Repeat a call that must succeed in the end while the port says `Unavailable`."""
    pause = 0.1
    while True:
        try:
            return await call()
        except Unavailable as error:
            if (task := asyncio.current_task()) and task.cancelling():
                raise asyncio.CancelledError from error  # somebody wanted us to stop, and the port was louder
            wait = error.retry_after if error.retry_after is not None else pause
            _log.warning("waiting for a port", reason=str(error), seconds=wait)
            await clock.sleep(wait)
            pause = min(pause * 2, LONGEST_PAUSE)
