"""Somebody in a server -> the member whom Discord knows now, or nobody: they have left.

Discord takes few questions over the gateway (120 sends a minute for everything, fact D13) but answers a hundred names
at once there; over HTTP it is one name a request. One or a few go over HTTP, many together over the gateway.
"""

import asyncio
from dataclasses import dataclass, field, replace

import discord

from adapters.chat.discord.errors import OUT_OF_REACH
from adapters.chat.discord.receiving.reading import author_of
from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.base.errors import Unavailable
from bot.core.base.waiting import outlasting
from bot.core.chat.message import Author, Message

MANY, AT_ONCE = 5, 100  # from so many on over the gateway; at most so many in one question
FRESH = 60.0  # seconds for which an answer is good
REMEMBERED = 10_000  # members

_Found = discord.Member | None


@dataclass(slots=True, kw_only=True)
class Members:
    clock: Clock
    _waiting: dict[int, dict[int, "asyncio.Future[_Found]"]] = field(default_factory=dict)  # by server, while asking
    _known: Bounded[tuple[int, int], tuple[float, _Found]] = field(default_factory=lambda: Bounded(REMEMBERED))
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    async def meet(self, message: Message, guild: discord.Guild | None) -> Author:
        """See `MessageSource`."""
        if guild is None:
            raise Unavailable("a server that is not there (yet)")
        member = await self.find(guild, int(message.author.id))
        return author_of(member, guild) if member else replace(message.author, unmet=False)

    async def find(self, guild: discord.Guild, user_id: int) -> discord.Member | None:
        """None: not there (any more). Raises `Unavailable`. Who is asked about while another answer is awaited goes
        along with the next question about that server."""
        at, known = self._known.get((guild.id, user_id), (float("-inf"), None))
        if self.clock.monotonic() - at < FRESH:
            return known
        if (waiting := self._waiting.get(guild.id)) is None:
            waiting = self._waiting[guild.id] = {}
            task = asyncio.create_task(self._ask(guild, waiting))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if user_id not in waiting:
            waiting[user_id] = asyncio.get_running_loop().create_future()
        return await outlasting(waiting[user_id])

    async def _ask(self, guild: discord.Guild, waiting: "dict[int, asyncio.Future[_Found]]") -> None:
        asked: dict[int, asyncio.Future[_Found]] = {}
        try:
            while waiting:
                asked = {user_id: waiting[user_id] for user_id in list(waiting)[:AT_ONCE]}
                for user_id in asked:
                    del waiting[user_id]
                try:
                    found = await _answer(guild, list(asked))
                except OUT_OF_REACH as error:
                    for future in asked.values():
                        future.set_exception(
                            Unavailable("members cannot be asked for ({why})", why=type(error).__name__)
                        )
                        future.exception()  # who asked may have gone
                    continue
                for user_id, future in asked.items():
                    future.set_result(found.get(user_id))
                    self._remember(guild.id, user_id, found.get(user_id))
        finally:
            del self._waiting[guild.id]
            for future in (*asked.values(), *waiting.values()):
                future.cancel()  # stopped in the middle

    def _remember(self, guild_id: int, user_id: int, found: _Found) -> None:
        self._known[guild_id, user_id] = self.clock.monotonic(), found


async def _answer(guild: discord.Guild, user_ids: list[int]) -> dict[int, discord.Member]:
    if len(user_ids) >= MANY:
        members = await guild.query_members(user_ids=user_ids, limit=AT_ONCE, cache=False)
        return {member.id: member for member in members}
    found: dict[int, discord.Member] = {}
    for user_id in user_ids:
        try:
            found[user_id] = await guild.fetch_member(user_id)
        except discord.NotFound:
            continue
    return found
