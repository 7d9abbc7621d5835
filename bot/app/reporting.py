"""What reports are made from, drawn with and sent by."""

from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass

from bot.app import chats, keeping
from bot.app.parts import Core, Stores
from bot.app.reloading import InForce
from bot.app.runner import Service
from bot.config import Config
from bot.core.base.clock import Clock
from bot.core.base.waiting import Wakeup
from bot.core.communities.policies import Policies
from bot.core.communities.ports import Communities
from bot.core.incidents.ports import Cases
from bot.core.operations.outside.role import Role
from bot.core.reporting.building import ReportBuilder
from bot.core.reporting.delivery.bursts import BurstWatch
from bot.core.reporting.delivery.delivering import DeliveryWorker
from bot.core.reporting.delivery.scheduling import Scheduler
from bot.core.reporting.delivery.waiting import WaitingWatch
from bot.core.reporting.ports import AlarmClock, Deliveries, ReportQueries, ReportRenderer
from bot.core.text.catalogue import Texts
from storage.records.deeds import SqlCases
from storage.reports.deliveries import SqlDeliveries
from storage.reports.queries import SqlReportQueries
from storage.settings.communities import SqlCommunities


@asynccontextmanager
async def report_queries(config: Config) -> AsyncIterator[tuple[ReportQueries, Communities, Cases]]:
    """What reports are made from, without anything that could act; and where it is noted who looks at one."""
    async with keeping.visit(config) as database:
        yield SqlReportQueries(database), SqlCommunities(database), SqlCases(database)


@asynccontextmanager
async def delivered(config: Config) -> AsyncIterator[Deliveries]:
    """What was sent, for people to read."""
    async with keeping.visit(config) as database:
        yield SqlDeliveries(database)


@contextmanager
def _renderers(workers: int) -> Iterator[Callable[..., ReportRenderer]]:
    """Draw in processes of their own, which start with the first report."""
    from adapters.reports.workers import ReportWorkers

    drawing = ReportWorkers(report_renderer, workers=workers)
    try:
        yield drawing.renderer
    finally:
        drawing.close()


def _alarm_clock() -> AbstractAsyncContextManager[AlarmClock]:
    from adapters.reports.alarm_clock import ApschedulerAlarmClock

    return ApschedulerAlarmClock()


async def make_up_a_year(url: str) -> tuple[str, str]:
    """Writes the year of a made-up community down; its name, and that of the year's last week."""
    from adapters.system_clock import SystemClock
    from storage.reports import made_up_year

    await made_up_year.write_year(url, SystemClock())
    return made_up_year.COMMUNITY.id, made_up_year.LAST_WEEK


def no_pdf(say: Texts) -> str:
    """Why reports have no PDF here, in one sentence; "": they have one."""
    from adapters.reports.pages import no_pdf

    return no_pdf(say)


def report_renderer(*, unmasked: bool = False) -> ReportRenderer:
    from adapters.reports.pages import ReportPages

    return ReportPages(address=chats.address, unmasked=unmasked)


async def scheduler(
    in_force: InForce, stores: Stores, clock: Clock, planned: Wakeup, opened: AsyncExitStack
) -> Scheduler:
    return Scheduler(
        communities=stores.communities,
        schedule_of=in_force.schedule_of,
        alarm_clock=await opened.enter_async_context(_alarm_clock()),
        deliveries=stores.deliveries,
        queries=stores.report_queries,
        bookmarks=stores.bookmarks,
        clock=clock,
        planned=planned,
    )


def builder(config: Config, stores: Stores, policies: Policies, clock: Clock, opened: AsyncExitStack) -> ReportBuilder:
    renderers = opened.enter_context(_renderers(config.report.workers))
    return ReportBuilder(
        queries=stores.report_queries, policies=policies, renderer=renderers, clock=clock, sent_to=config.sent_to()
    )


def sends(roles: Collection[Role]) -> bool:
    """Who is connected, or there for reports alone."""
    return not {Role.CHAT, Role.REPORT}.isdisjoint(roles)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """Those who send reports: what is due, and what is news."""

    worker: DeliveryWorker
    bursts: BurstWatch
    waiting: WaitingWatch

    def services(self, scheduler: Scheduler, roles: Collection[Role]) -> Sequence[Service]:
        return (scheduler.run, self.worker.run, self.waiting.run) if sends(roles) else ()


def sending(
    core: Core,
    in_force: InForce,
    stores: Stores,
    builder: ReportBuilder,
    reach: chats.Reach,
    planned: Wakeup,
) -> Sending:
    policies, clock = core.policies, core.clock
    worker = DeliveryWorker(
        deliveries=stores.deliveries,
        builder=builder,
        cases=stores.cases,
        policies=policies,
        schedule_of=in_force.schedule_of,
        platforms=reach.reached,
        is_left=reach.is_left,
        clock=clock,
        planned=planned,
        at_once=core.config.report.workers + 8,
    )
    bursts = BurstWatch(
        policies=policies,
        schedule_of=in_force.schedule_of,
        incidents=stores.incidents,
        deliveries=stores.deliveries,
        clock=clock,
        planned=planned,
        is_raided=core.desk.raids.is_on,
    )
    waiting = WaitingWatch(
        policies=policies,
        schedule_of=in_force.schedule_of,
        cases=stores.cases,
        deliveries=stores.deliveries,
        clock=clock,
        planned=planned,
    )
    return Sending(worker=worker, bursts=bursts, waiting=waiting)
