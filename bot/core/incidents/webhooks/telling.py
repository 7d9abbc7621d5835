"""Incidents that were opened -> the servers that communities want to have told of them, at least once each."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Protocol

import structlog

from bot.core.base.clock import Clock
from bot.core.base.errors import raised
from bot.core.base.waiting import Backoff, Wakeup, patiently
from bot.core.incidents.ports import Receiver, Webhooks
from bot.core.incidents.webhooks.webhook import Declined, Heard, Notice, Reception, Unheard, Webhook, host_of

AGAIN = Backoff(first=10.0, longest=1800.0)
GIVEN_UP = timedelta(days=1)  # a server may be away for so long
LONGEST = 15.0  # seconds in which one server is told one notice after the other, before it is another's turn

_log = structlog.get_logger(__name__)


class Stopped(Protocol):
    """Hears that a webhook is told nothing more, and how many notices that has cost."""

    def __call__(self, webhook: Webhook, lost: int) -> Awaitable[None]: ...


@dataclass(slots=True, kw_only=True)
class Teller:
    """Every server is told in the order of the incidents, and has one of the `at_once` places at most: one that is slow
    or away waits for itself alone. What is under way when a process dies is told again, under the same name."""

    webhooks: Webhooks
    receiver: Receiver
    clock: Clock
    stopped: Stopped
    at_once: int = 8
    poll: float = 1.0  # seconds
    _free: Wakeup = field(default_factory=Wakeup)
    _busy: int = 0

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as under_way:
            while True:
                room = self.at_once - self._busy
                claim = partial(self.webhooks.claim, room, now=self.clock.now())
                claimed = await patiently(claim, self.clock) if room else ()
                for webhook, notices in claimed:
                    self._busy += 1
                    under_way.create_task(self._turn(webhook, notices))
                if not claimed:
                    await self._free.wait(self.poll)

    async def _turn(self, webhook: Webhook, notices: Sequence[Notice]) -> None:
        try:
            told, reception = await self._tell(webhook, notices)
            await self._record(webhook, notices, told, reception)
        finally:
            self._busy -= 1
            self._free.wake()

    async def _tell(self, webhook: Webhook, notices: Sequence[Notice]) -> tuple[list[int], Reception]:
        told: list[int] = []
        began = self.clock.monotonic()
        for notice in notices:
            try:
                reception = await self.receiver.tell(webhook, notice)
            except Exception as error:  # one webhook's trouble stays with it
                _log.error("webhook failed", webhook=webhook.id, reason=raised(error))
                reception = Unheard("defect")
            if not isinstance(reception, Heard):
                return told, reception
            told.append(notice.id)
            if self.clock.monotonic() - began >= LONGEST:
                break
        return told, Heard()

    async def _record(
        self, webhook: Webhook, notices: Sequence[Notice], told: Sequence[int], reception: Reception
    ) -> None:
        now = self.clock.now()
        match reception:
            case Heard():
                await patiently(partial(self.webhooks.heard, webhook.id, told), self.clock)
            case Unheard(reason) if now - notices[len(told)].planned_at < GIVEN_UP:
                until = now + timedelta(seconds=AGAIN.after(webhook.failures + 1 if not told else 1))
                _log.warning("webhook postponed", webhook=webhook.id, host=host_of(webhook.url), reason=reason)
                postpone = partial(self.webhooks.postpone, webhook.id, told, until=until, reason=reason)
                await patiently(postpone, self.clock)
            case Unheard() | Declined():
                reason = "declined" if isinstance(reception, Declined) else reception.reason
                stop = partial(self.webhooks.stop, webhook.id, told, at=now, reason=reason)
                lost = await patiently(stop, self.clock)
                _log.warning("webhook stopped", webhook=webhook.id, host=host_of(webhook.url), lost=lost)
                await self.stopped(webhook, lost)
