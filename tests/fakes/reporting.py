"""Reports in memory: when they are due, on their way, drawn on blank paper."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bot.core.chat.message import CommunityRef, Platform
from bot.core.chat.post import Attachment, Post
from bot.core.guarding.kinds import HarmKind
from bot.core.reporting.delivery.delivery import FINAL, OVERTAKEN, Delivery, State
from bot.core.reporting.figures import Figures, Totals, TrialFigures
from bot.core.reporting.report import Report
from bot.core.reporting.what_if import Probabilities
from tests.fakes.clock import ManualClock


class MemoryDeliveries:
    """`restart` is what the death of the process leaves behind."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.all: dict[int, Delivery] = {}
        self.leased: set[int] = set()
        self.not_before: dict[int, datetime] = {}

    def restart(self) -> None:
        for number in self.leased:
            if self.all[number].state is State.STARTED:
                self._change(number, state=State.UNCONFIRMED, finished_at=self.clock.now())
        self.leased.clear()

    async def plan(self, deliveries: Sequence[Delivery], *, apart: timedelta = timedelta(0)) -> Sequence[bool]:
        planned = []
        for one in deliveries:
            others = [
                other for other in self.all.values()
                if (other.community, other.kind) == (one.community, one.kind)
            ]  # fmt: skip
            new = not any(other.period == one.period or (apart and other.due > one.due - apart) for other in others)
            if new:
                for other in others:
                    if other.due < one.due and other.state is State.PLANNED and other.id not in self.leased:
                        gone = {"state": State.SKIPPED, "reason": OVERTAKEN, "finished_at": self.clock.now()}
                        self._change(other.id, **gone)
                number = len(self.all) + 1
                self.all[number] = replace(one, id=number, planned_at=self.clock.now())
            planned.append(new)
        return planned

    async def claim(self, limit: int, *, now: datetime, platforms: Collection[Platform]) -> Sequence[Delivery]:
        due = [
            one for one in self.all.values()
            if one.id not in self.leased and one.state not in FINAL and one.community.platform in platforms
            and one.due <= now and self.not_before.get(one.id, now) <= now
        ]  # fmt: skip
        claimed = sorted(due, key=lambda one: (-one.size, one.id))[:limit]
        self.leased |= {one.id for one in claimed}
        return claimed

    async def start(self, delivery_id: int) -> bool:
        one = self.all[delivery_id]
        if delivery_id not in self.leased or one.state is not State.PLANNED:
            return False
        self._change(delivery_id, state=State.STARTED, started_at=self.clock.now(), attempts=one.attempts + 1)
        return True

    async def record(self, delivery_id: int, state: State, *, receipt: str = "", reason: str = "") -> None:
        if delivery_id in self.leased:
            self._change(delivery_id, state=state, receipt=receipt, reason=reason, finished_at=self.clock.now())
            self.leased.discard(delivery_id)

    async def postpone(self, delivery_id: int, until: datetime, *, reason: str) -> None:
        if delivery_id in self.leased:
            self._change(delivery_id, state=State.PLANNED, reason=reason)
            self.not_before[delivery_id] = until
            self.leased.discard(delivery_id)

    async def latest(self, limit: int, community: CommunityRef | None = None) -> Sequence[Delivery]:
        found = [one for one in self.all.values() if community in (None, one.community)]
        return sorted(found, key=lambda one: (one.due, one.id), reverse=True)[:limit]

    def _change(self, number: int, **changes: Any) -> None:
        self.all[number] = replace(self.all[number], **changes)


class MemoryAlarmClock:
    """Alarm clocks on a manual clock: whoever moves it on asks `look` whether any went off."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.alarms: dict[CommunityRef, datetime] = {}
        self._changed = asyncio.Event()

    async def arm(self, alarms: Mapping[CommunityRef, datetime | None]) -> None:
        for community, at in alarms.items():
            self.alarms.pop(community, None)
            if at is not None:
                self.alarms[community] = at
        self._changed.set()

    def look(self) -> None:
        self._changed.set()

    async def rings(self) -> AsyncIterator[Mapping[CommunityRef, datetime]]:
        while True:
            if ringing := {community: at for community, at in self.alarms.items() if at <= self.clock.now()}:
                for community in ringing:
                    del self.alarms[community]
                yield ringing
            self._changed.clear()
            await self._changed.wait()


class QuietQueries:
    """The record of communities in which nothing has happened."""

    async def probabilities(
        self, community: CommunityRef, kinds: Collection[HarmKind], since: datetime
    ) -> Probabilities:
        return Probabilities(messages={}, incidents=())

    async def sizes(self, start: datetime, end: datetime) -> Mapping[CommunityRef, int]:
        return {}

    async def communities(self) -> Sequence[CommunityRef]:
        return ()

    async def figures(self, community: CommunityRef, start: datetime, end: datetime) -> Figures:
        return Figures(start=start, end=end)

    async def trials(self, community: CommunityRef, start: datetime, end: datetime) -> Sequence[TrialFigures]:
        return ()

    async def totals(self, community: CommunityRef, start: datetime, end: datetime) -> Totals:
        return Totals()


class ScriptedRenderer:
    """Prints the period's name, and the community's, on paper that is blank otherwise."""

    def __init__(self, *, unmasked: bool = False) -> None:
        self.unmasked = unmasked

    def render(self, report: Report, language: str, *, with_pdf: bool = True) -> Post:
        name = f"{report.community} {report.period.name}"
        formats = ("html", "pdf", "csv") if with_pdf else ("html", "csv")
        return Post(
            text=f"{name} {language}" + (" unmasked" if self.unmasked else ""),
            picture=Attachment(name="report.png", content=_DOT, description=name),
            files=tuple(Attachment(name=f"report.{kind}", content=b"-", description=name) for kind in formats),
        )


#: A picture of one grey point (PNG).
_DOT = bytes.fromhex(
    "89504e470d0a1a0a0000000d494844520000000100000001080000000"
    "03a7e9b550000000a4944415478da63680000008200816b7e5c1e0000000049454e44ae426082"
)
