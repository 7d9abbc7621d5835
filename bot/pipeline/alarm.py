"""The guard goes away for long, or is back -> every community's moderators are told, once."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from bot.domain.message import Platform
from bot.errors import Unavailable
from bot.pipeline.policies import Policies
from bot.ports import ChatPlatform
from bot.texts import texts

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """`guard_is_away` is the shared queue's `on_away`; `run` tells. A community without a moderators' channel on a
    platform that is connected is told nothing."""

    policies: Policies
    platforms: Mapping[Platform, ChatPlatform]
    language: str  # of communities that have set none
    _news: "asyncio.Queue[bool]" = field(default_factory=asyncio.Queue)

    def guard_is_away(self, away: bool) -> None:
        self._news.put_nowait(away)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            key = "alarm.guard_away" if await self._news.get() else "alarm.guard_back"
            for community in self.policies.communities():
                platform = self.platforms.get(community.platform)
                if platform is None or community.moderators_channel is None:
                    continue
                sentence = texts(community.language or self.language)[key]
                try:
                    await platform.announce(community.moderators_channel, sentence)
                except Unavailable as error:
                    _log.warning("moderators not told", community=community.id, reason=str(error))
