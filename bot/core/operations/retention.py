"""What is due to be forgotten -> forgotten, in small batches."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from bot.core.base.clock import Clock
from bot.core.base.waiting import patiently
from bot.core.chat.message import CommunityRef
from bot.core.communities.community import Community
from bot.core.incidents.ports import Changed
from bot.core.operations.erasing import Erasing

EVERY = timedelta(minutes=30)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long what is kept."""

    authors: timedelta = timedelta(days=2)  # of messages without an incident
    messages: timedelta = timedelta(days=7)  # the rows of those
    texts: timedelta = timedelta(days=90)  # of incidents
    mistakes: timedelta = timedelta(days=7)  # the same, once a moderator called it wrong or the author took it back
    cases: timedelta = timedelta(days=365)  # incidents as such, with calls and appeals
    left: timedelta = timedelta(days=30)  # everything of a community, once it has taken the bot out


class Forgetting(Protocol):
    """Takes away what is not needed any more. Broken off, it goes on where it was when it is called again."""

    async def forget(self, limits: Limits, now: datetime) -> int:
        """All that is due, but what is held. Returns how many rows that were."""
        ...

    async def texts_due(self, limits: Limits, now: datetime) -> Sequence[tuple[CommunityRef, int]]:
        """Some incidents whose words are due, oldest first; none once `forget_texts` had them all."""
        ...

    async def forget_texts(self, incidents: Sequence[int]) -> None:
        """Their words and names; which rule, when, and what came of it stay."""
        ...

    async def hold(self, community: CommunityRef, number: int, until: datetime, because: str) -> bool:
        """Keeps the words of an incident until then, by the number of its case. False where it is not there, or its
        words are gone."""
        ...


class Coarsening(Protocol):
    """Counts, which stay for good."""

    async def coarsen(self, limits: Limits, now: datetime, timezone: Callable[[CommunityRef], str]) -> int:
        """Those of long ago become counts by day and by week, of the community's own calendar. Returns how many rows
        that took in."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    forgetting: Forgetting
    erasing: Erasing
    counts: Coarsening
    limits: Limits
    communities: Callable[[], Sequence[Community]]  # that have set something
    timezone: Callable[[CommunityRef], str]
    clock: Clock
    changed: Changed = lambda community, incident: None  # what was posted about it is drawn anew, without its words

    async def run(self) -> None:
        while True:
            await patiently(self.turn, self.clock)
            await self.clock.sleep(EVERY.total_seconds())

    async def turn(self) -> None:
        now = self.clock.now()
        while due := await self.forgetting.texts_due(self.limits, now):
            await self.forgetting.forget_texts([incident for _, incident in due])
            for place, incident in due:
                self.changed(place, incident)
        rows = await self.forgetting.forget(self.limits, now) + await self.erasing.go_on()
        for community in self.communities():
            if community.left_at and community.left_at <= now - self.limits.left:
                receipt = await self.erasing.erase_community(community.ref)
                rows += receipt.rows if receipt else 0
        rows += await self.counts.coarsen(self.limits, now, self.timezone)
        if rows:
            _log.info("what was due is forgotten", rows=rows)
