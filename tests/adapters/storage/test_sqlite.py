"""Our way to SQLite: what is short runs in the event loop, what waits or takes long does not, and rows arrive whole."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiosqlite
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from storage.opening.engine import engine_of
from storage.opening.place import parsed
from storage.opening.sqlite import FIRST, SHORT, Connection

MANY = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {3 * FIRST}) SELECT i FROM n"


def with_engine(tmp_path: Path, scenario: Callable[[AsyncEngine], Awaitable[None]]) -> None:
    async def main() -> None:
        engine = engine_of(parsed(f"sqlite:///{tmp_path / 'j.db'}"))
        try:
            await scenario(engine)
        finally:
            await engine.dispose()

    asyncio.run(main())


async def worker(connection: AsyncConnection, seconds: float) -> int:
    """The thread that a statement which takes this long runs in."""

    def work(seconds: float) -> int:
        began = time.thread_time()
        while time.thread_time() - began < seconds:
            pass
        return threading.get_ident()

    raw = await connection.get_raw_connection()
    driver = raw.driver_connection
    assert isinstance(driver, Connection)
    await driver.create_function("work", 1, work)
    return int((await connection.execute(text("SELECT work(:seconds)"), {"seconds": seconds})).scalar_one())


def test_what_is_known_to_be_short_runs_where_it_is_asked_for_and_what_was_long_does_not(tmp_path: Path) -> None:
    async def scenario(engine: AsyncEngine) -> None:
        here = threading.get_ident()
        async with engine.connect() as connection:
            assert await worker(connection, 0) != here  # nobody knows yet
            assert await worker(connection, 3 * SHORT) == here
            assert await worker(connection, 0) != here
            assert await worker(connection, 0) != here

    with_engine(tmp_path, scenario)


def test_whoever_meets_a_lock_waits_elsewhere(tmp_path: Path) -> None:
    async def scenario(engine: AsyncEngine) -> None:
        async def write() -> None:
            async with engine.connect() as connection:
                await connection.execution_options(for_writing=True, durable=True)
                async with connection.begin():
                    await connection.execute(text("CREATE TABLE IF NOT EXISTS t (i)"))

        await write()  # from now on it is known to be short
        other = sqlite3.connect(tmp_path / "j.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        writing = asyncio.create_task(write())
        for _ in range(50):
            await asyncio.sleep(0.001)
        assert not writing.done()  # and the loop went on
        other.execute("COMMIT")
        await writing
        other.close()

    with_engine(tmp_path, scenario)


def test_all_rows_arrive_however_many_there_are(tmp_path: Path) -> None:
    async def scenario(engine: AsyncEngine) -> None:
        wanted = list(range(1, 3 * FIRST + 1))
        async with engine.connect() as connection:
            assert list((await connection.execute(text(MANY))).scalars()) == wanted
            assert list((await connection.execute(text(MANY))).scalars()) == wanted
            assert [i async for i in (await connection.stream(text(MANY))).scalars()] == wanted
            assert (await connection.execute(text(f"{MANY} LIMIT {FIRST}"))).scalars().all() == wanted[:FIRST]

    with_engine(tmp_path, scenario)


def test_a_commit_that_is_not_durable_is_there_for_everybody_and_a_durable_one_follows(tmp_path: Path) -> None:
    async def scenario(engine: AsyncEngine) -> None:
        other = sqlite3.connect(tmp_path / "j.db", isolation_level=None)
        for number, durable in enumerate((True, False, True, False), start=1):
            async with engine.connect() as connection:
                await connection.execution_options(for_writing=True, durable=durable)
                async with connection.begin():
                    await connection.execute(text("CREATE TABLE IF NOT EXISTS t (i)"))
                    await connection.execute(text("INSERT INTO t VALUES (:i)"), {"i": number})
                synchronous = (await connection.execute(text("PRAGMA synchronous"))).scalar_one()
            assert synchronous == (2 if durable else 1)  # FULL, NORMAL
            assert other.execute("SELECT count(*) FROM t").fetchone() == (number,)
        other.close()

    with_engine(tmp_path, scenario)


def test_what_is_broken_off_in_the_middle_is_not_written(tmp_path: Path) -> None:
    async def scenario(engine: AsyncEngine) -> None:
        async def write(*, then: asyncio.Event) -> None:
            async with engine.connect() as connection:
                await connection.execution_options(for_writing=True, durable=True)
                async with connection.begin():
                    await connection.execute(text("CREATE TABLE t (i)"))
                    then.set()
                    await asyncio.sleep(60)

        begun = asyncio.Event()
        writing = asyncio.create_task(write(then=begun))
        await begun.wait()
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        other = sqlite3.connect(tmp_path / "j.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")  # nobody holds it any more
        assert other.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)
        other.close()

    with_engine(tmp_path, scenario)


def test_what_is_cancelled_in_the_thread_holds_nothing_even_while_its_traceback_is_kept(tmp_path: Path) -> None:
    """The statement was at hand there, SQLite kept the connection open behind its closing, and its transaction."""

    async def scenario(engine: AsyncEngine) -> None:
        begun, loop = asyncio.Event(), asyncio.get_running_loop()

        def slowly(number: int) -> int:
            if not begun.is_set():
                loop.call_soon_threadsafe(begun.set)
                time.sleep(0.05)
            return number

        async def write() -> None:
            async with engine.connect() as connection:
                await connection.execution_options(for_writing=True, durable=True)
                async with connection.begin():
                    driver = (await connection.get_raw_connection()).driver_connection
                    assert isinstance(driver, Connection)
                    await driver.create_function("slowly", 1, slowly)
                    await connection.execute(text("CREATE TABLE t (i)"))
                    await connection.execute(text(f"INSERT INTO t SELECT i FROM ({MANY}) RETURNING slowly(i)"))

        writing = asyncio.create_task(write())
        await begun.wait()
        writing.cancel()
        with pytest.raises(asyncio.CancelledError) as kept:
            await writing
        other = sqlite3.connect(tmp_path / "j.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        other.close()
        assert kept.tb

    with_engine(tmp_path, scenario)


def test_the_parts_of_aiosqlite_that_are_its_own_are_still_there() -> None:
    connection = aiosqlite.Connection(lambda: sqlite3.connect(":memory:"), 1)
    assert callable(connection._execute) and isinstance(connection._thread, threading.Thread)
    assert isinstance(aiosqlite.Connection._conn, property)
