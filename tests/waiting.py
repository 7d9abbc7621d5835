"""Waiting in tests for something that happens elsewhere: in a server, a file or another process."""

import asyncio
from collections.abc import Callable


async def until(holds: Callable[[], object], every: float = 0.01) -> None:
    """Returns when the condition holds; the test's own time-out ends a wait that never does."""
    while not holds():
        await asyncio.sleep(every)
