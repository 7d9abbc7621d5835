"""Planned deliveries -> reports made, posted, and what came of it written down; the largest communities first."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from zoneinfo import ZoneInfo

import structlog

from bot.core.base.clock import Clock
from bot.core.base.errors import BotError, Broken, Unavailable, raised
from bot.core.base.waiting import Backoff, Wakeup, patiently
from bot.core.chat.message import Platform
from bot.core.chat.post import Post
from bot.core.communities.community import Community
from bot.core.communities.policies import Policies
from bot.core.reporting.building import ReportBuilder
from bot.core.reporting.delivery.delivery import Delivery, State
from bot.core.reporting.delivery.schedule import Kind, Schedule
from bot.core.reporting.ports import Deliveries, Poster
from bot.core.rules.actions import DEFECT, Done, Gone, Outcome, Refused
from bot.core.text.catalogue import texts

GIVEN_UP = timedelta(days=1)  # a platform may be away for so long
AGAIN = Backoff(first=60.0, longest=1800.0)
GRACE = 10.0  # seconds for what is being posted while the process ends

#: Why a delivery was not sent, as it is written down; a platform's own words stand as they are.
NOWHERE, GONE, AWAY, LOST = "nowhere", "gone", "away", "lost"

_log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class DeliveryWorker:
    """A report is posted at most once: from `Deliveries.start` on nobody can say whether it was, until it is written
    down. Making it comes before that, so most of what a crash interrupts is simply done again."""

    deliveries: Deliveries
    builder: ReportBuilder
    policies: Policies
    schedule_of: Callable[[Community], Schedule]
    platforms: Mapping[Platform, Poster]
    clock: Clock
    planned: Wakeup
    at_once: int = 6
    poll: float = 5.0  # seconds
    _busy: int = field(default=0)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as under_way:
            while True:
                room = self.at_once - self._busy
                claim = partial(self.deliveries.claim, room, now=self.clock.now(), platforms=list(self.platforms))
                claimed = await patiently(claim, self.clock) if room else ()
                for one in claimed:
                    self._busy += 1
                    under_way.create_task(self._carry(one))
                if not claimed:
                    await self.planned.wait(self.poll)  # rung for what is planned, and for every slot that is free

    async def _carry(self, one: Delivery) -> None:
        try:
            await self._deliver(one)
        finally:
            self._busy -= 1
            self.planned.wake()

    async def _deliver(self, one: Delivery) -> None:
        community = self.policies.community(one.community)
        channels = _channels(community, one.kind)
        if not channels:
            return await self._close(one, State.SKIPPED, reason=NOWHERE)
        try:
            post = await self._post(one, community)
        except Unavailable as error:
            return await self._later(one, error)
        except Broken as error:
            return await self._close(one, State.FAILED, reason=str(error))
        sending = asyncio.ensure_future(self._send(one, channels, post))
        try:
            await asyncio.shield(sending)
        except asyncio.CancelledError:
            await asyncio.wait([sending], timeout=GRACE)
            sending.cancel()
            raise

    async def _post(self, one: Delivery, community: Community) -> Post:
        policy = self.policies.of_community(one.community)
        today = f"{one.due.astimezone(ZoneInfo(policy.timezone)):%Y-%m-%d}"
        name = today if one.kind is Kind.ALERT else one.period
        post = await self.builder.build(one.community, name, with_pdf=one.kind is Kind.WEEK)
        if post is None:
            raise Broken(f"there is no period {name}")
        if one.kind is Kind.ALERT:
            burst = self.schedule_of(community).burst
            minutes = int(burst.within.total_seconds() // 60)
            alert = texts(policy.language)("delivery.alert", count=burst.incidents, minutes=minutes)
            return replace(post, text=f"{alert}\n{post.text}")
        return post

    async def _send(self, one: Delivery, channels: list[str], post: Post) -> None:
        if not await patiently(partial(self.deliveries.start, one.id), self.clock):
            return None
        outcome: Outcome = Gone()
        for channel in channels:
            try:
                outcome = await self._platform(one).publish(channel, post, mark=f"report-{one.id}")
            except BotError as error:  # what is broken is the platform, not the report
                return await self._later(one, error)
            except Exception as error:
                _log.error("report failed", community=one.community.id, period=one.period, reason=raised(error))
                return await self._close(one, State.UNCONFIRMED, reason=DEFECT + type(error).__name__)
            if not isinstance(outcome, Gone | Refused):
                break
        match outcome:
            case Done(receipt=receipt):
                await self._close(one, State.SENT, receipt=receipt)
            case Gone():
                await self._close(one, State.FAILED, reason=GONE)
            case Refused(reason=reason):
                await self._close(one, State.FAILED, reason=reason)
            case _:
                await self._close(one, State.UNCONFIRMED, reason=LOST)
        return None

    def _platform(self, one: Delivery) -> Poster:
        if (platform := self.platforms.get(one.community.platform)) is None:
            raise Unavailable("this process has lost the platform")
        return platform

    async def _later(self, one: Delivery, error: BotError) -> None:
        now = self.clock.now()
        if now - (one.planned_at or one.due) >= GIVEN_UP:
            return await self._close(one, State.FAILED, reason=AWAY)
        asked = getattr(error, "retry_after", None) or 0
        until = now + timedelta(seconds=max(AGAIN.after(one.attempts + 1), asked))
        _log.warning("report postponed", community=one.community.id, period=one.period, reason=str(error))
        await patiently(partial(self.deliveries.postpone, one.id, until, reason=str(error)), self.clock)
        return None

    async def _close(self, one: Delivery, state: State, *, receipt: str = "", reason: str = "") -> None:
        if state is not State.SENT:
            _log.warning("report not sent", community=one.community.id, period=one.period, state=state, reason=reason)
        await patiently(partial(self.deliveries.record, one.id, state, receipt=receipt, reason=reason), self.clock)


def _channels(community: Community, kind: Kind) -> list[str]:
    """Where it goes, and where else if that channel is no more; an alert goes to the moderators first."""
    channels = [community.report_channel, community.moderators_channel]
    return [channel for channel in (reversed(channels) if kind is Kind.ALERT else channels) if channel]
