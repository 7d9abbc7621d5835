"""Exchanges -> the word of a cheap guard that is never away, for those who would rather have that than wait."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog

from bot.core.base.errors import raised
from bot.core.guarding.ports import Guard
from bot.core.guarding.tickets import Ticket, Tickets
from bot.core.guarding.verdict import AWAY, Exchange, Screening, Task, Unscreened, Verdict

_log = structlog.get_logger(__name__)

TOGETHER = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """For the guard `away`; `guard` is None where there is none."""

    guard: Guard | None
    away: Guard

    def can_judge(self, exchange: Exchange) -> bool:
        """All of it."""
        task = Task.PROMPT_HARM if exchange.response is None else Task.RESPONSE_HARM
        return self.guard is not None and task in self.guard.tasks

    async def rank(self, tickets: Tickets) -> None:
        """What waits while the line is too long goes by how harmful it looks, in tenths. The guard does not wait for
        that, and the newest are looked at first: they are next. Never returns."""
        while True:
            await tickets.to_see.wait()
            some = tickets.unseen[-TOGETHER:]
            del tickets.unseen[-TOGETHER:]
            if not some:
                tickets.to_see.clear()
            await self.look_at(ticket for ticket in some if ticket.waits)
            for ticket in some:
                if isinstance(ticket.opinion, Verdict) and (harm := round(ticket.opinion.harm or 0.0, 1)):
                    tickets.lift(ticket, harm)
            await asyncio.sleep(0)

    async def look_at(self, tickets: Iterable[Ticket]) -> None:
        """Each has its opinion then, where there is somebody to have one."""
        new = [ticket for ticket in dict.fromkeys(tickets) if not ticket.opinion]
        found = await self.judge([ticket.exchange for ticket in new])
        for ticket, opinion in zip(new, found, strict=self.guard is not None):
            ticket.opinion = opinion

    async def judge(self, exchanges: Sequence[Exchange]) -> Sequence[Screening]:
        """What it says; where even it fails, that nobody could judge. Nothing where there is none."""
        if not exchanges or not self.guard:
            return []
        try:
            found = await self.guard.judge(exchanges)
            if len(found) == len(exchanges):
                return found
        except Exception as error:
            _log.error("stand-in failed", error=raised(error), exchanges=len(exchanges))
        if len(exchanges) == 1:
            return [Unscreened(AWAY, self.away.version)]
        return [screening for exchange in exchanges for screening in await self.judge([exchange])]
