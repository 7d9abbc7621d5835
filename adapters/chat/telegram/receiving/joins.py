"""Changes of membership and service messages -> one message for each newcomer, with the name they bear.

In groups of more than about 10,000 members Telegram posts no "… joined the group" (T65), so that who joins is only seen
as a change of their membership. Elsewhere both come, in either order, and are one message.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from telegram import ChatMember, ChatMemberRestricted, ChatMemberUpdated

from adapters.chat.telegram.receiving.reading import Staff, newcomer
from bot.core.base.bounded import Bounded
from bot.core.chat.message import Message

REMEMBERED = 50_000  # members, and since when they are here

Member = tuple[str, str]  # chat, person


@dataclass(slots=True)
class Joins:
    """Since when members are here is known of those who joined while this process ran: Telegram tells it of nobody
    else."""

    _since: Bounded[Member, datetime] = field(default_factory=lambda: Bounded(REMEMBERED))
    _told: Bounded[Member, datetime] = field(default_factory=lambda: Bounded(REMEMBERED))  # by a service message

    def read(self, change: ChatMemberUpdated, staff: Staff, me: int) -> Sequence[Message]:
        """The newcomer, where somebody has come in and no service message has said so already."""
        user, at = change.new_chat_member.user, change.date.astimezone(UTC)
        came_in = is_in(change.new_chat_member) and not is_in(change.old_chat_member)
        if not came_in or user.id == me:
            return ()
        told = self._told.get((str(change.chat.id), str(user.id)))
        if told and abs(at - told).total_seconds() < 60:
            return ()
        return (newcomer(change.chat, user, at, staff, me),)

    def complete(self, message: Message) -> Message:
        """With since when its author is here, as far as it was seen. Everything that is read must come through here."""
        key = (message.ref.channel_id, message.author.id)
        if message.is_name:
            if "items" in message.extra:
                self._told[key] = message.sent_at
            since = self._since.get(key)
            if since and abs(message.sent_at - since).total_seconds() < 60:  # the same, told a second time
                message = replace(message, sent_at=max(message.sent_at, since))
            self._since[key] = message.sent_at
        since = self._since.get(key)
        return message if since is None else replace(message, author=replace(message.author, since=since))


def is_in(member: ChatMember) -> bool:
    """Whether somebody is in the group: a restricted member may be outside."""
    if isinstance(member, ChatMemberRestricted):
        return member.is_member
    return member.status not in (ChatMember.LEFT, ChatMember.BANNED)
