"""SQL for a SQLite file -> its rows, with as few turns between threads as that takes: what is known to be short is done
where it is asked for, and what is not comes back from the connection's thread with its rows.

A turn costs more than the statement: a busy event loop lets go of Python only after its switch interval, and the simple
way takes four for each.
"""

import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Self, TypeVar

import aiosqlite

Result = TypeVar("Result")

#: Processor time, in seconds, that a statement may take in the event loop.
SHORT = 0.001

#: How much of its longest time a statement still counts for when it was asked once more.
FADING = 0.99

#: As many statements are known by what they take: those with lists of values come in many lengths.
KNOWN = 2000

FIRST = 500  # rows that come back with the statement itself


def connector(path: str, patience: float) -> Callable[[], Awaitable[aiosqlite.Connection]]:
    """`patience`: how long a lock is waited for, in seconds."""
    paces: dict[str, float] = {}

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False, factory=_File)

    def opened() -> Awaitable[aiosqlite.Connection]:
        connection = Connection(connect, patience, paces)
        connection._thread.daemon = True
        return connection

    return opened


class _File(sqlite3.Connection):
    def close(self) -> None:
        """With its transaction: as long as anything has a statement of it at hand, a traceback for instance, SQLite
        would keep both, and the lock with them."""
        try:
            if self.in_transaction:
                self.rollback()
        finally:
            super().close()


class Connection(aiosqlite.Connection):
    """Begins no transaction of its own. Whoever meets a lock waits for it in the thread, and so does who commits what
    is to be durable, for the disk."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], patience: float, paces: dict[str, float]) -> None:
        super().__init__(connect, iter_chunk_size=FIRST)
        self._patience = patience
        self._paces = paces
        self._is_durable = True

    def make_durable(self, durable: bool) -> None:
        """Of the transactions that begin from now on. One that is not leaves it to the others, as far as possible, to
        tidy up what was written ahead: that waits for the disk."""
        if durable is not self._is_durable:
            self._conn.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._conn.execute(f"PRAGMA wal_autocheckpoint = {1000 if durable else 20000}")  # pages
            self._is_durable = durable

    def cursor(self) -> "Cursor":  # type: ignore[override]
        return Cursor(self, self._conn.cursor())

    async def commit(self) -> None:
        if not self.in_transaction:
            return
        if self._is_durable:
            await super().commit()
        else:
            self._conn.commit()

    async def rollback(self) -> None:
        if self.in_transaction:
            await super().rollback()

    async def run(self, sql: str, work: Callable[[], None]) -> None:
        def timed() -> float:
            began = time.thread_time()
            work()
            return time.thread_time() - began

        def waiting() -> float:
            self._conn.execute(f"PRAGMA busy_timeout = {self._patience * 1000:.0f}")
            try:
                return timed()
            finally:
                self._conn.execute("PRAGMA busy_timeout = 0")

        took = SHORT
        try:
            if is_short := self._paces.get(sql, SHORT) < SHORT:
                took = timed()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            is_short = False
        if not is_short:
            took = await self.elsewhere(waiting)
        if len(self._paces) >= KNOWN:
            self._paces.clear()
        self._paces[sql] = max(took, self._paces.get(sql, 0.0) * FADING)

    async def elsewhere(self, work: Callable[[], Result]) -> Result:
        done: Result = await self._execute(work)  # type: ignore[no-untyped-call]
        return done


class Cursor:
    """What SQLAlchemy asks of one."""

    arraysize = 1

    def __init__(self, connection: Connection, cursor: sqlite3.Cursor) -> None:
        self._connection = connection
        self._cursor = cursor
        self._rows: Iterator[Any] = iter(())  # that are here
        self._are_all = True

    async def __aenter__(self) -> Self:
        return self

    @property
    def description(self) -> Any:
        return self._cursor.description

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    @property
    def lastrowid(self) -> int | None:
        return self._cursor.lastrowid

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        await self._run(sql, lambda: self._cursor.execute(sql, parameters))

    async def executemany(self, sql: str, parameters: Iterable[Sequence[Any]]) -> None:
        await self._run(sql, lambda: self._cursor.executemany(sql, parameters))

    async def fetchall(self) -> Sequence[Any]:
        here = list(self._rows)
        return here if self._are_all else [*here, *await self._connection.elsewhere(self._cursor.fetchall)]

    async def fetchmany(self, size: int | None = None) -> Sequence[Any]:
        size = size or self.arraysize
        here = list(islice(self._rows, size))
        if len(here) == size or self._are_all:
            return here
        return [*here, *await self._connection.elsewhere(lambda: self._cursor.fetchmany(size - len(here)))]

    async def fetchone(self) -> Any:
        return next(iter(await self.fetchmany(1)), None)

    async def close(self) -> None:
        self._cursor.close()

    async def _run(self, sql: str, begin: Callable[[], object]) -> None:
        def work() -> None:
            begin()
            rows = self._cursor.fetchmany(FIRST) if self._cursor.description else []
            self._rows, self._are_all = iter(rows), len(rows) < FIRST

        await self._connection.run(sql, work)
