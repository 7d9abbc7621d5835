"""A moderator's order -> a case that is carried out once, and what came of it within moments; what runs, ends."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.base.waiting import Wakeup, patiently
from bot.core.chat.message import CommunityRef
from bot.core.incidents.case import Case, Order
from bot.core.incidents.ports import Cases
from bot.core.incidents.reminding import remind
from bot.core.incidents.review import LONGEST_APPEAL, Filed
from bot.core.rules.ladder import USUAL, Ladder

PATIENCE = 6.0  # seconds for which whoever ordered waits for the platform
FIRST_LOOK, LONGEST_LOOK = 0.05, 1.0  # seconds between two looks
MOST, WITHIN = 30, 60.0  # orders of one moderator in a community: who bans a crowd by hand may not be who they seem
REMEMBERED = 10_000  # moderators
ENDING = 5.0  # seconds between two looks at what is over
TOGETHER = 100  # sanctions that end in one transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Deeds:
    """Who may order is the platform's to check, every time."""

    cases: Cases
    clock: Clock
    planned: Wakeup
    ladder_of: Callable[[CommunityRef], Ladder] = lambda community: USUAL
    _lately: Bounded[tuple[CommunityRef, str], deque[float]] = field(default_factory=lambda: Bounded(REMEMBERED))

    async def carry_out(self, community: CommunityRef, order: Order) -> tuple[Case, bool] | None:
        """Persisted before anything is done. False: the same was ordered just now, and this is its case. None: they
        have ordered too much within a minute, and nothing was written."""
        if not self._has_room(community, order.moderator.id):
            return None
        case, is_new = await self.cases.open(community, self._counted(community, order))
        return await self._settled(community, case), is_new

    async def take_in(self, community: CommunityRef, order: Order) -> Case:
        """What somebody has done with the network's own tools, or is done to many at once, goes on record, once."""
        case, _ = await patiently(partial(self.cases.open, community, self._counted(community, order)), self.clock)
        return case

    def _counted(self, community: CommunityRef, order: Order) -> Order:
        """What somebody has judged: nothing counts against anybody because of a list."""
        counts = order.kind.strikes and order.moderator.id
        return replace(order, strike=self.ladder_of(community).strike(1)) if counts else order

    async def undo(self, community: CommunityRef, number: int, *, by: str) -> tuple[Case, bool] | None:
        """See `Cases.undo`."""
        found = await self.cases.undo(community, number, by=by, at=self.clock.now())
        return found and (await self._settled(community, found[0]), found[1])

    async def take_back(self, community: CommunityRef, number: int, *, by: str) -> None:
        """As `undo`, of one among many, for whom nobody waits."""
        await self.cases.undo(community, number, by=by, at=self.clock.now())
        self.planned.wake()

    async def appeal(self, community: CommunityRef, number: int, member: str, words: str) -> Filed | None:
        """See `Cases.appeal`. Who objects, is the platform's to check."""
        filed = await self.cases.appeal(community, number, member, words[:LONGEST_APPEAL], at=self.clock.now())
        self.planned.wake()
        return filed

    async def uphold(self, community: CommunityRef, number: int, *, by: str) -> tuple[Case, bool] | None:
        """See `Cases.uphold`."""
        found = await self.cases.uphold(community, number, by=by, at=self.clock.now())
        self.planned.wake()
        return found

    async def _settled(self, community: CommunityRef, case: Case) -> Case:
        """When the platform has answered, or as it is when it was waited for long enough."""
        self.planned.wake()
        until, pause = self.clock.monotonic() + PATIENCE, FIRST_LOOK
        while case.is_under_way and self.clock.monotonic() < until:
            await self.clock.sleep(pause)
            pause = min(2 * pause, LONGEST_LOOK)
            case = await self.cases.get(community, case.number) or case
        return case

    def _has_room(self, community: CommunityRef, moderator: str) -> bool:
        lately, now = self._lately.refresh((community, moderator), deque()), self.clock.monotonic()
        while lately and lately[0] <= now - WITHIN:
            lately.popleft()
        if len(lately) >= MOST:
            return False
        lately.append(now)
        return True

    async def run(self) -> None:
        """What is over ends, and what waits is shown again; without end."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self._end())
            both.create_task(remind(self.cases, self.clock, self.planned))

    async def _end(self) -> None:
        while True:
            ended = await patiently(partial(self.cases.end, self.clock.now(), TOGETHER), self.clock)
            if ended:
                self.planned.wake()
            if ended < TOGETHER:
                await self.clock.sleep(ENDING)
