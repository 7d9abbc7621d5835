"""A bell one stage rings for the next: work has come; and patience with a port that is away for a while."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar
from weakref import WeakKeyDictionary

import structlog

from bot.core.base.clock import Clock
from bot.core.base.errors import Unavailable

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
    """Repeat a call that must succeed in the end while the port says `Unavailable`. However many wait for the same,
    the log has one line when it fails first and one when it succeeds again: the disk may be what is full."""
    pause, name, waiting = 0.1, _name(call), _waiting.setdefault(clock, {})
    while True:
        try:
            result = await call()
        except Unavailable as error:
            if (task := asyncio.current_task()) and task.cancelling():
                raise asyncio.CancelledError from error  # somebody wanted us to stop, and the port was louder
            if name not in waiting:
                waiting[name] = clock.monotonic()
                _log.warning("waiting for a port", call=name, reason=str(error))
            await clock.sleep(error.retry_after if error.retry_after is not None else pause)
            pause = min(pause * 2, LONGEST_PAUSE)
        else:
            if (since := waiting.pop(name, None)) is not None:
                _log.info("port answers again", call=name, seconds=round(clock.monotonic() - since, 1))
            return result


#: What is waited for, and since when, of each clock.
_waiting: WeakKeyDictionary[Clock, dict[str, float]] = WeakKeyDictionary()


def _name(call: Callable[[], object]) -> str:
    while isinstance(call, partial):
        call = call.func
    return getattr(call, "__qualname__", type(call).__name__)
