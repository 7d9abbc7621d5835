"""What starts an engine -> the engine that runs: one that died is started again, and what it dies of is given up.

A message that kills the engine would kill it again and again. Whatever was with an engine when it died is asked one at
a time from then on; of that, what is with the next one when it dies, too, is to blame.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from threading import Thread
from typing import Any, TypeVar

import structlog

from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.base.errors import Broken, Unavailable
from bot.core.base.waiting import Backoff
from bot.core.guarding.verdict import Exchange

_log = structlog.get_logger(__name__)
Found = TypeVar("Found")

AGAIN = Backoff(first=1.0, longest=300.0)
GUILTY = 2  # deaths

#: The reason of an Unscreened.
DIES_OF_IT = "defect: the guard's engine dies of it"


class RestartingEngine:
    """`start` takes its time and gives an engine with a `shutdown`, or raises Broken: at first to the caller, later it
    is tried again."""

    def __init__(self, start: Callable[[], Any], clock: Clock) -> None:
        self._start, self._clock = start, clock
        self._engine = start()
        self._failures = 0  # since it last answered
        self._starting: asyncio.Task[None] | None = None
        self._is_closed = False
        self._with: Counter[int] = Counter()  # what is with the engine
        self._deaths: Bounded[int, int] = Bounded(1024)  # of those that were with it when it died
        self._alone: int | None = None
        self._lane = asyncio.Lock()

    @property
    def engine(self) -> Any:
        """Raises Unavailable while there is none."""
        if self._engine is None:
            raise Unavailable("the vLLM engine has died: its log says why; it is being started again")
        return self._engine

    def died(self, engine: Any) -> Unavailable:
        """What to raise. It is started again beside; of many who notice only the first one tells."""
        if engine is self._engine:
            self._engine = None
            self._failures += 1
            for key in self._with if self._alone is None else [self._alone]:
                self._deaths[key] = self._deaths.get(key, 0) + 1
            _log.error("the vLLM engine has died and is started again", time=self._failures)
            self._starting = asyncio.create_task(self._start_again(engine))
        return Unavailable("the vLLM engine has died: its log says why; it is being started again")

    def is_deadly(self, exchange: Exchange) -> bool:
        return self._deaths.get(hash(exchange), 0) >= GUILTY

    @asynccontextmanager
    async def asked(self, exchange: Exchange) -> AsyncIterator[None]:
        """Around asking the engine about it."""
        key = hash(exchange)
        if key not in self._deaths:
            self._with[key] += 1
            try:
                yield
            finally:
                self._with[key] -= 1
                self._with += Counter()  # those that are not there any more
            self._failures = 0
            return
        async with self._lane:
            self._alone = key
            try:
                yield
            finally:
                self._alone = None
            self._deaths.pop(key, None)
            self._failures = 0

    async def close(self) -> None:
        self._is_closed = True
        if self._starting:
            self._starting.cancel()
        engine, self._engine = self._engine, None
        if engine:
            engine.shutdown()

    async def _start_again(self, dead: Any) -> None:
        while True:
            await self._clock.sleep(AGAIN.after(self._failures))
            try:
                if dead:
                    await _beside(dead.shutdown)
                    dead = None
                await _beside(self._start, self._took_up)
            except Broken as error:
                self._failures += 1
                _log.error("the vLLM engine does not start", reason=error, time=self._failures)
                continue
            return

    def _took_up(self, engine: Any) -> None:
        if self._is_closed:  # while it was starting
            engine.shutdown()
            return
        self._engine = engine
        _log.info("the vLLM engine is back")


async def _beside(work: Callable[[], Found], take: Callable[[Found], None] = lambda _: None) -> None:
    """In a thread that keeps nobody from stopping: a start takes minutes. What it gives is taken, though nobody waits
    any more."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def succeed(found: Found) -> None:
        take(found)
        if not done.done():
            done.set_result(None)

    def fail(error: BaseException) -> None:
        if not done.done():
            done.set_exception(error)

    def run() -> None:
        try:
            tell = partial(succeed, work())
        except BaseException as error:
            tell = partial(fail, error)
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell)

    Thread(target=run, daemon=True).start()
    await done
