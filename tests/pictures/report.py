"""A folder -> the weekly report of a made-up year, and, asked for, the README's pictures of it.

python -m tests.pictures.report build/demo [docs]
"""

import asyncio
import shutil
import sys
from pathlib import Path

from adapters.reports.pages import ReportPages
from adapters.system_clock import SystemClock
from bot.core.chat.post import Post
from bot.core.reporting.building import report_on
from bot.core.reporting.periods import parse
from storage.database import Database
from storage.reports import made_up_year
from storage.reports.queries import SqlReportQueries
from tests.servers.browser import opened, photograph
from tests.servers.databases import sqlite_in


async def post(url: str, language: str) -> Post:
    await made_up_year.write_year(url, SystemClock())
    async with Database.open(url, SystemClock()) as database:
        week = parse(made_up_year.LAST_WEEK, made_up_year.ZONE.key)
        report = await report_on(SqlReportQueries(database), made_up_year.COMMUNITY, made_up_year.COMMUNITY.id, week)
    return ReportPages().render(report, language)


def main(out: Path, docs: Path | None) -> None:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    made = asyncio.run(post(sqlite_in(out), "ko"))
    for file in (made.picture, *made.files):
        (out / file.name).write_bytes(file.content)
        print(out / file.name)
    print(made.text)
    if docs:
        (docs / "report-chat.png").write_bytes(made.picture.content)
        with opened() as browser:
            content = photograph(browser, made.files[0].content, width=1280, height=1500)
        (docs / "report-page.png").write_bytes(content)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if sys.argv[2:] else None)
