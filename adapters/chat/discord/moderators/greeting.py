"""The bot comes into a server, or is no longer in it -> a welcome, once; and a note that it has left."""

from dataclasses import dataclass, replace
from typing import Any

import discord
import structlog

from adapters.chat.discord.errors import OUT_OF_REACH
from adapters.chat.discord.moderators.asking import said_in
from adapters.chat.discord.refs import DISCORD, guild_ref
from bot.core.base.clock import Clock
from bot.core.base.errors import BotError
from bot.core.moderators.ports import Desk
from bot.core.text.catalogue import texts

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    client: discord.Client
    desk: Desk
    clock: Clock

    def __post_init__(self) -> None:
        self.client.event(self.on_guild_join)
        self.client.event(self.on_guild_remove)

    async def on_guild_join(self, guild: discord.Guild) -> None:
        """In its system channel, or to its owner. Who has taken us out and brings us back is welcomed again."""
        settings = self.desk.community(guild_ref(guild.id))
        if settings.welcomed and settings.left_at is None:
            return
        language = self.desk.policy(said_in(str(guild.id), "")).language
        try:
            await self._greet(guild, texts(language)["discord.welcome"])
        except OUT_OF_REACH as error:
            _log.warning("not welcomed", guild=guild.id, error=type(error).__name__)
        await self._note(guild.id, name=guild.name, welcomed=True, left_at=None)

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """Not for a server that is only away for a while: discord.py tells the two apart."""
        await self._left(guild.id)

    async def catch_up(self) -> None:
        """Servers that were joined or left while nobody listened. One that is only unavailable counts as here."""
        for guild in list(self.client.guilds):
            settings = self.desk.community(guild_ref(guild.id))
            if not guild.unavailable and (settings.left_at or not (settings.welcomed or settings.has_settings)):
                await self.on_guild_join(guild)
        here = {str(guild.id) for guild in self.client.guilds}
        for community in self.desk.communities(DISCORD):
            if community.id not in here and community.id.isdecimal() and self._is_ours(int(community.id)):
                await self._left(int(community.id))

    async def _left(self, guild_id: int) -> None:
        settings = self.desk.community(guild_ref(guild_id))
        if settings.left_at is None and (settings.welcomed or settings.has_settings):
            await self._note(guild_id, left_at=self.clock.now())

    async def _note(self, guild_id: int, **changes: Any) -> None:
        try:
            await self.desk.change(guild_ref(guild_id), lambda now: replace(now, **changes), by="")
        except BotError as error:
            _log.warning("not noted who has us", guild=guild_id, error=type(error).__name__)

    async def _greet(self, guild: discord.Guild, welcome: str) -> None:
        channel = guild.system_channel
        if channel and guild.me and channel.permissions_for(guild.me).send_messages:
            await channel.send(welcome)
        elif guild.owner_id is not None:
            dm = await self.client.http.start_private_message(guild.owner_id)
            await self.client.get_partial_messageable(int(dm["id"])).send(welcome)

    def _is_ours(self, guild_id: int) -> bool:
        """Whether this process would hear of that server."""
        shards = getattr(self.client, "shards", {})
        return (guild_id >> 22) % (self.client.shard_count or 1) in shards
