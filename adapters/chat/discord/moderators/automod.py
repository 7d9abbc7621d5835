"""The policy's words -> one rule of Discord's own AutoMod, kept like the policy; and which executions are news.

AutoMod stops a message before anybody sees it, but knows only words: rules that ask for more stay with us.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import discord
import structlog

from adapters.chat.discord.errors import lacking, outcome_of
from adapters.chat.discord.moderators.problems import Complaints
from adapters.chat.discord.receiving.reading import moderates, places
from adapters.chat.discord.refs import DISCORD, guild_ref
from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.base.errors import BotError
from bot.core.chat.message import Author, Message, MessageRef
from bot.core.moderators.ports import Desk
from bot.core.rules.actions import Delete, Done, Outcome, Refused
from bot.core.rules.conditions import ByBot, Text
from bot.core.rules.policy import Mode, Policy, Rule, Watch
from bot.core.text.catalogue import Texts, noted, texts

_log = structlog.get_logger(__name__)

#: Discord's limits for one rule that looks for keywords.
MOST_WORDS, MOST_ALLOWED, LONGEST_WORD = 1000, 100, 60
MOST_ROLES, MOST_CHANNELS = 20, 50

EVERY = 60.0  # seconds between two looks at whether a policy has changed (a pause ends by itself)
SAME = 5.0  # seconds in which executions by several rules are about the same message
REMEMBERED = 1_000  # executions

_ON_SEND, _KEYWORD, _BLOCK = 1, 1, 1
_PLACE = "AutoMod"  # in complaints


@dataclass(frozen=True, slots=True, kw_only=True)
class WordList:
    """What AutoMod can look for; `ours` names the rules that it cannot do, or not wholly."""

    words: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    ours: tuple[str, ...] = ()


def word_list(policy: Policy) -> WordList:
    """The words for which alone a message is deleted, as `*stem*`: Korean particles follow directly. A rule with
    exceptions that AutoMod cannot make stays with us as a whole, so that nobody is stopped who should not be."""
    words: dict[str, None] = {}
    allowed: dict[str, None] = {}
    ours: list[str] = []
    for rule in policy.rules:
        if rule.mode is not Mode.LIVE or Delete() not in rule.then:
            continue
        text = _only_text(rule)
        sought = _stems(text.any_of) if text else []
        innocent = _stems(text.unless) if text else []
        fits = len({*words, *sought}) <= MOST_WORDS and len({*allowed, *innocent}) <= MOST_ALLOWED
        if text is None or len(innocent) < len(text.unless) or not fits:
            ours.append(rule.name)
            continue
        if len(sought) < len(text.any_of):
            ours.append(rule.name)
        words.update(dict.fromkeys(sought))
        allowed.update(dict.fromkeys(innocent))
    return WordList(words=tuple(words), allowed=tuple(allowed) if words else (), ours=tuple(ours))


def _only_text(rule: Rule) -> Text | None:
    """The words that a rule asks for, where it asks for nothing else and of everybody."""
    asked = [condition for condition in rule.when if condition != ByBot(bot=False)]  # AutoMod looks at people only
    alone = len(asked) == 1 and not rule.exempt_roles and not rule.exempt_channels
    return asked[0] if alone and isinstance(asked[0], Text) else None


def _stems(patterns: Iterable[str]) -> list[str]:
    """Plain words in AutoMod's own way of writing them; those that it would not take are left out."""
    plain = (pattern for pattern in patterns if not pattern.startswith("/") and "*" not in pattern)
    return [f"*{pattern}*" for pattern in plain if len(pattern) <= LONGEST_WORD - 2]


@dataclass(slots=True, kw_only=True)
class NativeAutoMod:
    """For servers that have switched it on. Our rule is the one that we have made ourselves."""

    client: discord.Client
    desk: Desk
    clock: Clock
    complaints: Complaints
    _pushed: dict[int, Mapping[str, Any] | None] = field(default_factory=dict)  # by server: what AutoMod has of us
    _refused: dict[int, Mapping[str, Any] | None] = field(default_factory=dict)  # what it has not taken
    _pushing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _seen: Bounded[tuple[object, ...], tuple[float, set[int]]] = field(default_factory=lambda: Bounded(REMEMBERED))

    async def keep(self) -> None:
        """Until cancelled: let AutoMod follow every policy that changes."""
        while True:
            for guild in list(self.client.guilds):
                if self.is_on(guild.id) or self._pushed.get(guild.id):
                    try:
                        await self._keep_up(guild)
                    except (BotError, discord.DiscordException, OSError, TimeoutError) as error:
                        _log.warning("AutoMod does not follow yet", guild=guild.id, error=type(error).__name__)
            await self.clock.sleep(EVERY)

    async def _keep_up(self, guild: discord.Guild) -> None:
        say = texts(self._policy(guild).language)
        outcome = await self.follow(guild, say, anew=False)
        if isinstance(outcome, Refused):
            refused = say("discord.automod_refused", why=say.as_noted(outcome.reason))
            await self.complaints.tell(str(guild.id), refused, say, _PLACE)
        else:
            self.complaints.well(str(guild.id), _PLACE)

    def is_on(self, guild_id: int) -> bool:
        return self.desk.community(guild_ref(guild_id)).native_filter

    def words(self, guild: discord.Guild) -> WordList:
        return word_list(self._policy(guild))

    async def follow(self, guild: discord.Guild, say: Texts, *, anew: bool = True) -> Outcome:
        """Make our rule what the server's settings ask for; nothing is asked of Discord where nothing has changed.
        `anew`: also try again what it has refused before."""
        wanted: Mapping[str, Any] | None = None
        if self.is_on(guild.id):
            policy = self._policy(guild)
            list_ = word_list(policy)
            roles, channels = _exempt_roles(policy, guild), _exempt_channels(policy, guild)
            if len(roles) > MOST_ROLES or len(channels) > MOST_CHANNELS:
                return Refused(noted("discord.automod_exempt", roles=MOST_ROLES, channels=MOST_CHANNELS))
            wanted = _rule(list_, policy, roles, channels) if list_.words else None
        async with self._pushing:  # two at a time would make two rules
            if _has(self._pushed, guild.id, wanted) or (not anew and _has(self._refused, guild.id, wanted)):
                return Done()
            if guild.me is not None and not guild.me.guild_permissions.manage_guild:
                return Refused(lacking(["manage_guild"]))
            pushed = self._push(guild.id, wanted, say["discord.automod_audit"])
            outcome = await outcome_of(pushed, say, needs="manage_guild")
            (self._pushed if isinstance(outcome, Done) else self._refused)[guild.id] = wanted
            return outcome

    async def _push(self, guild_id: int, wanted: Mapping[str, Any] | None, reason: str) -> None:
        http, me = self.client.http, self.client.user
        rules = await http.get_auto_moderation_rules(guild_id)
        ours = [rule for rule in rules if me and int(rule["creator_id"]) == me.id]
        for rule in ours[1:] if wanted else ours:
            await http.delete_auto_moderation_rule(guild_id, rule["id"], reason=reason)
        if wanted and not ours:
            await http.create_auto_moderation_rule(guild_id, reason=reason, **wanted)
        elif wanted and not _is_as(wanted, ours[0]):
            await http.edit_auto_moderation_rule(guild_id, ours[0]["id"], reason=reason, **wanted)

    def is_news(self, execution: discord.AutoModAction) -> bool:
        """Whether this is the first word of a message that AutoMod has stopped. Discord tells of every action by
        itself; those that do not stop the message are no matter of ours: it arrives and is judged like any other."""
        if execution.action.type is not discord.AutoModRuleActionType.block_message:
            return False
        if execution.channel_id is None or not self.is_on(execution.guild_id):
            return False
        key, now = (execution.channel_id, execution.user_id, execution.content), self.clock.monotonic()
        at, rules = self._seen.get(key, (float("-inf"), set[int]()))
        if now - at < SAME and execution.rule_id not in rules:
            rules.add(execution.rule_id)
            return False
        self._seen[key] = (now, {execution.rule_id})
        return True

    def _policy(self, guild: discord.Guild) -> Policy:
        anybody = Message(
            ref=MessageRef(DISCORD, str(guild.id), "0"),
            community_id=str(guild.id),
            author=Author(id="0"),
            sent_at=self.clock.now(),
        )
        return self.desk.policy(anybody)


def _has(memory: Mapping[int, Mapping[str, Any] | None], guild_id: int, wanted: Mapping[str, Any] | None) -> bool:
    return guild_id in memory and memory[guild_id] == wanted


def _rule(words: WordList, policy: Policy, roles: list[str], channels: list[str]) -> Mapping[str, Any]:
    """The rule as Discord takes it. While a server only watches, it is there and does nothing."""
    told = texts(policy.language)["discord.automod_blocked"]
    return {
        "name": "지킴이 (Jikimi)",
        "event_type": _ON_SEND,
        "trigger_type": _KEYWORD,
        "trigger_metadata": {"keyword_filter": list(words.words), "allow_list": list(words.allowed)},
        "actions": [{"type": _BLOCK, "metadata": {"custom_message": told}}],
        "enabled": policy.mode is Watch.LIVE,
        "exempt_roles": roles,
        "exempt_channels": channels,
    }


def _is_as(wanted: Mapping[str, Any], rule: Mapping[str, Any]) -> bool:
    """Whether a rule that Discord has is the wanted one. Its name is the server's to change."""
    there, words = rule["trigger_metadata"], wanted["trigger_metadata"]
    return (
        all(list(there.get(key) or []) == words[key] for key in words)
        and [(one["type"], one.get("metadata")) for one in rule["actions"]]
        == [(one["type"], one["metadata"]) for one in wanted["actions"]]
        and rule["enabled"] == wanted["enabled"]
        and all(sorted(rule[key]) == sorted(wanted[key]) for key in ("exempt_roles", "exempt_channels"))
    )


def _exempt_roles(policy: Policy, guild: discord.Guild) -> list[str]:
    """Roles that no rule applies to, and those of moderators."""
    return [
        str(role.id)
        for role in guild.roles
        if not role.is_default()
        and (moderates(role.permissions) or not policy.exempt_roles.isdisjoint((str(role.id), role.name)))
        and not role.is_bot_managed()
    ]


def _exempt_channels(policy: Policy, guild: discord.Guild) -> list[str]:
    return [str(one.id) for one in guild.channels if policy.exempt_channels & (places(one) | {str(one.id)})]
