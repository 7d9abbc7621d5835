"""What we are not able to do -> a word to the moderators; or to the group, where they have no room.

A problem is told once, and again where it could be done in between.
"""

from dataclasses import dataclass, field

import structlog
from telegram import Bot
from telegram.error import TelegramError

from adapters.chat.telegram.limits import Lane, Limiter
from adapters.chat.telegram.refs import group_ref
from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.base.errors import BotError
from bot.core.moderators.ports import Desk
from bot.core.text.catalogue import Texts

REMEMBERED = 1000

_log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Complaints:
    bot: Bot
    limiter: Limiter
    desk: Desk
    clock: Clock
    _told: Bounded[tuple[str, str], None] = field(default_factory=lambda: Bounded(REMEMBERED))  # community, problem
    _said_in_group: dict[str, float] = field(default_factory=dict)

    async def tell(self, community_id: str, problem: str, say: Texts) -> None:
        """Tell the moderators once that something cannot be done; again where it could be done in between."""
        key, chat = (community_id, problem), self.desk.community(group_ref(community_id)).moderators_channel
        if chat is None or key in self._told:
            return
        self._told[key] = None
        try:
            async with self.limiter.turn(int(chat), Lane.CARD):
                await self.bot.send_message(int(chat), say("card.complaint", problem=problem))
        except (BotError, TelegramError) as error:
            _log.warning("could not complain", community=community_id, error=type(error).__name__)

    def forgive(self, community_id: str) -> None:
        """The bot has other rights now: what it complained about may not be so any more."""
        for key in [key for key in self._told if key[0] == community_id]:
            del self._told[key]

    async def tell_group(self, community_id: str, say: Texts) -> None:
        """That nobody sees its cards: once a day, or in its default mode the bot would seem to do nothing at all."""
        now, last = self.clock.monotonic(), self._said_in_group.get(community_id)
        if last is not None and now - last < 86400:
            return
        self._said_in_group[community_id] = now
        try:
            async with self.limiter.turn(int(community_id), Lane.NOTICE):
                await self.bot.send_message(int(community_id), say["telegram.nobody_to_show"])
        except (BotError, TelegramError) as error:
            _log.warning("nowhere to show cards", community=community_id, error=type(error).__name__)
