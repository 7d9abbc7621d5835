"""Who has just come in -> may write words alone for as long as the community says; Telegram ends that by itself."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from telegram import Bot, ChatMember, ChatMemberRestricted, ChatMemberUpdated, ChatPermissions
from telegram.error import BadRequest, Forbidden

from adapters.chat.telegram.limits import SHORTEST_MUTE, Lane, Limiter
from adapters.chat.telegram.members import Members
from adapters.chat.telegram.receiving.joins import is_in
from adapters.chat.telegram.refs import group_ref
from bot.core.base.clock import Clock
from bot.core.moderators.ports import Desk
from bot.core.text.catalogue import Texts, texts

#: No pictures, files, voice, stickers, polls and previews of links; and nobody is brought along.
WORDS_ALONE = ChatPermissions(can_send_messages=True)

TOLD_APART = timedelta(minutes=1)  # at most, the two updates that tell of one who comes in


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomers:
    bot: Bot
    limiter: Limiter
    members: Members
    desk: Desk
    clock: Clock
    complain: Callable[[str, str, Texts], Awaitable[None]]  # of a community, what is the matter

    async def hear(self, change: ChatMemberUpdated) -> None:
        """Somebody's membership has changed."""
        community = self.desk.community(group_ref(change.chat.id))
        user, now = change.new_chat_member.user, self.clock.now()
        if not community.newcomers or change.new_chat_member.status != ChatMember.MEMBER or user.is_bot:
            return
        until = change.date.astimezone(UTC) + community.newcomers
        if is_in(change.old_chat_member) or until - now < SHORTEST_MUTE or await self._is_brought(change):
            return
        try:
            async with self.limiter.turn(change.chat.id, Lane.MODERATION):
                await self.bot.restrict_chat_member(
                    change.chat.id, user.id, WORDS_ALONE, until_date=until, use_independent_chat_permissions=True
                )
        except (BadRequest, Forbidden) as error:
            if "rights" in error.message.lower():
                say = texts(community.language or "ko")
                await self.complain(community.id, say["telegram.missing.can_restrict_members"], say)

    async def _is_brought(self, change: ChatMemberUpdated) -> bool:
        """By a moderator's own hand, who knows them; letting in who has asked is no such thing."""
        by = change.from_user.id
        if by in (change.new_chat_member.user.id, self.members.me) or change.via_join_request:
            return False
        return bool((await self.members.known_staff(change.chat.id)).role(by))


def has_just_come(
    member: ChatMemberRestricted, lasting: timedelta, now: datetime, *, since: datetime | None = None
) -> bool:
    """Whether a restriction is what newcomers of so long are given, and nothing that somebody has imposed. `since` when
    they are here, if that is known: then theirs ends so long after."""
    if not lasting or member.until_date is None or member.until_date.timestamp() == 0:
        return False
    if since and abs(member.until_date - since - lasting) > TOLD_APART:
        return False
    allowed = {name for name in ChatPermissions.__slots__ if getattr(member, name, False)}
    return allowed == {"can_send_messages"} and member.until_date <= now + lasting
