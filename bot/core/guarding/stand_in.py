"""Exchanges -> the word of a cheap guard that is never away, for those who would rather have that than wait."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from bot.core.base.errors import raised
from bot.core.guarding.ports import Guard
from bot.core.guarding.verdict import AWAY, Exchange, Route, Screening, Task, Unscreened, Verdict

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """For the guard `away`; `guard` is None where there is none."""

    guard: Guard | None
    away: Guard

    def can_judge(self, exchange: Exchange) -> bool:
        """All of it."""
        task = Task.PROMPT_HARM if exchange.response is None else Task.RESPONSE_HARM
        return self.guard is not None and task in self.guard.tasks

    async def judge(self, exchanges: Sequence[Exchange]) -> Sequence[Screening]:
        """What the stand-in says (`Route.STOOD_IN`); where even that fails, that nobody could judge. Nothing where
        there is none."""
        if not exchanges or not self.guard:
            return []
        try:
            found = await self.guard.judge(exchanges)
            stood = [replace(one, route=Route.STOOD_IN) if isinstance(one, Verdict) else one for one in found]
            if len(stood) == len(exchanges):
                return stood
        except Exception as error:
            _log.error("stand-in failed", error=raised(error), exchanges=len(exchanges))
        if len(exchanges) == 1:
            return [Unscreened(AWAY, self.away.version)]
        return [screening for exchange in exchanges for screening in await self.judge([exchange])]
