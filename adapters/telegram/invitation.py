"""A bot's token -> the link that adds the bot to a group with the rights it needs."""

from telegram import Bot

from adapters.telegram.errors import mapped
from adapters.telegram.members import NEEDED
from bot.texts import Texts


async def invitation(token: str, api_url: str, say: Texts) -> str:
    """Asks Telegram for the bot's name. Raises `Broken` and `Unavailable`."""
    with mapped(say):
        async with Bot(token, base_url=f"{api_url.rstrip('/')}/bot") as bot:
            rights = "+".join(right.removeprefix("can_") for right in NEEDED)
            return f"https://t.me/{bot.username}?startgroup=true&admin={rights}"
