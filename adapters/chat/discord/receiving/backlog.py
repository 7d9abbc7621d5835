"""What was missed in a server -> its messages, of every channel in which something was said, the newest first."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

import discord
import structlog

from adapters.chat.discord.errors import OUT_OF_REACH
from adapters.chat.discord.receiving.arrivals import Arrivals
from adapters.chat.discord.receiving.reading import edited_at, read_title
from bot.core.base.clock import Clock
from bot.core.base.errors import Unavailable
from bot.core.base.waiting import Backoff

_log = structlog.get_logger(__name__)

AT_ONCE = 16  # requests
PAGE = 100
ARCHIVED_AFTER = timedelta(hours=1)  # the soonest that Discord archives a thread by itself
AGAIN = Backoff(first=1.0, longest=30.0)
GIVE_UP = 120  # tries of one page: about an hour

Readable = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.Thread
Parent = discord.TextChannel | discord.ForumChannel
Take = Callable[[discord.Message], Awaitable[None]]


@dataclass(slots=True, eq=False)
class Gap:
    """What was missed in one server: from when on, and what of it is still to be read. `until`: what was said later is
    in the database; None: what was said later comes by itself."""

    guild: discord.Guild
    since: datetime
    until: datetime | None = None
    listed: set[int] = field(default_factory=set)  # channels whose archived threads are looked for
    jobs: set["_Job"] = field(default_factory=set)
    skipped: datetime | None = None  # what was said before it is not read
    finished: datetime | None = None
    again: discord.Guild | None = None  # missed something once more, while this was read
    _read: deque[tuple[datetime, datetime]] = field(default_factory=deque)  # when, and until when it was to be read yet

    @property
    def horizon(self) -> int:
        return discord.utils.time_snowflake(self.since)

    def note(self, now: datetime) -> None:
        """A page more is read: of what is later than all that is left, nothing is missing but what is not kept yet."""
        left = max((job.before for job in self.jobs if isinstance(job, _Page) and not job.archived), default=0)
        until = max(self.since, discord.utils.snowflake_time(left))
        if not self._read or self._read[-1][1] != until:
            self._read.append((now, until))

    def keep(self, moment: datetime) -> None:
        """Whatever was read before is in the database."""
        while self._read and self._read[0][0] <= moment:
            _, self.until = self._read.popleft()


@dataclass(slots=True, eq=False)
class _Page:
    """The next page of a channel: the messages before this one, which is not read any more."""

    gap: Gap
    channel: Readable
    before: int
    archived: bool = False  # found in the list of those, in which it is found again
    read: int = 0
    tries: int = 0


@dataclass(slots=True, eq=False)
class _Archive:
    """The list of a channel's archived threads."""

    gap: Gap
    channel: Parent
    private: bool
    tries: int = 0


_Job = _Page | _Archive


@dataclass(slots=True, kw_only=True)
class Backlog:
    """`take` is given every message read; `ended` hears of a gap of which nothing is left to read."""

    arrivals: Arrivals
    clock: Clock
    take: Take
    ended: Callable[[Gap], Awaitable[None]]
    read: int = 0  # messages
    _jobs: "asyncio.PriorityQueue[tuple[int, int, _Job]]" = field(default_factory=asyncio.PriorityQueue)
    _nth: Iterator[int] = field(default_factory=count)
    _later: set["asyncio.Task[None]"] = field(default_factory=set)

    @property
    def pages(self) -> int:
        """Still to be read."""
        return self._jobs.qsize()

    def add(self, gap: Gap) -> None:
        """A channel whose last message is older than the gap costs nothing."""
        guild = gap.guild
        end = discord.utils.time_snowflake(gap.until, high=True) if gap.until else None
        for channel in _channels(guild):
            if (last := channel.last_message_id or 0) > gap.horizon:
                last = min(last, end or last)
                self._put(_Page(gap, channel, last + 1), last)
        if gap.until or self.clock.now() - gap.since > ARCHIVED_AFTER:
            parents: list[Parent] = [*guild.text_channels, *guild.forums]
            for parent in parents:
                self._list(gap, parent)
        else:  # only what was opened meanwhile can be archived by now; in a text channel that is said in a message
            for forum in guild.forums:
                if (forum.last_message_id or 0) > gap.horizon:
                    self._list(gap, forum)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._work())

    def _list(self, gap: Gap, parent: Parent) -> None:
        """Look for archived threads: after everything else, because it costs a request and seldom finds anything."""
        if parent.id not in gap.listed:
            gap.listed.add(parent.id)
            self._put(_Archive(gap, parent, private=False), 0)
            if isinstance(parent, discord.TextChannel) and _may_manage_threads(parent):
                self._put(_Archive(gap, parent, private=True), 0)

    def _put(self, job: _Job, newest: int) -> None:
        job.gap.jobs.add(job)
        self._jobs.put_nowait((-newest, next(self._nth), job))

    async def _work(self) -> None:
        while True:
            newest, _, job = await self._jobs.get()
            gap = job.gap
            try:
                await (self._page(job) if isinstance(job, _Page) else self._archive(job))
            except (discord.Forbidden, discord.NotFound):
                pass  # not ours to read, or not there any more
            except (*OUT_OF_REACH, Unavailable) as error:
                if await self._puts_off(job, -newest, error):
                    continue
            except Exception as error:  # whatever is the matter with one channel
                self._give_up(job, error)
            gap.jobs.discard(job)
            gap.note(self.clock.now())
            if not gap.jobs:
                await self.ended(gap)

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
        edited = [message for message in messages if (at := edited_at(message)) and at > gap.since]
        for message in {message.id: message for message in (*news, *edited)}.values():
            await self.take(message)
        if self.arrivals.overflowed:  # while we waited for the page; who knows what of it was dropped
            raise Unavailable("no room for what is read")
        if isinstance(channel, discord.TextChannel) and any(map(_opens_a_thread, news)):
            self._list(gap, channel)
        page.read += len(messages)
        self.read += len(news)
        if len(news) < PAGE:
            return
        following = _Page(gap, channel, news[-1].id, page.archived, page.read)
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
                self._put(_Page(gap, thread, last + 1, archived=True), last)

    async def _puts_off(self, job: _Job, newest: int, error: Exception) -> bool:
        """Until Discord (or the database) is there to answer; what it refuses is not asked again. The others do not
        wait for it."""
        status = error.status if isinstance(error, discord.HTTPException) else 503
        job.tries += 1
        if (status < 500 and status != 429) or job.tries >= GIVE_UP:
            self._give_up(job, error)
            return False
        pause = AGAIN.after(job.tries)
        _log.warning("catching up waits", channel=job.channel.id, reason=type(error).__name__, seconds=pause)

        async def later() -> None:
            await self.clock.sleep(pause)
            self._put(job, newest)

        task = asyncio.create_task(later())
        self._later.add(task)
        task.add_done_callback(self._later.discard)
        await self.clock.sleep(min(pause, 1.0))
        return True

    def _give_up(self, job: _Job, error: Exception) -> None:
        _log.error("a channel is not read", channel=job.channel.id, error=type(error).__name__)
        job.gap.skipped = self.clock.now()


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
