"""What names a group here -> what names it in the core."""

from typing import TYPE_CHECKING

from bot.core.chat.message import CommunityRef, Platform

if TYPE_CHECKING:  # the command line names groups, too, and does without the library
    from telegram import Message as TelegramMessage

TELEGRAM = Platform("telegram")


def group_ref(chat_id: int | str) -> CommunityRef:
    return CommunityRef(TELEGRAM, str(chat_id))


def address(chat_id: str, message_id: str) -> str:
    """See `Network.address`: only messages of supergroups open anywhere."""
    group, number = chat_id.removeprefix("-100"), message_id.partition(".")[0]
    opens = group != chat_id and group.isdecimal() and number.isdecimal()
    return f"https://t.me/c/{group}/{number}" if opens else ""


def topic_of(message: "TelegramMessage") -> str:
    """The topic in which a message stands, as a place; empty: in none."""
    return f"{message.chat.id}/{message.message_thread_id}" if message.is_topic_message else ""
