"""/jikimi setup: two pages of menus -> what a server has set. A room is tried before it is taken."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import discord
import structlog

from adapters.chat.discord.errors import OUT_OF_REACH, missing, missing_here
from adapters.chat.discord.moderators.asking import Interaction, answer, plain, refusal, said_in, say_to
from adapters.chat.discord.refs import guild_ref
from bot.core.base.errors import BotError
from bot.core.communities.community import PRESETS, Community
from bot.core.moderators.commands.overview import Setup
from bot.core.moderators.permissions import Deed
from bot.core.moderators.ports import Desk
from bot.core.rules.policy import Watch
from bot.core.text.catalogue import LANGUAGES, Texts, texts

_log = structlog.get_logger(__name__)

ROOM_NEEDS = ("view_channel", "send_messages", "embed_links", "attach_files", "read_message_history")
MENU_LASTS = 600.0  # seconds
MOST_CALLED = 10  # people and roles that an urgent card names
ROOMS = ("moderators_channel", "report_channel")

Edit = Callable[[Community], Community]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingUp:
    """`status` says how a server is set, in the language of whoever asks."""

    client: discord.Client
    desk: Desk
    status: Callable[[Interaction, Texts], str]

    async def begin(self, interaction: Interaction) -> None:
        say = say_to(interaction)
        if no := refusal(interaction, Setup.right, say):
            await answer(interaction, no)
        else:
            await answer(interaction, self.status(interaction, say), view=self._page(interaction, say, 0))

    async def turn(self, interaction: Interaction, say: Texts, page: int) -> None:
        """A page shows how things are set."""
        if no := refusal(interaction, Setup.right, say):
            await answer(interaction, no)
        else:
            await interaction.response.edit_message(view=self._page(interaction, say, page))

    async def set(self, interaction: Interaction, say: Texts, page: int, edit: Edit) -> bool:
        """Store what was chosen and show the settings as they are now; False where that was not to be."""
        if no := refusal(interaction, Setup.right, say):
            await answer(interaction, no)
            return False
        await interaction.response.defer()
        return await self._store(interaction, say, page, edit)

    async def bind(self, interaction: Interaction, say: Texts, key: str, channel_id: int | None) -> None:
        """A room is taken once our first words stand in it; None: no room any more."""
        guild = interaction.guild
        if no := refusal(interaction, Deed.BIND_ROOM, say):
            await answer(interaction, no)
            return
        await interaction.response.defer()
        assert guild is not None
        before = getattr(self.desk.community(guild_ref(guild.id)), key)
        is_new = channel_id is not None and str(channel_id) != before
        if is_new and (problem := await self._try(interaction, guild, key, channel_id or 0, say)):
            await answer(interaction, problem)
            await self._show(interaction, say, 0)
            return
        room = None if channel_id is None else str(channel_id)
        stored = await self._store(interaction, say, 0, _with(key, room))
        if stored and before not in (None, room):
            told = f"discord.{key}_moved" if room else f"discord.{key}_unset"
            await self.tell(guild, told, before, by=interaction.user, room=f"<#{room}>")

    async def tell(self, guild: discord.Guild, key: str, channel_id: str | None, *, by: Any, **facts: str) -> None:
        """Moderators learn in their room what was changed there, by whom. One that cannot be reached is passed over."""
        if channel_id is None:
            return
        try:
            told = self._words(guild)(key, by=plain(by.display_name), **facts)
            await self.client.get_partial_messageable(int(channel_id)).send(told)
        except OUT_OF_REACH as error:
            _log.warning("moderators not told of a change", guild=guild.id, error=type(error).__name__)

    def _words(self, guild: discord.Guild) -> Texts:
        """What all moderators read is in their community's language, whatever the one who presses speaks."""
        return texts(self.desk.policy(said_in(str(guild.id), "")).language)

    async def _try(
        self, interaction: Interaction, guild: discord.Guild, key: str, channel_id: int, say: Texts
    ) -> str | None:
        """Why a room cannot be one, or None: then a first line of ours stands there."""
        channel, shown, who = guild.get_channel(channel_id), f"<#{channel_id}>", interaction.user
        if channel is None or not isinstance(who, discord.Member) or not channel.permissions_for(who).view_channel:
            return say("discord.room_not_yours", channel=shown)
        if lacking := missing_here(guild, channel_id, [*ROOM_NEEDS]):
            return say("discord.room_lacks", channel=shown, missing=missing(lacking, say))
        try:
            first = self._words(guild)(f"discord.{key}_set", by=plain(who.display_name))
            await self.client.get_partial_messageable(channel_id).send(first)
        except discord.Forbidden:
            return say("discord.room_lacks", channel=shown, missing=missing([*ROOM_NEEDS], say))
        except OUT_OF_REACH:
            return say["card.try_again"]
        return None

    async def call(self, interaction: Interaction, say: Texts, chosen: Sequence[discord.Role | Any]) -> None:
        """Whom urgent cards name; whom that would not reach is said."""
        called, guild = tuple(str(one.id) for one in chosen), interaction.guild
        if await self.set(interaction, say, 0, lambda now: replace(now, urgent=called)) and guild:
            room = self.desk.community(guild_ref(guild.id)).moderators_channel
            if deaf := unheard(guild, room, chosen, say):
                await answer(interaction, "\n".join(deaf))

    async def _store(self, interaction: Interaction, say: Texts, page: int, edit: Edit) -> bool:
        guild = interaction.guild
        assert guild is not None
        before = self.desk.community(guild_ref(guild.id))
        try:
            after = await self.desk.change(
                guild_ref(guild.id),
                lambda now: replace(edit(now), name=guild.name),
                by=interaction.user.display_name,
            )
        except BotError:
            await answer(interaction, say["card.try_again"])
            return False
        await self._show(interaction, say, page)
        if after.mode is not before.mode and after.mode is not None:
            mode = self._words(guild)[f"mode.{after.mode}"]
            await self.tell(guild, "discord.mode_changed", after.moderators_channel, by=interaction.user, mode=mode)
        return True

    async def _show(self, interaction: Interaction, say: Texts, page: int) -> None:
        await interaction.edit_original_response(
            content=self.status(interaction, say), view=self._page(interaction, say, page)
        )

    def _page(self, interaction: Interaction, say: Texts, page: int) -> discord.ui.View:
        guild = interaction.guild
        assert guild is not None
        now = self.desk.community(guild_ref(guild.id))
        view = discord.ui.View(timeout=MENU_LASTS)
        if page == 0:
            view.add_item(_RoomMenu(self, say, guild, ROOMS[0], now.moderators_channel))
            view.add_item(_CalledMenu(self, say, guild, now.urgent))
            view.add_item(_RoomMenu(self, say, guild, ROOMS[1], now.report_channel))
        else:
            policy = self.desk.policy(said_in(str(guild.id), ""))
            view.add_item(_WordMenu(self, say, "preset", "preset", PRESETS, now.preset or policy.preset))
            view.add_item(_WordMenu(self, say, "mode", "mode", tuple(Watch), now.mode or policy.mode))
            view.add_item(_WordMenu(self, say, "language", "in_language", LANGUAGES, now.language or policy.language))
        view.add_item(_PageButton(self, say, 1 - page))
        return view


def _with(key: str, value: Any) -> Edit:
    changes: dict[str, Any] = {key: value}
    return lambda now: replace(now, **changes)


def unheard(guild: discord.Guild, room: str | None, called: Sequence[Any], say: Texts) -> list[str]:
    """Of those whom urgent cards name, whom Discord would not notify, and why."""
    channel = guild.get_channel(int(room)) if room else None
    told = []
    for one in called:
        if isinstance(one, discord.Role):
            everyone = channel.permissions_for(guild.me).mention_everyone if channel and guild.me else False
            if not one.mentionable and not everyone:
                told.append(say("discord.role_not_called", role=f"<@&{one.id}>"))
        elif isinstance(one, discord.Member) and channel and not channel.permissions_for(one).view_channel:
            told.append(say("discord.person_not_called", person=f"<@{one.id}>", channel=f"<#{channel.id}>"))
    return told


class _RoomMenu(discord.ui.ChannelSelect[Any]):
    def __init__(self, up: SettingUp, say: Texts, guild: discord.Guild, key: str, now: str | None) -> None:
        known = now if now and guild.get_channel(int(now)) else None  # Discord refuses a channel that is no more
        super().__init__(
            custom_id=f"jikimi-set:{key}",
            placeholder=say[f"setting.choose_{key}"],
            channel_types=[discord.ChannelType.text, discord.ChannelType.news],
            min_values=0,
            default_values=[_selected(known, "channel")] if known else [],
        )
        self._up, self._say, self._key = up, say, key

    async def callback(self, interaction: Interaction) -> None:
        await self._up.bind(interaction, self._say, self._key, self.values[0].id if self.values else None)


class _CalledMenu(discord.ui.MentionableSelect[Any]):
    def __init__(self, up: SettingUp, say: Texts, guild: discord.Guild, now: Sequence[str]) -> None:
        super().__init__(
            custom_id="jikimi-set:urgent",
            placeholder=say["setting.choose_urgent"],
            min_values=0,
            max_values=MOST_CALLED,
            default_values=[_selected(one, "role" if guild.get_role(int(one)) else "user") for one in now],
        )
        self._up, self._say = up, say

    async def callback(self, interaction: Interaction) -> None:
        await self._up.call(interaction, self._say, self.values)


class _WordMenu(discord.ui.Select[Any]):
    def __init__(
        self, up: SettingUp, say: Texts, key: str, family: str, words: tuple[str, ...], now: str | None
    ) -> None:
        options = [
            discord.SelectOption(label=say[f"{family}.{word}"], value=str(word), default=word == now) for word in words
        ]
        super().__init__(custom_id=f"jikimi-set:{key}", placeholder=say[f"setting.choose_{key}"], options=options)
        self._up, self._say, self._key = up, say, key

    async def callback(self, interaction: Interaction) -> None:
        value = Watch(self.values[0]) if self._key == "mode" else self.values[0]
        await self._up.set(interaction, self._say, 1, _with(self._key, value))


class _PageButton(discord.ui.Button[Any]):
    def __init__(self, up: SettingUp, say: Texts, page: int) -> None:
        super().__init__(custom_id=f"jikimi-page:{page}", label=say[f"setting.page_{page}"])
        self._up, self._say, self._page = up, say, page

    async def callback(self, interaction: Interaction) -> None:
        await self._up.turn(interaction, self._say, self._page)


def _selected(id_: str, kind: str) -> discord.SelectDefaultValue:
    return discord.SelectDefaultValue(id=int(id_), type=discord.SelectDefaultValueType[kind])
