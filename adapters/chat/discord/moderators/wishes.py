"""A press under what is told of privacy -> what whoever pressed asks about themselves, seen by them alone.

The buttons serve after a restart and in private messages, where somebody who is banned can still press them.
"""

from dataclasses import dataclass
from typing import Any

import discord

from adapters.chat.discord.manner import GuildManner
from adapters.chat.discord.moderators.asking import Interaction, answer, say_to
from adapters.chat.discord.moderators.commands.drawing import show, wish_id
from adapters.chat.discord.refs import DISCORD, guild_ref
from bot.core.base.clock import Clock
from bot.core.base.errors import BotError
from bot.core.moderators.answer import Wish
from bot.core.moderators.ports import Desk
from bot.core.moderators.wishes import granted
from bot.core.text.catalogue import texts_on


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    client: discord.Client
    clock: Clock
    desk: Desk

    def __post_init__(self) -> None:
        self.client.add_dynamic_items(_button_of(self))

    async def pressed(self, interaction: Interaction, wish: Wish) -> None:
        """Answers at once, works afterwards."""
        say = say_to(interaction)
        timezone = self.desk.schedule(guild_ref(interaction.guild_id)).timezone
        manner = GuildManner(texts_on("discord", say.language), timezone, self.clock.now(), interaction.guild)
        await interaction.response.defer(ephemeral=True, thinking=True)
        try:
            given = await granted(wish, DISCORD, str(interaction.user.id), self.desk.privacy)
            await show(interaction, given, manner)
        except BotError:
            await answer(interaction, say["card.try_again"])


def _button_of(wishes: Wishes) -> Any:
    """The button class whose presses go there."""

    class WishButton(discord.ui.DynamicItem[discord.ui.Button[Any]], template=rf"jikimi-my:(?P<wish>{'|'.join(Wish)})"):
        def __init__(self, wish: Wish) -> None:
            super().__init__(discord.ui.Button(custom_id=wish_id(wish)))
            self.wish = wish

        @classmethod
        async def from_custom_id(cls, _: Any, __: Any, match: Any, /) -> "WishButton":
            return cls(Wish(match["wish"]))

        async def callback(self, interaction: Interaction) -> None:
            await wishes.pressed(interaction, self.wish)

    return WishButton
