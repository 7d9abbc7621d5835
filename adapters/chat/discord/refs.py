"""What names a server here -> what names it in the core."""

from bot.core.chat.message import CommunityRef, Platform

DISCORD = Platform("discord")


def guild_ref(guild_id: int | str | None) -> CommunityRef:
    return CommunityRef(DISCORD, str(guild_id))
