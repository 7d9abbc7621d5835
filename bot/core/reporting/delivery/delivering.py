"""Planned deliveries -> reports made, posted, and what came of it written down; the largest communities first."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from zoneinfo import ZoneInfo

import structlog

from bot.core.base.clock import Clock
from bot.core.base.errors import BotError, Broken, Unavailable, raised
from bot.core.base.waiting import Backoff, Wakeup, outlasting, patiently
from bot.core.chat.message import Platform
from bot.core.chat.post import Post
from bot.core.communities.community import Community
from bot.core.communities.policies import Policies
from bot.core.incidents.case import Severity
from bot.core.incidents.ports import Cases
from bot.core.reporting.building import ReportBuilder
from bot.core.reporting.delivery.delivery import Delivery, State
from bot.core.reporting.delivery.schedule import Kind, Schedule
from bot.core.reporting.ports import Deliveries, Poster
from bot.core.rules.actions import DEFECT, Done, Gone, Outcome, Refused
from bot.core.text.catalogue import texts

GIVEN_UP = timedelta(days=1)  # a platform may be away for so long
AGAIN = Backoff(first=60.0, longest=1800.0)
SHOWN = 5  # cases that a reminder names
GRACE = 10.0  # seconds for what is being posted while the process ends

#: Why a delivery was not sent, as it is written down; a platform's own words stand as they are.
NOWHERE, GONE, AWAY, LOST, ANSWERED = "nowhere", "gone", "away", "lost", "answered"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _End:
    """How a delivery ended."""

    state: State
    receipt: str = ""
    reason: str = ""


@dataclass(slots=True, kw_only=True)
class DeliveryWorker:
    """A report is posted at most once: from `Deliveries.start` on nobody can say whether it was, until it is written
    down. Making it comes before that, so most of what a crash interrupts is simply done again."""

    deliveries: Deliveries
    builder: ReportBuilder
    cases: Cases
    policies: Policies
    schedule_of: Callable[[Community], Schedule]
    platforms: Mapping[Platform, Poster]
    clock: Clock
    planned: Wakeup
    is_left: Callable[[Platform], bool] = lambda _: False  # to others
    at_once: int = 6
    poll: float = 5.0  # seconds
    _busy: int = field(default=0)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as under_way:
            while True:
                room = self.at_once - self._busy
                here = [one for one in self.platforms if not self.is_left(one)]
                claim = partial(self.deliveries.claim, room, now=self.clock.now(), platforms=here)
                claimed = await patiently(claim, self.clock) if room else ()
                for one in claimed:
                    self._busy += 1
                    under_way.create_task(self._carry(one))
                if not claimed:
                    await self.planned.wait(self.poll)  # rung for what is planned, and for every slot that is free

    async def _carry(self, one: Delivery) -> None:
        try:
            try:
                end = await self._deliver(one)
            except BotError as error:  # what is broken is the platform, not the report
                end = await self._put_off(one, error)
            if end:
                await self._record(one, end)
        finally:
            self._busy -= 1
            self.planned.wake()

    async def _deliver(self, one: Delivery) -> _End | None:
        """None: somebody else has it. Raises `BotError` where it is to be tried again."""
        community = self.policies.community(one.community)
        channels = _channels(community, one.kind)
        if not channels:
            return _End(State.SKIPPED, reason=NOWHERE)
        if one.kind is Kind.WAITING:
            return await self._remind(one, channels[0])
        try:
            post = await self._post(one, community)
        except Broken as error:
            return _End(State.FAILED, reason=str(error))
        if not await patiently(partial(self.deliveries.start, one.id), self.clock):
            return None
        return await _unbroken(self._send(one, channels, post))

    async def _remind(self, one: Delivery, room: str) -> _End | None:
        """Of what waits by now."""
        waiting = await self.cases.waiting(one.community, most=SHOWN)
        if not any(case.severity >= Severity.WAITS for case in waiting):
            return _End(State.SKIPPED, reason=ANSWERED)
        policy = self.policies.of_community(one.community)
        say, zone = texts(policy.language), ZoneInfo(policy.timezone)
        named = [
            say(
                f"reminder.{'urgent' if case.severity is Severity.URGENT else 'case'}",
                case=case.number,
                at=f"{case.opened_at.astimezone(zone):%m-%d %H:%M}",
            )
            for case in waiting
            if case.severity >= Severity.WAITS
        ]
        if not await patiently(partial(self.deliveries.start, one.id), self.clock):
            return None
        await self._platform(one).announce(room, say("reminder.waiting", cases="\n".join(named)))
        return _End(State.SENT)

    async def _post(self, one: Delivery, community: Community) -> Post:
        policy = self.policies.of_community(one.community)
        today = f"{one.due.astimezone(ZoneInfo(policy.timezone)):%Y-%m-%d}"
        name = today if one.kind is Kind.ALERT else one.period
        post = await self.builder.build(one.community, name, with_pdf=one.kind is Kind.WEEK)
        if post is None:
            raise Broken("there is no period {name}", name=name)
        if one.kind is Kind.ALERT:
            burst = self.schedule_of(community).burst
            minutes = int(burst.within.total_seconds() // 60)
            alert = texts(policy.language)("delivery.alert", count=burst.incidents, minutes=minutes)
            return replace(post, text=f"{alert}\n{post.text}")
        return post

    async def _send(self, one: Delivery, channels: list[str], post: Post) -> _End:
        outcome: Outcome = Gone()
        for channel in channels:
            try:
                outcome = await self._platform(one).publish(channel, post, mark=f"report-{one.id}")
            except BotError:
                raise
            except Exception as error:
                _log.error("report failed", community=one.community.id, period=one.period, reason=raised(error))
                return _End(State.UNCONFIRMED, reason=DEFECT + type(error).__name__)
            if not isinstance(outcome, Gone | Refused):
                break
        match outcome:
            case Done(receipt=receipt):
                return _End(State.SENT, receipt=receipt)
            case Gone():
                return _End(State.FAILED, reason=GONE)
            case Refused(reason=reason):
                return _End(State.FAILED, reason=reason)
        return _End(State.UNCONFIRMED, reason=LOST)

    def _platform(self, one: Delivery) -> Poster:
        if (platform := self.platforms.get(one.community.platform)) is None:
            raise Unavailable("this process has lost the platform")
        return platform

    async def _put_off(self, one: Delivery, error: BotError) -> _End | None:
        """Until the platform is there again; not for ever."""
        now = self.clock.now()
        if now - (one.planned_at or one.due) >= GIVEN_UP:
            return _End(State.FAILED, reason=AWAY)
        asked = getattr(error, "retry_after", None) or 0
        until = now + timedelta(seconds=max(AGAIN.after(one.attempts + 1), asked))
        _log.warning("report postponed", community=one.community.id, period=one.period, reason=error)
        await patiently(partial(self.deliveries.postpone, one.id, until, reason=str(error)), self.clock)
        return None

    async def _record(self, one: Delivery, end: _End) -> None:
        state, reason = end.state, end.reason
        if state is not State.SENT:
            _log.warning("report not sent", community=one.community.id, period=one.period, state=state, reason=reason)
        record = partial(self.deliveries.record, one.id, state, receipt=end.receipt, reason=reason)
        await patiently(record, self.clock)


async def _unbroken(sending: Awaitable[_End]) -> _End:
    """What is being posted is waited for, for a moment, also where we are to stop: it is to go on record."""
    posted = asyncio.ensure_future(sending)
    try:
        return await outlasting(posted)
    except asyncio.CancelledError:
        await asyncio.wait([posted], timeout=GRACE)
        if posted.done() and not posted.cancelled():
            return posted.result()
        posted.cancel()
        raise


def _channels(community: Community, kind: Kind) -> list[str]:
    """Where it goes, and where else if that channel is no more; an alert goes to the moderators first."""
    channels = [community.report_channel, community.moderators_channel]
    if kind is Kind.WAITING:
        return [community.moderators_channel] if community.moderators_channel else []
    return [channel for channel in (reversed(channels) if kind is Kind.ALERT else channels) if channel]
