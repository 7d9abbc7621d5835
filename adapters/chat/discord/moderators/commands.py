"""Slash commands and context menus: what people ask the bot for -> answers that only they see."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import discord
import structlog
from discord import app_commands
from discord.app_commands import locale_str

from adapters.chat.discord.errors import missing, missing_here
from adapters.chat.discord.moderators.appeals import Appeals
from adapters.chat.discord.moderators.asking import Interaction, answer, as_said, plain, refusal, say_to
from adapters.chat.discord.moderators.automod import NativeAutoMod
from adapters.chat.discord.moderators.flags import Flags
from adapters.chat.discord.moderators.reports import DAY_VALUES, SPANS, Asked, Reporting, choices
from adapters.chat.discord.moderators.setup import MENU_LASTS, ROOM_NEEDS, ROOMS, SettingUp, unheard
from adapters.chat.discord.receiving.reading import places, read
from adapters.chat.discord.refs import guild_ref
from bot.core.base.clock import Clock
from bot.core.base.errors import BotError
from bot.core.chat.message import Message
from bot.core.communities.community import Community
from bot.core.moderators.permissions import Deed
from bot.core.moderators.ports import Desk
from bot.core.reporting.periods import Span
from bot.core.rules.actions import Refused
from bot.core.rules.conditions import Channel
from bot.core.rules.decision import Decision
from bot.core.rules.policy import Rule
from bot.core.text.catalogue import Texts, texts
from bot.wording.cards import history_line, outcome_line, said_in_full
from bot.wording.reasons import deeds, reasons, rule_name
from bot.wording.schedules import schedule_line

_log = structlog.get_logger(__name__)

MOST_SHOWN = 20  # channels
MOST_OFFERED = 25  # choices that Discord shows while somebody types
LONGEST_CHOICE = 100  # characters
LONGEST_TEST = 4000  # characters, Discord's most

_NEEDED = (
    "view_channel", "connect", "read_message_history", "send_messages", "send_messages_in_threads", "embed_links",
    "attach_files", "manage_messages", "manage_threads", "manage_webhooks", "moderate_members", "kick_members",
    "ban_members",
)  # fmt: skip


def needed(*, member_names: bool) -> tuple[str, ...]:
    """What the bot needs in a server, in the order in which it is explained."""
    return (*_NEEDED, "manage_nicknames") if member_names else _NEEDED


Answer = Callable[[Interaction, Texts], Coroutine[Any, Any, str]]


class InTexts(app_commands.Translator):
    """Names and descriptions of commands and their options in the language of whoever looks at them."""

    async def translate(
        self, string: locale_str, locale: discord.Locale, context: app_commands.TranslationContext[Any, Any]
    ) -> str | None:
        key = string.extras.get("key")
        return texts("ko")[key] if key and locale is discord.Locale.korean else None


def _named(key: str) -> locale_str:
    return locale_str(texts("en")[key], key=key)


def _options(*names: str) -> Callable[[Any], Any]:
    """Names and descriptions of a command's options."""

    def named(callback: Any) -> Any:
        callback = app_commands.describe(**{name: _named(f"option.{name}_is") for name in names})(callback)
        return app_commands.rename(**{name: _named(f"option.{name}") for name in names})(callback)

    return named


@dataclass(slots=True)
class Commands:
    client: discord.Client
    desk: Desk
    clock: Clock
    automod: NativeAutoMod
    appeals: Appeals
    member_names: bool = field(kw_only=True)
    _reporting: Reporting = field(init=False)
    _flags: Flags = field(init=False)
    _setting_up: SettingUp = field(init=False)

    def __post_init__(self) -> None:
        self._reporting = Reporting(self.desk, self.clock)
        self._flags = Flags(client=self.client, desk=self.desk, clock=self.clock)
        self._setting_up = SettingUp(client=self.client, desk=self.desk, status=self._status)

    async def register(self) -> None:
        """Tell Discord which commands there are; only what has changed takes effect."""
        tree = app_commands.CommandTree(self.client)
        await tree.set_translator(InTexts())
        for command in self._all():
            tree.add_command(command)
        try:
            await tree.sync()
        except (discord.DiscordException, OSError, TimeoutError) as error:
            _log.warning("commands not registered", error=type(error).__name__)

    def _all(self) -> Sequence[Any]:
        judge = app_commands.ContextMenu(name=_named("command.judge"), callback=self._judge_shown)
        judge.default_permissions = discord.Permissions(manage_messages=True)
        report = app_commands.ContextMenu(name=_named("command.report"), callback=self._flags.flag)
        judge.guild_only = report.guild_only = True

        @app_commands.command(name=_named("command.privacy"), description=_named("command.privacy_does"))
        async def privacy(interaction: Interaction) -> None:
            await answer(interaction, say_to(interaction)["discord.privacy"])

        @app_commands.command(name=_named("command.appeal"), description=_named("command.appeal_does"))
        @_options("incident")
        async def appeal(interaction: Interaction, incident: app_commands.Range[int, 1, 2**53 - 1]) -> None:
            await self.appeals.show(interaction, incident)

        return self._group(), privacy, appeal, judge, report

    def _group(self) -> app_commands.Group:
        group = app_commands.Group(
            name=_named("command.jikimi"),
            description=_named("command.jikimi_does"),
            guild_only=True,
            # Whoever moderates without this permission is shown it by the server's settings of integrations.
            default_permissions=discord.Permissions(manage_messages=True),
        )

        @group.command(name=_named("command.setup"), description=_named("command.setup_does"))
        async def setup(interaction: Interaction) -> None:
            await self._setting_up.begin(interaction)

        @group.command(name=_named("command.status"), description=_named("command.status_does"))
        async def status(interaction: Interaction) -> None:
            await self._answer(interaction, Deed.STATUS, self._say_status)

        @group.command(name=_named("command.check"), description=_named("command.check_does"))
        async def check(interaction: Interaction) -> None:
            await self._answer(interaction, Deed.CHECK, self._check)

        @group.command(name=_named("command.test"), description=_named("command.test_does"))
        @_options("text")
        async def test(interaction: Interaction, text: str | None = None) -> None:
            say = say_to(interaction)
            if text is None and not refusal(interaction, Deed.TEST, say):
                await interaction.response.send_modal(_LongText(self._test, say))
            else:
                await self._test(interaction, text or "")

        @group.command(name=_named("command.explain"), description=_named("command.explain_does"))
        @_options("incident")
        async def explain(interaction: Interaction, incident: app_commands.Range[int, 1, 2**53 - 1]) -> None:
            async def told(asked: Interaction, say: Texts) -> str:
                return await self._explain(asked, incident, say)

            await self._answer(interaction, Deed.EXPLAIN, told)

        @group.command(name=_named("command.exempt"), description=_named("command.exempt_does"))
        @_options("role", "channel")
        async def exempt(
            interaction: Interaction, role: discord.Role | None = None, channel: discord.abc.GuildChannel | None = None
        ) -> None:
            def edit(now: Community) -> Community:
                return replace(
                    now,
                    exempt_roles=now.exempt_roles ^ ({str(role.id)} if role else set()),
                    exempt_channels=now.exempt_channels ^ ({str(channel.id)} if channel else set()),
                )

            await self._change(interaction, Deed.EXEMPT, edit)

        @group.command(name=_named("command.threshold"), description=_named("command.threshold_does"))
        @_options("rule", "score")
        @app_commands.autocomplete(rule=self._rules_with_a_bar)
        async def threshold(
            interaction: Interaction, rule: str, score: app_commands.Range[float, 0.0, 1.0] | None = None
        ) -> None:
            async def told(asked: Interaction, say: Texts) -> str:
                return await self._set_threshold(asked, rule.strip(), score, say)

            await self._answer(interaction, Deed.THRESHOLD, told)

        @group.command(name=_named("command.pause"), description=_named("command.pause_does"))
        @_options("minutes")
        async def pause(interaction: Interaction, minutes: app_commands.Range[int, 0, 10080] = 60) -> None:
            until = self.clock.now() + timedelta(minutes=minutes) if minutes else None
            if await self._change(interaction, Deed.PAUSE, lambda now: replace(now, paused_until=until)):
                key, guild = "discord.paused" if until else "discord.resumed", interaction.guild
                room = self._community(interaction).moderators_channel
                if guild:
                    await self._setting_up.tell(guild, key, room, by=interaction.user, minutes=str(minutes))

        @group.command(name=_named("command.automod"), description=_named("command.automod_does"))
        @_options("on")
        async def automod(interaction: Interaction, on: bool) -> None:
            async def told(asked: Interaction, say: Texts) -> str:
                return await self._switch_automod(asked, on, say)

            await self._answer(interaction, Deed.NATIVE_FILTER, told)

        @group.command(name=_named("command.report_now"), description=_named("command.report_now_does"))
        @app_commands.choices(period=choices("command.period_", SPANS, _named))
        @_options("period", "first", "last", "names")
        async def report_now(
            interaction: Interaction, period: str = Span.WEEK, first: str = "", last: str = "", names: bool = False
        ) -> None:
            await self._show_report(interaction, Asked(period, first.strip(), last.strip(), names))

        @group.command(name=_named("command.report_schedule"), description=_named("command.report_schedule_does"))
        @app_commands.choices(day=choices("schedule.", DAY_VALUES, _named))
        @_options("day", "hour", "daily", "alert")
        async def report_schedule(
            interaction: Interaction,
            day: str | None = None,
            hour: app_commands.Range[int, 0, 23] | None = None,
            daily: bool | None = None,
            alert: app_commands.Range[int, 0, 100000] | None = None,
        ) -> None:
            async def told(asked: Interaction, say: Texts) -> str:
                return await self._reporting.schedule(
                    self._community(asked), say, day=day, hour=hour, daily=daily, alert=alert,
                    by=asked.user.display_name,
                )  # fmt: skip

            await self._answer(interaction, Deed.SCHEDULE, told)

        @group.command(name=_named("command.bots"), description=_named("command.bots_does"))
        @_options("bot", "judged", "owner_channel")
        @app_commands.autocomplete(bot=self._bots_seen)
        async def bots(
            interaction: Interaction,
            bot: str | None = None,
            judged: bool | None = None,
            owner_channel: discord.TextChannel | None = None,
        ) -> None:
            async def told(asked: Interaction, say: Texts) -> str:
                return await self._choose_bot(asked, bot, judged, owner_channel, say)

            await self._answer(interaction, Deed.BOTS, told)

        return group

    # ---- answers

    async def _answer(self, interaction: Interaction, what: Deed, told: Answer) -> bool:
        """Defers at once, works afterwards. False: they may not, or it could not be done."""
        say = say_to(interaction)
        if no := refusal(interaction, what, say):
            await answer(interaction, no)
            return False
        await interaction.response.defer(ephemeral=True, thinking=True)
        try:
            await answer(interaction, await told(interaction, say))
        except BotError:
            await answer(interaction, say["card.try_again"])
            return False
        return True

    async def _change(self, interaction: Interaction, what: Deed, edit: Callable[[Community], Community]) -> bool:
        """Change a setting and show them all."""

        async def told(asked: Interaction, say: Texts) -> str:
            await self._store(asked, edit)
            return self._status(asked, say)

        return await self._answer(interaction, what, told)

    async def _test(self, interaction: Interaction, text: str) -> None:
        async def told(asked: Interaction, say: Texts) -> str:
            return _decided(await self.desk.judge(as_said(asked, text)), say)

        await self._answer(interaction, Deed.TEST, told)

    async def _show_report(self, interaction: Interaction, asked: Asked) -> None:
        say = say_to(interaction)
        if no := refusal(interaction, Deed.REPORT_NAMES if asked.names else Deed.REPORT, say):
            await answer(interaction, no)
            return
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self._reporting.show(interaction, say, asked)

    async def _judge_shown(self, interaction: Interaction, message: discord.Message) -> None:
        async def told(_: Interaction, say: Texts) -> str:
            return _decided(await self.desk.judge(_as_a_members(message)), say)

        await self._answer(interaction, Deed.JUDGE, told)

    async def _say_status(self, interaction: Interaction, say: Texts) -> str:
        return self._status(interaction, say)

    def _status(self, interaction: Interaction, say: Texts) -> str:
        settings, policy = self._community(interaction), self.desk.policy(as_said(interaction, ""))
        now = self.clock.now()
        paused = settings.paused_until if settings.paused_until and settings.paused_until > now else None
        lines = (
            ("mode", say[f"mode.{policy.mode}"]),
            ("preset", say[f"preset.{settings.preset}"] if settings.preset else say["discord.unset"]),
            ("language", say[f"in_language.{settings.language or policy.language}"]),
            ("moderators", _channel(settings.moderators_channel, say)),
            ("urgent", _called(interaction, settings, say)),
            ("report", _channel(settings.report_channel, say)),
            ("schedule", schedule_line(self.desk.schedule(guild_ref(interaction.guild_id)), say)),
            ("exempt", " ".join(_exempt(settings)) or "-"),
            ("thresholds", ", ".join(f"{rule} {score:g}" for rule, score in settings.thresholds.items()) or "-"),
            ("paused", discord.utils.format_dt(paused, "R") if paused else "-"),
            ("automod", say["setting.on" if settings.native_filter else "setting.off"]),
        )
        return "\n".join(f"**{say[f'setting.{key}']}** {value}" for key, value in lines)

    # ---- thresholds

    async def _rules_with_a_bar(self, interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
        """The rules whose score can be moved, with where each stands."""
        say = say_to(interaction)
        if refusal(interaction, Deed.THRESHOLD, say):
            return []
        bars = {rule.name: bar for rule in self._rules(interaction) if (bar := _bar(rule)) is not None}
        return _offered({name: f"{rule_name(name, say)} · {bar:g}" for name, bar in bars.items()}, typed)

    async def _set_threshold(self, interaction: Interaction, given: str, score: float | None, say: Texts) -> str:
        """Rules are known by name, and by what cards call them."""
        rules = self._rules(interaction)
        rule = next((one for one in rules if given in (one.name, say.get(f"rule_name.{one.name}", ""))), None)
        if rule is None:
            return say("check.unknown_rule", given=plain(given), names=", ".join(one.name for one in rules))
        if _bar(rule) is None:
            return say("discord.no_score", rule=rule_name(rule.name, say))
        name = rule.name

        def edit(now: Community) -> Community:
            others = {other: bar for other, bar in now.thresholds.items() if other != name}
            return replace(now, thresholds=others if score is None else {**others, name: score})

        await self._store(interaction, edit)
        bar = next((_bar(one) for one in self._rules(interaction) if one.name == name), None)
        key = "discord.threshold_reset" if score is None else "discord.threshold_set"
        return say(key, rule=rule_name(name, say), score=bar if score is None else score)

    def _rules(self, interaction: Interaction) -> Sequence[Rule]:
        return self.desk.policy(as_said(interaction, "")).rules

    # ---- other bots

    async def _bots_seen(self, interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
        """Every bot and webhook that has spoken here."""
        if refusal(interaction, Deed.BOTS, say_to(interaction)):
            return []
        seen = self.desk.bots(guild_ref(interaction.guild_id))
        return _offered({bot.id: f"{bot.name or bot.id} ({bot.messages})" for bot, _ in seen}, typed)

    async def _choose_bot(
        self,
        interaction: Interaction,
        given: str | None,
        judged: bool | None,
        owner_channel: discord.TextChannel | None,
        say: Texts,
    ) -> str:
        if given is None:
            return self._bots(interaction, say)
        bot = given.strip().removeprefix("<@").removesuffix(">").removeprefix("!")
        if not (bot.isascii() and bot.isdigit()):
            return say("bots.unknown", given=plain(given))
        guild = interaction.guild
        if owner_channel and guild and (lacking := missing_here(guild, owner_channel.id, [*ROOM_NEEDS[:2]])):
            return say("discord.room_lacks", channel=f"<#{owner_channel.id}>", missing=missing(lacking, say))

        def edit(now: Community) -> Community:
            choice = {} if judged is None else {bot: judged}
            owner = {} if owner_channel is None else {bot: str(owner_channel.id)}
            return replace(now, bots={**now.bots, **choice}, bot_owners={**now.bot_owners, **owner})

        await self._store(interaction, edit)
        return self._bots(interaction, say)

    def _bots(self, interaction: Interaction, say: Texts) -> str:
        """The other bots of this server, and what was chosen for each."""
        settings = self._community(interaction)
        lines = []
        for bot, judged in self.desk.bots(settings.ref)[:MOST_SHOWN]:
            name = plain(bot.name) or f"<@{bot.id}>"
            state = say["bots.on" if judged else "bots.off"]
            line = say("bots.line", state=state, name=name, messages=bot.messages, answers=bot.answers)
            if owner := settings.bot_owners.get(bot.id):
                line += " · " + say("bots.owner", channel=f"<#{owner}>")
            lines.append(line)
        return "\n".join((f"**{say['bots.title']}**", *(lines or [say["bots.none"]]), say["bots.how"]))

    # ---- the check

    async def _check(self, interaction: Interaction, say: Texts) -> str:
        """What the bot may not do, where, and what will not work for that: it knows before it is refused."""
        guild = interaction.guild
        assert guild is not None
        wanted = needed(member_names=self.member_names)
        channels = (*guild.text_channels, *guild.forums, *guild.voice_channels)
        gaps = {
            channel.id: lacking
            for channel in channels
            if (lacking := missing_here(guild, channel.id, [name for name in wanted if _matters(name, channel)]))
        }
        lacking_somewhere = {name for lacking in gaps.values() for name in lacking}
        told = [*self._rooms_lacking(guild, interaction, say)]
        told += [
            say("discord.needed_for", permission=say[f"permission.{name}"], purpose=say[f"permission_for.{name}"])
            for name in wanted
            if name in lacking_somewhere
        ]
        told += [f"<#{channel}>: {missing(lacking, say)}" for channel, lacking in [*gaps.items()][:MOST_SHOWN]]
        if len(gaps) > MOST_SHOWN:
            told.append(say("discord.more_channels", count=len(gaps) - MOST_SHOWN))
        if guild.mfa_level is discord.MFALevel.require_2fa:
            told.append(say["discord.needs_2fa"])
        if unknown := self._unknown_channels(guild, interaction):
            told.append(say("discord.unknown_channels", names=", ".join(unknown)))
        told = told or [say["discord.all_permissions"]]
        return "\n".join(told if self.member_names else [*told, say["discord.names_not_read"]])

    def _rooms_lacking(self, guild: discord.Guild, interaction: Interaction, say: Texts) -> list[str]:
        """What stands in the way of cards, reports and urgent calls: the first thing to put right."""
        settings = self._community(interaction)
        told = []
        for key in ROOMS:
            room, what = getattr(settings, key), say[f"setting.{key.removesuffix('_channel')}"]
            if room and guild.get_channel(int(room)) is None:
                told.append(say("discord.room_gone", what=what))
            elif room and (lacking := missing_here(guild, int(room), [*ROOM_NEEDS])):
                told.append(say("discord.room_cannot", what=what, room=f"<#{room}>", missing=missing(lacking, say)))
        if settings.moderators_channel is None:
            told.append(say["discord.no_channel"])
        roles = [role for one in settings.urgent if (role := guild.get_role(int(one)))]
        return told + unheard(guild, settings.moderators_channel, roles, say)

    def _unknown_channels(self, guild: discord.Guild, interaction: Interaction) -> list[str]:
        """Names of channels in the configuration that no channel here bears."""
        policy = self.desk.policy(as_said(interaction, ""))
        named = {*policy.exempt_channels, *(name for rule in policy.rules for name in rule.exempt_channels)}
        asked = (one for rule in policy.rules for one in rule.when if isinstance(one, Channel))
        named |= {name for one in asked for name in one.any_of}
        known = {place for channel in guild.channels for place in places(channel)}
        return sorted(name for name in named - known if not name.isdigit())

    async def _switch_automod(self, interaction: Interaction, on: bool, say: Texts) -> str:
        """Only what Discord lets us do is switched on."""
        guild = interaction.guild
        assert guild is not None
        if guild.me is not None and not guild.me.guild_permissions.manage_guild:
            return say("discord.automod_refused", why=missing(["manage_guild"], say))
        await self._store(interaction, lambda now: replace(now, native_filter=on))
        outcome = await self.automod.follow(guild, say)
        if isinstance(outcome, Refused):
            return say("discord.automod_refused", why=outcome.reason)
        if not on:
            return say["discord.automod_off"]
        words = self.automod.words(guild)
        told = say("discord.automod_on", count=len(words.words))
        return f"{told}\n{say('discord.automod_ours', rules=', '.join(words.ours))}" if words.ours else told

    async def _explain(self, interaction: Interaction, incident_id: int, say: Texts) -> str:
        """What was decided and why comes first: the text may be long."""
        found = await self.desk.look_up(guild_ref(interaction.guild_id), incident_id)
        if found is None:
            return say["card.not_found"]
        incident, history = found
        done = " · ".join(outcome_line(action, outcome, say) for action, outcome in incident.outcomes)
        timezone = self.desk.policy(incident.decision.message).timezone
        why = reasons(incident.decision, say) or "-"
        return plain("\n".join((done, why, history_line(history, say, timezone), "", said_in_full(incident, say))))

    # ---- settings

    async def _store(self, interaction: Interaction, edit: Callable[[Community], Community]) -> None:
        name = interaction.guild.name if interaction.guild else ""
        await self.desk.change(
            guild_ref(interaction.guild_id),
            lambda now: replace(edit(now), name=name or now.name),
            by=interaction.user.display_name,
        )

    def _community(self, interaction: Interaction) -> Community:
        return self.desk.community(guild_ref(interaction.guild_id))


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


def _matters(permission: str, channel: object) -> bool:
    """Whether the bot would ever use this permission in a channel of this kind."""
    if isinstance(channel, discord.VoiceChannel):
        return permission != "send_messages_in_threads"  # voice channels have no threads
    if isinstance(channel, discord.TextChannel) and channel.is_news():
        return permission not in ("connect", "send_messages")  # members do not write there, and neither do we
    return permission != "connect"


def _offered(named: dict[str, str], typed: str) -> list[app_commands.Choice[str]]:
    """What Discord shows of these values by their names, while somebody types."""
    sought = typed.strip().lower()
    fitting = [(value, name) for value, name in named.items() if sought in name.lower() or sought in value.lower()]
    return [app_commands.Choice(name=name[:LONGEST_CHOICE], value=value) for value, name in fitting[:MOST_OFFERED]]


def _bar(rule: Rule) -> float | None:
    return next((bar for condition in rule.when if (bar := condition.bar) is not None), None)


def _as_a_members(message: discord.Message) -> Message:
    """A command brings the message along, but not what its author may do."""
    heard = read(message)
    return replace(heard, author=replace(heard.author, unmet=False))


def _decided(decision: Decision, say: Texts) -> str:
    screening = decision.screening
    harm = getattr(screening, "harm", None)
    score = "" if harm is None else f"**{say['card.score']}** {harm:.2f}\n"
    wanted = decision.actions or decision.withheld
    return f"{score}**{say['card.done']}** {deeds(wanted, say)}\n{reasons(decision, say)}".strip()


def _channel(channel_id: str | None, say: Texts) -> str:
    return f"<#{channel_id}>" if channel_id else say["discord.unset"]


def _called(interaction: Interaction, settings: Community, say: Texts) -> str:
    guild = interaction.guild
    if not settings.urgent:
        return say["discord.called_owner"]
    return " ".join(f"<@&{one}>" if guild and guild.get_role(int(one)) else f"<@{one}>" for one in settings.urgent)


def _exempt(settings: Community) -> list[str]:
    roles = (f"<@&{role}>" for role in sorted(settings.exempt_roles))
    return [*roles, *(f"<#{channel}>" for channel in sorted(settings.exempt_channels))]
