"""Slash commands and menus: what people ask the bot for -> answers that only they see."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import discord
import structlog
from aiohttp import ClientError, ClientSession, ClientTimeout
from discord import app_commands

from adapters.chat.discord.manner import ChoiceManner, GuildManner
from adapters.chat.discord.moderators.appeals import Appeals
from adapters.chat.discord.moderators.asking import Interaction, answer, refusal, rights, say_to
from adapters.chat.discord.moderators.automod import NativeAutoMod
from adapters.chat.discord.moderators.commands.advised import button_of
from adapters.chat.discord.moderators.commands.drawing import show
from adapters.chat.discord.moderators.commands.host import GuildHost
from adapters.chat.discord.moderators.commands.registering import InTexts, menu_entry, named, slash, value
from adapters.chat.discord.moderators.flags import Flags
from adapters.chat.discord.moderators.setup import MENU_LASTS, SettingUp
from adapters.chat.discord.moderators.wishes import Wishes
from adapters.chat.discord.receiving.reading import read
from adapters.chat.discord.refs import guild_ref
from bot.core.base.bounded import beginning
from bot.core.base.clock import Clock
from bot.core.base.errors import BotError
from bot.core.moderators.answer import File, Lines, Member
from bot.core.moderators.argument import LARGEST_FILE, Span, Suggested, Text, arguments
from bot.core.moderators.command import Asked, Command, Usage
from bot.core.moderators.commands import TABLE
from bot.core.moderators.commands.anybody import Appeal, Flag
from bot.core.moderators.commands.overview import Setup, overview
from bot.core.moderators.ports import Desk
from bot.core.moderators.reading import Suggestions
from bot.core.text.catalogue import Texts, texts_on
from bot.wording.answered import choices, lines

_log = structlog.get_logger(__name__)

MOST_OFFERED = 25  # choices that Discord shows while somebody types
LONGEST_CHOICE = 100  # characters
FETCH = ClientTimeout(total=30.0)  # of a file
LONGEST_TEXT = 4000  # characters in a window, Discord's most

Lead = Callable[..., Awaitable[None]]


@dataclass(slots=True)
class Commands:
    client: discord.Client
    desk: Desk
    clock: Clock
    automod: NativeAutoMod
    appeals: Appeals
    member_names: bool = field(kw_only=True)
    _led: Mapping[type[Command], Lead] = field(init=False)

    def __post_init__(self) -> None:
        Wishes(client=self.client, clock=self.clock, desk=self.desk)
        self.client.add_dynamic_items(button_of(self.desk, self.serve))
        flags = Flags(desk=self.desk)
        setting_up = SettingUp(client=self.client, desk=self.desk, status=self._status)
        self._led = {
            Setup: setting_up.begin,
            Appeal: lambda interaction, code: self.appeals.show(interaction, code),
            Flag: lambda interaction, target: flags.flag(interaction, target),
        }

    async def register(self) -> None:
        """Tell Discord which commands there are; only what has changed takes effect."""
        tree = app_commands.CommandTree(self.client)
        await tree.set_translator(InTexts())
        group = app_commands.Group(
            name=named("command.jikimi"),
            description=named("command.jikimi_does"),
            guild_only=True,
            # Whoever moderates without this permission is shown it by the server's settings of integrations.
            default_permissions=discord.Permissions(manage_messages=True),
        )
        tree.add_command(group)
        families = {name: _family(name, group) for name in dict.fromkeys(one.group for one in TABLE) if name}
        for command in (one for one in TABLE if not one.doors):  # who comes in is for Discord to ask
            if known := slash(command, self.serve, self._offer):
                (tree if command.alone else families.get(command.group, group)).add_command(known)
            if entry := menu_entry(command, self.serve):
                tree.add_command(entry)
        try:
            await tree.sync()
        except (discord.DiscordException, OSError, TimeoutError) as error:
            _log.warning("commands not registered", error=type(error).__name__)

    async def serve(self, interaction: Interaction, command: type[Command], given: Mapping[str, Any]) -> None:
        """Somebody has chosen a command, with these options."""
        say = say_to(interaction)
        if no := refusal(interaction, command.right, say):
            await answer(interaction, no)
        elif command.led:
            await self._led[command](interaction, **given)
        elif not given and (text := next((one for one in arguments(command) if one.kind == Text(lines=True)), None)):
            await interaction.response.send_modal(_Window(self, command, text.name, say))
        else:
            await self._answer(interaction, command, given, say)

    async def _answer(
        self, interaction: Interaction, command: type[Command], given: Mapping[str, Any], say: Texts
    ) -> None:
        """Defers at once, works afterwards."""
        asked = self._asked(interaction, say)
        if any(isinstance(one, discord.Attachment) for one in given.values()):
            await interaction.response.defer(ephemeral=True, thinking=True)
            given = await _opened(given)
        filled = _filled(command, given, partial(self._suggestions, interaction, asked))
        if filled and (no := refusal(interaction, filled.rights, say)):
            await answer(interaction, no)
            return
        if not interaction.response.is_done():
            await interaction.response.defer(ephemeral=True, thinking=True)
        try:
            told = await filled.run(asked, self.desk) if filled else Usage(command)
            await show(interaction, told, self._manner(interaction, say))
        except BotError:
            await answer(interaction, say["card.try_again"])

    async def _offer(
        self, interaction: Interaction, command: type[Command], kind: Suggested | Span, typed: str
    ) -> list[app_commands.Choice[str]]:
        """What may be meant, to whoever may use the command."""
        say = say_to(interaction)
        if refusal(interaction, command.right, say):
            return []
        if isinstance(kind, Span):
            spans = (*say["offered.spans"].split(), *([say["offered.off"]] if kind.off else ()))
            return _fitting(dict(zip(spans, spans, strict=True)), typed)
        return _fitting(self._suggestions(interaction, self._asked(interaction, say), kind), typed)

    def _suggestions(self, interaction: Interaction, asked: Asked, kind: Suggested) -> Mapping[str, str]:
        say = texts_on("discord", say_to(interaction).language)
        manner = ChoiceManner(say, self.desk.schedule(asked.community).timezone, asked.at, interaction.guild)
        return choices(kind.of(asked, self.desk), manner)

    def _asked(self, interaction: Interaction, say: Texts) -> Asked:
        guild, user = interaction.guild, interaction.user
        host = GuildHost(
            here=guild, client=self.client, desk=self.desk, automod=self.automod, say=say, at=self.clock.now(),
            member_names=self.member_names, by=user, channel_id=interaction.channel_id or 0,
        )  # fmt: skip
        return Asked(
            community=guild_ref(interaction.guild_id),
            community_name=guild.name if guild else "",
            by=Member(str(user.id), user.display_name),
            rights=rights(interaction),
            at=self.clock.now(),
            sent_at=interaction.created_at,
            channel_id=str(interaction.channel_id),
            is_apart=True,
            language=say.language,
            host=host,
        )

    def _manner(self, interaction: Interaction, say: Texts) -> GuildManner:
        timezone = self.desk.schedule(guild_ref(interaction.guild_id)).timezone
        return GuildManner(texts_on("discord", say.language), timezone, self.clock.now(), interaction.guild)

    def _status(self, interaction: Interaction, say: Texts) -> str:
        asked = self._asked(interaction, say)
        settings = overview(self.desk, asked.message(""), asked.community_name, has_filter=True)
        return lines(Lines(settings), self._manner(interaction, say))


def _family(name: str, group: app_commands.Group) -> app_commands.Group:
    """A group within the one that bears our name."""
    return app_commands.Group(name=named(f"command.{name}"), description=named(f"command.{name}_does"), parent=group)


class _Window(discord.ui.Modal):
    """A window to write in: an option of a command holds no line breaks."""

    def __init__(self, commands: Commands, command: type[Command], argument: str, say: Texts) -> None:
        super().__init__(title=say[f"command.{command.name}_title"], timeout=MENU_LASTS)
        self._commands, self._command, self._argument = commands, command, argument
        self._text: discord.ui.TextInput[Any] = discord.ui.TextInput(
            style=discord.TextStyle.paragraph, max_length=LONGEST_TEXT
        )
        self.add_item(discord.ui.Label(text=say[f"command.{command.name}_window"], component=self._text))

    async def on_submit(self, interaction: Interaction) -> None:
        await self._commands.serve(interaction, self._command, {self._argument: self._text.value})


async def _opened(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Files, as far as anybody reads them; one that Discord does not give out counts as too large."""
    return {name: await _read(one) if isinstance(one, discord.Attachment) else one for name, one in given.items()}


async def _read(attachment: discord.Attachment) -> File:
    """discord.py would read all of it, however much it is."""
    if attachment.size > LARGEST_FILE:
        return File(None)
    try:
        async with ClientSession(timeout=FETCH) as session, session.get(attachment.url) as answer:
            content = await beginning(answer.content, LARGEST_FILE + 1)
    except (ClientError, OSError, TimeoutError):
        return File(None)
    return File(content if answer.status == 200 and len(content) <= LARGEST_FILE else None)


def _filled(command: type[Command], given: Mapping[str, Any], suggestions: Suggestions) -> Command | None:
    """With what was chosen; None: some of it makes no sense."""
    wanted = [one for one in arguments(command) if one.name in given]
    chosen = {one.name: value(one.kind, given[one.name], suggestions) for one in wanted}
    if None in chosen.values():
        return None
    heard = {name: _as_a_members(one) if isinstance(one, discord.Message) else one for name, one in chosen.items()}
    return command(**heard)


def _as_a_members(message: discord.Message) -> Any:
    """A menu brings the message along, but not what its author may do."""
    heard = read(message)
    return replace(heard, author=replace(heard.author, unmet=False))


def _fitting(named: Mapping[str, str], typed: str) -> list[app_commands.Choice[str]]:
    """What Discord shows of these values by their names, while somebody types."""
    sought = typed.strip().lower()
    fitting = [(value, name) for value, name in named.items() if sought in name.lower() or sought in value.lower()]
    return [app_commands.Choice(name=name[:LONGEST_CHOICE], value=value) for value, name in fitting[:MOST_OFFERED]]
