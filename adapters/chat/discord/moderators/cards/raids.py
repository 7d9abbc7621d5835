"""A raid -> its one card in the moderators' channel, as it stands on record; presses on that -> what is ordered."""

import re
from dataclasses import dataclass
from typing import Any

import discord

from adapters.chat.discord.errors import outcome_of
from adapters.chat.discord.limits import Room
from adapters.chat.discord.moderators.asking import Interaction, answer, plain, refusal, rights, say_to
from adapters.chat.discord.moderators.cards.drawing import COLOURS, called
from adapters.chat.discord.refs import DISCORD, guild_ref
from bot.core.base.errors import BotError
from bot.core.chat.message import CommunityRef
from bot.core.chat.rights import Right
from bot.core.incidents.case import Case, Person
from bot.core.incidents.incident import PlannedAction
from bot.core.incidents.raids.raid import PRESS, Press, Raid, Remedy, pressed
from bot.core.moderators.ports import Desk
from bot.core.moderators.raid_cards import pressed as pressed_on
from bot.core.rules.actions import NO_ROOM, Gone, Outcome, Refused
from bot.core.text.catalogue import Texts
from bot.wording.raids import RaidCard, raid_card


@dataclass(frozen=True, slots=True, kw_only=True)
class RaidCards:
    client: discord.Client
    desk: Desk
    notices: Room

    def __post_init__(self) -> None:
        self.client.add_dynamic_items(_button_of(self))

    async def show(self, planned: PlannedAction, case: Case, say: Texts) -> Outcome:
        """Written anew where it stands already. People are called with the first alone."""
        here = planned.message.community
        raid = await self.desk.raids.raids.numbered(here, case.number)
        if raid is None:
            return Gone()
        channel = self.desk.community(here).moderators_channel
        if channel is None:
            return Refused(NO_ROOM)
        card = raid_card(raid, say, self.desk.policy(planned.message).timezone)
        with self.notices.taken(int(channel)):
            outcome = await outcome_of(self._write(raid, card), say, needs="send_messages") if raid.receipt else Gone()
            if not isinstance(outcome, Gone):
                return outcome
            return await outcome_of(self._post(planned, int(channel), card), say, needs="send_messages")

    async def _write(self, raid: Raid, card: RaidCard) -> str:
        channel, _, id_ = raid.receipt.partition("/")
        there = self.client.get_partial_messageable(int(channel)).get_partial_message(int(id_))
        await there.edit(embed=_embed(card), view=_view(card))
        return raid.receipt

    async def _post(self, planned: PlannedAction, channel_id: int, card: RaidCard) -> str:
        about = planned.message
        guild = self.client.get_guild(int(about.community_id))
        posted = await self.client.get_partial_messageable(channel_id).send(
            called(guild, self.desk.community(about.community).urgent) or None,
            embed=_embed(card),
            view=_view(card),
            nonce=f"{planned.id}-raid",
            allowed_mentions=discord.AllowedMentions(everyone=False, users=True, roles=True),
        )
        return f"{channel_id}/{posted.id}"

    async def pressed(self, interaction: Interaction, press: Press) -> None:
        """Answers at once, works afterwards; who may is asked at every press."""
        say, here = say_to(interaction), guild_ref(interaction.guild_id)
        if no := refusal(interaction, Right.BAN, say):
            await answer(interaction, no)
            return
        await interaction.response.defer(ephemeral=True, thinking=True)

        async def rights_in(community: CommunityRef) -> frozenset[Right] | None:
            return rights(interaction) if community == here else None

        by = Person(str(interaction.user.id), interaction.user.display_name)
        try:
            done = await pressed_on(self.desk, DISCORD, press, by, rights_in)
        except BotError:
            await answer(interaction, say["card.try_again"])
        else:
            await answer(interaction, say(done.told.key, **done.told.facts) if done.told else say["card.not_allowed"])


def _embed(card: RaidCard) -> discord.Embed:
    embed = discord.Embed(title=card.title, description=plain(card.text), colour=COLOURS[card.tone])
    for line in card.lines:
        embed.add_field(name=line.label, value=plain(line.value), inline=True)
    return embed


def _view(card: RaidCard) -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    for press, label in card.buttons:
        style = discord.ButtonStyle.secondary if press.remedy is Remedy.UNDO else discord.ButtonStyle.danger
        view.add_item(discord.ui.Button(label=label, style=style, custom_id=str(press)))
    view.stop()  # the dynamic item serves its buttons
    return view


def _button_of(cards: RaidCards) -> Any:
    """The button class whose presses come here."""

    class RaidButton(discord.ui.DynamicItem[discord.ui.Button[Any]], template=PRESS):
        def __init__(self, press: Press) -> None:
            super().__init__(discord.ui.Button(custom_id=str(press)))
            self.press = press

        @classmethod
        async def from_custom_id(cls, _: Any, __: Any, match: re.Match[str], /) -> "RaidButton":
            press = pressed(match.string)
            assert press
            return cls(press)

        async def callback(self, interaction: Interaction) -> None:
            await cards.pressed(interaction, self.press)

    return RaidButton
