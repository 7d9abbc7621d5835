"""Who is who in a chat: admins and the linked channel, asked for when needed and remembered for a while."""

import asyncio
from dataclasses import dataclass, field

import structlog
from telegram import Bot, ChatMember, ChatMemberAdministrator
from telegram.error import BadRequest, ChatMigrated, Forbidden

from adapters.telegram.limiting import Lane, Limiter
from adapters.telegram.reading import Staff, role_word
from bot.errors import Unavailable
from bot.ports import Clock

KEEP = 300.0  # seconds that a chat's admins are remembered; a change arrives as an update anyway
KEEP_PRESSER = 15.0  # seconds that somebody who presses buttons is remembered as an admin or not

_log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Members:
    bot: Bot
    limiter: Limiter
    clock: Clock
    _staff: dict[int, tuple[float, Staff]] = field(default_factory=dict)
    _pressers: dict[tuple[int, int], tuple[float, bool]] = field(default_factory=dict)
    _asking: dict[int, asyncio.Lock] = field(default_factory=dict)

    async def staff(self, chat_id: int) -> Staff:
        """Nobody, where the bot is not in the chat any more. Raises `Unavailable` where nothing is known yet, and
        `ChatMigrated`."""
        async with self._asking.setdefault(chat_id, asyncio.Lock()):
            asked_at, known = self._staff.get(chat_id, (0.0, None))
            if known and self.clock.monotonic() - asked_at < KEEP:
                return known
            try:
                found = await self._ask(chat_id)
            except Unavailable:
                if known:
                    return known
                raise
            self._staff[chat_id] = (self.clock.monotonic(), found)
            return found

    async def known_staff(self, chat_id: int) -> Staff:
        """The same for reading, which does not wait: what is not known now is looked up again before anything is
        done to anybody."""
        try:
            return await self.staff(chat_id)
        except ChatMigrated:
            return Staff()
        except Unavailable as error:
            _log.warning("admins of a chat not known", chat=chat_id, reason=str(error))
            return Staff()

    async def _ask(self, chat_id: int) -> Staff:
        try:
            async with self.limiter.turn(chat_id, Lane.MODERATION):
                administrators, chat = await asyncio.gather(
                    self.bot.get_chat_administrators(chat_id, return_bots=True), self.bot.get_chat(chat_id)
                )
        except (BadRequest, Forbidden):
            return Staff()
        return Staff.of(administrators, chat.linked_chat_id)

    async def is_admin(self, chat_id: int, user_id: int) -> bool:
        """Asked of Telegram itself, at most a few seconds ago."""
        asked_at, known = self._pressers.get((chat_id, user_id), (0.0, False))
        if asked_at and self.clock.monotonic() - asked_at < KEEP_PRESSER:
            return known
        member = await self._member(chat_id, user_id)
        known = member is not None and bool(role_word(member))
        self._pressers[chat_id, user_id] = (self.clock.monotonic(), known)
        return known

    async def status(self, chat_id: int, user_id: int) -> str:
        """ChatMember.status; "" where Telegram does not say."""
        member = await self._member(chat_id, user_id)
        return member.status if member else ""

    async def missing_rights(self, chat_id: int, me: int) -> tuple[str, ...]:
        """What the bot lacks in a chat, as Telegram names the rights."""
        member = await self._member(chat_id, me)
        if isinstance(member, ChatMemberAdministrator):
            return tuple(right for right in NEEDED if not getattr(member, right))
        return NEEDED

    async def _member(self, chat_id: int, user_id: int) -> ChatMember | None:
        try:
            async with self.limiter.turn(chat_id, Lane.MODERATION):
                return await self.bot.get_chat_member(chat_id, user_id)
        except (BadRequest, Forbidden):
            return None

    def forget(self, chat_id: int) -> None:
        """Somebody's status changed."""
        self._staff.pop(chat_id, None)
        for key in [key for key in self._pressers if key[0] == chat_id]:
            del self._pressers[key]


#: The admin rights that the bot asks for, and uses.
NEEDED = ("can_delete_messages", "can_restrict_members")
