"""A claim that may be cancelled -> what it leased, or everything given back and the cancellation passed on."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from bot.core.base.errors import BotError
from bot.core.base.waiting import outlasting

Leased = TypeVar("Leased")

#: How long a cancelled claim waits for a database that does not answer, in seconds. What it cannot give back is free
#: when the process has ended.
GIVING_BACK = 2.0


async def leased(
    lease: Awaitable[Sequence[Leased]], give_back: Callable[[Sequence[Leased]], Awaitable[None]]
) -> Sequence[Leased]:
    leasing = asyncio.ensure_future(lease)
    try:
        return await outlasting(leasing)
    except asyncio.CancelledError:
        with suppress(BotError, TimeoutError):  # whoever cancelled must not hear of them in its place
            async with asyncio.timeout(GIVING_BACK):
                if taken := await leasing:
                    await give_back(taken)
        raise
