"""Who is who in a chat: admins and the linked channel, asked for when needed and remembered for a while."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

import structlog
from telegram import Bot, ChatMember, ChatMemberAdministrator, ChatMemberUpdated
from telegram.error import BadRequest, ChatMigrated, Forbidden

from adapters.telegram.limiting import Lane, Limiter
from adapters.telegram.reading import Staff, role_word
from bot.errors import BotError, Unavailable
from bot.ports import Clock

KEEP = 300.0  # seconds that a chat's admins are remembered where nobody tells of changes
KEEP_WHERE_TOLD = 7200.0  # where we are an admin ourselves, every change of them arrives as an update
ASKS = 8  # chats that are asked about at once, so that a start with many groups keeps nobody waiting
FIRST_ANSWER = 1.0  # seconds that messages of a chat wait for its admins the first time
KEEP_PRESSER = 15.0  # seconds that somebody who presses buttons is remembered as an admin or not

_log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Members:
    bot: Bot
    limiter: Limiter
    clock: Clock
    me: int
    _staff: dict[int, tuple[float, Staff]] = field(default_factory=dict)
    _pressers: dict[tuple[int, int], tuple[float, bool]] = field(default_factory=dict)
    _asking: dict[int, asyncio.Lock] = field(default_factory=dict)
    _changes: Counter[int] = field(default_factory=Counter)  # of a chat's admins, that updates have told of
    _renewals: dict[int, "asyncio.Task[None]"] = field(default_factory=dict)
    _asks: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(ASKS))

    async def staff(self, chat_id: int) -> Staff:
        """Nobody, where the bot is not in the chat any more. Raises `Unavailable` where nothing is known yet, and
        `ChatMigrated`."""
        return await self._staff_kept(1.0, chat_id)

    async def known_staff(self, chat_id: int) -> Staff:
        """The same for reading, which hardly waits, or every chat would wait for the slowest: what is not known by then
        is looked up again before anything is done to anybody."""
        asked_at, known = self._staff.get(chat_id, (0.0, None))
        if known and self.clock.monotonic() - asked_at < self._keeps(known) / 2:
            return known
        if (asking := self._renewals.get(chat_id)) is None:
            asking = self._renewals[chat_id] = asyncio.create_task(self._renew(chat_id))
            if known is None:
                await asyncio.wait([asking], timeout=FIRST_ANSWER)
        return self._staff.get(chat_id, (0.0, Staff()))[1]

    async def _renew(self, chat_id: int) -> None:
        try:
            async with self._asks:
                await self._staff_kept(0.5, chat_id)
        except ChatMigrated:
            pass  # the group's own message tells
        except BotError as error:
            _log.warning("admins of a chat not known", chat=chat_id, reason=str(error))
        finally:
            del self._renewals[chat_id]

    def _keeps(self, known: Staff) -> float:
        return KEEP_WHERE_TOLD if self.me in known.roles else KEEP

    async def _staff_kept(self, share: float, chat_id: int) -> Staff:
        """Not older than this share of how long they are kept."""
        async with self._asking.setdefault(chat_id, asyncio.Lock()):
            asked_at, known = self._staff.get(chat_id, (0.0, None))
            if known and self.clock.monotonic() - asked_at < share * self._keeps(known):
                return known
            while True:
                changes = self._changes[chat_id]
                try:
                    found = await self._ask(chat_id)
                except Unavailable:
                    if known:
                        return known
                    raise
                if changes == self._changes[chat_id]:  # or the answer may be older than what we heard meanwhile
                    self._staff[chat_id] = (self.clock.monotonic(), found)
                    return found
                known = None

    async def close(self) -> None:
        renewals = list(self._renewals.values())
        for renewal in renewals:
            renewal.cancel()
        await asyncio.gather(*renewals, return_exceptions=True)

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

    def hear(self, change: ChatMemberUpdated) -> None:
        """Somebody's status changed. Who merely comes or goes was and is nobody's admin."""
        if role_word(change.old_chat_member) or role_word(change.new_chat_member):
            self.forget(change.chat.id)

    def forget(self, chat_id: int) -> None:
        self._changes[chat_id] += 1
        self._staff.pop(chat_id, None)
        for key in [key for key in self._pressers if key[0] == chat_id]:
            del self._pressers[key]


#: The admin rights that the bot asks for, and uses.
NEEDED = ("can_delete_messages", "can_restrict_members")
