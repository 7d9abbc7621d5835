"""Platform -> inbox: nothing is screened, and nothing is confirmed to the platform, before it is kept."""

from collections.abc import Awaitable, Callable, Sequence

from bot.core.base.clock import Clock
from bot.core.base.waiting import Wakeup, patiently
from bot.core.chat.message import Message
from bot.core.chat.ports import MessageSource
from bot.core.moderation.ports import Inbox

Kept = Callable[[Sequence[Message], Sequence[bool]], Awaitable[None]]


async def take_in(
    platform: MessageSource, inbox: Inbox, clock: Clock, screening: Wakeup, on_kept: Kept | None = None
) -> None:
    """Runs until the platform has no more messages; asking it for the next batch confirms the last."""
    async for messages in platform.messages():

        async def keep(batch: Sequence[Message] = messages) -> Sequence[bool]:
            return await inbox.keep(batch)

        new = await patiently(keep, clock)
        screening.wake()
        if on_kept:
            await on_kept(messages, new)
