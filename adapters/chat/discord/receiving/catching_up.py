"""What was said while we were away -> what is to be read of each server, and bookmarks of what is kept.

One bookmark says up to when everything is known to be kept; a server of which that is not true has one of its own until
it is read: the stretches of time that are still to be read, each ending where the reading, newest first, has got to.
Both are written before anything relies on them, so that a process that dies leaves nothing unread, and one that dies
again and again reads nothing again and again.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
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
DISORDER = timedelta(seconds=20)  # by which Discord tells of one message later than of another
EVERY = 10.0  # seconds between two bookmarks
OLDEST = timedelta(days=1)
OPENED = 50  # servers that are looked through in one go
LONG_AGO = datetime(2015, 1, 1, tzinfo=UTC)  # Discord's beginning
MOST = 8  # stretches of one server

Stretch = tuple[datetime, datetime]  # what was said after the first and not after the second

#: A server, and the moment up to which something in it was not read and will not be.
Skipped = Callable[[discord.Guild, datetime], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class CatchingUp:
    """`take` is given every message read; `skipped` hears where something never will be. `told`: see `Hearing`."""

    bookmarks: Bookmarks
    name: str
    arrivals: Arrivals
    clock: Clock
    take: Take
    skipped: Skipped
    told: Mapping[int, datetime]
    _mark: datetime | None = None
    _away: set[int | None] = field(default_factory=lambda: {None})  # shards; None: those that were never there
    _there: set[int] = field(default_factory=set)  # shards whose sessions stand
    _behind: dict[int, datetime] = field(default_factory=dict)  # by server: since when it is missed and not read
    _left: dict[int, list[Stretch]] = field(default_factory=dict)  # by server: where an earlier process did not get to
    _gaps: dict[int, list[Gap]] = field(default_factory=dict)  # by server: being read, or read and not all kept yet
    _written: dict[int, str] = field(default_factory=dict)  # what the bookmarks say of servers
    _backlog: Backlog = field(init=False)

    def __post_init__(self) -> None:
        self._backlog = Backlog(arrivals=self.arrivals, clock=self.clock, take=self.take, ended=self._finish)

    async def begin(self) -> None:
        """Find the bookmarks; a first start has nothing to catch up on."""
        place = await self.bookmarks.place(self.name)
        written = await self.bookmarks.within(self.name)
        self._written = {int(guild_id): stretches for guild_id, stretches in written.items()}
        for guild_id, stretches in self._written.items():
            read = [[datetime.fromisoformat(moment) for moment in one.split("/")] for one in stretches.split()]
            self._left[guild_id] = [(since, until[0]) for since, *until in read if until]
            if lacking := [since for since, *until in read if not until]:
                self._behind[guild_id] = min(lacking)
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
            if guild.unavailable:
                continue  # it will be `available`
            newest = self._gaps[guild.id][-1] if guild.id in self._gaps else None
            if newest is not None and newest.finished is None:  # one reading at a time
                newest.again = guild
            else:
                self._open(guild)
            if nth % OPENED == 0:
                await asyncio.sleep(0)

    def keep_only(self, guild_ids: Collection[int]) -> None:
        """These are all the servers that there are: nothing is to be read in others."""
        for known in (self._behind, self._left):
            for guild_id in known.keys() - guild_ids:
                del known[guild_id]

    def _marked(self) -> datetime:
        assert self._mark is not None
        return self._mark

    def _fall_behind(self, guild_id: int) -> None:
        self._behind.setdefault(guild_id, self._marked())

    def _open(self, guild: discord.Guild) -> None:
        now, behind = self.clock.now(), self._behind.pop(guild.id, self._marked())
        joined = guild.me.joined_at if guild.me else None
        oldest, listed = now - OLDEST, set[int]()
        left = [(since, min(until, behind)) for since, until in self._left.pop(guild.id, ()) if since < behind]
        for since, until in (*_few(left), (behind, None)):
            gap = Gap(guild, max(since, oldest, joined or since), until, listed)
            gap.skipped = oldest if since < oldest and (joined is None or joined < oldest) else None
            self._gaps.setdefault(guild.id, []).append(gap)
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
        if gap.again is not None and gap.again.id in self._behind:
            await self.read_back([gap.again])
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
        if not self.arrivals.overflowed:
            for gap in (gap for gaps in self._gaps.values() for gap in gaps):
                gap.keep(kept)
            unread = {
                guild_id: [gap for gap in gaps if gap.finished is None or gap.finished > kept]
                for guild_id, gaps in self._gaps.items()
            }
            self._gaps = {guild_id: gaps for guild_id, gaps in unread.items() if gaps}
        mark, unread_now = self._marked(), self._unread()
        if not self._away and not self.arrivals.overflowed:
            mark = max(mark, kept - MARGIN, min(kept, self._told()) - DISORDER)
        places = {
            f"{self.name}/{guild_id}": unread_now.get(guild_id)
            for guild_id in unread_now.keys() | self._written.keys()
            if unread_now.get(guild_id) != self._written.get(guild_id)
        }
        if mark != self._mark or places:
            await self.bookmarks.put_all({**places, self.name: _stamp(mark)})
            self._mark, self._written = mark, unread_now

    def _told(self) -> datetime:
        """Every shard has told of something written since: its connection was not dead, nor we too slow to listen."""
        return min((self.told.get(shard_id, LONG_AGO) for shard_id in self._there), default=LONG_AGO)

    def _unread(self) -> dict[int, str]:
        """By server, the stretches of time that are not read and kept."""
        unread = defaultdict[int, list[tuple[datetime, datetime | None]]](list)
        for guild_id, since in self._behind.items():
            unread[guild_id].append((since, None))
        for guild_id, left in self._left.items():
            unread[guild_id] += left
        for guild_id, gaps in self._gaps.items():
            unread[guild_id] += [(gap.since, gap.until) for gap in gaps]
        return {
            guild_id: " ".join("/".join(_stamp(moment) for moment in one if moment) for one in stretches)
            for guild_id, stretches in unread.items()
            if stretches
        }

    async def _tell_progress(self) -> None:
        told = False
        while True:
            await self.clock.sleep(EVERY)
            unread = [gaps for gaps in self._gaps.values() if any(gap.finished is None for gap in gaps)]
            if unread or told:
                _log.info(
                    "catching up" if unread else "caught up",
                    servers=len(unread),
                    pages=self._backlog.pages,
                    messages=self._backlog.read,
                )
            told = bool(unread)


def _few(stretches: Iterable[Stretch]) -> list[Stretch]:
    """In order; where they are many the oldest become one, with what was read between them."""
    ordered = sorted(stretches)
    while len(ordered) > MOST:
        (since, _), (_, until), *later = ordered
        ordered = [(since, until), *later]
    return ordered


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
