"""Planned actions -> the Bot API: deletions, mutes, bans and their undoing, and a word to the member."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from telegram import Bot, ChatMember, ChatPermissions, MessageEntity
from telegram.error import BadRequest, ChatMigrated, Forbidden

from adapters.telegram.deleting import Deletions
from adapters.telegram.errors import Lost
from adapters.telegram.limiting import Lane, Limiter
from adapters.telegram.members import Members
from adapters.telegram.reading import STAND_INS, is_channel, message_ids
from bot.domain.actions import (
    Answer,
    Ban,
    Delete,
    Done,
    Gone,
    Kick,
    Lift,
    Notice,
    Outcome,
    Refused,
    Restore,
    Retract,
    TellOwner,
    Timeout,
    Unconfirmed,
    Warn,
)
from bot.domain.incident import PlannedAction
from bot.errors import Unavailable
from bot.ports import Clock, Outbox
from bot.texts import Texts, texts
from bot.texts.cards import answer, told

DELETABLE = timedelta(hours=48)  # fact T26
SHORTEST_MUTE, LONGEST_MUTE = timedelta(seconds=31), timedelta(days=365)  # beyond 30 s and 366 d it is for ever (T28)
NOTICE_STAYS = timedelta(seconds=30)
ONE_WARNING = timedelta(minutes=1)  # a member who floods is told once
LONGEST = 4096  # UTF-16 units in a message

#: Answers that mean: it is not there any more.
_GONE = ("message to delete not found", "message_id_invalid", "participant_id_invalid", "user_not_participant",
         "user not found", "member not found", "message to edit not found")  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Hands:
    """Everything that the bot does to messages and members."""

    bot: Bot
    limiter: Limiter
    members: Members
    outbox: Outbox
    clock: Clock
    complain: Callable[[str, str, Texts], Awaitable[None]]  # of a community, what is the matter
    _deletions: Deletions = field(init=False)
    _warned: OrderedDict[tuple[int, str], datetime] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        self._deletions = Deletions(bot=self.bot, limiter=self.limiter)

    async def perform(self, planned: PlannedAction) -> Outcome:
        """Raises `ChatMigrated` where the group has another id by now."""
        say = texts(planned.language)
        chat_id, author_id = int(planned.message.community_id), planned.message.author.id
        harmless = isinstance(planned.action, Restore | Lift | Retract | Notice | TellOwner | Answer)
        # What a bot answers is deleted even where the bot is an admin; nothing else is done to it.
        of_bot = isinstance(planned.action, Delete) and planned.message.author.bot and planned.message.pairing
        if not harmless and not of_bot and await self._is_staff(chat_id, int(author_id)):
            return Refused(say["telegram.staff"])
        try:
            return await self._perform(planned, chat_id, say)
        except ChatMigrated:
            raise
        except (BadRequest, Forbidden) as error:
            if right := missing_right(error):
                await self.complain(planned.message.community_id, say("telegram.missing", rights=right), say)
            return answer_as_outcome(error, say)
        except Lost:
            if planned.action.repeatable:
                raise
            return Unconfirmed()

    async def _is_staff(self, chat_id: int, author_id: int) -> bool:
        """Asked again here, because somebody may be an admin since, or Telegram was away when the message was read."""
        return author_id in {chat_id, *STAND_INS} or bool((await self.members.staff(chat_id)).role(author_id))

    async def _perform(self, planned: PlannedAction, chat_id: int, say: Texts) -> Outcome:
        message = planned.message
        match planned.action:
            case Delete():
                if self.clock.now() - _first_sent(planned) > DELETABLE:
                    return Refused(say["telegram.too_old"])
                if not (ids := message_ids(message)):
                    return Refused(say["telegram.before_the_move"])
                await self._deletions.delete(chat_id, ids)
                return Done()
            case Retract(receipt=receipt):
                where, _, what = receipt.partition("/")
                if int(where) != chat_id:  # the group is a supergroup by now
                    return Gone()
                await self._deletions.delete(int(where), [int(what)])
                return Done()
            case Notice():
                reason = planned.reason.ko if say.language == "ko" else planned.reason.en
                return await self._say(chat_id, say("bots.notice", reason=reason), _topic(planned))
            case TellOwner(channel=channel):
                return await self._say(int(channel), told(planned, say), None)
            case Warn():
                return await self._warn(planned, chat_id, say)
            case Answer(accepted):
                if is_channel(message.author.id):
                    return Refused(say["telegram.not_there"])
                async with self.limiter.turn(int(message.author.id), Lane.NOTICE):
                    await self.bot.send_message(int(message.author.id), answer(planned, accepted, say))
                return Done()
            case Restore():
                return await self._restore(planned, chat_id, say)
            case Timeout() | Kick() | Ban() | Lift() as sanction:
                async with self.limiter.turn(chat_id, Lane.MODERATION):
                    if is_channel(message.author.id):
                        return await self._bar_channel(sanction, chat_id, int(message.author.id), say)
                    return await self._sanction(sanction, chat_id, int(message.author.id), say)
            case _:
                return Refused(planned.action.kind)

    # ---- sanctions --------------------------------------------------------------------------------------------------

    async def _sanction(self, action: Timeout | Kick | Ban | Lift, chat_id: int, user_id: int, say: Texts) -> Outcome:
        match action:
            case Timeout(lasting=lasting):
                until = self.clock.now() + min(max(lasting, SHORTEST_MUTE), LONGEST_MUTE)
                await self.bot.restrict_chat_member(
                    chat_id, user_id, ChatPermissions.no_permissions(), until_date=until,
                    use_independent_chat_permissions=True,
                )  # fmt: skip
            case Kick():  # unlike a ban it leaves the member's other messages alone and lets them come back (T30, T31)
                await self.bot.unban_chat_member(chat_id, user_id)
            case Ban():
                await self.bot.ban_chat_member(chat_id, user_id)
            case Lift():
                return await self._lift(chat_id, user_id)
        return Done()

    async def _lift(self, chat_id: int, user_id: int) -> Outcome:
        status = await self.members.status(chat_id, user_id)
        if status == ChatMember.BANNED:
            await self.bot.unban_chat_member(chat_id, user_id, only_if_banned=True)
        elif status == ChatMember.RESTRICTED:
            await self.bot.restrict_chat_member(chat_id, user_id, ChatPermissions.all_permissions())
        else:
            return Gone()
        return Done()

    async def _bar_channel(
        self, action: Timeout | Kick | Ban | Lift, chat_id: int, channel_id: int, say: Texts
    ) -> Outcome:
        """A channel can only be barred as a whole, and its owner with all their channels (T20)."""
        match action:
            case Ban():
                await self.bot.ban_chat_sender_chat(chat_id, channel_id)
                return Done()
            case Lift():
                await self.bot.unban_chat_sender_chat(chat_id, channel_id)
                return Done()
            case _:
                return Refused(say["telegram.channel"])

    async def _say(self, chat_id: int, text: str, topic: int | None) -> Outcome:
        async with self.limiter.turn(chat_id, Lane.NOTICE):
            sent = await self.bot.send_message(
                chat_id, cut(text, LONGEST), message_thread_id=topic, disable_notification=True
            )
        return Done(f"{chat_id}/{sent.message_id}")

    # ---- words ------------------------------------------------------------------------------------------------------

    async def _warn(self, planned: PlannedAction, chat_id: int, say: Texts) -> Outcome:
        """In private where the member has ever talked to the bot, else a short notice that takes itself away."""
        key = (chat_id, planned.message.author.id)
        if not self._first_in_a_while(key):
            return Done()
        try:
            return await self._tell(planned, chat_id, say)
        except Unavailable:
            self._warned.pop(key, None)
            raise

    async def _tell(self, planned: PlannedAction, chat_id: int, say: Texts) -> Outcome:
        author = planned.message.author
        reason = planned.reason.ko if say.language == "ko" else planned.reason.en
        facts = {"reason": reason, "incident": planned.incident_id, "name": author.name[:64]}
        if not is_channel(author.id):
            try:
                async with self.limiter.turn(int(author.id), Lane.NOTICE):
                    await self.bot.send_message(int(author.id), say("telegram.warning", **facts))
                return Done()
            except (BadRequest, Forbidden):
                pass  # they have never pressed Start
        posting = asyncio.ensure_future(self._post_notice(planned, chat_id, say("telegram.short_warning", **facts)))
        try:
            return await asyncio.shield(posting)
        except asyncio.CancelledError:  # we are stopping, but what is posted must be taken away again
            await asyncio.gather(posting, return_exceptions=True)
            raise

    async def _post_notice(self, planned: PlannedAction, chat_id: int, text: str) -> Outcome:
        async with self.limiter.turn(chat_id, Lane.NOTICE):
            sent = await self.bot.send_message(
                chat_id, text, message_thread_id=_topic(planned), disable_notification=True
            )
        receipt = f"{chat_id}/{sent.message_id}"
        await self._retract_later(planned.incident_id, receipt)
        return Done(receipt)

    async def _retract_later(self, incident_id: int, receipt: str) -> None:
        """Patiently: the notice is there, and must neither stay nor be posted again."""
        due = self.clock.now() + NOTICE_STAYS
        while True:
            try:
                return await self.outbox.plan(incident_id, [Retract(receipt)], due=due)
            except Unavailable:
                await self.clock.sleep(1.0)

    def _first_in_a_while(self, key: tuple[int, str]) -> bool:
        now = self.clock.now()
        while self._warned and next(iter(self._warned.values())) <= now - ONE_WARNING:
            self._warned.popitem(last=False)
        if key in self._warned:
            return False
        self._warned[key] = now
        return True

    async def _restore(self, planned: PlannedAction, chat_id: int, say: Texts) -> Outcome:
        message = planned.message
        head = say("telegram.restored", name=message.author.name or message.author.id) + "\n"
        text = cut(head + message.text, LONGEST)
        start = units(head)
        quoted = MessageEntity(MessageEntity.BLOCKQUOTE, offset=start, length=units(text) - start)
        async with self.limiter.turn(chat_id, Lane.NOTICE):
            sent = await self.bot.send_message(
                chat_id, text, entities=[quoted], message_thread_id=_topic(planned), disable_notification=True
            )
        return Done(f"{chat_id}/{sent.message_id}")


def missing_right(error: BadRequest | Forbidden) -> str | None:
    """The admin's right without which Telegram has refused; None where it has other reasons."""
    answer = error.message.lower()
    if "can't be deleted" in answer:
        return "can_delete_messages"
    if "not enough rights" in answer or "chat_admin_required" in answer:
        return "can_restrict_members"
    return None


def answer_as_outcome(error: BadRequest | Forbidden, say: Texts) -> Outcome:
    """What Telegram says about one chat, message or member, as an outcome; the reason says what to change."""
    answer = error.message.lower()
    if any(phrase in answer for phrase in _GONE):
        return Gone()
    if isinstance(error, Forbidden) or "chat not found" in answer:
        return Refused(say["telegram.not_there"])
    if right := missing_right(error):
        return Refused(say("telegram.missing", rights=right))
    if "administrator" in answer or "owner" in answer:
        return Refused(say["telegram.staff"])
    if "supergroup" in answer:
        return Refused(say["telegram.supergroups_only"])
    return Refused(say("telegram.refused", answer=error.message))


def units(text: str) -> int:
    """Length as Telegram counts: UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, most: int) -> str:
    """At most so many UTF-16 units."""
    if units(text) <= most:
        return text
    return text.encode("utf-16-le", "surrogatepass")[: 2 * (most - 1)].decode("utf-16-le", "ignore") + "…"


def _first_sent(planned: PlannedAction) -> datetime:
    """When the message was first sent, which an edit does not change."""
    if date := planned.message.extra.get("date"):
        return datetime.fromtimestamp(int(date), UTC)
    return planned.message.sent_at


def _topic(planned: PlannedAction) -> int | None:
    topic = planned.message.extra.get("topic")
    return int(topic) if topic else None
