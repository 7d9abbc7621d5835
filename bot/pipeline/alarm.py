"""The guard or the database goes away for a while, or is back -> the journal knows, and every community's moderators
are told, once."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from bot.domain.community import Community
from bot.domain.message import Platform
from bot.errors import BotError, Unavailable
from bot.pipeline.bell import patiently
from bot.pipeline.policies import Policies
from bot.ports import ChatPlatform, Clock, Journal
from bot.texts import texts

_log = structlog.get_logger(__name__)

GUARD = "guard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """`answers` says of each part that is watched whether it answers now, None where nobody knows; alarm.NAME_away and
    alarm.NAME_back are its sentences. `after`: how long it must have been away before anybody is told, so that a
    restart passes in silence. What the journal has as away was told by a process that died: it is only told when it
    is back. A community without a moderators' channel on a platform that is connected is told nothing."""

    answers: Mapping[str, Callable[[], Awaitable[bool | None]]]
    policies: Policies
    platforms: Mapping[Platform, ChatPlatform]
    journal: Journal
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
        away_since: datetime | None = None
        told = name == GUARD and await patiently(self.journal.guard_is_away, self.clock)
        while True:
            answers, now = await self.answers[name](), self.clock.now()
            if answers:
                away_since = None
                if told:
                    told = False
                    await self._write_down(name, None, now)
                    await self._tell(f"alarm.{name}_back")
            elif answers is False and not told:
                away_since = away_since or now
                if now - away_since >= self.after:
                    told = True
                    await self._write_down(name, away_since, now)
                    await self._tell(f"alarm.{name}_away")
            await self.clock.sleep(self.every)

    async def _write_down(self, name: str, away_since: datetime | None, now: datetime) -> None:
        """However long it takes: a return that nobody wrote down would make the outage last for ever."""
        if name == GUARD:
            journal = self.journal

            async def write() -> None:
                await (journal.guard_went(away_since) if away_since else journal.guard_came_back(now))

            await patiently(write, self.clock)

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

    async def lost(self, platform: Platform) -> None:
        """A platform is lost to this process: its moderators are told, as far as it still takes what we say."""
        for community in self.policies.communities():
            if community.platform is platform and community.moderators_channel:
                sentence = texts(community.language or self.language)["alarm.platform_lost"]
                try:
                    await self.platforms[platform].announce(community.moderators_channel, sentence)
                except BotError as error:
                    _log.warning("moderators not told", community=community.id, reason=str(error))
                    return
