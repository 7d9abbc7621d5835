"""A database URL in, transactions out: opens SQLite or PostgreSQL, brings the schema up to date, and keeps account of
which process works on what."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext, suppress
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    TextClause,
    delete,
    event,
    insert,
    make_url,
    select,
    text,
    update,
)
from sqlalchemy import inspect as look_into
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bot.core.base.clock import Clock
from bot.core.base.errors import BotError, Broken, Unavailable
from bot.core.reporting.delivery.delivery import State
from bot.core.rules.actions import ACTIONS, Unconfirmed
from storage.errors import driver_errors
from storage.flow import suspects
from storage.flow.calls import follow_calls
from storage.group_commit import GroupCommit, Item, Result
from storage.tables import actions, deliveries, holders, messages, microseconds

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

#: How long the work of a process that fell silent stays its own, on PostgreSQL.
LEASE = timedelta(seconds=30)

#: How long a lock or a connection is waited for, in seconds, before it counts as out of reach.
PATIENCE = 10.0

#: How long the simplest question may take, in seconds, before the database counts as away.
ANSWER = 3.0

#: How far our clock may be off the server's before somebody is told: decisions hang on how old messages are.
CLOCK_OFF = timedelta(minutes=1)

#: How long a database that is being closed may take to hear of it, in seconds, and again to say goodbye.
CLOSING = 1.5

_MIGRATION_LOCK = 0x6A696B696D69  # "jikimi", as PostgreSQL numbers its advisory locks
UNREPEATABLE = [action.kind for action in ACTIONS if not action.repeatable]


class Database:
    """An open database. What a process leased is free again when it closes the database, or has died."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self.clock = clock
        self.holder = 0  # names this process in the leases
        self._engine = engine
        self._ahead: timedelta | None = None  # of the server's clock
        self._groups: list[GroupCommit[Any, Any]] = []
        # SQLite has one writer: waiting for it here costs nothing, waiting at the file costs sleeps.
        self._writer: AbstractAsyncContextManager[None] = nullcontext() if self.is_postgresql else asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, clock: Clock) -> AsyncIterator["Database"]:
        """`url`: `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST/DATABASE`.

        Broken: no such URL, a path or a server that refuses us, a SQLite file that another process has open, or a
        database that a newer version has changed. Unavailable: the server does not answer.
        """
        place = parsed(url)
        with alone(place):
            engine = _engine(place)
            try:
                database = cls(engine, clock)
                await database._start()
                renewal = asyncio.create_task(database._stay_alive())
                try:
                    yield database
                finally:
                    renewal.cancel()
                    # Where it is away, the leases end as those of the dead do.
                    with suppress(BotError, TimeoutError):
                        async with asyncio.timeout(CLOSING):
                            for group in database._groups:
                                await group.finish()
                            await asyncio.wait([renewal])
                            await database._stop()
            finally:
                with suppress(TimeoutError):
                    async with asyncio.timeout(CLOSING):
                        await engine.dispose()

    @classmethod
    @asynccontextmanager
    async def visit(cls, url: str, clock: Clock) -> AsyncIterator["Database"]:
        """For an errand beside the process that works on the database, a SQLite file included: a visitor leases
        nothing and disturbs no lease. Raises what `open` raises."""
        engine = _engine(parsed(url))
        database = cls(engine, clock)
        try:
            if not await database._is_up_to_date():
                async with cls.open(url, clock):
                    pass
            yield database
        finally:
            await engine.dispose()

    @property
    def is_postgresql(self) -> bool:
        return self._engine.dialect.name == "postgresql"

    @asynccontextmanager
    async def write(self, *, durable: bool = True) -> AsyncIterator[AsyncConnection]:
        """One transaction, durable when the block has ended. One that is not survives the death of the process all
        the same; only with the machine may it be lost, and it costs no wait for the disk."""
        async with self._writer:
            with driver_errors():
                async with self._engine.connect() as connection:
                    await connection.execution_options(for_writing=True, durable=durable)
                    async with connection.begin():
                        if self.is_postgresql and not durable:
                            await connection.execute(text("SET LOCAL synchronous_commit = off"))
                        yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        with driver_errors():
            async with self._engine.connect() as connection:
                yield connection

    async def answers(self) -> bool:
        """Whether it takes what is written, now and within a few seconds."""
        own = holders.c.id == self.holder
        try:
            async with asyncio.timeout(ANSWER), self.write(durable=False) as connection:
                await connection.execute(update(holders).where(own).values(alive_until=holders.c.alive_until))
                if self.is_postgresql:
                    theirs = (await connection.execute(select(text(_server_time())))).scalar_one()
                    self._ahead = timedelta(microseconds=microseconds(self.clock.now()) - theirs)
        except (Unavailable, TimeoutError):
            return False
        return True

    async def agrees_on_the_time(self) -> bool | None:
        """Whether our clock was near the server's when it answered last; None: there is no server."""
        return None if self._ahead is None else abs(self._ahead) < CLOCK_OFF

    def grouped(self, write: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]]) -> GroupCommit[Item, Result]:
        """`write` as a group commit that is finished before the database closes."""
        group = GroupCommit(write)
        self._groups.append(group)
        return group

    def sql(self, template: str) -> TextClause:
        """A statement about many rows that come as one parameter, a JSON list: `{given}` in the template becomes a
        table of its elements, `given.value`. Far less work than a parameter for each value, and most of that work is
        the database's."""
        elements = "json_array_elements(CAST(:given AS json))" if self.is_postgresql else "json_each(:given)"
        return text(template.format(given=f"{elements} AS given"))

    async def _is_up_to_date(self) -> bool:
        async with self.read() as connection:
            return await connection.run_sync(_is_newest)

    async def _start(self) -> None:
        async with self.write() as connection:
            if self.is_postgresql:  # of two processes that start together, the second waits and finds it done
                await connection.execute(text("SET LOCAL lock_timeout = 0"))
                await connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
            await connection.run_sync(_bring_up_to_date)
            if self.is_postgresql:
                await connection.execute(delete(holders).where(text(f"alive_until < {_server_time()}")))
            else:  # nobody else has the file open, so whoever is written down as a holder has died
                await connection.execute(delete(holders))
            until = text(_server_time(LEASE)) if self.is_postgresql else None
            added = await connection.execute(insert(holders).values(alive_until=until).returning(holders.c.id))
            self.holder = added.scalar_one()
            await self._release_the_dead(connection)

    async def _stop(self) -> None:
        async with self.write() as connection:
            await connection.execute(delete(holders).where(holders.c.id == self.holder))
            await self._release(connection, lambda holder: holder == self.holder)

    async def _stay_alive(self) -> None:
        """Time here is the server's and the event loop's: processes with wrong clocks must agree on who is dead."""
        while self.is_postgresql:
            await asyncio.sleep(LEASE.total_seconds() / 3)
            with suppress(BotError):  # whoever works with the database meets the same trouble and reports it
                async with self.write() as connection:
                    renewed = postgresql.insert(holders).values(id=self.holder, alive_until=text(_server_time(LEASE)))
                    await connection.execute(
                        renewed.on_conflict_do_update(
                            index_elements=[holders.c.id], set_={"alive_until": renewed.excluded.alive_until}
                        )
                    )
                    dead = await connection.execute(delete(holders).where(text(f"alive_until < {_server_time()}")))
                    if dead.rowcount:
                        await self._release_the_dead(connection)

    async def _release_the_dead(self, connection: AsyncConnection) -> None:
        """Free what was leased by processes that are no longer among the holders."""
        for work in (messages, actions):  # in the order in which everybody locks them: see SqlReviews
            left = (work.c.holder.is_not(None), work.c.holder.not_in(select(holders.c.id)))
            await connection.execute(select(work.c.id).where(*left).order_by(work.c.id).with_for_update())
        await suspects.blame(connection)
        await self._release(connection, lambda holder: holder.not_in(select(holders.c.id)))

    async def _release(
        self, connection: AsyncConnection, gone: Callable[[ColumnElement[int]], ColumnElement[bool]]
    ) -> None:
        """An action that they had started is done again if that is harmless; if not, nobody can say whether it was
        done; nor whether a report was sent."""
        await connection.execute(
            update(messages)
            .where(messages.c.settled_at.is_(None), messages.c.holder.is_not(None), gone(messages.c.holder))
            .values(holder=None)
        )
        left = (actions.c.finished_at.is_(None), actions.c.holder.is_not(None), gone(actions.c.holder))
        unsure = await connection.execute(
            update(actions)
            .where(*left, actions.c.kind.in_(UNREPEATABLE))
            .values(state=Unconfirmed.kind, holder=None, finished_at=self.clock.now())
            .returning(actions.c.id)
        )
        freed = await connection.execute(
            update(actions).where(*left).values(state="planned", holder=None).returning(actions.c.id)
        )
        await follow_calls(connection, [*unsure.scalars(), *freed.scalars()], self.clock.now())
        begun = (deliveries.c.holder.is_not(None), gone(deliveries.c.holder))
        await connection.execute(
            update(deliveries)
            .where(*begun, deliveries.c.state == State.STARTED)
            .values(state=State.UNCONFIRMED, holder=None, finished_at=self.clock.now())
        )
        await connection.execute(update(deliveries).where(*begun).values(holder=None))


def parsed(url: str) -> URL:
    """Nothing of a URL that cannot be read is repeated: it may hold a password."""
    try:
        place = make_url(url)
    except (ArgumentError, ValueError):
        raise Broken("[storage] url cannot be read; write sqlite:///PATH or postgresql://USER@HOST/DATABASE.") from None
    if unknown := place.query.keys() - ({"sslmode"} if place.drivername == "postgresql" else set()):
        raise Broken(f"[storage] url ends with {', '.join(sorted(unknown))}, which means nothing here; leave it out.")
    if place.drivername == "sqlite":
        if place.host or not place.database or place.database == ":memory:":
            raise Broken("[storage] url names no file; write sqlite:///PATH, with a fourth slash for an absolute path.")
        return place.set(drivername="sqlite+aiosqlite")
    if place.drivername == "postgresql":
        # libpq's word, which people copy from their provider, is not asyncpg's
        query = {"ssl" if key == "sslmode" else key: value for key, value in place.query.items()}
        return place.set(drivername="postgresql+asyncpg", query=query)
    raise Broken(f"[storage] url begins with {place.drivername}:, but must begin with sqlite: or postgresql:.")


@contextmanager
def alone(place: URL) -> Iterator[None]:
    """Holds a SQLite file against other processes that would work on it; reading it with other tools stays possible.
    The lock is SQLite's own, on an empty file beside it: it ends with the process, on every operating system. Where
    there is flock, the file itself is locked, too: it may have other names (a hard link, a mount of its own)."""
    if place.get_backend_name() != "sqlite" or place.database is None:
        yield
        return
    path = Path(place.database).resolve()
    if path.is_dir() or not path.parent.is_dir():
        what = "is a folder" if path.is_dir() else "lies in a folder that does not exist"
        raise Broken(f"The database {path} {what}; check [storage] url.")
    with driver_errors():
        lock = sqlite3.connect(f"{path}-lock", timeout=0, isolation_level=None)
    try:
        try:
            with driver_errors():
                lock.execute("BEGIN EXCLUSIVE")
        except BotError:
            raise _taken(path) from None
        with _locked(path):
            yield
    finally:
        lock.close()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """By another kind of lock than SQLite's own, which do not outlive that this file is closed."""
    if fcntl is None:
        yield
        return
    try:
        file = os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)
    except OSError:
        raise Broken("The database file cannot be opened; check the path in [storage] url.") from None
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _taken(path) from None
        except OSError:
            pass  # a file system without such locks
        yield
    finally:
        os.close(file)


def _taken(path: Path) -> Broken:
    return Broken(f"Another process has the database {path} open; stop that one first.")


def _engine(place: URL) -> AsyncEngine:
    if place.get_backend_name() == "postgresql":
        return create_async_engine(
            place,
            hide_parameters=True,
            connect_args={
                "timeout": PATIENCE,
                "command_timeout": 60,
                "server_settings": {"application_name": "jikimi", "lock_timeout": f"{PATIENCE:g}s"},
            },
        )
    engine = create_async_engine(place, hide_parameters=True, pool_use_lifo=True, connect_args={"timeout": PATIENCE})

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        connection.isolation_level = None  # the driver opens no transactions of its own; `begin` below does
        cursor = connection.cursor()
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",  # the platform is told that we have it: then we must have it
            "foreign_keys = ON",
            "secure_delete = ON",  # erased text is gone from the file, too
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if writing := options.get("for_writing"):
            synchronous = "FULL" if options["durable"] else "NORMAL"
            if connection.info.get("synchronous", "FULL") != synchronous:
                connection.exec_driver_sql(f"PRAGMA synchronous = {synchronous}")
                connection.info["synchronous"] = synchronous
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


def newest_step() -> str:
    """The revision that migrations/versions/ ends with: its files are named for their revisions, in order."""
    names = (path.name.partition("_")[0] for path in files("storage.migrations.versions").iterdir())
    return max(name for name in names if name.isdigit())


def _bring_up_to_date(connection: Connection) -> None:
    if not _is_newest(connection):
        _migrate(connection)


def _is_newest(connection: Connection) -> bool:
    """Whether the schema has all the steps that this version knows, and no other."""
    if not look_into(connection).has_table("alembic_version"):
        return False
    present = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    return present == [newest_step()]


def _migrate(connection: Connection) -> None:
    # A third of a second to load, and needed once in a database's life and after updates.
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "storage:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    steps = ScriptDirectory.from_config(config)
    present = set(MigrationContext.configure(connection).get_current_heads())
    if not present <= {step.revision for step in steps.walk_revisions()}:
        raise Broken("A newer version of Jikimi has changed this database; run that version, or name another database.")
    if present != set(steps.get_heads()):
        command.upgrade(config, "head")


def _server_time(later: timedelta = timedelta(0)) -> str:
    """PostgreSQL's clock, `later` from now, in microseconds since 1970."""
    return f"(extract(epoch FROM clock_timestamp()) * 1000000)::bigint + {later // timedelta(microseconds=1)}"
