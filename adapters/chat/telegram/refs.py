"""What names a group here -> what names it in the core."""

from bot.core.chat.message import CommunityRef, Platform

TELEGRAM = Platform("telegram")


def group_ref(chat_id: int | str) -> CommunityRef:
    return CommunityRef(TELEGRAM, str(chat_id))
