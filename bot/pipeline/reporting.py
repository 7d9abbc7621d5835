"""Incidents of a period -> digest."""

from dataclasses import dataclass
from datetime import datetime

from bot.domain.digest import Digest, summarise
from bot.ports import Inbox, IncidentLog


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporter:
    inbox: Inbox
    incidents: IncidentLog

    async def digest(self, start: datetime, end: datetime, community_id: str | None = None) -> Digest:
        """What was kept and decided in start <= t < end."""
        return summarise(
            await self.incidents.between(start, end, community_id),
            await self.inbox.tally(start, end, community_id),
            start=start,
            end=end,
        )
