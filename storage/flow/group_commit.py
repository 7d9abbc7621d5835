"""Calls that come together share one commit: while one commit runs, the next ones gather. No timers."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from typing import Generic, TypeVar

from bot.core.base.errors import Unavailable
from bot.core.base.waiting import outlasting

Item = TypeVar("Item")
Result = TypeVar("Result")


class GroupCommit(Generic[Item, Result]):
    """Turns `write`, which stores many items in one transaction and gives one result for each, into a call that any
    number of tasks may make at once. Once made, a call is carried out even if its caller is cancelled."""

    def __init__(self, write: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]], *, limit: int = 1000) -> None:
        """`limit`: how many items one commit gathers; a single call may bring more."""
        self._write = write
        self._limit = limit
        self._gathering: list[tuple[Sequence[Item], asyncio.Future[Sequence[Result]]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def __call__(self, items: Sequence[Item]) -> Sequence[Result]:
        if not items:
            return []
        written: asyncio.Future[Sequence[Result]] = asyncio.get_running_loop().create_future()
        self._gathering.append((items, written))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())
        return await outlasting(written)

    async def finish(self) -> None:
        """Wait until everything that was called for is written."""
        while self._writer is not None:
            await asyncio.wait([self._writer])

    async def _write_all(self) -> None:
        try:
            while self._gathering:
                await self._commit(self._take())
        finally:
            self._writer = None
            for _, written in self._gathering:  # only where this task was cancelled
                written.cancel()

    def _take(self) -> list[tuple[Sequence[Item], asyncio.Future[Sequence[Result]]]]:
        size = calls = 0
        for items, _ in self._gathering:
            size += len(items)
            if calls and size > self._limit:
                break
            calls += 1
        taken, self._gathering = self._gathering[:calls], self._gathering[calls:]
        return taken

    async def _commit(self, calls: list[tuple[Sequence[Item], asyncio.Future[Sequence[Result]]]]) -> None:
        try:
            results = iter(await self._write([item for items, _ in calls for item in items]))
        except Exception as error:
            if len(calls) == 1 or isinstance(error, Unavailable):
                for _, written in calls:
                    written.set_exception(error)
            else:  # one call's trouble is not the others': each gets a commit and an answer of its own
                for call in calls:
                    await self._commit([call])
        except BaseException:
            for _, written in calls:
                written.cancel()
            raise
        else:
            for items, written in calls:
                written.set_result(list(islice(results, len(items))))
