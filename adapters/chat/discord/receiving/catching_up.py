"""What was said while we were away -> messages: every channel in which something was, the newest of all servers first.

One bookmark says up to when everything is known to be kept; a server of which that is not true has one of its own until
it is read. Both are written before anything relies on them, so that a process that dies leaves nothing unread.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

import discord
import structlog

from adapters.chat.discord.errors import OUT_OF_REACH
from adapters.chat.discord.receiving.arrivals import Arrivals
from adapters.chat.discord.receiving.reading import read_title
from bot.core.base.clock import Clock
from bot.core.base.errors import BotError, Unavailable
from bot.core.base.waiting import Backoff
from bot.core.chat.ports import Bookmarks

_log = structlog.get_logger(__name__)

MARGIN = timedelta(minutes=2)  # a connection may be dead for so long before anybody notices
EVERY = 10.0  # seconds between two bookmarks
OLDEST = timedelta(days=1)
MOST = 10_000  # messages of one channel
AT_ONCE = 16  # requests
PAGE = 100
ARCHIVED_AFTER = timedelta(hours=1)  # the soonest that Discord archives a thread by itself
AGAIN = Backoff(first=1.0, longest=30.0)
GIVE_UP = 120  # tries of one page: about an hour
OPENED = 50  # servers that are looked through in one go

Readable = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.Thread
Parent = discord.TextChannel | discord.ForumChannel
Take = Callable[[discord.Message], Awaitable[None]]
#: A server, and the moment up to which something in it was not read and will not be.
Skipped = Callable[[discord.Guild, datetime], Awaitable[None]]


@dataclass(slots=True, eq=False)
class _Gap:
    """What was missed in one server: from when on, and what of it is still to be read."""

    guild: discord.Guild
    since: datetime
    jobs: int = 0
    listed: set[int] = field(default_factory=set)  # channels whose archived threads are looked for
    skipped: datetime | None = None  # what was said before it is not read
    finished: datetime | None = None
    again: datetime | None = None  # missed something once more, while this was read

    @property
    def horizon(self) -> int:
        return discord.utils.time_snowflake(self.since)


@dataclass(slots=True, eq=False)
class _Page:
    """The next page of a channel: the messages before this one, which is not read any more."""

    gap: _Gap
    channel: Readable
    before: int
    read: int = 0
    tries: int = 0


@dataclass(slots=True, eq=False)
class _Archive:
    """The list of a channel's archived threads."""

    gap: _Gap
    channel: Parent
    private: bool
    tries: int = 0


_Job = _Page | _Archive


@dataclass(slots=True, kw_only=True)
class CatchingUp:
    """`take` is given every message read; `skipped` hears where something never will be."""

    bookmarks: Bookmarks
    name: str
    arrivals: Arrivals
    clock: Clock
    take: Take
    skipped: Skipped
    _mark: datetime | None = None
    _away: set[int | None] = field(default_factory=lambda: {None})  # shards; None: those that were never there
    _there: set[int] = field(default_factory=set)  # shards whose sessions stand
    _behind: dict[int, datetime] = field(default_factory=dict)  # by server: since when
    _written: dict[int, datetime] = field(default_factory=dict)  # what the bookmarks say of that
    _gaps: dict[int, _Gap] = field(default_factory=dict)  # by server: being read, or read and not all of it kept yet
    _jobs: "asyncio.PriorityQueue[tuple[int, int, _Job]]" = field(default_factory=asyncio.PriorityQueue)
    _nth: Iterator[int] = field(default_factory=count)
    _read: int = 0  # messages

    _later: set["asyncio.Task[None]"] = field(default_factory=set)

    async def begin(self) -> None:
        """Find the bookmarks; a first start has nothing to catch up on."""
        place = await self.bookmarks.place(self.name)
        behind = await self.bookmarks.within(self.name)
        self._behind = {int(guild_id): datetime.fromisoformat(since) for guild_id, since in behind.items()}
        self._written = dict(self._behind)
        self._mark = datetime.fromisoformat(place) if place else self.clock.now()
        if place is None:
            await self.bookmarks.put(self.name, _stamp(self._mark))

    # ---- what is missed

    def lost(self, shard_id: int) -> None:
        """The connection is gone; Discord may yet replay what we miss (RESUME)."""
        self._away.add(shard_id)
        self._there.discard(shard_id)

    def resumed(self, shard_id: int | None) -> None:
        """The same session again; None: every shard is there for the first time."""
        self._away.discard(shard_id)
        if shard_id is not None:
            self._there.add(shard_id)

    def unavailable(self, guild: discord.Guild) -> None:
        """Discord tells nothing of this server for a while."""
        self._fall_behind(guild.id)

    async def available(self, guild: discord.Guild) -> None:
        """Discord tells of this server again, or later than of the others."""
        if guild.shard_id in self._there:  # before that, all of them are missed together
            await self.read_back([guild])

    async def read_back(self, guilds: list[discord.Guild], shard_id: int | None = None) -> None:
        """Everything in these servers since their bookmarks is to be read. `shard_id`: from here on that shard tells of
        all of them."""
        for guild in guilds:
            self._fall_behind(guild.id)
        if shard_id is not None:
            self.resumed(shard_id)
        for nth, guild in enumerate(guilds, 1):
            gap = self._gaps.get(guild.id)
            if guild.unavailable:
                continue  # it will be `available`
            if gap is not None and gap.finished is None:  # one reading at a time
                since = self._behind[guild.id] if shard_id is None else self._marked()
                gap.again = min(gap.again or since, since)
            else:
                self._open(guild, self._fall_behind(guild.id))
            if nth % OPENED == 0:
                await asyncio.sleep(0)

    def keep_only(self, guild_ids: Collection[int]) -> None:
        """These are all the servers that there are: nothing is to be read in others."""
        for guild_id in self._behind.keys() - guild_ids:
            del self._behind[guild_id]

    def _marked(self) -> datetime:
        assert self._mark is not None
        return self._mark

    def _fall_behind(self, guild_id: int) -> datetime:
        return self._behind.setdefault(guild_id, self._marked())

    def _open(self, guild: discord.Guild, since: datetime) -> None:
        """A channel whose last message is older than the gap costs nothing."""
        now = self.clock.now()
        joined = guild.me.joined_at if guild.me else None
        oldest = now - OLDEST
        gap = _Gap(guild, max(since, oldest, joined or since))
        gap.skipped = oldest if since < oldest and (joined is None or joined < oldest) else None
        self._gaps[guild.id] = gap
        for channel in _channels(guild):
            if (last := channel.last_message_id or 0) > gap.horizon:
                self._put(_Page(gap, channel, last + 1), last)  # what comes after it comes by itself
        if now - gap.since > ARCHIVED_AFTER:
            parents: list[Parent] = [*guild.text_channels, *guild.forums]
            for parent in parents:
                self._list(gap, parent)
        else:  # only what was opened meanwhile can be archived by now; in a text channel that is said in a message
            for forum in guild.forums:
                if (forum.last_message_id or 0) > gap.horizon:
                    self._list(gap, forum)
        if not gap.jobs:
            gap.finished = now

    def _list(self, gap: _Gap, parent: Parent) -> None:
        """Look for archived threads: after everything else, because it costs a request and seldom finds anything."""
        if parent.id not in gap.listed:
            gap.listed.add(parent.id)
            self._put(_Archive(gap, parent, private=False), 0)
            if isinstance(parent, discord.TextChannel) and _may_manage_threads(parent):
                self._put(_Archive(gap, parent, private=True), 0)

    def _put(self, job: _Job, newest: int) -> None:
        job.gap.jobs += 1
        self._jobs.put_nowait((-newest, next(self._nth), job))

    # ---- reading

    async def run(self) -> None:
        """Until cancelled: read what was missed, and keep the bookmarks."""
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._work())
            group.create_task(self._keep_bookmarks())
            group.create_task(self._tell_progress())

    async def _work(self) -> None:
        while True:
            newest, _, job = await self._jobs.get()
            gap = job.gap
            try:
                await (self._page(job) if isinstance(job, _Page) else self._archive(job))
            except (discord.Forbidden, discord.NotFound):
                pass  # not ours to read, or not there any more
            except (*OUT_OF_REACH, Unavailable) as error:
                await self._put_off(job, -newest, error)
            except Exception as error:  # whatever is the matter with one channel
                self._give_up(job, error)
            gap.jobs -= 1
            if not gap.jobs:
                await self._finish(gap)

    async def _page(self, page: _Page) -> None:
        gap, channel = page.gap, page.channel
        if not _may_read(channel):
            return
        await self.arrivals.room()
        before = discord.Object(page.before)
        messages = [message async for message in channel.history(limit=PAGE, before=before)]
        if not page.read and isinstance(channel, discord.Thread) and channel.id > gap.horizon:
            self.arrivals.put(read_title(channel), late=True)
        news = [message for message in messages if message.id > gap.horizon]
        edited = [message for message in messages if message.edited_at and message.edited_at > gap.since]
        for message in {message.id: message for message in (*news, *edited)}.values():
            await self.take(message)
        if isinstance(channel, discord.TextChannel) and any(map(_opens_a_thread, news)):
            self._list(gap, channel)
        page.read += len(messages)
        self._read += len(news)
        if len(news) < PAGE:
            return
        if page.read >= MOST:
            _log.warning("a channel has more than we read back", guild=gap.guild.id, channel=channel.id, most=MOST)
            gap.skipped = max(gap.skipped or gap.since, news[-1].created_at)
            return
        following = _Page(gap, channel, news[-1].id, page.read)
        self._put(following, following.before)

    async def _archive(self, archive: _Archive) -> None:
        if not _may_read(archive.channel):
            return
        gap = archive.gap
        if isinstance(archive.channel, discord.TextChannel):
            threads = archive.channel.archived_threads(private=archive.private, limit=None)
        else:
            threads = archive.channel.archived_threads(limit=None)
        async for thread in threads:
            if thread.archive_timestamp < gap.since:
                break
            if (last := thread.last_message_id or thread.id) > gap.horizon:
                self._put(_Page(gap, thread, last + 1), last)

    async def _put_off(self, job: _Job, newest: int, error: Exception) -> None:
        """Until Discord (or the database) is there to answer; what it refuses is not asked again. The others do not
        wait for it."""
        status = error.status if isinstance(error, discord.HTTPException) else 503
        job.tries += 1
        if (status < 500 and status != 429) or job.tries >= GIVE_UP:
            self._give_up(job, error)
            return
        pause = AGAIN.after(job.tries)
        _log.warning("catching up waits", channel=job.channel.id, reason=type(error).__name__, seconds=pause)
        job.gap.jobs += 1

        async def later() -> None:
            await self.clock.sleep(pause)
            job.gap.jobs -= 1
            self._put(job, newest)

        task = asyncio.create_task(later())
        self._later.add(task)
        task.add_done_callback(self._later.discard)
        await self.clock.sleep(min(pause, 1.0))

    def _give_up(self, job: _Job, error: Exception) -> None:
        _log.error("a channel is not read", channel=job.channel.id, error=type(error).__name__)
        job.gap.skipped = self.clock.now()

    async def _finish(self, gap: _Gap) -> None:
        gap.finished = self.clock.now()
        if gap.again is not None:
            self._behind[gap.guild.id] = gap.again
            self._open(gap.guild, gap.again)
        if gap.skipped is not None:
            with suppress(BotError):
                await self.skipped(gap.guild, gap.skipped)

    # ---- bookmarks

    async def _keep_bookmarks(self) -> None:
        while True:
            try:
                await self._write()
            except BotError as error:
                _log.warning("the bookmark stands still", reason=type(error).__name__)
            await self.clock.sleep(EVERY)

    async def _write(self) -> None:
        """Who is behind is written with the mark that leaves them out, all or nothing."""
        now = self.clock.now()
        kept = min(self.arrivals.oldest or now, now)  # whatever arrived before is in the database
        for guild_id, gap in list(self._gaps.items()):
            if gap.finished is not None and gap.finished <= kept and not self.arrivals.overflowed:
                del self._gaps[guild_id]
                self._behind.pop(guild_id, None)
        mark, behind = self._marked(), dict(self._behind)
        if not self._away and not self.arrivals.overflowed:
            mark = max(mark, kept - MARGIN)
        changed = {guild_id: behind.get(guild_id) for guild_id in behind.keys() | self._written.keys()}
        places = {
            f"{self.name}/{guild_id}": _stamp(since) if since else None
            for guild_id, since in changed.items()
            if since != self._written.get(guild_id)
        }
        if mark != self._mark or places:
            await self.bookmarks.put_all({**places, self.name: _stamp(mark)})
            self._mark, self._written = mark, behind

    async def _tell_progress(self) -> None:
        told = False
        while True:
            await self.clock.sleep(EVERY)
            unread = [gap for gap in self._gaps.values() if gap.finished is None]
            if unread or told:
                _log.info(
                    "catching up" if unread else "caught up",
                    servers=len(unread),
                    pages=self._jobs.qsize(),
                    messages=self._read,
                )
            told = bool(unread)


def _channels(guild: discord.Guild) -> list[Readable]:
    return [*guild.text_channels, *guild.voice_channels, *guild.stage_channels, *guild.threads]


def _opens_a_thread(message: discord.Message) -> bool:
    return message.type is discord.MessageType.thread_created or message.flags.has_thread


def _may_manage_threads(channel: discord.TextChannel) -> bool:
    return channel.guild.me is None or channel.permissions_for(channel.guild.me).manage_threads


def _may_read(channel: Readable | discord.ForumChannel) -> bool:
    if channel.guild.me is None:
        return True
    granted = channel.permissions_for(channel.guild.me)
    return granted.view_channel and granted.read_message_history


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
