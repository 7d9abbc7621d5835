"""A database URL in, transactions out: opens SQLite or PostgreSQL, brings the schema up to date, and keeps account of
which process works on what."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from datetime import datetime, timedelta
from typing import Any, cast
from weakref import WeakSet

from sqlalchemy import URL, ColumnElement, QueuePool, Table, TextClause, delete, insert, or_, select, text, true, update
from sqlalchemy import inspect as look_into
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.event import listen
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.core.base.clock import Clock
from bot.core.base.errors import BotError, Broken, Unavailable
from bot.core.operations.sealing import Openly, Sealing
from storage.columns import sealing_of
from storage.community_keys import CommunityKeys
from storage.errors import driver_errors
from storage.flow.group_commit import GroupCommit, Item, Result
from storage.flow.leases.freeing import release, release_the_dead
from storage.migrations.copying import copy_before_update, forget_copies
from storage.migrations.upgrading import is_newest, upgrade
from storage.opening import presence
from storage.opening.engine import engine_of
from storage.opening.place import alone, look, parsed
from storage.opening.server_time import ServerTime, server_time
from storage.tables import bookmarks, holders

#: How long the work of a process that fell silent stays its own, on PostgreSQL.
LEASE = timedelta(seconds=15)

#: How long the simplest question may take, in seconds, before the database counts as away.
ANSWER = 3.0

#: How long a server that is being left may take to hear of it, in seconds, and again to say goodbye. A file is not
#: away, and what is broken off there stays open until the garbage collector comes.
CLOSING = 1.5

#: What reads beside everything else may go on for, in hundredths of a second, when the database closes.
LOOKS = 100

_OPENLY = Openly()
_LEFT = WeakSet[AsyncEngine]()  # that nobody may begin to use any more

NONE_YET = "There is no database yet; the first start makes it."
OTHER_KEYS = (
    "This database is sealed with other keys than those in [storage] keys. Put their folder back; where "
    "they are lost, `jikimi encryption adopt` goes on without what was sealed with them."
)
_OTHER = "Another version has written this database. Starting Jikimi brings it up to date, unless that was a newer one."

KEYS = "keys"  # the bookmark that names those it is sealed with


class Database:
    """An open database. What a process leased is free again when it closes the database, or has died."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self.clock, self.time = clock, ServerTime(clock)
        self.sealing = sealing_of(engine.dialect)
        self.holder = 0  # names this process in the leases
        self.keys = CommunityKeys(self)
        self._engine = engine
        self._groups: list[GroupCommit[Any, Any]] = []
        # SQLite has one writer: waiting for it here costs nothing, waiting at the file costs sleeps.
        self._writer: AbstractAsyncContextManager[None] = nullcontext() if self.is_postgresql else asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, clock: Clock, sealing: Sealing = _OPENLY) -> AsyncIterator["Database"]:
        """`url`: `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST/DATABASE`.

        Broken: no such URL, a path or a server that refuses us, a SQLite file that another process has open, or a
        database that a newer version has changed. Unavailable: the server does not answer.
        """
        place = parsed(url)
        closing = CLOSING if place.get_backend_name() == "postgresql" else None
        with alone(place):
            engine = engine_of(place, sealing)
            try:
                database = cls(engine, clock)
                if not await database._is_up_to_date():
                    copy_before_update(place)
                    await _bring_up_to_date(place)
                await database._agree_on_keys()
                await database._start()
                renewal = asyncio.create_task(database._stay_alive())
                try:
                    with presence.present(place, database.holder):
                        yield database
                finally:
                    renewal.cancel()
                    # Where it is away, the leases end as those of the dead do.
                    with suppress(BotError, TimeoutError):
                        async with asyncio.timeout(closing):
                            for group in database._groups:
                                await group.finish()
                            await asyncio.wait([renewal])
                            await database._stop()
            finally:
                with suppress(TimeoutError):
                    async with asyncio.timeout(closing):
                        await _closed(engine)

    @classmethod
    @asynccontextmanager
    async def visit(
        cls, url: str, clock: Clock, sealing: Sealing = _OPENLY, *, as_it_is: bool = False
    ) -> AsyncIterator["Database"]:
        """For an errand beside the process that works on the database, a SQLite file included: a visitor leases
        nothing and disturbs no lease. `as_it_is`: one of an earlier version is not brought up to date, and `Broken`.
        Raises what `open` raises."""
        look(url)
        engine = engine_of(parsed(url), sealing)
        database = cls(engine, clock)
        try:
            if not await database._is_up_to_date():
                if as_it_is:
                    raise Broken(_OTHER if await _has(database, "alembic_version") else NONE_YET)
                async with cls.open(url, clock, sealing):
                    pass
            await database._agree_on_keys()
            yield database
        finally:
            await engine.dispose()

    @property
    def is_postgresql(self) -> bool:
        return self._engine.dialect.name == "postgresql"

    @property
    def called(self) -> str:
        """For people: which it is, and where there are several, of which version."""
        version = ".".join(map(str, self._engine.dialect.server_version_info or ()))
        return f"{'PostgreSQL' if self.is_postgresql else 'SQLite'} {version}".strip()

    def forget_copies(self, before: datetime) -> None:
        """What was put aside before then: see `copying`."""
        forget_copies(self._engine.url, before)

    @asynccontextmanager
    async def write(self, *, durable: bool = True) -> AsyncIterator[AsyncConnection]:
        """One transaction, durable when the block has ended. One that is not survives the death of the process all
        the same; only with the machine may it be lost, and it costs no wait for the disk."""
        async with self._writer:
            with driver_errors():
                async with _connect(self._engine) as connection:
                    await connection.execution_options(for_writing=True, durable=durable)
                    try:
                        async with connection.begin():
                            if self.is_postgresql and not durable:
                                await connection.execute(text("SET LOCAL synchronous_commit = off"))
                            yield connection
                    except BaseException:
                        self.keys.forget()  # a server that fell over may have lost them, too
                        raise

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        with driver_errors():
            async with _connect(self._engine) as connection:
                yield connection

    async def answers(self) -> bool:
        """Whether it takes what is written, now and within a few seconds."""
        own = holders.c.id == self.holder
        try:
            async with asyncio.timeout(ANSWER), self.write(durable=False) as connection:
                await connection.execute(update(holders).where(own).values(alive_until=holders.c.alive_until))
                await self.time.ask(connection)
        except (Unavailable, TimeoutError):
            return False
        return True

    def grouped(self, write: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]]) -> GroupCommit[Item, Result]:
        """`write` as a group commit that is finished before the database closes."""
        group = GroupCommit(write)
        self._groups.append(group)
        return group

    def sql(self, template: str) -> TextClause:
        """One of sql.py's, in this database's words; its parameters come from codec.write_rows."""
        given = "json_array_elements(CAST(:given AS json))" if self.is_postgresql else "json_each(:given)"
        sealed = _Sealed("CAST(:sealed AS bytea)" if self.is_postgresql else ":sealed")
        return text(template.format(given=f"{given} AS given", sealed=sealed))

    def insert(self, table: Table) -> postgresql.Insert | sqlite.Insert:
        """One that can say what is to become of a row that is there already (`on_conflict_…`)."""
        return postgresql.insert(table) if self.is_postgresql else sqlite.insert(table)

    async def _is_up_to_date(self) -> bool:
        async with self.read() as connection:
            return await connection.run_sync(is_newest)

    async def _agree_on_keys(self) -> None:
        """Whoever comes with other keys than those before would seal what nobody else can read. Broken: so it is."""
        if not self.sealing.name:
            return
        mine = self.insert(bookmarks).values(name=KEYS, place=self.sealing.name).on_conflict_do_nothing()
        name = await _sealed_with(self)
        if name is None:
            async with self.write() as connection:
                await connection.execute(mine)
            name = await _sealed_with(self)
        if name != self.sealing.name:
            raise Broken(OTHER_KEYS)

    async def adopt(self, keys: str) -> None:
        """From now on, these are its keys; what is sealed with others cannot be read."""
        async with self.write() as connection:
            await connection.execute(delete(bookmarks).where(bookmarks.c.name == KEYS))
            await connection.execute(insert(bookmarks).values(name=KEYS, place=keys))

    async def _start(self) -> None:
        with presence.died(self._engine.url) as died:
            async with self.write() as connection:
                await self.time.ask(connection)
                # Nobody else has a file open, so whoever is written down as a holder of one has died.
                gone = _is_dead(died) if self.is_postgresql else true()
                await connection.execute(delete(holders).where(gone))
                until = text(server_time(LEASE)) if self.is_postgresql else None
                added = await connection.execute(insert(holders).values(alive_until=until).returning(holders.c.id))
                self.holder = added.scalar_one()
                await release_the_dead(connection, self.clock.now())

    async def _stop(self) -> None:
        async with self.write() as connection:
            await connection.execute(delete(holders).where(holders.c.id == self.holder))
            await release(connection, lambda holder: holder == self.holder, self.clock.now())

    async def _stay_alive(self) -> None:
        """Time here is the server's and the event loop's: processes with wrong clocks must agree on who is dead."""
        while self.is_postgresql:
            await asyncio.sleep(LEASE.total_seconds() / 3)
            # Whoever works with the database meets the same trouble and reports it.
            with suppress(BotError), presence.died(self._engine.url) as died:
                async with self.write() as connection:
                    await self.time.ask(connection)
                    new = self.insert(holders).values(id=self.holder, alive_until=text(server_time(LEASE)))
                    until = {"alive_until": new.excluded.alive_until}
                    await connection.execute(new.on_conflict_do_update(index_elements=[holders.c.id], set_=until))
                    dead = await connection.execute(delete(holders).where(_is_dead(died)))
                    if dead.rowcount:
                        await release_the_dead(connection, self.clock.now())


def _is_dead(died: Collection[int]) -> ColumnElement[bool]:
    """Whose lease has run out, or who is known to have died."""
    return or_(text(f"alive_until < {server_time()}"), holders.c.id.in_(died))


async def keys_of(url: str, clock: Clock) -> str:
    """Which a database is sealed with, whatever version has written it; "": none, or there is no database yet. Raises
    what `Database.open` raises."""
    look(url)
    engine = engine_of(parsed(url))
    try:
        database = Database(engine, clock)
        return (await _sealed_with(database) or "") if await _has(database, bookmarks.name) else ""
    finally:
        await engine.dispose()


async def _sealed_with(database: Database) -> str | None:
    theirs = select(bookmarks.c.place).where(bookmarks.c.name == KEYS)
    async with database.read() as connection:
        return (await connection.execute(theirs)).scalar_one_or_none()


async def _has(database: Database, table: str) -> bool:
    async with database.read() as connection:
        return await connection.run_sync(lambda here: look_into(here).has_table(table))


class _Sealed:
    """`{sealed[3]}`: of the bytes that came beside the rows, those of a row's fourth value."""

    def __init__(self, whole: str) -> None:
        self._whole = whole

    def __getitem__(self, place: int) -> str:
        begin, length = (f"CAST(given.value -> {place} ->> {end} AS integer)" for end in (0, 1))
        return f"substr({self._whole}, {begin}, {length})"


def _connect(engine: AsyncEngine) -> AsyncConnection:
    if engine in _LEFT:
        raise Unavailable("The database is closed: this process is ending.")
    return engine.connect()


async def _closed(engine: AsyncEngine) -> None:
    """Once whoever still reads is done, if that is soon: a connection that is cut off is never given back. One that is
    given back later closes then."""
    _LEFT.add(engine)
    pool = cast(QueuePool, engine.pool)
    for _ in range(LOOKS):
        if not pool.checkedout():
            break
        await asyncio.sleep(0.01)
    listen(pool, "checkin", lambda _, given_back: given_back.invalidate())
    await engine.dispose()


async def _bring_up_to_date(place: URL) -> None:
    engine = engine_of(place, rewriting=True)
    try:
        with driver_errors():
            async with engine.connect() as connection:
                await connection.execution_options(for_writing=True, durable=True)
                await connection.run_sync(upgrade)
    finally:
        await engine.dispose()
