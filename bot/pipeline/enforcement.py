"""Outbox -> platform -> outcome: planned actions are done, many at once, and what came of them is recorded."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import structlog

from bot.domain.actions import Outcome, Refused
from bot.domain.incident import PlannedAction
from bot.domain.message import Platform
from bot.errors import Unavailable
from bot.pipeline.bell import Bell, patiently
from bot.ports import ChatPlatform, Clock, Outbox

_log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Enforcer:
    """One failing action never stops the next. An action whose platform is away is given back for later."""

    outbox: Outbox
    platforms: Mapping[Platform, ChatPlatform]
    clock: Clock
    planned: Bell
    at_once: int = 256
    poll: float = 1.0  # seconds
    retry: timedelta = timedelta(seconds=5)
    _busy: int = field(default=0)
    _wants_room: bool = field(default=False)

    async def run(self, closing: asyncio.Event | None = None) -> None:
        """Until cancelled; or, once `closing` is set, until nothing that is due is left undone."""
        async with asyncio.TaskGroup() as stage:
            while True:
                no_more = closing is not None and closing.is_set()
                room = self.at_once - self._busy
                claim = partial(self.outbox.claim, room, now=self.clock.now())
                claimed = await patiently(claim, self.clock) if room else ()
                for planned in claimed:
                    self._busy += 1
                    stage.create_task(self._carry_out(planned))
                if room and len(claimed) == room:
                    continue
                if no_more and not claimed and not self._busy:
                    return
                self._wants_room = no_more or not room
                await self.planned.wait(self.poll)  # rung for what is planned; where room is wanted, for room

    async def _carry_out(self, planned: PlannedAction) -> None:
        try:
            outcome = await self._perform(planned)
        except Unavailable as error:
            again = self.clock.now() + max(self.retry, timedelta(seconds=error.retry_after or 0))
            _log.warning(
                "action postponed", action=planned.action.kind, incident=planned.incident_id, reason=str(error)
            )
            await patiently(partial(self.outbox.postpone, planned.id, again), self.clock)
        else:
            await patiently(partial(self.outbox.record, [(planned.id, outcome)]), self.clock)
        finally:
            self._busy -= 1
            if self._wants_room:
                self.planned.ring()

    async def _perform(self, planned: PlannedAction) -> Outcome:
        platform = self.platforms.get(planned.message.ref.platform)
        if platform is None:
            return Refused(f"{planned.message.ref.platform} is switched off")
        return await platform.perform(planned)
