"""Buttons under the moderators' cards -> their calls; or what only the one who pressed is shown.

A button carries the incident's id, and the footer names what is folded into the card: after a restart both still
serve, because all else is in the database.
"""

import re
from dataclasses import dataclass
from typing import Any

import discord

from adapters.chat.discord.moderators.asking import Interaction, answer, plain, refusal, say_to, stands_above
from adapters.chat.discord.moderators.cards.around import around
from adapters.chat.discord.moderators.cards.posted import PostedCards
from adapters.chat.discord.refs import guild_ref
from bot.core.base.errors import BotError
from bot.core.incidents.card import Button, press_id
from bot.core.incidents.case import Look, Person
from bot.core.incidents.incident import Incident
from bot.core.incidents.review import IMPOSING, Call, History
from bot.core.incidents.reviewing import Reviewed
from bot.core.moderators.permissions import needed
from bot.core.moderators.ports import Desk
from bot.core.text.catalogue import Texts
from bot.wording.cards import forestalled, history_line, said_in_full
from bot.wording.reasons import reasons


@dataclass(frozen=True, slots=True, kw_only=True)
class Presses:
    client: discord.Client
    desk: Desk
    posted: PostedCards

    def __post_init__(self) -> None:
        self.client.add_dynamic_items(_button_of(self))

    async def pressed(self, interaction: Interaction, button: Button, incident_id: int) -> None:
        """Answers at once, works afterwards; who may is asked at every press."""
        say = say_to(interaction)
        if no := refusal(interaction, button, say):
            await answer(interaction, no)
            return
        await interaction.response.defer(ephemeral=True, thinking=button.call is None)
        try:
            found = await self.desk.look_up(guild_ref(interaction.guild_id), incident_id)
            if found is None:
                await answer(interaction, say["card.not_found"])
            elif button.call is None:
                await self._tell(interaction, button, *found, say)
            else:
                await self._call(interaction, button, button.call, incident_id, say)
        except BotError:
            await answer(interaction, say["card.try_again"])

    async def _tell(
        self, interaction: Interaction, button: Button, incident: Incident, history: History, say: Texts
    ) -> None:
        """Why comes first: the text may be long."""
        by = Person(str(interaction.user.id), interaction.user.display_name)
        look = Look.REVEAL if button is Button.REVEAL else Look.HISTORY
        await self.desk.deeds.cases.looked(guild_ref(interaction.guild_id), by, look, incident=incident.id)
        if button is Button.REVEAL:
            told = f"{reasons(incident.decision, say) or '-'}\n\n{said_in_full(incident, say)}"
        else:
            timezone = self.desk.policy(incident.decision.message).timezone
            told = history_line(history, say, timezone, self.posted.clock.now())
        await answer(interaction, plain(told))
        if button is Button.REVEAL and (near := await around(interaction, incident.decision.message, say)):
            await answer(interaction, near)

    async def _call(self, interaction: Interaction, button: Button, call: Call, pressed: int, say: Texts) -> None:
        """For every incident on the card, those left out that this call may not be made on."""
        here, user = guild_ref(interaction.guild_id), interaction.user
        ids = [pressed]
        if interaction.message and await self.posted.recognise(interaction.message, here):
            ids = await self.posted.ids_on(interaction.message, here)  # from here on this card follows its incidents
        called: list[Reviewed] = []
        refused: dict[str, None] = {}
        for incident_id in ids:
            found = await self.desk.look_up(here, incident_id)
            if found is None:
                continue
            if no := self._refusal(interaction, button, found[0], say):
                refused[no] = None
                continue
            done = await self.desk.call(
                here,
                incident_id,
                call,
                moderator_id=str(user.id),
                moderator_name=user.display_name,
            )
            called += [done] if done else []
        if called:
            await self._tell_who_was_first(interaction, called[0], say)
        for no in refused:
            await answer(interaction, no)

    async def _tell_who_was_first(self, interaction: Interaction, called: Reviewed, say: Texts) -> None:
        if first := called.earlier:
            timezone = self.desk.policy(called.incident.decision.message).timezone
            await answer(interaction, plain(forestalled(called.incident, first, say, timezone)))

    def _refusal(self, interaction: Interaction, button: Button, incident: Incident, say: Texts) -> str | None:
        """Why this button may not be pressed on this incident, as Discord itself would have it."""
        if no := refusal(interaction, button, say, incident):
            return no
        touches = button.call in IMPOSING or button is Button.LIFT or needed(button, incident) > needed(button)
        return say["discord.not_above"] if touches and not stands_above(interaction, incident) else None


def _button_of(presses: Presses) -> Any:
    """The button class whose presses come here."""

    class CardButton(
        discord.ui.DynamicItem[discord.ui.Button[Any]],
        template=rf"jikimi:(?P<button>{'|'.join(Button)}):(?P<incident>\d{{1,18}})",
    ):
        def __init__(self, button: Button, incident_id: int) -> None:
            super().__init__(discord.ui.Button(custom_id=press_id(button, incident_id)))
            self.button, self.incident_id = button, incident_id

        @classmethod
        async def from_custom_id(cls, _: Any, __: Any, match: re.Match[str], /) -> "CardButton":
            return cls(Button(match["button"]), int(match["incident"]))

        async def callback(self, interaction: Interaction) -> None:
            await presses.pressed(interaction, self.button, self.incident_id)

    return CardButton
