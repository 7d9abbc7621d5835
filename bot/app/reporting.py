"""What reports are made from, drawn with and sent by."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from adapters.system_clock import SystemClock
from bot.config import Config
from bot.core.communities.ports import Communities
from bot.core.reporting.ports import Chronicle, Deliveries, ReportPress, Timetable
from bot.core.text.catalogue import Texts
from storage.database import Database
from storage.reports.chronicle import SqlChronicle
from storage.reports.deliveries import SqlDeliveries
from storage.settings.communities import SqlCommunities

if TYPE_CHECKING:
    pass


@asynccontextmanager
async def chronicle(config: Config) -> AsyncIterator[tuple[Chronicle, Communities]]:
    """What reports are made from, without anything that could act."""
    async with Database.visit(config.storage.url, SystemClock()) as database:
        yield SqlChronicle(database), SqlCommunities(database)


@asynccontextmanager
async def delivered(config: Config) -> AsyncIterator[Deliveries]:
    """What was sent, for people to read."""
    async with Database.visit(config.storage.url, SystemClock()) as database:
        yield SqlDeliveries(database)


@contextmanager
def _presses(workers: int) -> Iterator[Callable[..., ReportPress]]:
    """Draw in processes of their own, which start with the first report."""
    from adapters.reports.workers import ReportWorkers

    drawing = ReportWorkers(report_press, workers=workers)
    try:
        yield drawing.press
    finally:
        drawing.close()


def _timetable() -> AbstractAsyncContextManager[Timetable]:
    from adapters.reports.timetable import ApschedulerAlarms

    return ApschedulerAlarms()


def no_pdf(say: Texts) -> str:
    """Why reports have no PDF here, in one sentence; "": they have one."""
    from adapters.reports.pages import no_pdf

    return no_pdf(say)


def report_press(*, unmasked: bool = False) -> ReportPress:
    from adapters.reports.pages import ReportPages

    return ReportPages(unmasked=unmasked)
