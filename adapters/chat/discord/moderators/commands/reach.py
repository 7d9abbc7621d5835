"""Who asks, and a member or messages -> whether Discord would let them do something to that themselves."""

from collections.abc import Sequence

import discord

from adapters.chat.discord.acting.deletions import TOO_OLD
from adapters.chat.discord.errors import OUT_OF_REACH, missing
from adapters.chat.discord.moderators.asking import rights_of
from bot.core.base.errors import Unavailable
from bot.core.chat.message import Message
from bot.core.incidents.case import CaseKind
from bot.core.moderators.answer import Member, Said, said
from bot.core.rules.actions import Lock, Means
from bot.core.text.catalogue import Texts

SCANNED = 500  # messages among which a member's are looked for

#: What Discord asks for each way to lock.
TO_LOCK = {
    Means.JOINING: ("manage_guild",), Means.WRITING: ("manage_roles",), Means.SLOW: ("manage_channels",),
    Means.VERIFYING: ("manage_guild",), Means.ONBOARDING: ("manage_guild", "manage_roles"),
}  # fmt: skip
#: What is done to nobody: it is about words alone.
_HARMLESS = (CaseKind.NOTE, CaseKind.PURGE)
#: What is done to members who need not be there.
_FROM_AFAR = (CaseKind.BAN, CaseKind.UNBAN)
_LIFTS = (CaseKind.UNMUTE, CaseKind.UNBAN)


def closed(guild: discord.Guild, by: discord.Member | discord.User, lock: Lock, say: Texts) -> Said | None:
    """See `Host.obstacle_to_lock`: it takes of who asks, and of the bot, what Discord asks for it."""
    if lock.channel and lock.means not in (Means.SLOW, Means.WRITING):
        return said("lock.whole_server")
    here, names = guild.get_channel(int(lock.channel)) if lock.channel else None, TO_LOCK[lock.means]
    for who in (by, guild.me):
        if not isinstance(who, discord.Member):
            continue
        granted = here.permissions_for(who) if here else who.guild_permissions
        if lacking := [name for name in names if not getattr(granted, name)]:
            if who is by:
                return said("discord.needs_right", permissions=", ".join(say[f"permission.{name}"] for name in lacking))
            return said("deed.lacks", why=missing(lacking, say))
    return None


async def over(guild: discord.Guild, by: discord.Member | discord.User, member_id: int, kind: CaseKind) -> Said | None:
    """See `Host.obstacle_over`."""
    if kind in _HARMLESS:
        return None
    if member_id == by.id:
        return said("deed.yourself")
    if guild.me is not None and member_id == guild.me.id:
        return said("deed.bot")
    if member_id == guild.owner_id:
        return said("deed.staff")
    try:
        member = await guild.fetch_member(member_id)
    except discord.NotFound:
        return None if kind in _FROM_AFAR else said("deed.nobody")
    except OUT_OF_REACH as error:
        raise Unavailable("a member cannot be asked for ({why})", why=type(error).__name__) from error
    if rights_of(member) and kind not in _LIFTS:
        return said("deed.staff")
    is_above = by.id == guild.owner_id or (isinstance(by, discord.Member) and by.top_role > member.top_role)
    return None if is_above else said("deed.above")


async def recent(
    client: discord.Client, channel_id: int, most: int, member: Member | None, since: Message | None
) -> Sequence[str] | Said:
    """See `Host.lately`: what Discord deletes in bulk, which nothing that is older than two weeks is."""
    oldest = discord.utils.utcnow() - TOO_OLD
    if since is not None and since.sent_at > oldest:
        after: discord.abc.Snowflake = discord.Object(int(since.ref.message_id) - 1)
    else:
        after = discord.Object(discord.utils.time_snowflake(oldest))
    history = client.get_partial_messageable(channel_id).history(
        limit=most if member is None else SCANNED, after=after, oldest_first=since is not None
    )
    try:
        found = [str(one.id) async for one in history if member is None or str(one.author.id) == member.id]
    except (discord.Forbidden, discord.NotFound):
        return said("deed.no_messages")
    except OUT_OF_REACH as error:
        raise Unavailable("a channel cannot be read ({why})", why=type(error).__name__) from error
    return found[:most]
