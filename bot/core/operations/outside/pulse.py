"""How this process is doing -> a line in the log, each minute in which something was done or is amiss: numbers, and
never what anybody said."""

from dataclasses import dataclass

import structlog

from bot.core.base.clock import Clock
from bot.core.base.errors import BotError
from bot.core.operations.outside.standing import Backlog
from bot.core.operations.ports import HealthSource

EVERY = 60.0  # seconds

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """`lag`: seconds from sending a message to deciding about it, of those decided about within the minute."""

    health_source: HealthSource
    clock: Clock

    async def run(self) -> None:
        """Until cancelled."""
        flow = self.health_source.snapshot().flow  # one and the same, counted up
        settled, incidents, lag, acted = 0, 0, 0.0, 0
        while True:
            await self.clock.sleep(EVERY)
            backlog, snapshot = await self._backlog(), self.health_source.snapshot()
            deaf = [platform for platform, one in snapshot.connections.items() if not one.is_up]
            now = (flow.settled, flow.incidents, flow.lag.total, flow.actions.total())
            done = now[0] - settled
            if done or now[3] > acted or deaf or snapshot.guard_is_away or backlog is None or backlog.messages:
                _log.info(
                    "at work",
                    settled=done,
                    incidents=now[1] - incidents,
                    actions=now[3] - acted,
                    lag=round((now[2] - lag) / done, 2) if done else None,
                    **self._waiting(backlog),
                    guard="away" if snapshot.guard_is_away else "answers",
                    not_connected=deaf,
                )
            settled, incidents, lag, acted = now

    async def _backlog(self) -> Backlog | None:
        try:
            return await self.health_source.standings.backlog()
        except BotError:
            return None

    def _waiting(self, backlog: Backlog | None) -> dict[str, object]:
        if backlog is None:
            return {"database": "away"}
        since = backlog.messages_since
        oldest = round((self.clock.now() - since).total_seconds(), 1) if since else 0
        return {"waiting": backlog.messages, "oldest": oldest, "aside": backlog.aside, "actions_open": backlog.actions}
