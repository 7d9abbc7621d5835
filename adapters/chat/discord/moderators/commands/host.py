"""What a command asks of Discord about the server in which it was asked -> what the bot lacks there, whom it tells,
what its AutoMod does."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import discord
import structlog

from adapters.chat.discord.errors import OUT_OF_REACH, missing, missing_here
from adapters.chat.discord.manner import GuildManner
from adapters.chat.discord.moderators.asking import said_in
from adapters.chat.discord.moderators.automod import NativeAutoMod
from adapters.chat.discord.moderators.commands.reach import closed, over, recent
from adapters.chat.discord.moderators.setup import ROOM_NEEDS, ROOMS, unheard
from adapters.chat.discord.receiving.reading import places
from adapters.chat.discord.refs import guild_ref
from bot.core.chat.message import Message
from bot.core.communities.community import Community
from bot.core.incidents.case import CaseKind
from bot.core.moderators.answer import Channel, Lines, Member, Said, said
from bot.core.moderators.ports import Desk
from bot.core.rules import conditions
from bot.core.rules.actions import Lock, Means, Refused
from bot.core.rules.policy import Policy
from bot.core.text.catalogue import Texts, texts_on
from bot.wording.answered import lines

_log = structlog.get_logger(__name__)

MOST_SHOWN = 20  # channels

_NEEDED = (
    "view_channel", "connect", "read_message_history", "send_messages", "send_messages_in_threads", "embed_links",
    "attach_files", "manage_messages", "manage_threads", "manage_webhooks", "moderate_members", "kick_members",
    "ban_members", "view_audit_log",
)  # fmt: skip


def needed(*, member_names: bool) -> tuple[str, ...]:
    """What the bot needs in a server, in the order in which it is explained."""
    return (*_NEEDED, "manage_nicknames") if member_names else _NEEDED


@dataclass(slots=True, kw_only=True)
class GuildHost:
    """`Host` in one server. In private there is none, and no command there asks for anything."""

    here: discord.Guild | None
    client: discord.Client
    desk: Desk
    automod: NativeAutoMod
    say: Texts
    at: datetime
    member_names: bool
    by: discord.Member | discord.User
    channel_id: int
    has_native_filter: bool = True
    restricts_newcomers: bool = False
    first_means: Means = Means.JOINING
    locks_apart: bool = True

    async def problems(self) -> Sequence[str]:
        guild, say = self.guild, self.say
        wanted = needed(member_names=self.member_names)
        channels = (*guild.text_channels, *guild.forums, *guild.voice_channels)
        gaps = {
            channel.id: lacking
            for channel in channels
            if (lacking := missing_here(guild, channel.id, [name for name in wanted if _matters(name, channel)]))
        }
        lacking_somewhere = {name for lacking in gaps.values() for name in lacking}
        told = [*self._rooms_lacking()]
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
        if unknown := _unknown_channels(guild, self._policy):
            told.append(say("discord.unknown_channels", names=", ".join(unknown)))
        told = told or [say["discord.all_permissions"]]
        return told if self.member_names else [*told, say["discord.names_not_read"]]

    def _rooms_lacking(self) -> Iterator[str]:
        """What stands in the way of cards, reports and urgent calls: the first thing to put right."""
        guild, say, settings = self.guild, self.say, self._community
        for key in ROOMS:
            room, what = getattr(settings, key), say[f"setting.{key.removesuffix('_channel')}"]
            if room and guild.get_channel(int(room)) is None:
                yield say("discord.room_gone", what=what)
            elif room and (lacking := missing_here(guild, int(room), [*ROOM_NEEDS])):
                yield say("discord.room_cannot", what=what, room=f"<#{room}>", missing=missing(lacking, say))
        if settings.moderators_channel is None:
            yield say["discord.no_channel"]
        roles = [role for one in settings.urgent if (role := guild.get_role(int(one)))]
        yield from unheard(guild, settings.moderators_channel, roles, say)

    async def tell_moderators(self, said: Said) -> None:
        if (room := self._community.moderators_channel) is None:
            return
        timezone = self.desk.schedule(guild_ref(self.guild.id)).timezone
        manner = GuildManner(texts_on("discord", self._policy.language), timezone, self.at, self.guild)
        try:
            await self.client.get_partial_messageable(int(room)).send(lines(Lines.of(said), manner))
        except OUT_OF_REACH as error:
            _log.warning("moderators not told of a change", guild=self.guild.id, error=type(error).__name__)

    async def obstacle(self, channel: Channel) -> Said | None:
        if lacking := missing_here(self.guild, int(channel.id), [*ROOM_NEEDS[:2]]):
            return said("discord.room_lacks", channel=channel, missing=missing(lacking, self.say))
        return None

    async def obstacle_over(self, member: Member, kind: CaseKind) -> Said | None:
        return await over(self.guild, self.by, int(member.id), kind)

    async def lately(self, most: int, member: Member | None, since: Message | None) -> Sequence[str] | Said:
        if lacking := missing_here(self.guild, self.channel_id, ["read_message_history", "manage_messages"]):
            return said("deed.lacks", why=missing(lacking, self.say))
        return await recent(self.client, self.channel_id, most, member, since)

    def obstacle_to_filter(self) -> Said | None:
        if self.guild.me is not None and not self.guild.me.guild_permissions.manage_guild:
            return said("discord.automod_refused", why=missing(["manage_guild"], self.say))
        return None

    async def follow_filter(self) -> Sequence[Said]:
        outcome = await self.automod.follow(self.guild, self.say)
        if isinstance(outcome, Refused):
            return [said("discord.automod_refused", why=outcome)]
        if not self._community.native_filter:
            return [said("discord.automod_off")]
        words = self.automod.words(self.guild)
        told = [said("discord.automod_on", count=len(words.words))]
        return [*told, said("discord.automod_ours", rules=tuple(words.ours))] if words.ours else told

    async def obstacle_to_lock(self, lock: Lock) -> Said | None:
        return closed(self.guild, self.by, lock, self.say)

    async def obstacles_to_gate(self) -> Sequence[Said]:
        raise NotImplementedError("Discord has a gate of its own")

    @property
    def guild(self) -> discord.Guild:
        assert self.here is not None
        return self.here

    @property
    def _community(self) -> Community:
        return self.desk.community(guild_ref(self.guild.id))

    @property
    def _policy(self) -> Policy:
        return self.desk.policy(said_in(str(self.guild.id), ""))


def _matters(permission: str, channel: object) -> bool:
    """Whether the bot would ever use this permission in a channel of this kind."""
    if isinstance(channel, discord.VoiceChannel):
        return permission != "send_messages_in_threads"  # voice channels have no threads
    if isinstance(channel, discord.TextChannel) and channel.is_news():
        return permission not in ("connect", "send_messages")  # members do not write there, and neither do we
    return permission != "connect"


def _unknown_channels(guild: discord.Guild, policy: Policy) -> list[str]:
    """Names of channels in the configuration that no channel here bears."""
    named = {*policy.exempt_channels, *(name for rule in policy.rules for name in rule.exempt_channels)}
    asked = (one for rule in policy.rules for one in rule.when if isinstance(one, conditions.Channel))
    named |= {name for one in asked for name in one.any_of}
    known = {place for channel in guild.channels for place in places(channel)}
    return sorted(name for name in named - known if not name.isdigit())
