"""Telegram's messages -> the same, with what a bot's answer answers: by reply, else by the nearest command or mention.

Facts C11-C16 of the platform reference. Telegram sends what is replied to along, except where it was deleted.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC

from telegram import Message as TelegramMessage
from telegram import MessageEntity, Update

from adapters.chat.recalling import recall
from adapters.chat.telegram.moderators.commands.serving import own_names
from adapters.chat.telegram.refs import TELEGRAM
from bot.core.answers.pairing import ANYBODY, Hints, Turn, Turns
from bot.core.base.clock import Clock
from bot.core.chat.message import Message
from bot.core.moderation.ports import Inbox

_COMMAND = re.compile(r"/(\w+)(?:@(\w+))?\s*")
_OURS = own_names()


@dataclass(slots=True, kw_only=True)
class Pairs:
    clock: Clock
    inbox: Inbox | None = None
    _turns: Turns = field(default_factory=Turns)

    def forget(self, is_theirs: Callable[[str], bool]) -> None:
        self._turns.forget(is_theirs)

    async def begin(self) -> None:
        """What is still on record of the last minutes, so that a start forgets little."""
        if self.inbox is not None:
            await recall(self._turns, TELEGRAM, self.inbox, self.clock)

    def complete(self, update: Update, message: Message) -> Message:
        """The message as it is to be kept. Everything that is said must come through here, in order."""
        source = update.message or update.edited_message
        if source is None or source.new_chat_members:
            return message
        channel, target = message.ref.channel_id, source.reply_to_message
        if not message.author.bot:
            self._turns.hear(channel, _turn(source, message.text))
            return message
        asked = target if target and not target.forum_topic_created else None
        if asked and self._turns.said(channel, str(asked.message_id)) is None:
            self._turns.hear(channel, _turn(asked, asked.text or asked.caption or ""))
        hints = Hints(
            asked=str(asked.message_id) if asked else None,
            unseen=asked is None and bool(source.guest_bot_caller_user or source.guest_bot_caller_chat),
            names=frozenset(str(entity.user.id) for entity in source.entities if entity.user),
        )
        paired = self._turns.answer(channel, replace(_turn(source, message.text), at=message.sent_at), hints)
        if paired.pairing is None:
            return message
        items = {"items": ",".join((*paired.pieces, message.ref.message_id))} if paired.pieces else {}
        return replace(
            message, prompt=paired.prompt, pairing=paired.pairing, lead=paired.lead, extra=message.extra | items
        )


def _turn(source: TelegramMessage, text: str) -> Turn:
    """People are named by their ids, bots by their usernames, because that is how they are called."""
    author = source.sender_chat or source.from_user
    robot = source.from_user if source.from_user and source.from_user.is_bot and not source.sender_chat else None
    called = frozenset() if robot else frozenset(_calls(source))
    return Turn(
        id=str(source.message_id),
        author=((robot and robot.username) or "").lower() or (str(author.id) if author else ""),
        at=(source.edit_date or source.date).astimezone(UTC),
        text=_question(text, called),
        bot=robot is not None,
        calls=called,
    )


def _calls(source: TelegramMessage) -> Iterator[str]:
    """Usernames that the text mentions or commands; ANYBODY for a command without one that is none of ours."""
    for kind, words in source.parse_entities([MessageEntity.MENTION, MessageEntity.BOT_COMMAND]).items():
        if kind.type == MessageEntity.MENTION:
            yield words.removeprefix("@").lower()
    if (command := _COMMAND.match(source.text or "")) and command[1].lower() not in _OURS:
        yield command[2].lower() if command[2] else ANYBODY


def _question(text: str, called: frozenset[str]) -> str:
    """What is asked, without the command and the names of who is asked."""
    if called and (command := _COMMAND.match(text)):
        text = text[command.end() :] or text
    for name in called - {ANYBODY}:
        text = re.sub(rf"@{re.escape(name)}\b", "", text, flags=re.IGNORECASE).strip() or text
    return text
