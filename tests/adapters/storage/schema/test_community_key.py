"""Keys of communities and revisions in the record, with several processes on one database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import Connection, event, func, select, text

from bot.core.base.errors import Unavailable
from bot.core.rules.actions import Delete
from storage.database import Database
from storage.tables import communities, messages, queue
from tests.builders import NOW, TELEGRAM, home, later, message, settlement
from tests.contracts.stores import Store, store
from tests.fakes.clock import ManualClock
from tests.servers.postgres import Postgres

_CHANGED = "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::bigint FROM pg_stat_xact_user_tables"
OLD, NEW = home("-5", TELEGRAM), home("-1005", TELEGRAM)


@pytest.fixture
def url(postgres: Postgres) -> str:
    return postgres.create()


@asynccontextmanager
async def two_processes(url: str) -> AsyncIterator[tuple[Database, Store, Database, Store]]:
    clock = ManualClock()
    async with Database.open(url, clock) as one, Database.open(url, clock) as two:
        yield one, store(one, clock), two, store(two, clock)


def test_processes_that_meet_a_community_at_once_give_it_one_key(url: str) -> None:
    async def scenario() -> None:
        async with two_processes(url) as (one, _, two, _):
            wanted = [home(str(number), TELEGRAM) for number in range(50)]
            found = await asyncio.gather(
                *(database.keys.of_all(refs) for database in (one, two) for refs in (wanted, wanted[::-1], wanted[20:]))
            )
            assert all(keys[ref] == found[0][ref] for keys in found for ref in keys)
            async with one.read() as connection:
                assert (await connection.execute(select(func.count()).select_from(communities))).scalar_one() == 50

    asyncio.run(scenario())


def test_a_key_outlives_what_was_rolled_back(url: str) -> None:
    async def scenario() -> None:
        async with Database.open(url, ManualClock()) as database:
            key = await database.keys.of(OLD)
            with pytest.raises(ZeroDivisionError):
                async with database.write() as connection:
                    await connection.execute(text("UPDATE communities SET id = 'x'"))
                    raise ZeroDivisionError
            assert await database.keys.of(OLD) == key

    asyncio.run(scenario())


def test_a_process_that_knows_a_key_that_is_none_any_more_looks_again(url: str) -> None:
    async def scenario() -> None:
        async with two_processes(url) as (_, here, other, there):
            await here.inbox.keep([message("1", community=OLD.id, platform=TELEGRAM)])
            await there.inbox.keep([message("2", community=NEW.id, platform=TELEGRAM)])
            gone = await other.keys.of(NEW)
            await here.communities.move(OLD, NEW.id)
            late = [message("3", community=NEW.id, platform=TELEGRAM)]
            with pytest.raises(Unavailable):
                await there.inbox.keep(late)
            assert await there.inbox.keep(late) == [True]
            assert await other.keys.of(NEW) != gone
            assert (await here.inbox.tally(NOW, later(1), NEW)).kept == 3
            assert await other.keys.of(home("-7", TELEGRAM)) > gone, "a key is not given twice"

    asyncio.run(scenario())


def test_a_community_that_moves_is_one_changed_row_however_much_belongs_to_it(url: str) -> None:
    """Flow review, growth: 1.5 s where it had a thousandth of 2,500,000 messages."""

    async def scenario() -> None:
        async with Database.open(url, ManualClock()) as database:
            here = store(database, ManualClock())
            said = [message(str(n), community=OLD.id, platform=TELEGRAM) for n in range(40)]
            await here.inbox.keep(said)
            await here.inbox.settle([settlement(one, Delete()) for one in said[:20]])
            changed = list[int]()

            def count(connection: Connection) -> None:
                changed.append(connection.exec_driver_sql(_CHANGED).scalar_one())

            event.listen(database._engine.sync_engine, "commit", count)
            event.listen(database._engine.sync_engine, "begin", count)
            await here.communities.move(OLD, NEW.id)
            assert changed[1] - changed[0] == 1
            assert (await here.inbox.tally(NOW, later(1), NEW)).kept == 40

    asyncio.run(scenario())


def test_what_is_kept_again_while_somebody_else_settles_it_is_refused(url: str) -> None:
    async def scenario() -> None:
        async with two_processes(url) as (database, here, _, there):
            for number in range(30):
                about = message(str(number))
                await here.inbox.keep([about])
                answers, _ = await asyncio.gather(
                    there.inbox.keep([about]), here.inbox.settle([settlement(about, Delete())])
                )
                assert list(answers) == [False]
            async with database.read() as connection:
                for table, number in ((queue, 0), (messages, 30)):
                    counted = select(func.count()).select_from(table)
                    assert (await connection.execute(counted)).scalar_one() == number

    asyncio.run(scenario())
