"""A folder -> the report on the last week of a made-up community, to look at."""

import asyncio
from pathlib import Path

from bot.core.reporting.building import report_on
from bot.core.reporting.periods import parse
from bot.core.reporting.report import Report
from storage.database import Database
from storage.reports import made_up_year
from storage.reports.queries import SqlReportQueries
from tests.fakes.clock import ManualClock
from tests.servers.databases import sqlite_in

PERIOD = parse("2026-W47", "Asia/Seoul")


def made_up(folder: Path) -> Report:
    url = sqlite_in(folder)

    async def made() -> Report:
        await made_up_year.write_year(url, ManualClock(), weeks=5)
        async with Database.open(url, ManualClock()) as database:
            return await report_on(SqlReportQueries(database), made_up_year.COMMUNITY, "게임 라운지 🎮 $1", PERIOD)

    return asyncio.run(made())
