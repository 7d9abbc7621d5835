"""A server's doors: Discord itself pauses invites and direct messages for a while, and ends that by itself."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import discord

from adapters.chat.discord.errors import outcome_of
from bot.core.base.clock import Clock
from bot.core.rules.actions import Done, Gone, Lock, Outcome, Unlock
from bot.core.text.catalogue import Texts

LONGEST = timedelta(hours=24)
CLOSE = 2.0  # seconds by which the end may differ from what we have asked for


@dataclass(frozen=True, slots=True)
class Doors:
    client: discord.Client
    clock: Clock

    async def lock(self, guild_id: int, action: Lock, began: datetime, say: Texts) -> Outcome:
        """Until then, from when it was ordered: whoever repeats it changes nothing."""
        until = began + min(action.lasting, LONGEST)
        if until <= self.clock.now():
            return Gone()
        return await outcome_of(self._pause(guild_id, until), say, needs="manage_guild")

    async def unlock(self, guild_id: int, action: Unlock, say: Texts) -> Outcome:
        """Where somebody has set another end meanwhile, theirs stands."""
        found: list[Any] = []

        async def look() -> str:
            found.append(await self.client.http.get_guild(guild_id))
            return ""

        if not isinstance(outcome := await outcome_of(look(), say, needs="manage_guild"), Done):
            return outcome
        until = discord.utils.parse_time((found[0].get("incidents_data") or {}).get("invites_disabled_until"))
        if until is None or abs(until.timestamp() - int(action.receipt)) > CLOSE or until <= self.clock.now():
            return Gone()
        return await outcome_of(self._pause(guild_id, None), say, needs="manage_guild")

    async def _pause(self, guild_id: int, until: datetime | None) -> str:
        at = until.isoformat() if until else None
        paused: Any = {"invites_disabled_until": at, "dms_disabled_until": at}
        await self.client.http.edit_incident_actions(guild_id, payload=paused)
        return str(int(until.timestamp())) if until else ""
