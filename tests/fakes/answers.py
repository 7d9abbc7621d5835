"""What other bots said, counted in memory."""

from collections.abc import Sequence

from bot.core.answers.bot import Bot
from bot.core.chat.message import CommunityRef
from tests.fakes.record import Record


class MemoryBotRoll:
    """Counts again, from what is settled."""

    def __init__(self, store: Record) -> None:
        self.store = store

    async def all(self) -> Sequence[tuple[CommunityRef, Bot]]:
        return [(community, bot) for community, seen in self.store.bots.items() for bot in seen.values()]
