"""What other bots said, counted in memory."""

from collections.abc import Collection, Sequence

from bot.core.answers.bot import Bot
from bot.core.chat.message import CommunityRef
from tests.fakes.record import Record


class MemoryBotRoll:
    """Counts again, from what is settled."""

    def __init__(self, store: Record) -> None:
        self.store = store

    async def all(self, shares: Collection[int] | None = None) -> Sequence[tuple[CommunityRef, Bot]]:
        here = [one for one in self.store.bots if self.store.in_shares(one, shares)]
        return [(community, bot) for community in here for bot in self.store.bots[community].values()]
