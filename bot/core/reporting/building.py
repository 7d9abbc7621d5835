"""What is on record about a period -> a digest, or a report."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import islice

from bot.core.base.clock import Clock
from bot.core.chat.message import CommunityRef
from bot.core.chat.post import Advised, Post
from bot.core.communities.policies import Policies
from bot.core.incidents.ports import Incidents
from bot.core.moderation.ports import Inbox
from bot.core.reporting.digest import Digest, summarise
from bot.core.reporting.figures import TrialFigures
from bot.core.reporting.periods import Period, Span, latest, parse
from bot.core.reporting.ports import ReportQueries, ReportRenderer
from bot.core.reporting.report import EARLIER, Report, compose
from bot.core.reporting.what_if import LOOKED_BACK, WhatIf, kinds_of, what_if
from bot.core.rules.policy import Rule

QUARTER = timedelta(minutes=15)  # in which messages are counted
MOST_ADVISED = 3  # thresholds that buttons under a report change
AT_ONCE = 32  # reports that are being drawn or wait for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporter:
    inbox: Inbox
    incidents: Incidents

    async def digest(self, start: datetime, end: datetime, community: CommunityRef | None = None) -> Digest:
        """What was kept and decided in start <= t < end."""
        return summarise(
            await self.incidents.between(start, end, community),
            await self.inbox.tally(start, end, community),
            start=start,
            end=end,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportBuilder:
    """Makes reports as communities read them. `renderer` gives one that shows members' names (`unmasked=True`) or
    hides them; `sent_to`: see `Report`."""

    queries: ReportQueries
    policies: Policies
    renderer: Callable[..., ReportRenderer]
    clock: Clock
    sent_to: tuple[str, ...] = ()
    #: Of its own: the loop's threads look up addresses, and must not all wait for drawings.
    threads: Executor = field(default_factory=lambda: ThreadPoolExecutor(AT_ONCE, thread_name_prefix="report"))

    async def build(
        self,
        community: CommunityRef,
        name: str | None = None,
        *,
        unmasked: bool = False,
        with_pdf: bool = True,
    ) -> Post | None:
        """See `Desk.report`."""
        policy = self.policies.of_community(community)
        try:
            period = parse(name, policy.timezone) if name else latest(Span.WEEK, self.clock.now(), policy.timezone)
        except ValueError:
            return None
        called = self.policies.community(community).name or community.id
        report = replace(await report_on(self.queries, community, called, period), sent_to=self.sent_to)
        render = partial(self.renderer(unmasked=unmasked).render, report, policy.language, with_pdf=with_pdf)
        post = await asyncio.get_running_loop().run_in_executor(self.threads, render)
        known = {rule.name for rule in policy.rules}
        advised = (Advised(community.id, one.rule, one.proposed) for one in report.advice if one.rule in known)
        shown = tuple(islice(advised, MOST_ADVISED))
        return replace(post, language=policy.language, named=community if unmasked else None, advised=shown)


async def would_have_been(
    queries: ReportQueries, community: CommunityRef, rule: Rule, score: float, now: datetime
) -> WhatIf | None:
    """What another threshold of a rule would have meant lately; None: it has none."""
    return what_if(rule, score, await queries.probabilities(community, kinds_of(rule), now - LOOKED_BACK))


async def tried(
    queries: ReportQueries, community: CommunityRef, now: datetime, lasting: timedelta = LOOKED_BACK
) -> Sequence[TrialFigures]:
    """What guards on trial would have found lately."""
    begin, end = (one.replace(minute=one.minute // 15 * 15, second=0, microsecond=0) for one in (now - lasting, now))
    return await queries.trials(community, begin, end + QUARTER)


async def report_on(queries: ReportQueries, community: CommunityRef, name: str, period: Period) -> Report:
    """A community's period beside the ones before it."""
    figures = await queries.figures(community, period.start, period.end)
    earlier = []
    before = period
    for _ in range(EARLIER):
        before = before.before()
        earlier.append((before, await queries.totals(community, before.start, before.end)))
    return compose(name, period, figures, earlier, community)
