"""Opening a database: URLs, files and servers that refuse, schemas old and new, connections that break."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.app import reporting
from bot.config import Config, StorageSettings
from bot.core.base.clock import HeardClock
from bot.core.base.errors import Broken, Unavailable
from bot.core.operations.outside.standing import Backlog
from bot.core.rules.actions import Delete, Flag, Warn
from storage import migrations
from storage.database import LEASE, Database
from storage.errors import driver_errors
from storage.migrations.upgrading import newest_step
from storage.opening import presence
from storage.opening.place import parsed
from storage.opening.server_time import server_time
from storage.reports.standing import SqlStandings
from storage.tables import holders, metadata
from tests.builders import EVERYWHERE, NOW, message, settlement
from tests.contracts.stores import store
from tests.fakes.clock import ManualClock, WrongClock
from tests.servers.databases import sqlite_in
from tests.servers.fault_proxy import FaultProxy
from tests.servers.postgres import Postgres, for_nobody


async def opened(url: str) -> None:
    async with Database.open(url, ManualClock()):
        pass


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "cannot be read"),
        ("jikimi.db", "cannot be read"),
        ("postgresql://u:secret@h:port/d", "cannot be read"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite://jikimi.db", "names no file"),
        ("mysql://u:secret@h/d", "begins with mysql:"),
        ("sqlite:///jikimi.db?mode=ro", "ends with mode"),
        ("postgresql://u:secret@h/d?target_session_attrs=any", "ends with target_session_attrs"),
        ("sqlite+aiosqlite:///jikimi.db", "must begin with sqlite: or postgresql:"),
    ],
)
def test_a_url_that_is_none_of_ours_is_refused_in_one_sentence(url: str, says: str) -> None:
    with pytest.raises(Broken, match=says) as caught:
        asyncio.run(opened(url))
    assert "secret" not in str(caught.value)


def test_a_path_where_no_file_can_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Broken, match="folder that does not exist"):
        asyncio.run(opened(f"sqlite:///{tmp_path}/nowhere/jikimi.db"))
    with pytest.raises(Broken, match="is a folder"):
        asyncio.run(opened(f"sqlite:///{tmp_path}"))


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("오늘 할 일\n" * 100)
    with pytest.raises(Broken, match="not a database"):
        asyncio.run(opened(f"sqlite:///{path}"))
    assert path.read_text() == "오늘 할 일\n" * 100


def test_a_server_that_refuses_us_is_broken_and_one_that_is_away_is_unavailable(postgres: Postgres) -> None:
    with pytest.raises(Broken, match="does not exist"):
        asyncio.run(opened(postgres.url("nowhere")))
    with pytest.raises(Broken, match="refuses this user"):
        asyncio.run(opened(postgres.url().replace("postgres@", "nobody_known@")))
    with pytest.raises(Unavailable):
        asyncio.run(opened("postgresql://postgres@127.0.0.1:1/postgres"))
    with pytest.raises(Unavailable):  # it has no certificate
        asyncio.run(opened(postgres.url() + "?sslmode=require"))


def test_the_steps_build_exactly_the_tables(bare_url: str) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async def scenario() -> None:
        async with Database.open(bare_url, ManualClock()) as database, database.write() as connection:
            assert await connection.run_sync(differences) == []

    asyncio.run(scenario())


def test_the_last_file_of_the_steps_is_the_newest_step() -> None:
    """What is up to date is found out without reading the steps."""
    steps = ScriptDirectory(str(Path(str(migrations.__file__)).parent))
    assert steps.get_heads() == [newest_step()]


def test_a_database_that_a_newer_version_has_changed_is_refused(url: str) -> None:
    async def scenario() -> None:
        async with Database.open(url, ManualClock()) as database, database.write() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(Broken, match="newer version"):
            await opened(url)

    asyncio.run(scenario())


def test_processes_that_start_together_build_the_schema_once(postgres: Postgres) -> None:
    async def scenario() -> None:
        url = postgres.create_bare()
        await asyncio.gather(*(opened(url) for _ in range(5)))

    asyncio.run(scenario())


def test_one_process_cannot_open_a_sqlite_file_twice(tmp_path: Path) -> None:
    async def scenario() -> None:
        url = sqlite_in(tmp_path)
        async with Database.open(url, ManualClock()):
            with pytest.raises(Broken, match="open"):
                await opened(url)
        await opened(url)

    asyncio.run(scenario())


def test_a_sqlite_file_is_durable_and_can_be_read_by_others(tmp_path: Path) -> None:
    async def scenario() -> None:
        path = tmp_path / "jikimi.db"
        async with Database.open(sqlite_in(tmp_path), ManualClock()) as database:
            await store(database, ManualClock()).inbox.keep([message()])
            async with database.read() as connection:
                assert (await connection.execute(text("PRAGMA synchronous"))).scalar_one() == 2
                assert (await connection.execute(text("PRAGMA journal_mode"))).scalar_one() == "wal"
                assert (await connection.execute(text("PRAGMA foreign_keys"))).scalar_one() == 1
                assert (await connection.execute(text("PRAGMA secure_delete"))).scalar_one() == 1
            with closing(sqlite3.connect(path)) as other:
                assert other.execute("SELECT count(*) FROM queue").fetchone() == (1,)

    asyncio.run(scenario())


def test_only_what_must_survive_the_machine_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On SQLite: 2 waits for the disk, 1 does not."""

    async def scenario() -> None:
        async with Database.open(sqlite_in(tmp_path), ManualClock()) as database:
            waits: list[int] = []
            real = Database.write

            @asynccontextmanager
            async def watched(self: Database, *, durable: bool = True) -> AsyncIterator[AsyncConnection]:
                async with real(self, durable=durable) as connection:
                    waits.append((await connection.execute(text("PRAGMA synchronous"))).scalar_one())
                    yield connection

            here = store(database, ManualClock())
            with monkeypatch.context() as watching:
                watching.setattr(Database, "write", watched)
                await here.inbox.keep([message("1"), message("2")])
                await here.inbox.claim(10, fresh_since=NOW)
                await here.inbox.settle([settlement(message("1"), Delete())])
                await here.outbox.claim(10, now=NOW, platforms=EVERYWHERE)
                # And nobody else waited for this:
                assert await here.outbox.claim(10, now=NOW, platforms=EVERYWHERE) == []
                await here.inbox.settle([settlement(message("2"), Delete(), Warn())])
                await here.outbox.claim(10, now=NOW, platforms=EVERYWHERE)
            assert waits == [2, 2, 1, 2, 1, 2, 2], "the first is the community's row, once"

    asyncio.run(scenario())


def test_erased_text_is_gone_from_the_file(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Database.open(sqlite_in(tmp_path), ManualClock()) as database:
            inbox = store(database, ManualClock()).inbox
            await inbox.keep([message("1", "아무도 모르게")])
            await inbox.settle([settlement(message("1"))])

    asyncio.run(scenario())
    assert "아무도 모르게".encode() not in (tmp_path / "jikimi.db").read_bytes()


def test_a_file_is_closed_however_long_that_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a server may be away; where closing was broken off, its connections were left to the garbage collector."""
    monkeypatch.setattr("storage.database.CLOSING", 0.0)
    url = sqlite_in(tmp_path)
    asyncio.run(opened(url))
    with closing(sqlite3.connect(tmp_path / "jikimi.db")) as database:
        assert database.execute("SELECT count(*) FROM holders").fetchone() == (0,)
    assert not (tmp_path / "jikimi.db-wal").exists(), "the last connection takes it along"


def test_a_locked_sqlite_file_is_unavailable_until_it_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        path = tmp_path / "jikimi.db"
        async with Database.open(sqlite_in(tmp_path), ManualClock()) as database:
            inbox = store(database, ManualClock()).inbox
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                with pytest.raises(Unavailable, match="SQLITE_BUSY"):
                    await inbox.keep([message()])
                other.execute("ROLLBACK")
            assert list(await inbox.keep([message()])) == [True]

    monkeypatch.setattr("storage.opening.engine.PATIENCE", 0.0)
    asyncio.run(scenario())


def test_a_restart_of_postgresql_is_unavailable_and_then_over() -> None:
    async def scenario() -> None:
        async with Database.open(server.url(), ManualClock()) as database:
            here = store(database, ManualClock())
            await here.inbox.keep([message("1")])
            assert await here.incidents.of([]) == []
            server.kill()
            for call in (here.inbox.keep([message("2")]), here.inbox.settled([message().ref])):
                with pytest.raises(Unavailable):
                    await call
            with pytest.raises(Unavailable):
                await here.inbox.claim(1, fresh_since=NOW)
            server.start()
            assert list(await here.inbox.keep([message("1"), message("2")])) == [False, True]
            assert len(await here.inbox.claim(10, fresh_since=NOW)) == 2

    server = Postgres()
    try:
        asyncio.run(scenario())
    finally:
        server.stop()


def test_a_claim_whose_commit_was_not_heard_of_is_handed_out_again(postgres: Postgres) -> None:
    """The rows are leased then, to a process that lives and does not know."""

    async def scenario() -> None:
        url = postgres.create()
        async with (
            FaultProxy(postgres.port) as proxy,
            Database.open(url.replace(str(postgres.port), str(proxy.port)), ManualClock()) as database,
        ):
            here = store(database, ManualClock())
            await here.inbox.keep([message("held"), message("1"), message("2")])
            (held,) = await here.inbox.claim(1, fresh_since=NOW)
            proxy.lose = b"COMMIT\0"
            with pytest.raises(Unavailable):
                await here.inbox.claim(10, fresh_since=NOW)
            again = await here.inbox.claim(10, fresh_since=NOW)
            assert sorted(one.ref.message_id for one in (held, *again)) == ["1", "2", "held"]

            await here.inbox.settle([settlement(held, Delete(), Warn()), settlement(again[0], Flag())])
            (begun,) = await here.outbox.claim(1, now=NOW, platforms=EVERYWHERE)
            proxy.lose = b"COMMIT\0"
            with pytest.raises(Unavailable):
                await here.outbox.claim(10, now=NOW, platforms=EVERYWHERE)
            rest = await here.outbox.claim(10, now=NOW, platforms=EVERYWHERE)
            assert sorted(one.action.kind for one in (begun, *rest)) == ["delete", "flag", "warn"]
            assert await here.outbox.claim(10, now=NOW, platforms=EVERYWHERE) == []

    asyncio.run(scenario())


def test_a_cancelled_claim_gives_back_what_it_took(url: str) -> None:
    async def scenario() -> None:
        async with Database.open(url, ManualClock()) as database:
            inbox = store(database, ManualClock()).inbox
            await inbox.keep([message(str(number)) for number in range(5)])
            claiming = asyncio.create_task(inbox.claim(5, fresh_since=NOW))
            await asyncio.sleep(0)
            claiming.cancel()
            with pytest.raises(asyncio.CancelledError):
                await claiming
            assert len(await inbox.claim(10, fresh_since=NOW)) == 5

    asyncio.run(scenario())


def test_a_server_that_may_only_be_read_is_away_for_a_while(postgres: Postgres) -> None:
    """A fail-over to a standby; a managed server at its disk limit."""
    url = postgres.create()
    name = url.rpartition("/")[2]

    async def scenario() -> None:
        async with Database.open(url, ManualClock()) as database:
            here = store(database, ManualClock())
            assert await database.answers()
            await restrict("on")
            said = ""
            while "25006" not in said:  # at first the connections are gone
                with pytest.raises(Unavailable) as away:
                    await here.inbox.keep([message("1")])
                said = str(away.value)
            assert not await database.answers()
            await restrict("off")
            while not await database.answers():
                pass
            assert list(await here.inbox.keep([message("1")])) == [True]

    async def restrict(read_only: str) -> None:
        async with Database.visit(url, ManualClock()) as database, database.write() as connection:
            await connection.execute(text("SET TRANSACTION READ WRITE"))
            await connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = {read_only}"))
            await connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                     " AND datname = current_database()")
            )  # fmt: skip

    asyncio.run(scenario())


def test_reports_and_deliveries_are_read_beside_the_process_that_works_on_the_file(tmp_path: Path) -> None:
    config = Config(storage=StorageSettings(url=sqlite_in(tmp_path)))

    async def scenario() -> None:
        async with Database.open(config.storage.url, ManualClock()):
            async with reporting.delivered(config) as deliveries:
                assert list(await deliveries.latest(10)) == []
            async with reporting.report_queries(config) as (queries, *_):
                assert list(await queries.communities()) == []

    asyncio.run(scenario())


def test_a_clock_that_is_far_from_the_servers_is_noticed(postgres: Postgres) -> None:
    async def scenario() -> None:
        clock = ManualClock(datetime.now(UTC))
        async with Database.open(postgres.create(), clock) as database:
            assert await database.time.agrees()
            await clock.advance(11 * 60)
            await database.answers()
            assert await database.time.agrees() is False

    asyncio.run(scenario())


@pytest.mark.parametrize("ahead", [timedelta(hours=-3), timedelta(hours=3)])
def test_all_who_work_with_a_server_go_by_its_time(postgres: Postgres, ahead: timedelta) -> None:
    async def scenario() -> None:
        machine = WrongClock(ahead)
        clock = HeardClock(machine)
        async with Database.open(postgres.create(), clock) as database:
            assert abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=10)
            assert await database.time.agrees() is False, "its owner hears that the machine's is wrong"
            machine.ahead = -ahead
            assert abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=10)

    asyncio.run(scenario())


def test_whoever_still_reads_when_it_closes_leaves_nothing_open(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.database.LOOKS", 1)

    async def scenario() -> None:
        reading, go_on = asyncio.Event(), asyncio.Event()

        async def reads(database: Database) -> Any:
            async with database.read() as connection:
                await connection.execute(select(holders.c.id))
                raw = await connection.get_raw_connection()
                driver = raw.driver_connection
                reading.set()
                await go_on.wait()
            return driver

        async with Database.open(url, ManualClock()) as database:
            task = asyncio.create_task(reads(database))
            await reading.wait()
        go_on.set()
        driver = await task
        assert driver.is_closed() if url.startswith("postgresql") else driver._connection is None

    asyncio.run(scenario())


def test_a_process_of_this_machine_that_died_is_known_at_once_and_one_that_is_only_silent_is_not(
    postgres: Postgres,
) -> None:
    async def scenario() -> None:
        url = postgres.create()

        async def begun(alone: Database) -> int:
            """As a process that does not get to say that it ends."""
            async with alone.write() as connection:
                added = insert(holders).values(alive_until=text(server_time(LEASE))).returning(holders.c.id)
                return int((await connection.execute(added)).scalar_one())

        async with Database.open(url, ManualClock()) as lives:
            silent, dead, elsewhere = [await begun(lives) for _ in range(3)]
            with presence.present(parsed(url), silent):
                with suppress(KeyError), presence.present(parsed(url), dead):
                    raise KeyError
                async with Database.open(url, ManualClock()) as new, new.read() as connection:
                    known = set((await connection.execute(select(holders.c.id))).scalars())
                    assert known == {lives.holder, silent, elsewhere, new.holder}
            with presence.died(parsed(url)) as died:
                assert died == []

    asyncio.run(scenario())


def test_a_line_that_broke_in_the_middle_of_something_and_is_asked_once_more_is_away() -> None:
    """Chaos, seed 8: who listened for bells on it took the whole process along."""
    with pytest.raises(Unavailable), driver_errors():
        raise asyncpg.InternalClientError("cannot switch to state 11; another operation (2) is in progress")


def test_how_things_stand_is_seen_beside_the_process_that_works(url: str) -> None:
    async def scenario() -> None:
        clock = ManualClock()
        async with Database.open(url, clock) as database, Database.visit(url, clock, as_it_is=True) as visitor:
            here = store(database, clock)
            await here.inbox.keep([message("1"), message("2"), message("3", community="other")])
            await here.inbox.claim(9, fresh_since=NOW)
            await here.inbox.set_aside([message("2").ref])
            await here.inbox.settle([settlement(message("1"), Delete(), Flag())])
            clock.jump(timedelta(minutes=5))
            await here.journal.guard_went(clock.now())
            standings = SqlStandings(visitor)
            assert await standings.answers() and await standings.backlog() == Backlog(
                messages=2, messages_since=NOW, aside=1, actions=2, actions_since=NOW
            )
            found = await standings.standing()
            assert found.backlog == await standings.backlog() and found.last_settled == NOW
            assert (found.processes, dict(found.communities)) == (1, {message("1").ref.platform: 2})
            assert found.guard_away_since == clock.now() and found.size > 10_000
            name = "PostgreSQL 18" if database.is_postgresql else "SQLite 3."
            assert found.database.startswith(name) and found.schema == newest_step()
            if database.is_postgresql:
                async with database.write() as connection:
                    await connection.execute(insert(holders).values(alive_until=1))
                assert (await standings.standing()).processes == 1, "one that has fallen silent is none"

    asyncio.run(scenario())


def test_who_only_looks_brings_nothing_up_to_date(bare_url: str) -> None:
    async def scenario() -> None:
        with pytest.raises(Broken):
            async with Database.visit(bare_url, ManualClock(), as_it_is=True):
                pass
        async with Database.open(bare_url, ManualClock()):
            pass

    asyncio.run(scenario())


def test_whoever_still_reads_when_it_closes_gives_the_connection_back(tmp_path: Path) -> None:
    """Cards that are looked for beside everything else, as a process ends."""
    answers: list[int] = []

    async def scenario() -> None:
        async def reads(database: Database, begun: asyncio.Event) -> None:
            async with database.read() as connection:
                begun.set()
                await asyncio.sleep(0.05)
                answers.append((await connection.execute(text("SELECT 1"))).scalar_one())

        async with Database.open(sqlite_in(tmp_path), ManualClock()) as database:
            begun = asyncio.Event()
            reading = asyncio.create_task(reads(database, begun))
            await begun.wait()
        assert reading.done()
        with pytest.raises(Unavailable):
            await reads(database, begun)

    asyncio.run(scenario())
    assert answers == [1]


def test_postgresql_starts_for_nobody_where_the_repository_is_roots_alone(tmp_path: Path) -> None:
    closed = tmp_path / "root"
    programs, libraries = closed / "embedded" / "pginstall" / "bin", closed / "embedded.libs"
    for folder in (programs, libraries):
        folder.mkdir(parents=True)
    (programs / "initdb").write_text("")
    closed.chmod(0o700)
    copy = for_nobody(programs)
    assert (copy / "initdb").exists() and (copy.parents[2] / libraries.name).is_dir()
    assert all(folder.stat().st_mode & 0o001 for folder in copy.parents)
    assert for_nobody(Path("/usr/bin")) == Path("/usr/bin")


def test_a_disk_that_is_full_is_called_so() -> None:
    """Room helps, and looking whether a server runs does not."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE filled (by BLOB)")
        connection.execute("PRAGMA max_page_count = 2")
        with pytest.raises(Unavailable, match="full"), driver_errors():
            connection.execute("INSERT INTO filled VALUES (zeroblob(100000))")
