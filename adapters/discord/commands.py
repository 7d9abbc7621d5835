"""Slash commands, a context menu and the welcome: what people ask the bot for -> answers that only they see."""

from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import discord
import structlog
from discord import app_commands
from discord.app_commands import locale_str

from adapters.discord.answers import missing, missing_here
from adapters.discord.automod import NativeAutoMod
from adapters.discord.reading import author_of, read
from adapters.discord.reporting import DAY_VALUES, SPANS, Asked, Reporting, choices
from bot.domain.actions import Refused
from bot.domain.card import masked
from bot.domain.community import Community
from bot.domain.message import Author, Message, MessageRef, Platform
from bot.domain.periods import Span
from bot.domain.rules import Decision, Watch
from bot.errors import BotError
from bot.ports import Clock, Desk
from bot.texts import LANGUAGES, Texts, deeds, reasons, texts
from bot.texts.cards import history_line, outcome_line, revealed
from bot.texts.schedules import schedule_line

_log = structlog.get_logger(__name__)

PRESETS = ("gentle", "balanced", "strict")
MENU_LASTS = 600.0  # seconds
MOST_SHOWN = 20  # channels
LONGEST_TEST = 4000  # characters, Discord's most
REPORTS = 10_000  # remembered

_NEEDED = (
    "view_channel", "connect", "read_message_history", "send_messages", "send_messages_in_threads", "embed_links",
    "attach_files", "manage_messages", "manage_threads", "manage_webhooks", "moderate_members", "kick_members",
    "ban_members",
)  # fmt: skip


def needed(*, member_names: bool) -> tuple[str, ...]:
    """What the bot needs in a server, in the order in which it is explained."""
    return (*_NEEDED, "manage_nicknames") if member_names else _NEEDED


Interaction = discord.Interaction[Any]
Answer = Callable[[Interaction, Texts], Coroutine[Any, Any, str]]


class InTexts(app_commands.Translator):
    """Names and descriptions of commands in the language of whoever looks at them."""

    async def translate(
        self, string: locale_str, locale: discord.Locale, context: app_commands.TranslationContext[Any, Any]
    ) -> str | None:
        key = string.extras.get("key")  # names of options have none
        return texts("ko")[key] if key and locale is discord.Locale.korean else None


def _named(key: str) -> locale_str:
    return locale_str(texts("en")[key], key=key)


@dataclass(slots=True)
class Commands:
    client: discord.Client
    desk: Desk
    clock: Clock
    automod: NativeAutoMod
    member_names: bool = field(kw_only=True)
    _reported: OrderedDict[tuple[int, int], None] = field(default_factory=OrderedDict)  # by whom, which message

    _reporting: Reporting = field(init=False)

    def __post_init__(self) -> None:
        self._reporting = Reporting(self.desk, self.clock)
        self.client.event(self.on_guild_join)

    async def register(self) -> None:
        """Tell Discord which commands there are; only what has changed takes effect."""
        tree = app_commands.CommandTree(self.client)
        await tree.set_translator(InTexts())
        tree.add_command(self._group())
        judge = app_commands.ContextMenu(name=_named("command.judge"), callback=self._judge_shown)
        judge.default_permissions = discord.Permissions(manage_messages=True)
        judge.guild_only = True
        report = app_commands.ContextMenu(name=_named("command.report"), callback=self._report)
        report.guild_only = True
        tree.add_command(judge)
        tree.add_command(report)
        try:
            await tree.sync()
        except (discord.DiscordException, OSError, TimeoutError) as error:
            _log.warning("commands not registered", error=type(error).__name__)

    def _group(self) -> app_commands.Group:
        group = app_commands.Group(
            name=_named("command.jikimi"),
            description=_named("command.jikimi_does"),
            guild_only=True,
            default_permissions=discord.Permissions(manage_messages=True),
        )

        @group.command(name=_named("command.setup"), description=_named("command.setup_does"))
        async def setup(interaction: Interaction) -> None:
            await self._set_up(interaction)

        @group.command(name=_named("command.status"), description=_named("command.status_does"))
        async def status(interaction: Interaction) -> None:
            await self._answer(interaction, self._status)

        @group.command(name=_named("command.check"), description=_named("command.check_does"))
        async def check(interaction: Interaction) -> None:
            await self._answer(interaction, self._check)

        @group.command(name=_named("command.test"), description=_named("command.test_does"))
        async def test(interaction: Interaction, text: str | None = None) -> None:
            if text is None and _may(interaction, manages=False):
                await interaction.response.send_modal(_LongText(self._test, _say(interaction)))
            else:
                await self._test(interaction, text or "")

        @group.command(name=_named("command.explain"), description=_named("command.explain_does"))
        async def explain(interaction: Interaction, incident: int) -> None:
            async def answer(asked: Interaction, say: Texts) -> str:
                return await self._explain(asked, incident, say)

            await self._answer(interaction, answer)

        @group.command(name=_named("command.exempt"), description=_named("command.exempt_does"))
        async def exempt(
            interaction: Interaction, role: discord.Role | None = None, channel: discord.abc.GuildChannel | None = None
        ) -> None:
            async def answer(asked: Interaction, say: Texts) -> str:
                def edit(before: Community) -> Community:
                    return replace(
                        before,
                        exempt_roles=before.exempt_roles ^ ({str(role.id)} if role else set()),
                        exempt_channels=before.exempt_channels ^ ({str(channel.id)} if channel else set()),
                    )

                await self._change(asked, edit)
                return await self._status(asked, say)

            await self._answer(interaction, answer, manages=True)

        @group.command(name=_named("command.threshold"), description=_named("command.threshold_does"))
        async def threshold(interaction: Interaction, rule: str, score: app_commands.Range[float, 0.0, 1.0]) -> None:
            async def answer(asked: Interaction, say: Texts) -> str:
                rules = [one.name for one in self.desk.policy(_as_said(asked, "")).rules]
                if rule not in rules:
                    return say("check.unknown_rule", given=rule, names=", ".join(rules))
                await self._change(asked, lambda before: replace(before, thresholds={**before.thresholds, rule: score}))
                return await self._status(asked, say)

            await self._answer(interaction, answer, manages=True)

        @group.command(name=_named("command.pause"), description=_named("command.pause_does"))
        async def pause(interaction: Interaction, minutes: app_commands.Range[int, 0, 10080] = 60) -> None:
            async def answer(asked: Interaction, say: Texts) -> str:
                until = self.clock.now() + timedelta(minutes=minutes) if minutes else None
                await self._change(asked, lambda before: replace(before, paused_until=until))
                return await self._status(asked, say)

            await self._answer(interaction, answer, manages=True)

        @group.command(name=_named("command.automod"), description=_named("command.automod_does"))
        async def automod(interaction: Interaction, on: bool) -> None:
            async def answer(asked: Interaction, say: Texts) -> str:
                return await self._switch_automod(asked, on, say)

            await self._answer(interaction, answer, manages=True)

        @group.command(name=_named("command.report_now"), description=_named("command.report_now_does"))
        @app_commands.choices(period=choices("command.period_", SPANS, _named))
        async def report_now(
            interaction: Interaction, period: str = Span.WEEK, first: str = "", last: str = "", names: bool = False
        ) -> None:
            await self._show_report(interaction, Asked(period, first.strip(), last.strip(), names))

        @group.command(name=_named("command.report_schedule"), description=_named("command.report_schedule_does"))
        @app_commands.choices(day=choices("schedule.", DAY_VALUES, _named))
        async def report_schedule(
            interaction: Interaction,
            day: str | None = None,
            hour: app_commands.Range[int, 0, 23] | None = None,
            daily: bool | None = None,
            alert: app_commands.Range[int, 0, 100000] | None = None,
        ) -> None:
            async def answer(asked: Interaction, say: Texts) -> str:
                return await self._reporting.schedule(
                    self._community(asked), say, day=day, hour=hour, daily=daily, alert=alert,
                    by=asked.user.display_name,
                )  # fmt: skip

            await self._answer(interaction, answer, manages=True)

        @group.command(name=_named("command.privacy"), description=_named("command.privacy_does"))
        async def privacy(interaction: Interaction) -> None:
            await interaction.response.send_message(_say(interaction)["discord.privacy"], ephemeral=True)

        @group.command(name=_named("command.bots"), description=_named("command.bots_does"))
        async def bots(
            interaction: Interaction,
            bot: discord.User | None = None,
            judged: bool | None = None,
            owner_channel: discord.TextChannel | None = None,
        ) -> None:
            async def answer(asked: Interaction, say: Texts) -> str:
                if bot is not None and (judged is not None or owner_channel is not None):
                    choice = {} if judged is None else {str(bot.id): judged}
                    owner = {} if owner_channel is None else {str(bot.id): str(owner_channel.id)}

                    def edit(before: Community) -> Community:
                        return replace(
                            before, bots={**before.bots, **choice}, bot_owners={**before.bot_owners, **owner}
                        )

                    await self._change(asked, edit)
                return self._bots(asked, say)

            await self._answer(interaction, answer, manages=True)

        return group

    # ---- answers

    async def _answer(self, interaction: Interaction, answer: Answer, *, manages: bool = False) -> None:
        """Defers at once, works afterwards. `manages`: only for who may manage the server."""
        say = _say(interaction)
        if not _may(interaction, manages=manages):
            await interaction.response.send_message(say["card.not_allowed"], ephemeral=True)
            return
        await interaction.response.defer(ephemeral=True, thinking=True)
        try:
            told = await answer(interaction, say)
        except BotError:
            told = say["card.try_again"]
        await interaction.followup.send(told[:2000] or "-", ephemeral=True)

    async def _test(self, interaction: Interaction, text: str) -> None:
        async def answer(asked: Interaction, say: Texts) -> str:
            return _decided(await self.desk.judge(_as_said(asked, text)), say)

        await self._answer(interaction, answer)

    async def _show_report(self, interaction: Interaction, asked: Asked) -> None:
        say = _say(interaction)
        if not _may(interaction, manages=False):
            await interaction.response.send_message(say["card.not_allowed"], ephemeral=True)
            return
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self._reporting.show(interaction, say, asked)

    async def _judge_shown(self, interaction: Interaction, message: discord.Message) -> None:
        async def answer(_: Interaction, say: Texts) -> str:
            return _decided(await self.desk.judge(read(message)), say)

        await self._answer(interaction, answer)

    async def _report(self, interaction: Interaction, message: discord.Message) -> None:
        """A member points the moderators to a message; each member once for each message."""
        say, settings, key = _say(interaction), self._community(interaction), (interaction.user.id, message.id)
        if settings.moderators_channel is None:
            await interaction.response.send_message(say["discord.nobody_to_tell"], ephemeral=True)
            return
        await interaction.response.defer(ephemeral=True, thinking=True)
        if key not in self._reported:
            policy = self.desk.policy(_as_said(interaction, ""))
            embed = _reported(read(message), message.jump_url, interaction.user, texts(policy.language))
            try:
                await self.client.get_partial_messageable(int(settings.moderators_channel)).send(embed=embed)
            except (discord.DiscordException, OSError, TimeoutError) as error:
                _log.warning("report not passed on", guild=interaction.guild_id, error=type(error).__name__)
                await interaction.followup.send(say["discord.not_passed_on"], ephemeral=True)
                return
            self._reported[key] = None
            if len(self._reported) > REPORTS:
                self._reported.popitem(last=False)
        await interaction.followup.send(say["discord.passed_on"], ephemeral=True)

    async def _status(self, interaction: Interaction, say: Texts) -> str:
        settings, policy = self._community(interaction), self.desk.policy(_as_said(interaction, ""))
        now = self.clock.now()
        paused = settings.paused_until if settings.paused_until and settings.paused_until > now else None
        lines = (
            ("mode", say[f"mode.{policy.mode}"]),
            ("preset", say[f"preset.{settings.preset}"] if settings.preset else say["discord.unset"]),
            ("language", say[f"in_language.{settings.language or policy.language}"]),
            ("moderators", _channel(settings.moderators_channel, say)),
            ("report", _channel(settings.report_channel, say)),
            ("schedule", schedule_line(self.desk.schedule(Platform.DISCORD, str(interaction.guild_id)), say)),
            ("exempt", " ".join(_mentions(settings)) or "-"),
            ("thresholds", ", ".join(f"{rule} {score:g}" for rule, score in settings.thresholds.items()) or "-"),
            ("paused", discord.utils.format_dt(paused, "R") if paused else "-"),
            ("automod", say["setting.on" if settings.native_filter else "setting.off"]),
        )
        return "\n".join(f"**{say[f'setting.{key}']}** {value}" for key, value in lines)

    def _bots(self, interaction: Interaction, say: Texts) -> str:
        """The other bots of this server, and what was chosen for each."""
        settings = self._community(interaction)
        lines = []
        for bot, judged in self.desk.bots(Platform.DISCORD, settings.id)[:MOST_SHOWN]:
            name = discord.utils.escape_markdown(bot.name) or f"<@{bot.id}>"
            state = say["bots.on" if judged else "bots.off"]
            line = say("bots.line", state=state, name=name, messages=bot.messages, answers=bot.answers)
            if owner := settings.bot_owners.get(bot.id):
                line += " · " + say("bots.owner", channel=f"<#{owner}>")
            lines.append(line)
        return "\n".join((f"**{say['bots.title']}**", *(lines or [say["bots.none"]]), say["bots.how"]))

    async def _check(self, interaction: Interaction, say: Texts) -> str:
        """What the bot may not do, where, and what will not work for that: it knows before it is refused."""
        guild = interaction.guild
        assert guild is not None
        wanted = needed(member_names=self.member_names)
        spoken = [name for name in wanted if name != "send_messages_in_threads"]  # voice channels have no threads
        written = [name for name in wanted if name != "connect"]
        channels = (*guild.text_channels, *guild.forums, *guild.voice_channels)
        gaps = {
            channel.id: lacking
            for channel in channels
            if (lacking := missing_here(guild, channel.id, spoken if channel in guild.voice_channels else written))
        }
        lacking_somewhere = {name for lacking in gaps.values() for name in lacking}
        told = [
            say("discord.needed_for", permission=say[f"permission.{name}"], purpose=say[f"permission_for.{name}"])
            for name in wanted
            if name in lacking_somewhere
        ]
        told += [f"<#{channel}>: {missing(lacking, say)}" for channel, lacking in [*gaps.items()][:MOST_SHOWN]]
        if len(gaps) > MOST_SHOWN:
            told.append(say("discord.more_channels", count=len(gaps) - MOST_SHOWN))
        told = told or [say["discord.all_permissions"]]
        return "\n".join(told if self.member_names else [*told, say["discord.names_not_read"]])

    async def _switch_automod(self, interaction: Interaction, on: bool, say: Texts) -> str:
        """Only what Discord lets us do is switched on."""
        guild = interaction.guild
        assert guild is not None
        if guild.me is not None and not guild.me.guild_permissions.manage_guild:
            return say("discord.automod_refused", why=missing(["manage_guild"], say))
        await self._change(interaction, lambda before: replace(before, native_filter=on))
        outcome = await self.automod.follow(guild, say)
        if isinstance(outcome, Refused):
            return say("discord.automod_refused", why=outcome.reason)
        if not on:
            return say["discord.automod_off"]
        words = self.automod.words(guild)
        told = say("discord.automod_on", count=len(words.words))
        return f"{told}\n{say('discord.automod_ours', rules=', '.join(words.ours))}" if words.ours else told

    async def _explain(self, interaction: Interaction, incident_id: int, say: Texts) -> str:
        found = await self.desk.look_up(Platform.DISCORD, str(interaction.guild_id), incident_id)
        if found is None:
            return say["card.not_found"]
        incident, history = found
        done = " · ".join(outcome_line(action, outcome, say) for action, outcome in incident.outcomes)
        timezone = self.desk.policy(incident.decision.message).timezone
        told = "\n".join((revealed(incident, say), done, history_line(history, say, timezone)))
        return discord.utils.escape_markdown(told)

    # ---- setting up

    async def _set_up(self, interaction: Interaction) -> None:
        say = _say(interaction)
        if not _may(interaction, manages=True):
            await interaction.response.send_message(say["card.not_allowed"], ephemeral=True)
            return
        view = _Menu(self, say, self._community(interaction))
        await interaction.response.send_message(await self._status(interaction, say), view=view, ephemeral=True)

    async def set(self, interaction: Interaction, say: Texts, **changes: Any) -> None:
        """Store what was chosen and show the settings as they are now."""
        if not _may(interaction, manages=True):
            await interaction.response.send_message(say["card.not_allowed"], ephemeral=True)
            return
        await interaction.response.defer()
        try:
            await self._change(interaction, lambda before: replace(before, **changes))
        except BotError:
            await interaction.followup.send(say["card.try_again"], ephemeral=True)
        else:
            status, menu = await self._status(interaction, say), _Menu(self, say, self._community(interaction))
            await interaction.edit_original_response(content=status, view=menu)

    async def _change(self, interaction: Interaction, edit: Callable[[Community], Community]) -> None:
        name = interaction.guild.name if interaction.guild else ""
        await self.desk.change(
            Platform.DISCORD,
            str(interaction.guild_id),
            lambda before: replace(edit(before), name=name or before.name),
            by=interaction.user.display_name,
        )

    def _community(self, interaction: Interaction) -> Community:
        guild = interaction.guild
        settings = self.desk.community(Platform.DISCORD, str(interaction.guild_id))
        return replace(settings, name=guild.name) if guild else settings

    # ---- the welcome

    async def on_guild_join(self, guild: discord.Guild) -> None:
        """Once a server: in its system channel, or to who invited us there, its owner."""
        try:
            settings = self.desk.community(Platform.DISCORD, str(guild.id))
            if settings.welcomed:
                return
            welcome = texts("ko" if guild.preferred_locale is discord.Locale.korean else "en")["discord.welcome"]
            await self._place_to_greet(guild, await self._owner(guild), welcome)
            await self.desk.change(
                Platform.DISCORD,
                str(guild.id),
                lambda before: replace(before, name=guild.name, welcomed=True),
                by="",
            )
        except (BotError, discord.HTTPException, OSError) as error:
            _log.warning("not welcomed", guild=guild.id, error=type(error).__name__)

    async def _place_to_greet(self, guild: discord.Guild, owner_dm: int, welcome: str) -> None:
        channel = guild.system_channel
        if channel and guild.me and channel.permissions_for(guild.me).send_messages:
            await channel.send(welcome)
        else:
            await self.client.get_partial_messageable(owner_dm).send(welcome)

    async def _owner(self, guild: discord.Guild) -> int:
        assert guild.owner_id is not None
        return int((await self.client.http.start_private_message(guild.owner_id))["id"])


class _Menu(discord.ui.View):
    """Five menus: what a server owner decides in the first minutes."""

    def __init__(self, commands: Commands, say: Texts, now: Community) -> None:
        super().__init__(timeout=MENU_LASTS)
        for key in ("moderators_channel", "report_channel"):
            self.add_item(_ChannelMenu(commands, say, key, getattr(now, key)))
        self.add_item(_WordMenu(commands, say, "preset", "preset", PRESETS, now.preset))
        self.add_item(_WordMenu(commands, say, "mode", "mode", tuple(Watch), now.mode))
        self.add_item(_WordMenu(commands, say, "language", "in_language", LANGUAGES, now.language))


_A_CHANNEL = discord.SelectDefaultValueType.channel


class _ChannelMenu(discord.ui.ChannelSelect[Any]):
    def __init__(self, commands: Commands, say: Texts, key: str, now: str | None) -> None:
        super().__init__(
            custom_id=f"jikimi-set:{key}",
            placeholder=say[f"setting.choose_{key}"],
            channel_types=[discord.ChannelType.text],
            default_values=[discord.SelectDefaultValue(id=int(now), type=_A_CHANNEL)] if now else [],
        )
        self._commands, self._say, self._key = commands, say, key

    async def callback(self, interaction: Interaction) -> None:
        await self._commands.set(interaction, self._say, **{self._key: str(self.values[0].id)})


class _WordMenu(discord.ui.Select[Any]):
    def __init__(
        self, commands: Commands, say: Texts, key: str, family: str, words: tuple[str, ...], now: str | None
    ) -> None:
        options = [
            discord.SelectOption(label=say[f"{family}.{word}"], value=str(word), default=word == now) for word in words
        ]
        super().__init__(custom_id=f"jikimi-set:{key}", placeholder=say[f"setting.choose_{key}"], options=options)
        self._commands, self._say, self._key = commands, say, key

    async def callback(self, interaction: Interaction) -> None:
        chosen = self.values[0]
        value = Watch(chosen) if self._key == "mode" else chosen
        await self._commands.set(interaction, self._say, **{self._key: value})


class _LongText(discord.ui.Modal):
    """A window to write in: an option of a command holds no line breaks."""

    def __init__(self, then: Callable[[Interaction, str], Coroutine[Any, Any, None]], say: Texts) -> None:
        super().__init__(title=say["command.test_does"][:45], timeout=MENU_LASTS)
        self._then = then
        self._text: discord.ui.TextInput[Any] = discord.ui.TextInput(
            style=discord.TextStyle.paragraph, max_length=LONGEST_TEST
        )
        self.add_item(discord.ui.Label(text=say["discord.long_text"], component=self._text))

    async def on_submit(self, interaction: Interaction) -> None:
        await self._then(interaction, self._text.value)


def _say(interaction: Interaction) -> Texts:
    return texts("ko" if interaction.locale is discord.Locale.korean else "en")


def _may(interaction: Interaction, *, manages: bool) -> bool:
    """Asked at every press and command: Discord's own default permissions can be changed by a server."""
    user, guild = interaction.user, interaction.guild
    if guild is None or not isinstance(user, discord.Member):
        return False
    if manages:
        return user.id == guild.owner_id or user.guild_permissions.manage_guild
    return author_of(user, guild).is_staff


def _as_said(interaction: Interaction, text: str) -> Message:
    """A text as if an ordinary member had said it here."""
    return Message(
        ref=MessageRef(Platform.DISCORD, str(interaction.channel_id), str(interaction.id)),
        community_id=str(interaction.guild_id),
        author=Author(id="0"),
        sent_at=interaction.created_at,
        text=text,
    )


def _decided(decision: Decision, say: Texts) -> str:
    screening = decision.screening
    harm = getattr(screening, "harm", None)
    score = "" if harm is None else f"**{say['card.score']}** {harm:.2f}\n"
    wanted = decision.actions or decision.withheld
    return f"{score}**{say['card.done']}** {deeds(wanted, say)}\n{reasons(decision, say)}".strip()


def _reported(message: Message, link: str, by: discord.User | discord.Member, say: Texts) -> discord.Embed:
    text = discord.utils.escape_markdown(masked(message.text))
    embed = discord.Embed(title=say["discord.reported"], description=text or None)
    embed.add_field(name=say["discord.where"], value=f"[{say['discord.link']}]({link})")
    embed.add_field(name=say["discord.who"], value=f"<@{message.author.id}>")
    embed.add_field(name=say["discord.reported_by"], value=f"<@{by.id}>")
    return embed


def _channel(channel_id: str | None, say: Texts) -> str:
    return f"<#{channel_id}>" if channel_id else say["discord.unset"]


def _mentions(settings: Community) -> list[str]:
    roles = (f"<@&{role}>" for role in sorted(settings.exempt_roles))
    return [*roles, *(f"<#{channel}>" for channel in sorted(settings.exempt_channels))]
