"""The guard goes away for long, or is back -> the journal knows, and every community's moderators are told, once."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from bot.domain.message import Platform
from bot.errors import Unavailable
from bot.pipeline.policies import Policies
from bot.ports import ChatPlatform, Clock, Journal
from bot.texts import texts

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """`guard_is_away` is the shared queue's `on_away`; `run` writes down and tells. A community without a moderators'
    channel on a platform that is connected is told nothing."""

    policies: Policies
    platforms: Mapping[Platform, ChatPlatform]
    journal: Journal
    clock: Clock
    language: str  # of communities that have set none
    _news: "asyncio.Queue[tuple[bool, datetime]]" = field(default_factory=asyncio.Queue)

    def guard_is_away(self, since: datetime | None) -> None:
        """None: it is back."""
        self._news.put_nowait((since is not None, since or self.clock.now()))

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            away, moment = await self._news.get()
            await self._write_down(away, moment)
            key = "alarm.guard_away" if away else "alarm.guard_back"
            for community in self.policies.communities():
                platform = self.platforms.get(community.platform)
                if platform is None or community.moderators_channel is None:
                    continue
                sentence = texts(community.language or self.language)[key]
                try:
                    await platform.announce(community.moderators_channel, sentence)
                except Unavailable as error:
                    _log.warning("moderators not told", community=community.id, reason=str(error))

    async def _write_down(self, away: bool, moment: datetime) -> None:
        """However long it takes: a return that nobody wrote down would make the outage last for ever."""
        write = self.journal.guard_went if away else self.journal.guard_came_back
        while True:
            try:
                return await write(moment)
            except Unavailable as error:
                await self.clock.sleep(error.retry_after or 1.0)
