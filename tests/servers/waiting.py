"""Waiting in tests for something that happens elsewhere: in a library, a server, a file or another process."""

import asyncio
from collections.abc import Callable


async def until(holds: Callable[[], object], seconds: float | None = 120.0, *, every: float = 0.005) -> None:
    """Returns when the condition holds, looked at every so many seconds; TimeoutError after `seconds`, None: never."""
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(every)
