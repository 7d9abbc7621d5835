"""How large communities are, which says whose report goes first, and what is counted of each, on both databases."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from bot.core.reporting.periods import day
from bot.core.rules.actions import Delete
from storage.database import Database
from storage.flow.inbox import SqlInbox
from storage.reports.queries import SqlReportQueries
from tests.builders import DISCORD, NOW, TELEGRAM, home, message, settlement
from tests.fakes.clock import ManualClock
from tests.servers.databases import sqlite_in


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_settled_messages_of_the_time_are_counted(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    url = sqlite_in(tmp_path)
    if kind == "postgresql":
        url = request.getfixturevalue("postgres").create()

    async def scenario() -> None:
        async with Database.open(url, ManualClock()) as database:
            inbox, queries = SqlInbox(database), SqlReportQueries(database)
            said = [
                message(f"{community}-{n}", community=community) for community, n in zip("aab", range(3), strict=True)
            ]
            said.append(message("old", community="c", sent_at=NOW - timedelta(days=8)))
            await inbox.keep(said)
            await inbox.settle([settlement(one) for one in said])
            assert await queries.sizes(NOW - timedelta(days=7), NOW + timedelta(hours=1)) == {
                home("a"): 2,
                home("b"): 1,
            }
            assert await queries.sizes(NOW + timedelta(hours=1), NOW + timedelta(hours=2)) == {}

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_figures_of_two_platforms_with_one_id_do_not_meet(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = sqlite_in(tmp_path)
    if kind == "postgresql":
        url = request.getfixturevalue("postgres").create()
    today = day(NOW.date(), "UTC")

    async def scenario() -> None:
        async with Database.open(url, ManualClock()) as database:
            inbox, queries = SqlInbox(database), SqlReportQueries(database)
            server, group = home("7", DISCORD), home("7", TELEGRAM)
            said = [message("1", community="7", platform=one.platform) for one in (server, group)]
            said.append(message("2", community="7", platform=TELEGRAM))
            await inbox.keep([*said, message("3", community="7", platform=TELEGRAM)])
            await inbox.settle([settlement(said[0], Delete()), *map(settlement, said[1:])])
            assert list(await queries.communities()) == [server, group]
            assert await queries.sizes(today.start, today.end) == {server: 1, group: 2}
            ours, theirs = [await queries.figures(one, today.start, today.end) for one in (server, group)]
            assert (ours.seen, ours.waiting, len(ours.entries)) == (1, 0, 1)
            assert (theirs.seen, theirs.waiting, len(theirs.entries)) == (3, 1, 0)
            assert (await queries.totals(group, today.start, today.end)).flagged == 0

    asyncio.run(scenario())
