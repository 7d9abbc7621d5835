"""A member asks about what was done to them, by a button under their notice or by command -> how it stands, a window
for their words, their appeal.

A button carries the case's code and whose it is: it serves after a restart, and in private messages, where a banned or
silenced member can still press it.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import discord

from adapters.chat.discord.acting.notices import notice_by_hand, standing
from adapters.chat.discord.moderators.asking import Interaction, answer, say_to
from adapters.chat.discord.refs import DISCORD
from bot.core.base.errors import BotError
from bot.core.chat.message import CommunityRef
from bot.core.incidents.case import CODE, Case, read_code
from bot.core.incidents.review import LONGEST_APPEAL
from bot.core.moderators.ports import Desk
from bot.core.text.catalogue import Texts

WINDOW_LASTS = 1800.0  # seconds that a window may stay open
APPEAL, MINE = "appeal", "mine"

#: Words and whose they are -> the key of what the member is told.
File: TypeAlias = Callable[[str, str], Awaitable[str]]

#: A deed by hand, by its code; or by its community and number, which the buttons of earlier versions carry.
Deed: TypeAlias = str | tuple[CommunityRef, int]


def appeal_view(code: str, member_id: str, say: Texts, *, buttons: tuple[str, ...] = (APPEAL, MINE)) -> Any:
    view = discord.ui.View(timeout=None)
    for button in buttons:
        custom_id = f"jikimi:{button}:{code}:{member_id}"
        view.add_item(discord.ui.Button(label=say[f"discord.{button}_button"], custom_id=custom_id))
    view.stop()  # the dynamic item serves its buttons: discord.py need not keep every view that we ever sent
    return view


def objection_view(case: Case, say: Texts) -> Any:
    """Of a deed by hand."""
    view = discord.ui.View(timeout=None)
    custom_id = f"jikimi:object:{case.code}:{case.member.id}"
    view.add_item(discord.ui.Button(label=say["discord.appeal_button"], custom_id=custom_id))
    view.stop()
    return view


@dataclass(frozen=True, slots=True, kw_only=True)
class Appeals:
    client: discord.Client
    desk: Desk

    def __post_init__(self) -> None:
        self.client.add_dynamic_items(_button_of(self), _objection_of(self))

    async def pressed(self, interaction: Interaction, button: str, code: str, member_id: str) -> None:
        say = say_to(interaction)
        if str(interaction.user.id) != member_id:
            await answer(interaction, say["discord.appeal_not_yours"])
        elif button == MINE:
            await self.show(interaction, code)
        else:  # Asks the records nothing: Discord waits three seconds for a window.
            title = say("discord.appeal_title", code=code)
            await interaction.response.send_modal(_Window(title, partial(self._appeal, code), self, say))

    async def objected(self, interaction: Interaction, deed: Deed, member_id: str) -> None:
        say = say_to(interaction)
        if str(interaction.user.id) != member_id:
            await answer(interaction, say["discord.appeal_not_yours"])
            return
        title = say("discord.appeal_title", code=deed if isinstance(deed, str) else deed[1])
        await interaction.response.send_modal(_Window(title, partial(self._object, deed), self, say))

    async def show(self, interaction: Interaction, typed: str) -> None:
        """How a case of their own stands, and how to object."""
        say, member_id, code = say_to(interaction), str(interaction.user.id), read_code(typed) or ""
        await interaction.response.defer(ephemeral=True, thinking=True)
        try:
            incident = await self.desk.mine(DISCORD, member_id, code)
            deed = None if incident else await self.desk.deeds.cases.mine(DISCORD, member_id, code)
        except BotError:
            await answer(interaction, say["card.try_again"])
            return
        if incident:
            guild = self.client.get_guild(int(incident.decision.message.community_id))
            view = appeal_view(code, member_id, say, buttons=(APPEAL,))
            await answer(interaction, standing(incident, guild, say), **({} if incident.appeal else {"view": view}))
        elif deed:
            place, case = deed
            told = notice_by_hand(case, case.words, self.client.get_guild(int(place.id)), say)
            await answer(interaction, told, **({} if case.objection else {"view": objection_view(case, say)}))
        else:
            await answer(interaction, say["discord.appeal_not_yours"])

    async def written(self, interaction: Interaction, file: File, words: str, say: Texts) -> None:
        """Answers at once, works afterwards."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        try:
            told = say[await file(words, str(interaction.user.id))]
        except BotError:
            told = say["card.try_again"]
        await answer(interaction, told)

    async def _appeal(self, code: str, words: str, member_id: str) -> str:
        """The key of what the member is told."""
        incident = await self.desk.mine(DISCORD, member_id, code)
        if incident is None:
            return "discord.appeal_not_yours"
        community = incident.decision.message.community
        if self.desk.community(community).moderators_channel is None:
            return "discord.nobody_to_tell"
        filed = await self.desk.appeal(community, incident.id, words)
        return f"appeal.{filed}" if filed else "discord.appeal_not_yours"

    async def _object(self, deed: Deed, words: str, member_id: str) -> str:
        if isinstance(deed, str):
            if (found := await self.desk.deeds.cases.mine(DISCORD, member_id, deed)) is None:
                return "discord.appeal_not_yours"
            deed = found[0], found[1].number
        guild, number = deed
        if self.desk.community(guild).moderators_channel is None:
            return "discord.nobody_to_tell"
        filed = await self.desk.deeds.appeal(guild, number, member_id, words)
        return f"appeal.{filed}" if filed else "discord.appeal_not_yours"


def _objection_of(appeals: Appeals) -> Any:
    """The button class of deeds by hand."""

    class ObjectionButton(
        discord.ui.DynamicItem[discord.ui.Button[Any]],
        template=rf"jikimi:object:(?:(?P<guild>\d{{1,20}}):(?P<case>\d{{1,18}})|(?P<code>{CODE})):(?P<member>\d{{1,20}})",
    ):
        def __init__(self, custom_id: str, deed: Deed, member_id: str) -> None:
            super().__init__(discord.ui.Button(custom_id=custom_id))
            self.deed, self.member_id = deed, member_id

        @classmethod
        async def from_custom_id(cls, _: Any, __: Any, match: re.Match[str], /) -> "ObjectionButton":
            deed = match["code"] or (CommunityRef(DISCORD, match["guild"]), int(match["case"]))
            return cls(match.string, deed, match["member"])

        async def callback(self, interaction: Interaction) -> None:
            await appeals.objected(interaction, self.deed, self.member_id)

    return ObjectionButton


def _button_of(appeals: Appeals) -> Any:
    """The button class whose presses go there."""

    class MembersButton(
        discord.ui.DynamicItem[discord.ui.Button[Any]],
        template=rf"jikimi:(?P<button>{APPEAL}|{MINE}):(?P<code>{CODE}):(?P<member>\d{{1,20}})",
    ):
        def __init__(self, button: str, code: str, member_id: str) -> None:
            super().__init__(discord.ui.Button(custom_id=f"jikimi:{button}:{code}:{member_id}"))
            self.button, self.code, self.member_id = button, code, member_id

        @classmethod
        async def from_custom_id(cls, _: Any, __: Any, match: re.Match[str], /) -> "MembersButton":
            return cls(match["button"], match["code"], match["member"])

        async def callback(self, interaction: Interaction) -> None:
            await appeals.pressed(interaction, self.button, self.code, self.member_id)

    return MembersButton


class _Window(discord.ui.Modal):
    def __init__(self, title: str, file: File, appeals: Appeals, say: Texts) -> None:
        super().__init__(title=title[:45], timeout=WINDOW_LASTS)
        self._file, self._appeals, self._say = file, appeals, say
        self._words: discord.ui.TextInput[Any] = discord.ui.TextInput(
            style=discord.TextStyle.paragraph, max_length=LONGEST_APPEAL
        )
        self.add_item(discord.ui.Label(text=say["discord.appeal_words"], component=self._words))

    async def on_submit(self, interaction: Interaction) -> None:
        await self._appeals.written(interaction, self._file, self._words.value, self._say)
