"""The guard or the database goes away for a while, or is back -> the journal knows, and every community's moderators
are told, once."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog

from bot.core.base.clock import Clock
from bot.core.base.errors import BotError, Unavailable, raised
from bot.core.base.waiting import patiently
from bot.core.chat.message import Platform
from bot.core.chat.ports import Announcer
from bot.core.communities.community import Community
from bot.core.communities.journal import Aside
from bot.core.communities.policies import Policies
from bot.core.communities.ports import Journal
from bot.core.moderation.ports import Inbox
from bot.core.text.catalogue import Texts, texts

_log = structlog.get_logger(__name__)

GUARD = "guard"

#: What is said to a community's moderators, in their language; empty: nothing.
Sentence = Callable[[Community, Texts], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """`answers` says of each part that is watched whether it answers now, None where nobody knows; alarm.NAME_away and
    alarm.NAME_back are its sentences. `after`: how long it must have been away before anybody is told, so that a
    restart passes in silence. What the journal has as away was told before: it is only told when it is back. Of several
    processes one tells that the guard is away, for each platform, and one that it is back; the database cannot be asked
    who tells of itself. A community without a moderators' channel on a platform that is connected is told nothing."""

    answers: Mapping[str, Callable[[], Awaitable[bool | None]]]
    policies: Policies
    platforms: Mapping[Platform, Announcer]
    journal: Journal
    inbox: Inbox
    clock: Clock
    language: str  # of communities that have set none
    is_stood_in_for: bool = False  # whether another guard judges while the guard is away
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
                    await self._is_back(name, now)
            elif answers is False and not told:
                away_since = away_since or now
                if now - away_since >= self.after:
                    told = True
                    await self._is_away(name, away_since)
            await self.clock.sleep(self.every)

    async def _is_away(self, name: str, since: datetime) -> None:
        if name != GUARD:
            await self.tell(_plain(f"alarm.{name}_away"))
            return
        began = await patiently(partial(self.journal.guard_went, since), self.clock)
        sentence = _plain("alarm.guard_away_stood_in" if self.is_stood_in_for else "alarm.guard_away")
        await self.tell(sentence, among=await self._not_told(began, "away"))

    async def _is_back(self, name: str, now: datetime) -> None:
        """However long it takes: a return that nobody wrote down would make the outage last for ever."""
        if name != GUARD:
            await self.tell(_plain(f"alarm.{name}_back"))
            return
        began = await patiently(partial(self.journal.guard_came_back, now), self.clock)
        if began is None:
            return
        among = await self._not_told(began, "back")
        since = began - timedelta(seconds=self.every)  # it was noticed a little later
        aside = await patiently(partial(self.inbox.were_aside, since), self.clock) if among else {}

        def sentence(community: Community, say: Texts) -> str:
            theirs = aside.get(community.ref)
            return _back(theirs, say, is_stood_in_for=self.is_stood_in_for) if theirs else say["alarm.guard_back"]

        await self.tell(sentence, among=among)

    async def _not_told(self, began: datetime, word: str) -> set[Platform]:
        first = self.journal.is_first_to_tell
        asked = [(platform, partial(first, began, word, platform)) for platform in self.platforms]
        return {platform for platform, ask in asked if await patiently(ask, self.clock)}

    async def tell(self, sentence: Sentence, among: Collection[Platform] | None = None) -> None:
        """Every community's moderators, or those of some platforms."""
        async with asyncio.TaskGroup() as group:
            for community in self.policies.communities():
                if among is None or community.platform in among:
                    group.create_task(self.tell_one(community, sentence))

    async def tell_one(self, community: Community, sentence: Sentence) -> None:
        """In its moderators' channel, if it has one on a platform that is connected."""
        platform = self.platforms.get(community.platform)
        if platform is None or community.moderators_channel is None:
            return
        words = sentence(community, texts(community.language or self.language))
        while words:
            try:
                await platform.announce(community.moderators_channel, words)
                return
            except Unavailable as error:
                if error.retry_after is None:  # it may have been said all the same, and must not be said twice
                    _log.warning("moderators not told", community=community.id, reason=error)
                    return
                await self.clock.sleep(error.retry_after)
            except Exception as error:  # who cannot be told does not keep the others from hearing
                _log.error("moderators not told", community=community.id, error=raised(error))
                return

    async def lost(self, platform: Platform) -> None:
        """A platform is lost to this process: its moderators are told, as far as it still takes what we say."""
        for community in self.policies.communities():
            if community.platform == platform and community.moderators_channel:
                sentence = texts(community.language or self.language)["alarm.platform_lost"]
                try:
                    await self.platforms[platform].announce(community.moderators_channel, sentence)
                except BotError as error:
                    _log.warning("moderators not told", community=community.id, reason=error)
                    return


def _plain(key: str) -> Sentence:
    return lambda community, say: say[key]


def _back(aside: Aside, say: Texts, *, is_stood_in_for: bool) -> str:
    key = "alarm.guard_back_stood_in" if is_stood_in_for else "alarm.guard_back_waited"
    told = [say(key, messages=aside.messages, channels=aside.channels)]
    if aside.unjudged:
        told.append(say("alarm.guard_back_unjudged", messages=aside.unjudged))
    return " ".join(told)
