"""What names a server here -> what names it in the core."""

from bot.core.chat.message import CommunityRef, Platform


def guild_ref(guild_id: int | str | None) -> CommunityRef:
    return CommunityRef(Platform.DISCORD, str(guild_id))
