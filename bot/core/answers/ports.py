"""Who the other bots are.

Every method may raise `Unavailable` (try again later) or `Broken` (never again in this process); nothing else
crosses a port.
"""

from collections.abc import Collection, Sequence
from typing import Protocol

from bot.core.answers.bot import Bot
from bot.core.chat.message import CommunityRef


class BotRoll(Protocol):
    """The other bots of every community, as far as settled messages tell."""

    async def all(self, shares: Collection[int] | None = None) -> Sequence[tuple[CommunityRef, Bot]]:
        """Each with its community; of the communities of these shares (None: of all)."""
        ...
