"""The bot's own place in a group changes -> the group is welcomed once; its moderators hear when the bot loses what it
needs."""

from dataclasses import dataclass, replace

from telegram import Bot, ChatMember, ChatMemberAdministrator, ChatMemberUpdated

from adapters.chat.telegram.limits import Lane, Limiter
from adapters.chat.telegram.members import NEEDED
from adapters.chat.telegram.moderators.asking import spoken
from adapters.chat.telegram.moderators.cards.board import CardBoard
from adapters.chat.telegram.moderators.rooms import Rooms
from adapters.chat.telegram.receiving.reading import GROUPS
from adapters.chat.telegram.refs import TELEGRAM, group_ref
from bot.core.base.clock import Clock
from bot.core.moderators.ports import Desk
from bot.core.text.catalogue import texts

SETTLES = 3.0  # seconds after which a group that was added as somebody's room is known as one

_OUTSIDE = (ChatMember.LEFT, ChatMember.BANNED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    bot: Bot
    limiter: Limiter
    cards: CardBoard
    rooms: Rooms
    desk: Desk
    clock: Clock

    async def changed(self, change: ChatMemberUpdated) -> None:
        if change.chat.type not in GROUPS:
            return
        if change.old_chat_member.status in _OUTSIDE and change.new_chat_member.status not in _OUTSIDE:
            await self._welcome(change)
        community = self.desk.community(group_ref(change.chat.id))
        is_out = change.new_chat_member.status in _OUTSIDE
        if is_out is (community.left_at is None) and (community.welcomed or community.has_settings):
            left = self.clock.now() if is_out else None
            await self.desk.change(community.ref, lambda now: replace(now, left_at=left), by="")
        if is_out:
            await self.rooms.tell(community, "telegram.removed", by=change.from_user.full_name)
            return
        had, has = _useful(change.old_chat_member), _useful(change.new_chat_member)
        self.cards.forgive(community.id)  # what is told once is told again when it happens again
        if lost := [right for right in NEEDED if right in had - has]:
            say = texts(community.language or "ko")
            problems = " ".join(say[f"telegram.missing.{right}"] for right in lost)
            await self.rooms.tell(community, "telegram.demoted", by=change.from_user.full_name, problems=problems)

    async def _welcome(self, change: ChatMemberUpdated) -> None:
        await self.clock.sleep(SETTLES)
        chat_id = str(change.chat.id)
        community = self.desk.community(group_ref(chat_id))
        is_room = any(one.moderators_channel == chat_id for one in self.desk.communities(TELEGRAM))
        if community.welcomed or is_room:
            return
        say = texts(community.language or spoken(change.from_user.language_code))
        async with self.limiter.turn(change.chat.id, Lane.NOTICE):
            await self.bot.send_message(change.chat.id, say["telegram.welcome"])
        name = change.chat.title or ""
        await self.desk.change(group_ref(chat_id), lambda now: replace(now, name=name, welcomed=True), by="")


def _useful(member: ChatMember) -> set[str]:
    """The rights of NEEDED that the bot has."""
    return {right for right in NEEDED if isinstance(member, ChatMemberAdministrator) and getattr(member, right)}
