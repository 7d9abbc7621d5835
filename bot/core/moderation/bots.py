"""Settlements -> what the other bots of each community do; the store counts the same as it settles them."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from bot.core.answers.bot import Bot
from bot.core.answers.ports import BotRoll
from bot.core.chat.message import CommunityRef, Message
from bot.core.communities.community import Community
from bot.core.incidents.incident import Settlement


@dataclass(slots=True, kw_only=True)
class Bots:
    """Holds every bot that was seen in memory. What those of communities do that another process works on is noticed
    when this one goes on with them, or starts again."""

    roll: BotRoll
    _seen: dict[CommunityRef, dict[str, Bot]] = field(default_factory=dict)

    async def load(self, shares: Collection[int] | None = None) -> None:
        """`shares`: of communities that this process goes on with (None: all)."""
        for community, bot in await self.roll.all(shares):
            self._seen.setdefault(community, {})[bot.id] = bot

    def known(self, message: Message) -> Bot | None:
        """What is known of a message's author, where that is a bot."""
        if not message.author.bot:
            return None
        return self._seen.get(message.community, {}).get(message.author.id)

    def note(self, settled: Iterable[Settlement]) -> None:
        for settlement in settled:
            message = settlement.decision.message
            if settlement.decision.tells_of_a_bot:
                seen = self._seen.setdefault(message.community, {})
                bot = seen.get(message.author.id) or Bot(id=message.author.id)
                seen[message.author.id] = bot.having_said(message)

    def move(self, community: CommunityRef, new_id: str) -> None:
        """A community has a new id."""
        if (seen := self._seen.pop(community, None)) is not None:
            self._seen[replace(community, id=new_id)] = seen

    def of(self, community: Community) -> Sequence[tuple[Bot, bool]]:
        """The bots of a community, those that answer most first, and whether what each says is judged as answers."""
        seen = self._seen.get(community.ref, {})
        unseen = {id_: Bot(id=id_) for id_ in community.bots if id_ not in seen}
        bots = sorted((seen | unseen).values(), key=lambda bot: (-bot.answers, -bot.messages, bot.id))
        return [(bot, community.bots.get(bot.id, bot.converses is not False)) for bot in bots]
