"""A planned action -> why Discord would refuse it, so far as we know without asking: every 403 counts against us."""

from dataclasses import dataclass

import discord

from adapters.chat.discord.errors import lacking, missing_here
from adapters.chat.discord.moderators.asking import PERMISSION
from adapters.chat.discord.moderators.problems import Complaints
from adapters.chat.discord.receiving.reading import NAME, PARENT, TITLE, WEBHOOK
from bot.core.incidents.incident import PlannedAction
from bot.core.rules.actions import Delete, Notice, NotifyOwner, Restore, Unsanction


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why an action must not be tried, and what would have to be put right for it."""

    problem: str
    place: str = ""


def obstacle(planned: PlannedAction, guild: discord.Guild | None, complaints: Complaints) -> Obstacle | None:
    """What complaints there were about a right that we have by now are settled."""
    action, message = planned.action, planned.message
    sanctions = action.right is not None and action.right.is_over_members
    if (sanctions or isinstance(action, Unsanction)) and WEBHOOK in message.extra:
        return Obstacle("discord.no_member")
    if guild is None:
        return None
    if isinstance(action, Delete) and message.filtered is not None:
        return None
    if needed := _need(planned):
        permission, channel_id = needed
        place = f"{permission} {channel_id}"
        if absent := missing_here(guild, channel_id, [permission]):
            return Obstacle(lacking(absent), place)
        complaints.well(message.community_id, place)
    if _hides_name(planned) or (sanctions and planned.case is None):
        if int(message.author.id) == guild.owner_id:
            return Obstacle("discord.owner")
        mine = guild.me.top_role if guild.me else None
        theirs = max((role for role in guild.roles if str(role.id) in message.author.roles), default=guild.default_role)
        if mine is not None and theirs >= mine:
            return Obstacle("discord.above")
    return None


def _need(planned: PlannedAction) -> tuple[str, int] | None:
    """The permission that an action takes, and the channel in which."""
    message, here = planned.message, int(planned.message.ref.channel_id)
    if _hides_name(planned):
        return "manage_nicknames", int(message.community_id)
    match planned.action:
        case Delete() | Restore() if TITLE in message.extra:
            return "manage_threads", int(message.extra[TITLE])
        case Restore():
            return "manage_webhooks", int(message.extra.get(PARENT, here))
        case Notice():
            return "send_messages_in_threads" if PARENT in message.extra else "send_messages", here
        case NotifyOwner(channel=channel):
            return "send_messages", int(channel)
        case action if action.right:
            return PERMISSION[action.right], here
    return None


def _hides_name(planned: PlannedAction) -> bool:
    return NAME in planned.message.extra and isinstance(planned.action, Delete | Restore)
