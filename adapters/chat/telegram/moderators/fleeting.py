"""A post with members' names that stands in a chat -> gone after a day, and as soon as any of those members asks to be
forgotten.

What a bot has sent itself it may delete for two days, whatever its rights there. Who has saved a file by then has it.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog
from telegram import Bot
from telegram.error import BadRequest, Forbidden, TelegramError

from adapters.chat.telegram.limits import Lane, Limiter
from bot.core.base.clock import Clock
from bot.core.base.errors import BotError, Unavailable
from bot.core.chat.message import CommunityRef
from bot.core.chat.ports import Bookmarks

LASTS = timedelta(days=1)
EVERY = 600.0  # seconds between two looks at what is due
NAMED = "named/telegram"  # bookmarks: of each part, where it stands, until when and whose members it names

_log = structlog.get_logger(__name__)


class Standing(NamedTuple):
    until: datetime
    community: str  # its id; empty: an earlier version has noted it down


@dataclass(slots=True, kw_only=True)
class Fleeting:
    bot: Bot
    limiter: Limiter
    clock: Clock
    bookmarks: Bookmarks | None = None
    _standing: dict[str, Standing] = field(default_factory=dict)  # of this process: chat/message
    _work: "asyncio.Task[None] | None" = None

    def begin(self) -> None:
        """Look after what stands, until closed."""
        self._work = self._work or asyncio.create_task(self.run())

    async def close(self) -> None:
        if self._work:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    async def note(self, community: CommunityRef, chat_id: int, message_ids: Sequence[int]) -> None:
        """What was just posted; a later process finds it, too."""
        new = {f"{chat_id}/{id_}": Standing(self.clock.now() + LASTS, community.id) for id_ in message_ids}
        self._standing |= new
        if self.bookmarks is not None:
            with suppress(Unavailable):
                stored = {where: f"{one.until.isoformat()} {one.community}" for where, one in new.items()}
                await self.bookmarks.put_all({f"{NAMED}/{where}": what for where, what in stored.items()})

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with suppress(BotError):
                await self.take_away(self.clock.now())
            await self.clock.sleep(EVERY)

    async def take_away(self, due: datetime) -> None:
        """What may stand no longer than until then. What could not be deleted now is tried again."""
        await self._delete([where for where, one in (await self._known()).items() if one.until <= due])

    async def forget(self, community: CommunityRef) -> None:
        """Somebody of it is forgotten: their name may be in any of its posts."""
        with suppress(BotError):
            theirs = (community.id, "")
            await self._delete([where for where, one in (await self._known()).items() if one.community in theirs])

    async def _delete(self, places: Sequence[str]) -> None:
        for where in places:
            chat, _, message = where.partition("/")
            try:
                async with self.limiter.turn(int(chat), Lane.MODERATION):
                    await self.bot.delete_message(int(chat), int(message))
            except (BadRequest, Forbidden) as error:
                _log.warning("a post with names cannot be deleted", chat=chat, error=type(error).__name__)
            except TelegramError:
                continue
            self._standing.pop(where, None)
            if self.bookmarks is not None:
                await self.bookmarks.put_all({f"{NAMED}/{where}": None})

    async def _known(self) -> dict[str, Standing]:
        stored = await self.bookmarks.within(NAMED) if self.bookmarks is not None else {}
        split = {where: what.partition(" ") for where, what in stored.items()}
        known = {where: Standing(datetime.fromisoformat(until), place) for where, (until, _, place) in split.items()}
        return known | self._standing
