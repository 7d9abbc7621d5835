"""Who is who in a chat: admins and the linked channel, remembered for a while; and what somebody may do there, which is
asked of Telegram anew each time."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog
from telegram import Bot, ChatMember, ChatMemberAdministrator, ChatMemberOwner, ChatMemberUpdated, User
from telegram.error import BadRequest, ChatMigrated, Forbidden

from adapters.chat.telegram.limits import Lane, Limiter
from adapters.chat.telegram.receiving.reading import Staff, role_word
from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.base.errors import BotError, Unavailable
from bot.core.chat.rights import Right

KEEP = 300.0  # seconds that a chat's admins are remembered where nobody tells of changes
KEEP_WHERE_TOLD = 7200.0  # where we are an admin ourselves, every change of them arrives as an update
ASKS = 8  # chats that are asked about at once, so that a start with many groups keeps nobody waiting
MOST_UNKNOWN = 200  # chats that are asked about because of one person
FIRST_ANSWER = 1.0  # seconds that messages of a chat wait for its admins the first time
REMEMBERED = 10_000  # members whom another admin restricts

_log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Members:
    bot: Bot
    limiter: Limiter
    clock: Clock
    me: int
    hears: bool = True  # of changes, where we are an admin
    _staff: dict[int, tuple[float, Staff]] = field(default_factory=dict)
    _held: Bounded[tuple[int, int], None] = field(default_factory=lambda: Bounded(REMEMBERED))  # by other admins
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
            _log.warning("admins of a chat not known", chat=chat_id, reason=error)
        finally:
            del self._renewals[chat_id]

    def _keeps(self, known: Staff) -> float:
        return KEEP_WHERE_TOLD if self.hears and self.me in known.roles else KEEP

    async def _staff_kept(self, share: float, chat_id: int) -> Staff:
        """Not older than this share of how long they are kept."""
        async with self._asking.setdefault(chat_id, asyncio.Lock()):
            asked_at, known = self._staff.get(chat_id, (0.0, None))
            if known and self.clock.monotonic() - asked_at < share * self._keeps(known):
                return known
            while True:
                changes = self._changes[chat_id]
                try:
                    found = await self._ask(chat_id) or known or Staff()
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

    async def _ask(self, chat_id: int) -> Staff | None:
        """None where Telegram refuses to say."""
        try:
            async with self.limiter.turn(chat_id, Lane.MODERATION):
                administrators, chat = await asyncio.gather(
                    self.bot.get_chat_administrators(chat_id, return_bots=True), self.bot.get_chat(chat_id)
                )
        except (BadRequest, Forbidden):
            return None
        return Staff.of(administrators, chat.linked_chat_id)

    async def administrators(self, chat_id: int) -> Sequence[ChatMember]:
        """The people among the admins, as they are now."""
        try:
            async with self.limiter.turn(chat_id, Lane.MODERATION):
                return [one for one in await self.bot.get_chat_administrators(chat_id) if not one.user.is_bot]
        except (BadRequest, Forbidden):
            return ()

    async def groups_of(self, user_id: int, among: Sequence[int]) -> Sequence[int]:
        """The chats that somebody was last seen to be an admin of; of `among` those, too, that this process has not
        asked about yet. What they may do there is to be asked."""
        unknown = [chat_id for chat_id in among if chat_id not in self._staff][:MOST_UNKNOWN]
        await asyncio.gather(*map(self.known_staff, unknown))
        return [chat_id for chat_id, (_, staff) in self._staff.items() if staff.role(user_id)]

    async def owner(self, chat_id: int) -> User | None:
        return next((one.user for one in await self.administrators(chat_id) if one.status == ChatMember.OWNER), None)

    async def rights(self, chat_id: int, user_id: int) -> frozenset[Right]:
        """What somebody may do in a chat, asked of Telegram now; nothing where they are no admin, or only in title."""
        return _rights(await self.member(chat_id, user_id))

    async def rights_of_anonymous(self, chat_id: int, title: str | None) -> frozenset[Right]:
        """What every admin may do who writes without a name and under this title: Telegram does not tell which of them
        it is."""
        hidden = [one for one in await self.administrators(chat_id) if getattr(one, "is_anonymous", False)]
        entitled = [one for one in hidden if (getattr(one, "custom_title", None) or "") == (title or "")] or hidden
        return frozenset.intersection(*map(_rights, entitled)) if entitled else frozenset()

    async def missing_rights(self, chat_id: int) -> tuple[str, ...]:
        """What the bot lacks in a chat, as Telegram names the rights."""
        member = await self.member(chat_id, self.me)
        if isinstance(member, ChatMemberAdministrator):
            return tuple(right for right in NEEDED if not getattr(member, right))
        return NEEDED

    async def member(self, chat_id: int, user_id: int) -> ChatMember | None:
        """As Telegram sees them now; None where it does not say."""
        try:
            async with self.limiter.turn(chat_id, Lane.MODERATION):
                return await self.bot.get_chat_member(chat_id, user_id)
        except (BadRequest, Forbidden):
            return None

    def is_held_by_others(self, chat_id: int, user_id: int) -> bool:
        """Whether the last to restrict or ban somebody was another admin, as far as we heard. Of a restriction under
        which a member still writes nothing else tells: it is no case."""
        return (chat_id, user_id) in self._held

    def hear(self, change: ChatMemberUpdated) -> None:
        """Somebody's status changed. Who merely comes or goes was and is nobody's admin."""
        if role_word(change.old_chat_member) or role_word(change.new_chat_member):
            self.forget(change.chat.id)
        key = (change.chat.id, change.new_chat_member.user.id)
        self._held.pop(key, None)
        if change.from_user.id != self.me and change.new_chat_member.status in (
            ChatMember.RESTRICTED,
            ChatMember.BANNED,
        ):
            self._held[key] = None

    def forget(self, chat_id: int) -> None:
        self._changes[chat_id] += 1
        self._staff.pop(chat_id, None)


def _rights(member: ChatMember | None) -> frozenset[Right]:
    """As bot/core/moderators/permissions.py tells which of Telegram's rights are meant."""
    if isinstance(member, ChatMemberOwner):
        return frozenset(Right)
    if not isinstance(member, ChatMemberAdministrator):
        return frozenset()
    rights = {Right.DELETE} if member.can_delete_messages else set()
    if member.can_restrict_members:
        rights |= {Right.MUTE, Right.KICK, Right.BAN}
        if member.can_change_info:
            rights.add(Right.MANAGE)
    return frozenset(rights | {Right.REVIEW}) if rights else frozenset()


#: The admin rights that the bot asks for, and uses.
NEEDED = ("can_delete_messages", "can_restrict_members")
