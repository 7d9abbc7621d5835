"""Gateway events about what is said -> messages among the arrivals."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime

import aiohttp
import discord
import structlog

from adapters.chat.discord.moderators.automod import NativeAutoMod
from adapters.chat.discord.receiving.arrivals import Arrivals
from adapters.chat.discord.receiving.names import Names, hear_member_updates
from adapters.chat.discord.receiving.pairing import Pairs
from adapters.chat.discord.receiving.reading import (
    ATTACHED,
    is_readable,
    read,
    read_deletion,
    read_filtered,
    read_name,
    read_plainly,
    read_title,
    text_files,
    text_of,
)
from bot.core.base.bounded import Bounded, beginning
from bot.core.base.clock import Clock
from bot.core.chat.message import Message

_log = structlog.get_logger(__name__)

REMEMBERED = 50_000  # texts, as hashes, to tell edits from link previews and pins
FETCH = 5.0  # seconds for the beginning of a text file


@dataclass(slots=True, kw_only=True)
class Hearing:
    """`ours`: the bot's own ids. `own_webhooks`: those by which it speaks in others' names. `told`: by shard, when the
    latest message was written that it has told us of, by Discord's clock."""

    arrivals: Arrivals
    pairs: Pairs
    names: Names
    automod: NativeAutoMod
    own_webhooks: set[int]
    clock: Clock
    ours: frozenset[int] = frozenset()
    files: aiohttp.ClientSession | None = None
    told: dict[int, datetime] = field(default_factory=dict)
    _texts: Bounded[int, int] = field(default_factory=lambda: Bounded(REMEMBERED))  # message id -> hash of its text
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    def listen(self, client: discord.Client, *, member_names: bool) -> None:
        for event in (
            self.on_message, self.on_raw_message_edit, self.on_raw_message_delete, self.on_raw_bulk_message_delete,
            self.on_thread_create, self.on_member_join, self.on_automod_action,
        ):  # fmt: skip
            client.event(event)
        if member_names:
            hear_member_updates(client, self.on_member_join)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def forget(self, is_theirs: Callable[[str], bool]) -> None:
        self.pairs.forget(is_theirs)
        self.names.forget(is_theirs)

    async def on_message(self, message: discord.Message) -> None:
        self._take(message)
        with self._whatever_comes():
            if message.guild:
                self.told[message.guild.shard_id] = message.created_at

    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        try:
            is_news = self._texts.get(payload.message_id) != hash(text_of(payload.message))
        except Exception:  # it is read plainly
            is_news = True
        if is_news:
            self._take(payload.message)

    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        self._withdraw(payload.guild_id, payload.channel_id, payload.message_id)

    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        for message_id in sorted(payload.message_ids):
            self._withdraw(payload.guild_id, payload.channel_id, message_id)

    async def on_thread_create(self, thread: discord.Thread) -> None:
        with self._whatever_comes():
            if thread.owner_id not in self.ours:
                self.arrivals.put(read_title(thread))

    async def on_member_join(self, member: discord.Member) -> None:
        """Somebody has come, or has changed in some way."""
        with self._whatever_comes():
            if not member.bot and self.names.is_new(member):
                self.arrivals.put(read_name(member, self.clock.now()))

    async def on_automod_action(self, execution: discord.AutoModAction) -> None:
        """What AutoMod stops does not come as a message."""
        with self._whatever_comes():
            if self.automod.is_news(execution):
                self.arrivals.put(read_filtered(execution, self.clock.now()))

    async def take_late(self, message: discord.Message) -> None:
        self._take(message, late=True)

    def _take(self, message: discord.Message, *, late: bool = False) -> None:
        with self._whatever_comes(message, late=late):
            self._read(message, late=late)

    @contextmanager
    def _whatever_comes(self, message: discord.Message | None = None, *, late: bool = False) -> Iterator[None]:
        """What somebody writes is judged: as it was typed, where nothing else can be made of it. Of names and titles of
        which nothing can be made, nothing is left."""
        try:
            yield
        except Exception as error:
            _log.error("an event is read plainly", message=message and message.id, error=type(error).__name__)
            if message and message.guild and message.author.id not in self.ours:
                with suppress(Exception):  # then nobody can say who has said what, and when
                    self.arrivals.put(read_plainly(message), late=late)

    def _read(self, message: discord.Message, *, late: bool) -> None:
        if not is_readable(message, self.ours | self.own_webhooks):
            return
        text = text_of(message)
        if message.flags.components_v2 and not text:
            _log.warning("components that we cannot read", guild=message.guild and message.guild.id, message=message.id)
        self._texts[message.id] = hash(text)
        files = text_files(message)
        if files or self.pairs.needs_a_look(message):
            task = asyncio.create_task(self._look(message, files, late=late))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self.arrivals.put(self._whole(message), late=late)

    async def _look(self, message: discord.Message, files: Sequence[discord.Attachment], *, late: bool) -> None:
        with self._whatever_comes(message, late=late):
            await self.arrivals.put_when_read(self._read_more(message, files), late=late)

    async def _read_more(self, message: discord.Message, files: Sequence[discord.Attachment]) -> Message:
        attached = await asyncio.gather(*(self._beginning(file) for file in files))
        if self.pairs.needs_a_look(message):
            await self.pairs.look(message)
        return self._whole(message, attached)

    def _whole(self, message: discord.Message, attached: Sequence[str] = ()) -> Message:
        said = self.pairs.complete(message, read(message, attached=attached))
        if not said.is_sound:
            raise TypeError("what should be words is not")
        return said

    def _withdraw(self, guild_id: int | None, channel_id: int, message_id: int) -> None:
        if guild_id is not None:
            self.arrivals.put(read_deletion(guild_id, channel_id, message_id, self.clock.now()))

    async def _beginning(self, file: discord.Attachment) -> str:
        """The first 64 KB of a text file; nothing of one that cannot be had."""
        assert self.files is not None
        try:
            async with self.files.get(file.url, headers={"Range": f"bytes=0-{ATTACHED - 1}"}) as answer:
                if answer.status not in (200, 206):
                    return ""
                return (await beginning(answer.content, ATTACHED)).decode("utf-8", "replace")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            _log.warning("text file not read", message=file.id, error=type(error).__name__)
            return ""
