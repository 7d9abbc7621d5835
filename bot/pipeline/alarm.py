"""The guard or the database goes away for a while, or is back -> every community's moderators are told, once."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import structlog

from bot.domain.community import Community
from bot.domain.message import Platform
from bot.errors import Unavailable
from bot.pipeline.policies import Policies
from bot.ports import ChatPlatform, Clock
from bot.texts import texts

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """`answers` says of each part that is watched whether it answers now; alarm.NAME_away and alarm.NAME_back are its
    sentences. `after`: how long it must have been away before anybody is told, so that a restart passes in silence. A
    community without a moderators' channel on a platform that is connected is told nothing."""

    answers: Mapping[str, Callable[[], Awaitable[bool]]]
    policies: Policies
    platforms: Mapping[Platform, ChatPlatform]
    clock: Clock
    language: str  # of communities that have set none
    after: timedelta = timedelta(seconds=10)
    every: float = 1.0  # seconds

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for name in self.answers:
                group.create_task(self._watch(name))

    async def _watch(self, name: str) -> None:
        away_since: float | None = None
        told = False
        while True:
            if await self.answers[name]():
                away_since = None
            elif away_since is None:
                away_since = self.clock.monotonic()
            is_over = told and away_since is None
            is_long = away_since is not None and self.clock.monotonic() - away_since >= self.after.total_seconds()
            if is_over or (is_long and not told):
                told = not told
                await self._tell(f"alarm.{name}_{'away' if told else 'back'}")
            await self.clock.sleep(self.every)

    async def _tell(self, key: str) -> None:
        async with asyncio.TaskGroup() as group:
            for community in self.policies.communities():
                group.create_task(self._tell_one(community, key))

    async def _tell_one(self, community: Community, key: str) -> None:
        platform = self.platforms.get(community.platform)
        if platform is None or community.moderators_channel is None:
            return
        sentence = texts(community.language or self.language)[key]
        while True:
            try:
                await platform.announce(community.moderators_channel, sentence)
                return
            except Unavailable as error:
                if error.retry_after is None:  # it may have been said all the same, and must not be said twice
                    _log.warning("moderators not told", community=community.id, reason=str(error))
                    return
                await self.clock.sleep(error.retry_after)
