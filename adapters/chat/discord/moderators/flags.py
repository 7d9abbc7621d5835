"""A member points to a message in its menu -> a case that moderators see on a card; nobody sees who pointed."""

from dataclasses import dataclass

import discord

from adapters.chat.discord.moderators.asking import Interaction, answer, say_to
from adapters.chat.discord.receiving.reading import read
from adapters.chat.discord.refs import guild_ref
from bot.core.base.errors import BotError
from bot.core.moderators.ports import Desk


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    desk: Desk

    async def flag(self, interaction: Interaction, message: discord.Message) -> None:
        """Answers at once, works afterwards."""
        say = say_to(interaction)
        if self.desk.community(guild_ref(interaction.guild_id)).moderators_channel is None:
            await answer(interaction, say["discord.nobody_to_tell"])
            return
        await interaction.response.defer(ephemeral=True, thinking=True)
        try:
            filed = await self.desk.flagging.flag(read(message), str(interaction.user.id))
        except BotError:
            await answer(interaction, say["flag.not_now"])
        else:
            await answer(interaction, say[f"flag.{filed}"])
