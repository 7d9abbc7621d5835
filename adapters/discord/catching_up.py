"""What was said while we were away -> messages: every channel and thread read back to the bookmark, newest first.

The bookmark is the moment up to which everything is known to be kept. It stands still while a shard is away or a
backlog is being read, so that a process that dies in the middle of it leaves nothing unread.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import aiohttp
import discord
import structlog

from adapters.discord.arrivals import Arrivals
from adapters.discord.reading import read_title
from bot.errors import Unavailable
from bot.ports import Bookmarks, Clock

_log = structlog.get_logger(__name__)

MARGIN = timedelta(minutes=2)  # a connection may be dead for so long before anybody notices
EVERY = 10.0  # seconds between two bookmarks
OLDEST = timedelta(days=1)
MOST = 10_000  # messages of one channel
AT_ONCE = 4  # channels
PAGE = 100
ARCHIVED_AFTER = timedelta(hours=1)  # the soonest that Discord archives a thread by itself
PAUSE = 0.1  # seconds between two channels that are asked for archived threads: the limit is 50 requests a second

Readable = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.Thread
Result = TypeVar("Result")
Take = Callable[[discord.Message, discord.Member | None], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class CatchingUp:
    """`take` is given every message read, with its author as a member where that is known."""

    bookmarks: Bookmarks
    name: str
    arrivals: Arrivals
    clock: Clock
    take: Take
    _mark: datetime | None = None
    _away: set[int | None] = field(default_factory=lambda: {None})  # shards; None: those that were never there
    _under_way: int = 0

    async def begin(self) -> None:
        """Find the bookmark; a first start has nothing to catch up on."""
        place = await self.bookmarks.place(self.name)
        self._mark = datetime.fromisoformat(place) if place else self.clock.now()
        if place is None:
            await self.bookmarks.put(self.name, _written(self._mark))

    def lost(self, shard_id: int) -> None:
        """The connection is gone; Discord may yet replay what we miss (RESUME)."""
        self._away.add(shard_id)

    def resumed(self, shard_id: int | None) -> None:
        """The same session again; None: every shard is there for the first time."""
        self._away.discard(shard_id)

    async def read_back(self, guilds: list[discord.Guild], shard_id: int | None = None) -> None:
        """Read everything in these servers since the bookmark."""
        assert self._mark is not None
        since = max(self._mark, self.clock.now() - OLDEST)
        self._under_way += 1
        if shard_id is not None:
            self._away.discard(shard_id)
        try:
            lanes = asyncio.Semaphore(AT_ONCE)
            gaps = [_Gap(guild, since) for guild in guilds]
            for gap in gaps:
                spoken = [c for c in _channels(gap.guild) if (c.last_message_id or 0) > gap.horizon and _may_read(c)]
                spoken.sort(key=lambda channel: channel.last_message_id or 0, reverse=True)
                async with asyncio.TaskGroup() as group:
                    for channel in spoken:
                        group.create_task(self._read(channel, gap, lanes))
            for gap in gaps:  # afterwards: it costs a request a channel, and seldom finds anything
                for parent in _parents(gap, since_long=self.clock.now() - gap.since > ARCHIVED_AFTER):
                    await self.clock.sleep(PAUSE)
                    async for thread in self._archived(parent, gap.since):
                        await self._read(thread, gap, lanes)
        finally:
            self._under_way -= 1

    async def keep_bookmark(self) -> None:
        """Until cancelled: move the bookmark on while nothing is missing."""
        while True:
            if self._mark is not None and not self._away and not self._under_way and not self.arrivals.overflowed:
                now = self.clock.now()
                self._mark = max(self._mark, min(self.arrivals.oldest or now, now) - MARGIN)
                await self._patiently(lambda: self.bookmarks.put(self.name, _written(self._mark)))
            await self.clock.sleep(EVERY)

    async def _read(self, channel: Readable, gap: "_Gap", lanes: asyncio.Semaphore) -> None:
        before: discord.Object | None = None
        async with lanes:
            if isinstance(channel, discord.Thread) and channel.id > gap.horizon:
                self.arrivals.put(read_title(channel))
            for _ in range(MOST // PAGE):
                await self.arrivals.room()
                page = await self._page(channel, before)
                news = [message for message in page if message.id > gap.horizon]
                await self._learn_members(news, gap)
                for message in news:
                    await self.take(message, gap.members.get(message.author.id))
                if len(news) < PAGE:
                    return
                before = discord.Object(news[-1].id)
            _log.warning("a channel has more than we read back", guild=channel.guild.id, channel=channel.id, most=MOST)

    async def _page(self, channel: Readable, before: discord.Object | None) -> list[discord.Message]:
        async def page() -> list[discord.Message]:
            return [message async for message in channel.history(limit=PAGE, before=before)]

        try:
            return await self._patiently(page)
        except (discord.Forbidden, discord.NotFound):
            return []

    async def _archived(
        self, parent: discord.TextChannel | discord.ForumChannel, since: datetime
    ) -> AsyncIterator[discord.Thread]:
        """Threads that were archived since then."""

        async def listed() -> list[discord.Thread]:
            lists = [parent.archived_threads(limit=None)]
            if isinstance(parent, discord.TextChannel) and _may_manage_threads(parent):
                lists.append(parent.archived_threads(private=True, limit=None))
            found = []
            for threads in lists:
                async for thread in threads:
                    if thread.archive_timestamp < since:
                        break
                    found.append(thread)
            return found

        try:
            threads = await self._patiently(listed)
        except (discord.Forbidden, discord.NotFound):
            return
        for thread in threads:
            yield thread

    async def _learn_members(self, page: list[discord.Message], gap: "_Gap") -> None:
        """History does not say which roles an author has, so Discord is asked for all of a page at once."""
        unknown = {m.author.id for m in page if not m.webhook_id and not isinstance(m.author, discord.Member)}
        unknown -= gap.members.keys()
        if not unknown:
            return

        async def ask() -> list[discord.Member]:
            return await gap.guild.query_members(user_ids=sorted(unknown), limit=100, cache=False)

        found = {member.id: member for member in await self._patiently(ask)}
        gap.members.update({user_id: found.get(user_id) for user_id in unknown})

    async def _patiently(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """Repeat a call until Discord (or the database) is there to answer it."""
        pause = 1.0
        while True:
            try:
                return await call()
            except (discord.Forbidden, discord.NotFound):
                raise
            except (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError, Unavailable) as error:
                _log.warning("catching up waits", reason=type(error).__name__, seconds=pause)
                await self.clock.sleep(pause)
                pause = min(pause * 2, 30.0)


class _Gap:
    """One server's: since when, and who of its members we have met on the way (None: not there any more)."""

    def __init__(self, guild: discord.Guild, since: datetime) -> None:
        joined = guild.me.joined_at if guild.me else None
        self.guild = guild
        self.since = max(since, joined) if joined else since
        self.horizon = discord.utils.time_snowflake(self.since)
        self.members: dict[int, discord.Member | None] = {}


def _parents(gap: _Gap, *, since_long: bool) -> Iterator[discord.TextChannel | discord.ForumChannel]:
    """Channels that may have archived threads with something new in them. After a short gap only those in which a
    thread was opened meanwhile: that shows as their last message."""
    parents: list[discord.TextChannel | discord.ForumChannel] = [*gap.guild.text_channels]
    for parent in (*parents, *gap.guild.forums):
        if _may_read(parent) and (since_long or (parent.last_message_id or 0) > gap.horizon):
            yield parent


def _channels(guild: discord.Guild) -> list[Readable]:
    return [*guild.text_channels, *guild.voice_channels, *guild.stage_channels, *guild.threads]


def _may_manage_threads(channel: discord.TextChannel) -> bool:
    return channel.guild.me is None or channel.permissions_for(channel.guild.me).manage_threads


def _may_read(channel: Readable | discord.ForumChannel) -> bool:
    if channel.guild.me is None:
        return True
    granted = channel.permissions_for(channel.guild.me)
    return granted.view_channel and granted.read_message_history


def _written(moment: datetime | None) -> str:
    return moment.astimezone(UTC).isoformat() if moment else ""
