"""Keys change under a database that is worked on, and under one whose process dies: nothing is lost, now or later."""

import asyncio
import signal
from pathlib import Path

import pytest
from sqlalchemy import LargeBinary, func, select, text, type_coerce

from bot.core.operations.sealing import HEADER, header
from bot.core.rules.actions import Delete
from storage.database import Database
from storage.records import resealing
from storage.tables import incidents
from tests.adapters.storage.keeping.killed_rewrap import rewrap
from tests.adapters.storage.keeping.test_sealing import PLANTED, opened, plant, rotation, said
from tests.builders import NOW, home, later, settlement
from tests.contracts.stores import Store
from tests.fakes.clock import ImpatientClock
from tests.servers.forks import Fork


async def offend(here: Store, numbers: range) -> None:
    for first in range(numbers.start, numbers.stop, 500):
        some = [said(str(number)) for number in range(first, min(first + 500, numbers.stop))]
        await here.inbox.keep(some)
        await here.inbox.settle([settlement(one, Delete()) for one in some])


async def readable(here: Store) -> int:
    """Of how many incidents the text is what was said."""
    found = await here.incidents.between(NOW, later(1), home())
    assert {one.decision.message.text for one in found} == {PLANTED[0]}
    return len(found)


async def killed(url: str, keys: Path, commits: int) -> None:
    with Fork(rewrap, url, keys, commits) as process:
        assert await process.ended() == -signal.SIGKILL, process.stderr


@pytest.mark.parametrize("deaths", [(2, 3), (9, 0), (0, 0)])
def test_who_is_killed_while_sealing_anew_and_again_loses_nothing(
    url: str, tmp_path: Path, deaths: tuple[int, int]
) -> None:
    keys = tmp_path / "keys"

    async def scenario() -> None:
        async with opened(url, keys, ImpatientClock()) as (_, here):
            await plant(here)
            await offend(here, range(10, 50))
        for number, commits in enumerate(deaths, 1):
            await killed(url, keys, commits)
            async with opened(url, keys, ImpatientClock()) as (_, here):
                assert await readable(here) == 40 + number, "and it is moderated on"
                await offend(here, range(50 + number, 51 + number))
        async with opened(url, keys, ImpatientClock()) as (database, here):
            await rotation(database).rewrap()
            assert not database.sealing.earlier()
            assert await readable(here) == 41 + len(deaths)
        async with opened(url, keys, ImpatientClock()) as (_, here):
            assert await readable(here) == 41 + len(deaths)

    asyncio.run(scenario())


FIRST = 1_000_000  # of the numbers of what is copied
COUNTED = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < :rows) "
MESSAGES = "platform, channel, {0}, revision, community, author_hash, kind, sent_at, settled_at"
INCIDENTS = "community, author, rule, decided_at, body, decision"


async def multiply(database: Database, rows: int) -> None:
    """The one incident that there is stands there so often."""
    kept, shown = MESSAGES.format("message"), MESSAGES.format("'copy ' || x")
    async with database.write() as connection:
        for statement in (
            f"INSERT INTO messages (id, {kept}) SELECT {FIRST} + x, {shown} FROM messages, n",
            f"INSERT INTO incidents (id, message, {INCIDENTS}) "
            f"SELECT {FIRST} + x, {FIRST} + x, {INCIDENTS} FROM incidents, n",
            "INSERT INTO cases (id, community, number, code, incident, member, state, opened_at) SELECT "
            f"{FIRST} + x, community, {FIRST} + x, 'copy ' || x, {FIRST} + x, member, state, opened_at FROM cases, n",
        ):
            await connection.execute(text(COUNTED + statement), {"rows": rows - 1})


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("rows", [1_000, pytest.param(100_000, marks=pytest.mark.long)])
def test_many_rows_are_sealed_anew_a_few_at_a_time_while_it_is_moderated(
    url: str, tmp_path: Path, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = list[int]()
    changes = resealing._changes

    def counted(*given: object, **more: object) -> object:
        batches.append(len(given[1]))  # type: ignore[arg-type]
        return changes(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(resealing, "_changes", counted)

    async def stale(database: Database) -> int:
        """Rows that are sealed with earlier keys."""
        raw = func.substr(type_coerce(incidents.c.body, LargeBinary), 1, HEADER, type_=LargeBinary)
        async with database.read() as connection:
            old = raw.in_([header(number) for number in database.sealing.earlier()])
            return int((await connection.execute(select(func.count()).where(old))).scalar_one())

    async def scenario() -> None:
        async with opened(url, tmp_path / "keys", ImpatientClock()) as (database, here):
            await offend(here, range(1))
            await multiply(database, rows)
            database.sealing.rotate()
            assert await stale(database) == rows
            sealing = asyncio.create_task(rotation(database).rewrap())
            meanwhile = 0
            while not sealing.done():
                await offend(here, range(rows + meanwhile, rows + meanwhile + 1))
                meanwhile += 1
            await sealing
            assert meanwhile > 1 and max(batches) <= resealing.BATCH
            assert not database.sealing.earlier() and await readable(here) == rows + meanwhile

    asyncio.run(scenario())
