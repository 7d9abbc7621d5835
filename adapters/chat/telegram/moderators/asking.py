"""What people type to the bot -> a command with what belongs to it, and the way back for the answer."""

import re
from dataclasses import dataclass

from telegram import Bot, Chat, ForceReply, InlineKeyboardMarkup, LinkPreviewOptions, ReplyParameters, User
from telegram import Message as TelegramMessage
from telegram.error import BadRequest, Forbidden

from adapters.chat.telegram.limits import Lane, Limiter
from adapters.chat.telegram.members import Members
from adapters.chat.telegram.receiving.reading import GROUPS
from adapters.chat.telegram.text import LONGEST, cut
from bot.core.chat.rights import Right
from bot.core.incidents.case import CODE, read_code
from bot.core.text.catalogue import Texts

_COMMAND = re.compile(
    rf"/([a-z]+(?:_[a-z]+)*?|[가-힣]+)(?:_({CODE}))?(?:@([a-z0-9_]+))?(?:\s+(.*))?", re.DOTALL | re.IGNORECASE
)
_NUMBER = re.compile(r"#?([0-9]{1,18})(?:\s+(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Typed:
    """A command as it was typed. `user`: who asks, as far as that is known; `group`: the community that it is about,
    once that is clear."""

    name: str
    rest: str
    message: TelegramMessage
    say: Texts
    user: User | None
    group: str = ""

    @property
    def chat_id(self) -> int:
        return self.message.chat.id

    @property
    def user_id(self) -> int:
        return self.user.id if self.user else 0

    @property
    def speaker_id(self) -> int:
        """Of the person, or of the channel that they speak as."""
        return self.message.sender_chat.id if self.message.sender_chat else self.user_id

    @property
    def in_private(self) -> bool:
        return self.message.chat.type == Chat.PRIVATE

    @property
    def in_group(self) -> bool:
        return self.message.chat.type in GROUPS

    @property
    def by(self) -> str:
        """How the person, or who they speak as, is called."""
        if self.is_anonymous:
            return self.message.author_signature or self.message.chat.title or ""
        return self.user.full_name if self.user else ""

    @property
    def is_anonymous(self) -> bool:
        """An admin who writes in the group's name."""
        speaker = self.message.sender_chat
        return speaker is not None and speaker.id == self.chat_id and self.user == self.message.from_user

    @property
    def coded(self) -> tuple[str, str] | None:
        """The code that `rest` begins with, and what follows."""
        first, *words = self.rest.split(maxsplit=1) or [""]
        return (code, "".join(words)) if (code := read_code(first)) else None

    @property
    def numbered(self) -> tuple[int, str] | None:
        """The incident that `rest` begins with, and what follows."""
        found = _NUMBER.fullmatch(self.rest)
        return (int(found[1]), (found[2] or "").strip()) if found else None


def parsed(message: TelegramMessage, username: str, say: Texts) -> Typed | None:
    """None where a message is no command, or another bot's. "/why_12" is "/why 12", which Telegram lets people tap."""
    typed = _COMMAND.fullmatch((message.text or "").strip())
    if typed is None or (typed[3] or username).lower() != username.lower():
        return None
    name, rest = typed[1].lower(), (typed[4] or "").strip()
    rest = f"{typed[2]} {rest}".strip() if typed[2] else rest
    return Typed(name, rest, message, say, message.from_user)


async def rights_of(typed: Typed, group: int, members: Members) -> frozenset[Right]:
    """What who asks may do in a group, asked of Telegram now. Who hides behind a chat is known to be an admin of that
    chat and of no other."""
    if typed.is_anonymous:
        if typed.chat_id != group:
            return frozenset()
        return await members.rights_of_anonymous(group, typed.message.author_signature)
    return await members.rights(group, typed.user_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    bot: Bot
    limiter: Limiter

    async def say(
        self, typed: Typed, text: str, menu: InlineKeyboardMarkup | ForceReply | None = None, *,
        lane: Lane = Lane.ANSWER, quietly: bool = False,
    ) -> TelegramMessage:  # fmt: skip
        """Where it was asked; `quietly`: in private instead of a group, where the person can be reached there."""
        if quietly and typed.in_group and not typed.message.sender_chat:
            try:
                async with self.limiter.turn(typed.user_id, lane):
                    return await self.bot.send_message(typed.user_id, cut(text, LONGEST), reply_markup=menu)
            except (BadRequest, Forbidden):
                pass  # they have never pressed Start
        async with self.limiter.turn(typed.chat_id, lane):
            return await self.bot.send_message(
                typed.chat_id, cut(text, LONGEST), reply_markup=menu,
                message_thread_id=typed.message.message_thread_id if typed.message.is_topic_message else None,
                reply_parameters=ReplyParameters(typed.message.message_id, allow_sending_without_reply=True)
                if typed.in_group else None,
                link_preview_options=LinkPreviewOptions(is_disabled=True),
            )  # fmt: skip


def is_somebodys(target: TelegramMessage, me: int) -> bool:
    """Not our own, and not the service message that everything in a forum's topic "answers"."""
    return target.forum_topic_created is None and not (target.from_user and target.from_user.id == me)


def refused(rights: frozenset[Right], say: Texts) -> str:
    """What somebody hears who may not: an admin, which right they lack."""
    return say["telegram.lacking" if rights else "telegram.only_admins"]


def spoken(code: str | None) -> str:
    """A person's language as far as we speak it."""
    return "en" if code and not code.startswith("ko") else "ko"
