"""A server in which something is to be done -> what discord.py knows of it where no gateway tells: asked for over
REST, and again once that is old."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import discord
import structlog

from adapters.chat.discord.errors import OUT_OF_REACH
from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.base.errands import Errands
from bot.core.base.waiting import outlasting

FRESH = 60.0  # seconds for which an answer is good
REMEMBERED = 2_000  # servers

_log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Servers:
    client: discord.Client
    clock: Clock
    errands: Errands
    _asked: Bounded[int, float] = field(default_factory=lambda: Bounded(REMEMBERED))
    _asking: dict[int, "asyncio.Task[None]"] = field(default_factory=dict)

    async def at_hand(self, server_id: int) -> None:
        """From here on `client.get_guild` gives it, with its roles, rooms and what we may do there; or None, where
        Discord does not say: then what must not be done shows when it is refused."""
        if self.clock.monotonic() - self._asked.get(server_id, float("-inf")) < FRESH:
            return
        if (asking := self._asking.get(server_id)) is None:
            asking = self._asking[server_id] = self.errands.begin(self._ask(server_id))
        await outlasting(asking)

    async def _ask(self, server_id: int) -> None:
        http, state, me = self.client.http, self.client._connection, self.client.user
        assert me is not None
        try:
            server, channels, threads, member = await asyncio.gather(
                http.get_guild(server_id), http.get_all_guild_channels(server_id),
                http.get_active_threads(server_id), http.get_member(server_id, me.id),
            )  # fmt: skip
            as_told: Any = {**server, "channels": channels, "threads": threads["threads"], "members": [member]}
            state._add_guild_from_data(as_told)  # as a gateway would
        except OUT_OF_REACH as error:
            _log.warning("a server is not described", server=server_id, error=type(error).__name__)
        finally:
            del self._asking[server_id]
        self._asked[server_id] = self.clock.monotonic()
        for known in [guild for guild in self.client.guilds if guild.id not in self._asked]:
            state._remove_guild(known)
