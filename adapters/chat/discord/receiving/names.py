"""Which members' names are news: a member as Discord shows them -> whether that name was seen before.

discord.py hears of a change only for members that it keeps; we keep none, so we listen for ourselves.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import discord

from bot.core.base.bounded import Bounded

REMEMBERED = 50_000  # names, as hashes


class Names:
    """The name under which a member was last seen. Roles and time-outs change members, too, without a new name."""

    def __init__(self) -> None:
        self._seen = Bounded[tuple[int, int], int](REMEMBERED)  # by server and member
        self._given = Bounded[tuple[int, int, int], None](REMEMBERED)  # by us, and not yet heard of

    def is_new(self, member: discord.Member) -> bool:
        """True once for every change; also for one whom we meet for the first time."""
        who, name = (member.guild.id, member.id), hash(member.display_name)
        known = self._seen.get(who)
        self._seen[who] = name
        if (*who, name) in self._given:
            del self._given[*who, name]
            return False
        return known != name

    def forget(self, is_theirs: Callable[[str], bool]) -> None:
        for member in {member for _, member in self._seen if is_theirs(str(member))}:
            for who in [who for who in self._seen if who[1] == member]:
                del self._seen[who]

    def expect(self, guild_id: int, user_id: int, name: str) -> None:
        """A name that we are about to give ourselves is no news."""
        self._given[guild_id, user_id, hash(name)] = None


def hear_member_updates(client: discord.Client, hear: Callable[[discord.Member], Awaitable[None]]) -> None:
    """Call `hear` with every member who has changed in some way."""
    state = client._connection
    known, tasks = state.parsers["GUILD_MEMBER_UPDATE"], set[asyncio.Future[None]]()

    def updated(data: Any) -> None:
        known(data)
        if guild := state._get_guild(int(data["guild_id"])):
            task = asyncio.ensure_future(hear(discord.Member(data=data, guild=guild, state=state)))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    state.parsers["GUILD_MEMBER_UPDATE"] = updated
