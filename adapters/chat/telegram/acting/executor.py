"""Planned actions -> the Bot API: deletions, mutes, bans and their undoing, and a word to the member."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import assert_never

from telegram import Bot, MessageEntity, User
from telegram.error import BadRequest, ChatMigrated, Forbidden

from adapters.chat.telegram.acting.caring import care
from adapters.chat.telegram.acting.deletions import Deletions
from adapters.chat.telegram.acting.doors import Doors
from adapters.chat.telegram.acting.informing import inform
from adapters.chat.telegram.acting.sanctions import Sanctions
from adapters.chat.telegram.acting.warning import Warnings
from adapters.chat.telegram.errors import Lost
from adapters.chat.telegram.limits import Lane, Limiter
from adapters.chat.telegram.members import Members
from adapters.chat.telegram.receiving.reading import STAND_INS, is_channel, message_ids
from adapters.chat.telegram.text import LONGEST, Place, cut, place_of, units
from bot.core.base.clock import Clock
from bot.core.incidents.incident import PlannedAction
from bot.core.moderators.ports import Desk
from bot.core.rules.actions import (
    Answer,
    Ban,
    Care,
    Delete,
    DeletePost,
    Done,
    Escalate,
    Flag,
    Gone,
    Inform,
    Kick,
    Lock,
    Notice,
    NotifyOwner,
    Outcome,
    Purge,
    Refused,
    Restore,
    Timeout,
    Unconfirmed,
    Unlock,
    Unsanction,
    Warn,
)
from bot.core.text.catalogue import Texts, noted, texts_on
from bot.wording.cards import answer, told

DELETABLE = timedelta(hours=48)  # fact T26

#: Answers that mean: it is not there any more.
_GONE = ("message to delete not found", "message_id_invalid", "participant_id_invalid", "user_not_participant",
         "user not found", "member not found", "message to edit not found")  # fmt: skip

_MAY_NOT_WRITE = ("rights to send", "chat_write_forbidden", "topic_closed", "chat_restricted")


@dataclass(slots=True, kw_only=True)
class Executor:
    """Everything that the bot does to messages and members."""

    bot: Bot
    limiter: Limiter
    members: Members
    desk: Desk
    clock: Clock
    complain: Callable[[str, str, Texts], Awaitable[None]]  # of a community, what is the matter
    warnings: Warnings
    deletions: Deletions = field(init=False)

    def __post_init__(self) -> None:
        self.deletions = Deletions(bot=self.bot, limiter=self.limiter)

    async def perform(self, planned: PlannedAction) -> Outcome:
        """Raises `ChatMigrated` where the group has another id by now."""
        say = texts_on("telegram", planned.language)
        chat_id, author_id = int(planned.message.community_id), planned.message.author.id
        # What a bot answers is deleted even where the bot is an admin; nothing else is done to it.
        of_bot = isinstance(planned.action, Delete) and planned.message.author.bot and planned.message.pairing
        # That of somebody who was staff when they wrote is deleted by a moderator's press alone.
        pressed = isinstance(planned.action, Delete) and planned.message.author.is_staff
        if planned.action.user_visible and not of_bot and not pressed and await self._is_staff(chat_id, int(author_id)):
            return Refused("telegram.staff")
        try:
            return await self._perform(planned, chat_id, say)
        except ChatMigrated:
            raise
        except (BadRequest, Forbidden) as error:
            if right := missing_right(error):
                await self.complain(planned.message.community_id, say[f"telegram.missing.{right}"], say)
            return answer_as_outcome(error)
        except Lost:
            if planned.action.repeatable:
                raise
            return Unconfirmed()

    async def _is_staff(self, chat_id: int, author_id: int) -> bool:
        """Asked again here, because somebody may be an admin since, or Telegram was away when the message was read."""
        return author_id in {chat_id, *STAND_INS} or bool((await self.members.staff(chat_id)).role(author_id))

    async def _perform(self, planned: PlannedAction, chat_id: int, say: Texts) -> Outcome:
        message, action = planned.message, planned.action
        match action:
            case Delete():
                if self.clock.now() - _first_sent(planned) > DELETABLE:
                    return Refused("telegram.too_old")
                if not (ids := message_ids(message)):
                    return Gone() if message.is_name else Refused("telegram.before_the_move")
                await self.deletions.delete(chat_id, ids)
                return Refused("telegram.stays") if "stays" in message.extra else Done()
            case Purge(messages):
                await self.deletions.delete(chat_id, [int(one) for one in messages.split(",")])
                return Done()
            case DeletePost(receipt=receipt):
                where, _, what = receipt.partition("/")
                if where not in (str(chat_id), self.desk.community(message.community).moderators_channel):
                    return Gone()
                await self.deletions.delete(int(where), [int(what)])
                return Done()
            case Notice():
                reason = planned.reason.in_(say.language)
                return await self._say(chat_id, say("bots.notice", reason=reason), place_of(planned))
            case NotifyOwner(channel=channel):
                if not re.fullmatch(r"-?\d{1,18}", channel, re.ASCII):
                    return Refused(noted("telegram.no_chat_of_that_name", given=channel))
                return await self._say(int(channel), told(planned, say), Place())
            case Warn():
                return await self.warnings.warn(planned, chat_id, say)
            case Care():
                return await care(self.bot, self.limiter, planned, say)
            case Inform() as given:
                return await inform(self.bot, self.limiter, self.desk, planned, given, say)
            case Answer() as given:
                if is_channel(message.author.id):
                    return Refused("telegram.not_there")
                async with self.limiter.turn(int(message.author.id), Lane.NOTICE):
                    await self.bot.send_message(int(message.author.id), answer(planned, given, say))
                return Done()
            case Restore():
                return await self._restore(planned, chat_id, say)
            case Timeout() | Kick() | Ban() | Unsanction():
                sanctions = Sanctions(
                    bot=self.bot, limiter=self.limiter, members=self.members, desk=self.desk, clock=self.clock
                )
                return await sanctions.perform(planned, action, chat_id)
            case Lock() as lock:
                return await Doors(self.bot, self.limiter).lock(chat_id, planned, lock, self.clock.now())
            case Unlock() as unlock:
                return await Doors(self.bot, self.limiter).unlock(chat_id, unlock)
            case Flag() | Escalate():
                return Refused(action.kind)  # whoever has the cards shows them
            case _:
                assert_never(action)

    async def _say(self, chat_id: int, text: str, place: Place) -> Outcome:
        async with self.limiter.turn(chat_id, Lane.NOTICE):
            sent = await self.bot.send_message(
                chat_id, cut(text, LONGEST), **place.arguments, disable_notification=True
            )
        return Done(f"{chat_id}/{sent.message_id}")

    # ---- words ------------------------------------------------------------------------------------------------------

    async def _restore(self, planned: PlannedAction, chat_id: int, say: Texts) -> Outcome:
        message = planned.message
        name = message.author.name or message.author.id
        head = say("telegram.restored", name=name) + "\n"
        text = cut(head + message.text, LONGEST)
        start = units(head)
        entities = [MessageEntity(MessageEntity.BLOCKQUOTE, offset=start, length=units(text) - start)]
        if not is_channel(message.author.id):  # so that it stays known whose words these are
            bearer = User(int(message.author.id), name, is_bot=False)
            at = units(head.partition(name)[0])
            entities.insert(0, MessageEntity(MessageEntity.TEXT_MENTION, at, units(name), user=bearer))
        async with self.limiter.turn(chat_id, Lane.NOTICE):
            sent = await self.bot.send_message(
                chat_id, text, entities=entities, **place_of(planned).arguments, disable_notification=True
            )
        return Done(f"{chat_id}/{sent.message_id}")


def missing_right(error: BadRequest | Forbidden) -> str | None:
    """The admin's right without which Telegram has refused; None where it has other reasons."""
    answer = error.message.lower()
    if "can't be deleted" in answer:
        return "can_delete_messages"
    if any(phrase in answer for phrase in _MAY_NOT_WRITE):
        return None
    if "not enough rights" in answer or "chat_admin_required" in answer:
        return "can_restrict_members"
    return None


def answer_as_outcome(error: BadRequest | Forbidden) -> Outcome:
    """What Telegram says about one chat, message or member, as an outcome; the reason says what to change."""
    answer = error.message.lower()
    if any(phrase in answer for phrase in _GONE):
        return Gone()
    if isinstance(error, Forbidden) or "chat not found" in answer:
        return Refused("telegram.not_there")
    if right := missing_right(error):
        return Refused(f"telegram.missing.{right}")
    if any(phrase in answer for phrase in _MAY_NOT_WRITE):
        return Refused("telegram.may_not_write")
    if "administrator" in answer or "owner" in answer:
        return Refused("telegram.staff")
    if "supergroup" in answer:
        return Refused("telegram.supergroups_only")
    return Refused(noted("telegram.refused", answer=error.message))


def _first_sent(planned: PlannedAction) -> datetime:
    """When the message was first sent, which an edit does not change."""
    if date := planned.message.extra.get("date"):
        return datetime.fromtimestamp(int(date), UTC)
    return planned.message.sent_at
