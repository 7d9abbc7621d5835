"""What is on record about a period -> a digest, or a report."""

from dataclasses import dataclass
from datetime import datetime

from bot.domain.digest import Digest, summarise
from bot.domain.periods import Period
from bot.domain.report import EARLIER, Report, compose
from bot.ports import Chronicle, Inbox, IncidentLog


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


async def report_on(chronicle: Chronicle, community_id: str, name: str, period: Period) -> Report:
    """A community's period beside the ones before it."""
    figures = await chronicle.figures(community_id, period.start, period.end)
    earlier = []
    before = period
    for _ in range(EARLIER):
        before = before.before()
        earlier.append((before, await chronicle.totals(community_id, before.start, before.end)))
    return compose(name, period, figures, earlier)
