"""A wake-up from one stage to the next: work has come; how long to wait after a failure, and after being asked to; and
patience with a port that is away for a while."""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar
from weakref import WeakKeyDictionary

import structlog

from bot.core.base.clock import Clock
from bot.core.base.errors import Unavailable

Result = TypeVar("Result")
_log = structlog.get_logger(__name__)


class Wakeup:
    """Wake-up or poll, whichever comes first: one that nobody hears is only a delay, never a loss."""

    def __init__(self) -> None:
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There is work, for whoever is to do it."""
        self.nudge()

    def nudge(self) -> None:
        """There is work, or room for it, for this process."""
        self._woken.set()

    async def wait(self, at_most: float) -> None:
        """Return when woken since the last wait, or after `at_most` seconds."""
        try:
            async with asyncio.timeout(at_most):
                await self._woken.wait()
        except TimeoutError:
            pass
        self._woken.clear()


class Bell(Wakeup):
    """One that other processes hear as well: `ring` passes it on."""

    def __init__(self, ring: Callable[[], None]) -> None:
        super().__init__()
        self._ring = ring

    def wake(self) -> None:
        self.nudge()
        self._ring()


async def outlasting(asked: Awaitable[Result]) -> Result:
    """What comes of it; it goes on where whoever waits is cancelled. How it fails then is nothing for the log: it is
    asked for by others, too, or looked at afterwards. (asyncio.shield says so nevertheless, from Python 3.14 on.)"""
    future = asyncio.ensure_future(asked)
    future.add_done_callback(_heard)
    await asyncio.wait([future])
    return future.result()


def _heard(future: "asyncio.Future[Result]") -> None:
    if not future.cancelled():
        future.exception()


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Seconds between two tries: `first`, doubled with every failure in a row, `longest` at most. Chance takes up to
    half of it away, so that those who wait for the same do not come back together."""

    first: float
    longest: float
    chance: Callable[[], float] = random.random  # 0..1

    def after(self, failures: int, *, asked: float | None = None) -> float:
        """`failures` in a row, from 1; `asked` is what the other side wants, which goes before."""
        doubled = self.first * 2.0 ** min(failures - 1, 32)  # beyond that every `longest` is reached
        return asked or min(doubled, self.longest) * (1 + self.chance()) / 2


def seconds_asked(said: object, longest: float = 86_400.0) -> float | None:
    """The seconds that the other side asks us to wait, in whatever form; of more than `longest` no more, after which
    it may ask again. None where that is no time: nothing wakes whoever waits for a NaN."""
    try:
        seconds = float(said)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return min(seconds, longest) if seconds >= 0 and math.isfinite(seconds) else None


USUAL = Backoff(first=0.1, longest=3.0)  # whoever waits shall be back soon after the port is


async def patiently(call: Callable[[], Awaitable[Result]], clock: Clock, backoff: Backoff = USUAL) -> Result:
    """Repeat a call that must succeed in the end while the port says `Unavailable`. However many wait for the same,
    the log has one line when it fails first and one when it succeeds again: the disk may be what is full."""
    failures, name, outages = 0, _name(call), _outages.setdefault(clock, {})
    mine: _Outage | None = None
    try:
        while True:
            try:
                result = await call()
            except Unavailable as error:
                if (task := asyncio.current_task()) and task.cancelling():
                    raise asyncio.CancelledError from error  # somebody wanted us to stop, and the port was louder
                if name not in outages:
                    outages[name] = _Outage(clock.monotonic())
                    _log.warning("waiting for a port", call=name, reason=error)
                if mine is not outages[name]:
                    mine = outages[name]
                    mine.waiting += 1
                failures += 1
                await clock.sleep(backoff.after(failures, asked=error.retry_after))
            else:
                if outage := outages.pop(name, None):
                    _log.info("port answers again", call=name, seconds=round(clock.monotonic() - outage.since, 1))
                return result
    finally:
        if mine:
            mine.waiting -= 1
            if not mine.waiting and outages.get(name) is mine:  # nobody is left to say that it is over
                del outages[name]


@dataclass(slots=True)
class _Outage:
    since: float
    waiting: int = 0


#: Of what is waited for, by the name of the call, of each clock.
_outages: WeakKeyDictionary[Clock, dict[str, _Outage]] = WeakKeyDictionary()


def _name(call: Callable[[], object]) -> str:
    while isinstance(call, partial):
        call = call.func
    return getattr(call, "__qualname__", type(call).__name__)
