"""What was said while we were away -> what is to be read of each server, and bookmarks of what is kept.

One bookmark says up to when everything is known to be kept; a server of which that is not true has one of its own until
it is read. Both are written before anything relies on them, so that a process that dies leaves nothing unread.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import discord
import structlog

from adapters.chat.discord.receiving.arrivals import Arrivals
from adapters.chat.discord.receiving.backlog import Backlog, Gap, Take
from bot.core.base.clock import Clock
from bot.core.base.errors import BotError
from bot.core.chat.ports import Bookmarks

_log = structlog.get_logger(__name__)

MARGIN = timedelta(minutes=2)  # a connection may be dead for so long before anybody notices
EVERY = 10.0  # seconds between two bookmarks
OLDEST = timedelta(days=1)
OPENED = 50  # servers that are looked through in one go

#: A server, and the moment up to which something in it was not read and will not be.
Skipped = Callable[[discord.Guild, datetime], Awaitable[None]]


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
    _gaps: dict[int, Gap] = field(default_factory=dict)  # by server: being read, or read and not all of it kept yet
    _backlog: Backlog = field(init=False)

    def __post_init__(self) -> None:
        self._backlog = Backlog(arrivals=self.arrivals, clock=self.clock, take=self.take, ended=self._finish)

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

    def is_told_by(self, shards: Collection[int]) -> bool:
        """Whether all of these tell us what is said now."""
        return self._there.issuperset(shards)

    def listen(self, client: discord.Client) -> None:
        for event in (
            self.on_shard_disconnect, self.on_shard_resumed, self.on_guild_unavailable, self.on_guild_available,
        ):  # fmt: skip
            client.event(event)

    async def on_shard_disconnect(self, shard_id: int) -> None:
        """The connection is gone; Discord may yet replay what we miss (RESUME)."""
        self._away.add(shard_id)
        self._there.discard(shard_id)

    async def on_shard_resumed(self, shard_id: int) -> None:
        """The old session: Discord has replayed what was missed."""
        self.resumed(shard_id)

    def resumed(self, shard_id: int | None) -> None:
        """The same session again; None: every shard is there for the first time."""
        self._away.discard(shard_id)
        if shard_id is not None:
            self._there.add(shard_id)

    async def on_guild_unavailable(self, guild: discord.Guild) -> None:
        """Discord tells nothing of this server for a while."""
        self._fall_behind(guild.id)

    async def on_guild_available(self, guild: discord.Guild) -> None:
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
        now = self.clock.now()
        joined = guild.me.joined_at if guild.me else None
        oldest = now - OLDEST
        gap = Gap(guild, max(since, oldest, joined or since))
        gap.skipped = oldest if since < oldest and (joined is None or joined < oldest) else None
        self._gaps[guild.id] = gap
        self._backlog.add(gap)
        if not gap.jobs:
            gap.finished = now

    # ---- reading

    async def run(self) -> None:
        """Until cancelled: read what was missed, and keep the bookmarks."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._backlog.run())
            group.create_task(self._keep_bookmarks())
            group.create_task(self._tell_progress())

    async def _finish(self, gap: Gap) -> None:
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
                    pages=self._backlog.pages,
                    messages=self._backlog.read,
                )
            told = bool(unread)


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
