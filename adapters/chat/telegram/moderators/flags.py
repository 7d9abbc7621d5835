"""A member answers a message with /flag or @admin -> a case that moderators see on a card; nobody sees who pointed."""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from telegram import Message as TelegramMessage
from telegram import Update
from telegram.error import BadRequest, Forbidden

from adapters.chat.telegram.limits import Lane
from adapters.chat.telegram.members import Members
from adapters.chat.telegram.moderators.asking import Answers, Typed, is_somebodys
from adapters.chat.telegram.receiving.reading import read
from adapters.chat.telegram.refs import group_ref
from bot.core.base.errors import BotError
from bot.core.chat.message import Message
from bot.core.moderators.ports import Desk

#: What members have learned elsewhere to write under a message.
_CALLED = re.compile(r"(?<!\w)@(?:admins?(?!\w)|운영자|운영진|관리자)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    desk: Desk
    members: Members
    answers: Answers

    async def flag(self, typed: Typed) -> None:
        """Not before the eyes of the others."""
        target, say = typed.message.reply_to_message, typed.say
        message = await self._read(target) if target and typed.in_group and typed.user else None
        if message is None:
            is_ours = target and target.from_user and target.from_user.id == self.members.me
            await self.answers.say(typed, say["flag.ours" if is_ours else "telegram.usage.flag"], lane=Lane.NOTICE)
            return
        if self.desk.community(group_ref(typed.chat_id)).moderators_channel is None:
            await self.answers.say(typed, say["telegram.no_moderators_chat"], lane=Lane.NOTICE)
            return
        filed = await self.desk.flagging.flag(message, str(typed.speaker_id))
        with suppress(BadRequest, Forbidden, BotError):
            async with self.answers.limiter.turn(typed.chat_id, Lane.MODERATION):
                await self.answers.bot.delete_message(typed.chat_id, typed.message.message_id)
        await self.answers.say(typed, say[f"flag.{filed}"], lane=Lane.NOTICE, quietly=True)

    async def hear(self, typed: Typed, has_room: Callable[[Typed], bool]) -> bool:
        """Whether it was an answer that calls the admins, where they have a room in which to hear of it."""
        is_answer = typed.in_group and typed.message.reply_to_message is not None
        calls = is_answer and _CALLED.search(typed.message.text or "")
        if calls and self.desk.community(group_ref(typed.chat_id)).moderators_channel and has_room(typed):
            await self.flag(typed)
        return bool(calls)

    async def _read(self, target: TelegramMessage) -> Message | None:
        """As it stands there now; None: it is ours, or there is nothing to judge."""
        if not is_somebodys(target, self.members.me):
            return None
        update = Update(0, edited_message=target) if target.edit_date else Update(0, message=target)
        staff = await self.members.known_staff(target.chat.id)
        return next(iter(read(update, staff, self.members.me)), None)
