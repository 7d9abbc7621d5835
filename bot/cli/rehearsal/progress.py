"""Settlements in any order -> a view's in the transcript's order, and the summary at the end."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from bot.config import Config
from bot.core.base.clock import Clock
from bot.core.chat.message import Message, MessageRef
from bot.core.guarding.verdict import Unscreened
from bot.core.incidents.incident import Incident, Settlement
from bot.core.incidents.ports import Incidents
from bot.core.moderation.ports import Inbox
from bot.core.rules.decision import Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """`kept` and `settled` count the whole transcript, with what an earlier run of it had done (`earlier`)."""

    kept: int
    settled: int
    incidents: int
    unscreened: int
    per_second: float
    earlier: int


class View(Protocol):
    def __enter__(self) -> object: ...
    def __exit__(self, *_: object) -> None: ...
    def settlement(self, settlement: Settlement) -> None: ...
    def earlier(self, message: Message, incident: Incident | None) -> None: ...
    def summary(self, summary: Summary, config: Config) -> None: ...


@dataclass(slots=True)
class Rehearsal:
    """Puts what comes back settled into the transcript's order and counts it."""

    view: View
    clock: Clock
    period: tuple[datetime, datetime] | None = None
    _inbox: Inbox | None = None
    _incidents: Incidents | None = None
    _seen: set[int] = field(default_factory=set)  # hashes of refs: a transcript may be long
    _order: deque[Message] = field(default_factory=deque)
    _back: dict[MessageRef, Settlement | Incident | None] = field(default_factory=dict)
    _settled: int = 0
    _now: int = 0
    _incident_count: int = 0
    _unscreened: int = 0
    _began: float | None = None
    _ended: float = 0.0

    def attach(self, inbox: Inbox, incidents: Incidents) -> None:
        self._inbox, self._incidents = inbox, incidents
        self._began = self.clock.monotonic()

    async def kept(self, messages: Sequence[Message], new: Sequence[bool]) -> None:
        assert self._inbox and self._incidents
        known = [message.ref for message, is_new in zip(messages, new, strict=True) if not is_new]
        done = {ref for ref, settled in zip(known, await self._inbox.settled(known), strict=True) if settled}
        incidents = {incident.decision.message.ref: incident for incident in await self._incidents.of(list(done))}
        for message in messages:
            if (mark := hash(message.ref)) in self._seen:
                continue
            self._seen.add(mark)
            self._order.append(message)
            if message.ref in done:
                self._back.setdefault(message.ref, incidents.get(message.ref))
        self._show()

    def settled(self, settlements: Sequence[Settlement]) -> None:
        self._now += len(settlements)
        self._ended = self.clock.monotonic()
        for settlement in settlements:
            self._back[settlement.decision.message.ref] = settlement
        self._show()

    def _show(self) -> None:
        while self._order and self._order[0].ref in self._back:
            message = self._order.popleft()
            result = self._back.pop(message.ref)
            self._settled += 1
            start, end = self.period or (message.sent_at, message.sent_at)
            self.period = (min(start, message.sent_at), max(end, message.sent_at))
            if isinstance(result, Settlement):
                self._count(result.decision)
                self.view.settlement(replace(result, decision=replace(result.decision, message=message)))
            else:
                if result:
                    self._count(result.decision)
                self.view.earlier(message, result)

    def _count(self, decision: Decision) -> None:
        self._incident_count += decision.is_incident
        self._unscreened += isinstance(decision.screening, Unscreened)

    def summary(self) -> Summary:
        took = max(self._ended - (self._began or 0.0), 1e-6)
        return Summary(
            kept=len(self._seen),
            settled=self._settled,
            incidents=self._incident_count,
            unscreened=self._unscreened,
            per_second=self._now / took,
            earlier=self._settled - self._now,
        )
