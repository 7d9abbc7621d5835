"""Updates -> messages to judge, in order, each once; whatever one of them does to us, it does not stop the others."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import structlog
from telegram import Update

from adapters.chat.telegram.members import Members
from adapters.chat.telegram.receiving.albums import Albums
from adapters.chat.telegram.receiving.joins import Joins
from adapters.chat.telegram.receiving.pairing import Pairs
from adapters.chat.telegram.receiving.reading import GROUPS, read, read_plainly
from bot.core.base.bounded import Bounded
from bot.core.chat.message import Kind, Message

REMEMBERED = 200_000  # hashes of messages, to know an edit that changed nothing: of 200 a second, for a quarter hour

_log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Hearing:
    """`notice` is told of every update before it is read; `me` is the bot's id."""

    members: Members
    pairs: Pairs
    albums: Albums
    notice: Callable[[Update], Awaitable[None]]
    me: int
    joins: Joins = field(default_factory=Joins)
    _said: Bounded[int, int] = field(default_factory=lambda: Bounded(REMEMBERED))  # which message -> what it said last

    async def begin(self) -> None:
        await self.pairs.begin()
        await self.albums.begin()

    async def take(self, updates: Sequence[Update]) -> list[Message]:
        """What they say, in order. Whatever one of them does to us, it does not stop the others."""
        batch: list[Message] = []
        await self._look_up_staff(updates)
        for update in updates:
            try:
                await self.notice(update)
                batch += await self._said_in(update)
            except Exception as error:
                _log.error("an update is read plainly", update=update.update_id, error=type(error).__name__)
                with suppress(Exception):  # then nobody can say who has said what, and when
                    batch += [one for one in read_plainly(update) if one.is_sound]
        return batch

    async def _said_in(self, update: Update) -> list[Message]:
        """What is to be judged of an update."""
        said = []
        for one in await self._read(update):
            message = await self.albums.whole(update, self.pairs.complete(update, self.joins.complete(one)))
            if not message.is_sound:
                raise TypeError("what should be words is not")
            if self._is_news(message):
                said.append(message)
        return said

    async def _look_up_staff(self, updates: Sequence[Update]) -> None:
        """Of all chats at once, so that a start with many groups does not ask for one after the other."""
        chats = {update.effective_chat.id for update in updates if _is_of_a_group(update) and update.effective_chat}
        await asyncio.gather(*(self.members.known_staff(chat_id) for chat_id in chats))

    async def _read(self, update: Update) -> Sequence[Message]:
        chat = update.effective_chat
        if chat is None or not _is_of_a_group(update):
            return ()
        staff = await self.members.known_staff(chat.id)
        if change := update.chat_member:
            return self.joins.read(change, staff, self.me)
        return read(update, staff, self.me)

    def _is_news(self, message: Message) -> bool:
        """Whether a message says anything that it did not say before: edits also come for what nobody sees (T15)."""
        key = hash((message.ref.channel_id, message.ref.message_id))
        said = hash((message.text, message.links, message.media, message.forwarded))
        if message.kind is Kind.EDIT and self._said.get(key) == said:
            return False
        self._said[key] = said
        return True


def _is_of_a_group(update: Update) -> bool:
    told = update.message or update.edited_message or update.chat_member
    return told is not None and told.chat.type in GROUPS
