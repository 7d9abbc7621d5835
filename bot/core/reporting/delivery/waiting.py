"""Cases that wait for a call too long -> a reminder is planned for the moderators, once in a while for them all."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from bot.core.base.clock import Clock
from bot.core.base.waiting import Wakeup, patiently
from bot.core.chat.message import CommunityRef
from bot.core.communities.community import Community
from bot.core.communities.policies import Policies
from bot.core.incidents.ports import Cases
from bot.core.reporting.delivery.delivery import Delivery
from bot.core.reporting.delivery.schedule import Kind, Schedule
from bot.core.reporting.ports import Deliveries

LOOK = 300.0  # seconds between two looks
APART = timedelta(hours=8)  # of two reminders in one community


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingWatch:
    """It is a delivery like a report: written down, sent at most once whichever process plans it, put off while the
    platform is away. In quiet hours nothing is planned; what waits then still waits afterwards."""

    policies: Policies
    schedule_of: Callable[[Community], Schedule]
    cases: Cases
    deliveries: Deliveries
    clock: Clock
    planned: Wakeup

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.clock.sleep(LOOK)  # a start has more urgent things to ask the database
            await self.look()

    async def look(self) -> None:
        now = self.clock.now()
        neglected = await patiently(partial(self.cases.neglected, now), self.clock)
        due = [
            Delivery(community=one, kind=Kind.WAITING, period=f"{now:%Y-%m-%dT%H:%MZ}", due=now, size=1 << 39)
            for one in neglected
            if self._may_be_reminded(one)
        ]
        if due and any(await patiently(partial(self.deliveries.plan, due, apart=APART), self.clock)):
            self.planned.wake()

    def _may_be_reminded(self, ref: CommunityRef) -> bool:
        community = self.policies.community(ref)
        if community.moderators_channel is None or community.left_at is not None:
            return False
        quiet = community.quiet
        return quiet is None or not quiet.hold(self.clock.now(), self.schedule_of(community).timezone)
