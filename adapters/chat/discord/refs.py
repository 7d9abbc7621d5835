"""What names a server here -> what names it in the core."""

from bot.core.chat.message import CommunityRef, Platform

DISCORD = Platform("discord")


def address(guild_id: str, channel_id: str, message_id: str) -> str:
    """See `Network.address`."""
    parts = (guild_id, channel_id, message_id)
    return f"https://discord.com/channels/{'/'.join(parts)}" if all(one.isdecimal() for one in parts) else ""


def guild_ref(guild_id: int | str | None) -> CommunityRef:
    return CommunityRef(DISCORD, str(guild_id))
