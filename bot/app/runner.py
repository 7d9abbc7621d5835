"""A wired application -> its stages in one TaskGroup: the first to fail takes the process down, cleanly; but a platform
that fails leaves the others alone."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from adapters.chat.rehearsal import REHEARSAL
from bot.core.base.clock import Clock
from bot.core.base.errors import BotError, Unavailable, raised
from bot.core.chat.message import Platform
from bot.core.moderation.enforcement import Enforcer
from bot.core.moderation.intake import Kept, take_in
from bot.core.moderation.ports import Inbox
from bot.core.moderation.screening import Screener
from bot.core.moderators.ports import ChatPlatform

#: Works beside the messages until it is cancelled.
Service = Callable[[], Coroutine[Any, Any, None]]

#: Hears that a platform is lost to this process.
Lost = Callable[[Platform], Awaitable[None]]

#: Returns once a platform is this process's.
Turn = Callable[[ChatPlatform], Awaitable[None]]

#: How long what is under way may take once the process is to stop, in seconds.
DRAINING = 10.0

_log = structlog.get_logger(__name__)


async def moderate(
    *,
    platforms: Sequence[ChatPlatform],
    inbox: Inbox,
    screener: Screener,
    enforcer: Enforcer,
    services: Sequence[Service],
    clock: Clock,
    on_kept: Kept | None = None,
    on_lost: Lost | None = None,
    stopping: asyncio.Event | None = None,
    turn: Turn | None = None,
    screens: bool = True,
) -> None:
    """Until cancelled; or until `stopping` is set, and then what is being done is done, within DRAINING. Where there
    are platforms, also until every one has ended (a transcript does) or is broken, and all that was kept is settled and
    done; then it raises what broke the first of them. Not `screens`: other processes judge what is heard here.

    Stopping is safe at any moment: what was kept and not settled, or planned and not recorded, is claimed
    again by the next process."""
    gc.collect()
    gc.freeze()  # what is loaded by now stays; looking through it again and again costs a tenth of the time,
    gc.set_threshold(20_000, 20, 20)  # and so does looking often at values that live for one message
    heard_all, settled_all, stopping = asyncio.Event(), asyncio.Event(), stopping or asyncio.Event()
    hearing = _Hearing(platforms, inbox, screener, clock, on_kept, on_lost, turn)

    async def hear() -> None:
        await hearing.run()
        heard_all.set()
        screener.arrived.nudge()

    async def screen() -> None:
        await (screener.run(heard_all) if screens else heard_all.wait())
        settled_all.set()
        enforcer.planned.nudge()

    try:
        async with asyncio.TaskGroup() as stages:
            serving = [stages.create_task(service()) for service in services]
            heard, screening = stages.create_task(hear()), stages.create_task(screen())
            acting = stages.create_task(enforcer.run(settled_all, stopping))
            told = stages.create_task(stopping.wait())
            await asyncio.wait([acting, told], return_when=asyncio.FIRST_COMPLETED)
            for stage in (screening, *serving):
                stage.cancel()
            if told.done():
                enforcer.planned.nudge()
                await asyncio.wait([acting, *serving], timeout=DRAINING)
            for stage in (acting, heard):
                stage.cancel()
            told.cancel()
    except* BotError as errors:
        hearing.broken.insert(0, _first(errors))
    if hearing.broken and not stopping.is_set():
        raise hearing.broken[0]


@dataclass(slots=True)
class _Hearing:
    """Listens to every platform at once; one that fails leaves the others alone. `broken`: what each failed of."""

    platforms: Sequence[ChatPlatform]
    inbox: Inbox
    screener: Screener
    clock: Clock
    on_kept: Kept | None
    on_lost: Lost | None
    turn: Turn | None
    broken: list[BotError] = field(default_factory=list)
    _heard: set[Platform] = field(default_factory=set)

    async def run(self) -> None:
        self._heard = {platform.platform for platform in self.platforms}
        async with asyncio.TaskGroup() as sources:
            for platform in self.platforms:
                sources.create_task(self._hear(platform))
        if not self.platforms:  # the services are what it is here for
            await asyncio.Event().wait()

    async def _hear(self, platform: ChatPlatform) -> None:
        try:
            if self.turn:
                await self.turn(platform)
            await take_in(platform, self.inbox, self.clock, self.screener.arrived, self.on_kept)
        except BotError as error:
            await self._lose(platform.platform, error)
        except Exception as error:  # nobody can mend that by another configuration; a new beginning may
            await self._lose(platform.platform, Unavailable(raised(error)))
        finally:
            self._heard.discard(platform.platform)

    async def _lose(self, platform: Platform, error: BotError) -> None:
        self.broken.append(error)
        if platform != REHEARSAL:  # a mistake in a transcript is raised, and said to who made it
            _log.error("platform lost", platform=platform, reason=error)
        if self._heard == {platform}:  # it ends what the process is here for, as soon as all that was kept is done
            return
        if self.on_lost:
            await self.on_lost(platform)


def _first(errors: BaseExceptionGroup[BotError]) -> BotError:
    """One of the errors in a group of groups."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, BotError)
    return error
