"""Settled messages -> an alert is planned where many incidents come at once: once for each burst."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from bot.core.base.clock import Clock
from bot.core.base.waiting import Wakeup, patiently
from bot.core.chat.message import CommunityRef
from bot.core.communities.community import Community
from bot.core.communities.policies import Policies
from bot.core.incidents.incident import Settlement
from bot.core.incidents.ports import Incidents
from bot.core.reporting.delivery.delivery import Delivery
from bot.core.reporting.delivery.schedule import Kind, Schedule
from bot.core.reporting.ports import Deliveries


@dataclass(frozen=True, slots=True, kw_only=True)
class BurstWatch:
    """`settled` hears of everything that is; the record is asked how much that makes, since other processes add to it.
    A burst ends when its incidents in the window are fewer than the threshold. What is told by the card of a raid is
    not told again."""

    policies: Policies
    schedule_of: Callable[[Community], Schedule]
    incidents: Incidents
    deliveries: Deliveries
    clock: Clock
    planned: Wakeup
    is_raided: Callable[[CommunityRef], bool] = lambda community: False
    pause: float = 2.0  # seconds between two looks
    _heard: Wakeup = field(default_factory=Wakeup)
    _fresh: set[CommunityRef] = field(default_factory=set)
    _bursting: set[CommunityRef] = field(default_factory=set)

    def settled(self, settlements: Sequence[Settlement]) -> None:
        for settlement in settlements:
            if settlement.decision.rule is not None:
                self._fresh.add(settlement.decision.message.community)
                self._heard.wake()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._heard.wait(3600)
            fresh = list(self._fresh)
            self._fresh.clear()
            for community in fresh:
                await patiently(partial(self._look, community), self.clock)
            if fresh:
                await self.clock.sleep(self.pause)

    async def _look(self, community: CommunityRef) -> None:
        burst, now = self.schedule_of(self.policies.community(community)).burst, self.clock.now()
        if not burst.incidents:
            return
        if await self.incidents.count(community, now - burst.within, now) < burst.incidents:
            self._bursting.discard(community)
        elif self.is_raided(community):
            self._bursting.add(community)
        elif community not in self._bursting:
            alert = Delivery(
                community=community, kind=Kind.ALERT, period=f"{now:%Y-%m-%dT%H:%MZ}", due=now,
                size=1 << 40,  # ahead of everything that can wait
            )  # fmt: skip
            await self.deliveries.plan([alert], apart=max(burst.apart, timedelta(minutes=1)))
            self._bursting.add(community)
            self.planned.wake()
