"""What a claim costs on PostgreSQL, in pages of the queue and its indexes; and that it misses nothing."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.core.chat.message import Message
from storage.database import Database
from storage.flow import turns
from storage.flow.inbox import SqlInbox
from storage.flow.leases import entering
from tests.builders import NOW, later, message, settlement
from tests.fakes.clock import ManualClock
from tests.servers.postgres import Postgres

FEW = 20
_PAGES = """
    SELECT sum(pg_stat_get_xact_blocks_fetched(oid))::bigint FROM pg_class
    WHERE relname = 'queue' OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = 'queue'::regclass)
"""
_LIKE_THE_FIRST = f"""
    INSERT INTO queue (
        platform, channel, message, revision, community, share, author, kind, sent_at, kept_at, body, entered
    ) SELECT platform, channel, 'slow', 0, community, share, author, kind, sent_at, kept_at, body, {entering.POSTGRESQL}
    FROM queue
"""


@contextmanager
def pages(database: Database) -> Iterator[list[int]]:
    """Of each transaction meanwhile: looked at when it begins and when it ends."""
    engine, seen = database._engine.sync_engine, list[int]()

    def begins(connection: Connection) -> None:
        seen.append(-connection.exec_driver_sql(_PAGES).scalar_one())

    def ends(connection: Connection) -> None:
        seen.append(connection.exec_driver_sql(_PAGES).scalar_one())

    for name, hears in (heard := (("begin", begins), ("commit", ends), ("rollback", ends))):
        event.listen(engine, name, hears)
    yield seen
    for name, hears in heard:
        event.remove(engine, name, hears)


@asynccontextmanager
async def left_open(engine: AsyncEngine) -> AsyncIterator[None]:
    async with engine.connect() as connection:
        await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        await connection.execute(text("SELECT count(*) FROM queue"))
        yield


async def pass_(inbox: SqlInbox, some: Sequence[Message]) -> None:
    await inbox.keep(some)
    claimed = await inbox.claim(len(some), fresh_since=NOW)
    assert len(claimed) == len(some)
    await inbox.settle([settlement(one) for one in claimed])


async def claimed(database: Database, inbox: SqlInbox, limit: int) -> int:
    """The pages that a claim of so many looks at, and one that finds nothing."""
    with pages(database) as seen:
        assert len(await inbox.claim(limit, fresh_since=NOW)) == limit
        assert len(await inbox.claim(limit, fresh_since=NOW)) in (0, limit)
    return sum(seen)


def test_claiming_costs_the_same_with_an_old_transaction_open(postgres: Postgres) -> None:
    """Flow review, growth: 1 to 119 ms, in 80,000 messages that were settled meanwhile."""

    async def scenario() -> None:
        async with Database.open(postgres.create(), ManualClock()) as database:
            inbox, took = SqlInbox(database), list[int]()
            async with left_open(database._engine):
                for round_ in range(6):
                    said = [message(f"{round_}-{n}", community=f"c{n % FEW}") for n in range(400)]
                    await pass_(inbox, said)
                    await inbox.keep([message(f"{round_}-last-{n}", community=f"c{n}") for n in range(FEW)])
                    took.append(await claimed(database, inbox, FEW))
            assert max(took[1:]) <= 1.3 * took[1] + 20, took

    asyncio.run(scenario())


def test_a_second_look_costs_the_same_with_an_old_transaction_open(postgres: Postgres) -> None:
    """It walked over all that had been looked at again since the transaction began."""

    async def scenario() -> None:
        async with Database.open(postgres.create(), ManualClock()) as database:
            inbox, took = SqlInbox(database), list[int]()
            said = [message(str(n), community=f"c{n % FEW}", sent_at=later(n)) for n in range(6_000)]
            await inbox.keep(said)
            await inbox.set_aside([one.ref for one in await inbox.claim(len(said), fresh_since=NOW)])
            async with database.write() as connection:
                await connection.execute(text("ANALYZE queue"))
            async with left_open(database._engine):
                for limit in (FEW, 600) * 8:
                    with pages(database) as seen:
                        again = await inbox.look_again(limit, sent_before=later(9_000))
                    await inbox.settle([settlement(one) for one in again])
                    took += [sum(seen)] if limit == FEW else []
            assert max(took) < 4 * took[0], took  # it was twenty times as much

    asyncio.run(scenario())


def test_claiming_costs_the_same_however_many_communities_wait(postgres: Postgres) -> None:
    """Flow review, growth: 222 ms where 10,000 communities waited, 23 where few did."""

    async def scenario() -> None:
        took = list[int]()
        for communities in (10, 1_000):
            async with Database.open(postgres.create(), ManualClock()) as database:
                inbox = SqlInbox(database)
                await inbox.keep([message(str(n), community=f"c{n % communities}") for n in range(2_000)])
                await inbox.claim(100, fresh_since=NOW)  # reads what waits, once
                took.append(await claimed(database, inbox, 100))
        assert took[1] <= 1.3 * took[0] + 20, took

    asyncio.run(scenario())


def test_what_a_slow_transaction_has_kept_is_found_when_it_ends(postgres: Postgres) -> None:
    """Its rows have smaller ids than what was read before they were to be seen."""

    async def scenario() -> None:
        url, clock = postgres.create(), ManualClock()
        async with Database.open(url, clock) as here, Database.open(url, clock) as there:
            inbox, other = SqlInbox(here), SqlInbox(there)
            await other.keep([message("first")])
            async with there.write() as slow:
                await slow.execute(text(_LIKE_THE_FIRST))
                for number in range(3):
                    await inbox.keep([message(str(number))])
                    assert len(await inbox.claim(9, fresh_since=NOW)) == 1 + (not number)
            assert [one.ref.message_id for one in await inbox.claim(9, fresh_since=NOW)] == ["slow"]

    asyncio.run(scenario())


def test_more_than_is_remembered_is_claimed_all_the_same(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One community has flooded; the others have their turn beside it, and what is fresh goes first."""
    monkeypatch.setattr(turns, "TOGETHER", 20)
    monkeypatch.setattr(turns, "MOST", 50)

    async def scenario() -> None:
        async with Database.open(url, ManualClock()) as database:
            inbox = SqlInbox(database)
            quiet = [message(f"quiet {n}", community=f"c{n}", sent_at=later(-7200)) for n in range(5)]
            flood = [message(str(n), community="flood", sent_at=later(-3600 + n)) for n in range(300)]
            await inbox.keep([*quiet, *flood])
            seen = list[str]()
            while some := await inbox.claim(10, fresh_since=NOW):
                if not seen:
                    await inbox.keep([message("fresh", community="c9")])
                seen += (one.ref.message_id for one in some)
            assert sorted(seen) == sorted([*(one.ref.message_id for one in [*quiet, *flood]), "fresh"])
            assert "fresh" in seen[10:20] and seen[0] == "290"
            assert max(seen.index(f"quiet {n}") for n in range(5)) < 200

    asyncio.run(scenario())


def test_what_it_was_not_told_of_is_found_when_everything_is_read_again(postgres: Postgres) -> None:
    """An earlier version that still runs does not say when its messages came in."""

    async def scenario() -> None:
        clock = ManualClock()
        async with Database.open(postgres.create(), clock) as database:
            inbox = SqlInbox(database)
            await pass_(inbox, [message("1")])
            await inbox.keep([message("2")])
            async with database.write() as connection:
                await connection.execute(text("UPDATE queue SET entered = NULL"))
            assert not await inbox.claim(9, fresh_since=NOW)
            await clock.advance(turns.AGAIN)
            assert len(await inbox.claim(9, fresh_since=NOW)) == 1

    asyncio.run(scenario())
