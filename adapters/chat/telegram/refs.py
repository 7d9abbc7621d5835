"""What names a group here -> what names it in the core."""

from bot.core.chat.message import CommunityRef, Platform


def group_ref(chat_id: int | str) -> CommunityRef:
    return CommunityRef(Platform.TELEGRAM, str(chat_id))
