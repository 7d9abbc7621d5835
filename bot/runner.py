"""A wired application -> its stages in one TaskGroup: the first to fail takes the process down, cleanly."""

import asyncio
import gc
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from bot.errors import BotError
from bot.pipeline.enforcement import Enforcer
from bot.pipeline.intake import Kept, take_in
from bot.pipeline.screening import Screener
from bot.ports import ChatPlatform, Clock, Inbox

#: Works beside the messages until it is cancelled.
Service = Callable[[], Coroutine[Any, Any, None]]


async def moderate(
    *,
    platforms: Sequence[ChatPlatform],
    inbox: Inbox,
    screener: Screener,
    enforcer: Enforcer,
    services: Sequence[Service],
    clock: Clock,
    on_kept: Kept | None = None,
) -> None:
    """Until cancelled. Where there are platforms, also until every one has ended (a transcript does) or one is broken,
    and all that was kept is settled and done. Raises what broke the platform.

    Stopping is safe at any moment: what was kept and not settled, or planned and not recorded, is claimed
    again by the next process."""
    gc.collect()
    gc.freeze()  # what is loaded by now stays; looking through it again and again costs a tenth of the time,
    gc.set_threshold(20_000, 20, 20)  # and so does looking often at values that live for one message
    heard_all, settled_all = asyncio.Event(), asyncio.Event()
    broken: list[BotError] = []

    async def hear() -> None:
        try:
            async with asyncio.TaskGroup() as sources:
                for platform in platforms:
                    sources.create_task(take_in(platform, inbox, clock, screener.arrived, on_kept))
        except* BotError as errors:
            broken.append(_first(errors))
        if not platforms:  # the services are what it is here for
            await asyncio.Event().wait()
        heard_all.set()
        screener.arrived.ring()

    async def screen() -> None:
        await screener.run(heard_all)
        settled_all.set()
        enforcer.planned.ring()

    try:
        async with asyncio.TaskGroup() as stages:
            serving = [stages.create_task(service()) for service in services]
            stages.create_task(hear())
            stages.create_task(screen())
            await stages.create_task(enforcer.run(settled_all))
            for service in serving:
                service.cancel()
    except* BotError as errors:
        broken.append(_first(errors))
    if broken:
        raise broken[0]


def _first(errors: BaseExceptionGroup[BotError]) -> BotError:
    """One of the errors in a group of groups."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, BotError)
    return error
