"""Reports are posted once: by two processes on one database, and around a kill -9."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from adapters.system_clock import SystemClock
from bot.core.chat.message import CommunityRef
from bot.core.communities.community import Community
from bot.core.reporting.delivery.delivery import Delivery, State
from bot.core.reporting.delivery.schedule import Kind
from bot.core.reporting.delivery.scheduling import PLACE
from storage.database import Database
from storage.reports.deliveries import SqlDeliveries
from storage.settings.bookmarks import SqlBookmarks
from storage.settings.communities import SqlCommunities
from tests.builders import DISCORD, put_settings
from tests.flow.reporting.reporting_process import report
from tests.servers.databases import sqlite_in
from tests.servers.forks import Fork
from tests.servers.postgres import Postgres

pytestmark = pytest.mark.course

MANY = 30


@contextmanager
def process(url: str, journal: Path, dies: str = "") -> Iterator[Fork]:
    with Fork(report, url, str(journal), dies) as running:
        running.hear()
        yield running


async def set_up(url: str, communities: int) -> None:
    """Communities whose report has been due since yesterday."""
    keys = [(DISCORD, str(number)) for number in range(communities)]
    async with Database.open(url, SystemClock()) as database:
        for platform, id_ in keys:
            await put_settings(
                SqlCommunities(database), Community(platform=platform, id=id_, report_channel=f"news-{id_}")
            )
        await SqlBookmarks(database).put(PLACE, (datetime.now(UTC) - timedelta(days=8)).isoformat())


async def record(url: str, *, dead: bool = False) -> Sequence[Delivery]:
    async with Database.open(url, SystemClock()) as database:
        if dead and database.is_postgresql:  # what half a minute does
            async with database.write() as connection:
                await connection.execute(text(f"UPDATE holders SET alive_until = 0 WHERE id <> {database.holder}"))
        found = await SqlDeliveries(database).latest(1000)
    if dead:
        async with Database.open(url, SystemClock()):
            pass
    return found


def wait_for(holds: Callable[[], bool], patience: float = 60.0) -> None:
    end = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def posts(journal: Path) -> Counter[str]:
    return Counter(journal.read_text().splitlines() if journal.exists() else [])


def test_two_processes_on_one_database_post_every_report_once(postgres: Postgres, tmp_path: Path) -> None:
    url, journal = postgres.create(), tmp_path / "journal"
    asyncio.run(set_up(url, MANY))
    with ExitStack() as both:
        for _ in range(2):
            both.enter_context(process(url, journal))
        wait_for(lambda: len(posts(journal)) == MANY)
        time.sleep(0.5)  # in which nothing else may come
    assert set(posts(journal).values()) == {1} and len(posts(journal)) == MANY
    found = asyncio.run(record(url))
    assert [one.state for one in found] == [State.SENT] * MANY and {one.attempts for one in found} == {1}


@pytest.mark.parametrize(("kind", "dies"), [("sqlite", "before"), ("postgresql", "after")])
def test_a_report_whose_process_was_killed_while_it_was_posted_is_not_posted_again(
    kind: str, dies: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = sqlite_in(tmp_path)
    if kind == "postgresql":
        url = request.getfixturevalue("postgres").create()
    journal = tmp_path / "journal"
    asyncio.run(set_up(url, 24))
    with process(url, journal, dies) as running:
        running.wait()
    left = sum(one.state is State.PLANNED for one in asyncio.run(record(url, dead=True)))
    said = len(posts(journal))
    with process(url, journal):
        wait_for(lambda: len(posts(journal)) >= said + left)
        wait_for(lambda: is_quiet(journal))
    found = asyncio.run(record(url))
    states = Counter(one.state for one in found)
    assert set(posts(journal).values()) == {1}
    assert states[State.UNCONFIRMED] >= 1 and states[State.SENT] + states[State.UNCONFIRMED] == 24
    assert left <= states[State.SENT] <= len(posts(journal)) <= 24


def is_quiet(journal: Path) -> bool:
    before = posts(journal)
    time.sleep(1.0)
    return posts(journal) == before


def test_two_connections_never_get_the_same(postgres: Postgres) -> None:
    url = postgres.create()
    now = datetime.now(UTC)

    async def scenario() -> None:
        async with Database.open(url, SystemClock()) as one, Database.open(url, SystemClock()) as two:
            stores = SqlDeliveries(one), SqlDeliveries(two)
            wanted = [
                Delivery(community=CommunityRef(DISCORD, str(id_)), kind=Kind.WEEK, period="2026-W47", due=now)
                for id_ in range(MANY)
            ]
            planned = await asyncio.gather(*(store.plan(wanted) for store in stores))
            assert sorted(map(sum, planned)) == [0, MANY]
            claims = await asyncio.gather(*(store.claim(3, now=now, platforms=[DISCORD]) for store in stores * MANY))
            given = [delivery.id for claimed in claims for delivery in claimed]
            assert len(given) == len(set(given)) == MANY
            started = [[await store.start(number) for number in given] for store in stores]
            assert all(sum(pair) == 1 for pair in zip(*started, strict=True))

    asyncio.run(scenario())
