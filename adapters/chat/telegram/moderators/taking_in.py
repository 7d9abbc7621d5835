"""Changes of a member's status -> cases: what admins, and other bots, have done with Telegram's own tools."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from telegram import ChatMember, ChatMemberBanned, ChatMemberRestricted, ChatMemberUpdated

from adapters.chat.telegram.receiving.joins import is_in
from adapters.chat.telegram.refs import group_ref
from bot.core.incidents.case import CaseKind, Order, Person, native
from bot.core.moderators.ports import Desk
from bot.core.rules.actions import Done


@dataclass(frozen=True, slots=True, kw_only=True)
class TakingIn:
    desk: Desk
    me: int

    async def hear(self, change: ChatMemberUpdated) -> None:
        """What we have done ourselves is on record already; who comes and goes does it alone."""
        before, after, by = change.old_chat_member, change.new_chat_member, change.from_user
        kind = _kind(before, after)
        if by.id in (self.me, after.user.id) or kind is None:
            return
        at, until = change.date.astimezone(UTC), _until(after)
        order = Order(
            kind=kind,
            member=Person(str(after.user.id), after.user.full_name),
            moderator=Person(str(by.id), by.full_name),
            at=at,
            actions=native(kind, until - at if until else timedelta()),
            done=Done(str(int(until.timestamp())) if until and kind is CaseKind.MUTE else ""),
        )
        await self.desk.deeds.take_in(group_ref(change.chat.id), order)


def _kind(before: ChatMember, after: ChatMember) -> CaseKind | None:
    """None: it is nothing that moderators count."""
    if after.status == ChatMember.BANNED:
        return CaseKind.BAN  # a second one, too: whoever takes the first back must not lift it
    if before.status == ChatMember.BANNED:
        return CaseKind.UNBAN
    if after.status == ChatMember.LEFT and is_in(before):
        return CaseKind.KICK
    same = not _is_silent(after) or _until(after) == _until(before)
    if (_is_silent(after) is _is_silent(before) and same) or not is_in(after):
        return None
    return CaseKind.MUTE if _is_silent(after) else CaseKind.UNMUTE


def _is_silent(member: ChatMember) -> bool:
    return isinstance(member, ChatMemberRestricted) and not member.can_send_messages


def _until(member: ChatMember) -> datetime | None:
    """None: for good."""
    until = member.until_date if isinstance(member, ChatMemberRestricted | ChatMemberBanned) else None
    return until if until and until.timestamp() > 0 else None
