"""A bell rung in one process -> heard in the others, at once where there are any: on PostgreSQL, by LISTEN and NOTIFY.
Whoever waits for a bell looks by itself as well, now and then: one that nobody hears is only a delay."""

import asyncio
from contextlib import suppress

import structlog
from asyncpg import Connection
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.base.errors import BotError
from bot.core.base.waiting import Bell
from storage.database import Database

#: Rung for what was kept, for what was planned, and for what communities have set.
KEPT, PLANNED, SETTINGS = "kept", "planned", "settings"

CHANNEL = "jikimi"
APART = 0.02  # seconds between two that are passed on: what rings in between is one with the next
LOOK = 15.0  # seconds between two looks at whether the line still stands
ANSWER = 5.0  # seconds that it may take to say so
AGAIN = 3.0  # seconds until another is asked for

_log = structlog.get_logger(__name__)


class SqlBells:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._bells: dict[str, Bell] = {}
        self._rung: set[str] = set()
        self._ringing = asyncio.Event()

    def bell(self, name: str) -> Bell:
        """To be called before `run`."""

        def ring() -> None:
            self._rung.add(name)
            self._ringing.set()

        self._bells[name] = bell = Bell(ring)
        return bell

    async def run(self) -> None:
        """Until cancelled."""
        if not self._database.is_postgresql:  # a file is one process's
            return
        async with asyncio.TaskGroup() as both:
            both.create_task(self._pass_on())
            both.create_task(self._listen())

    async def _pass_on(self) -> None:
        while True:
            await self._ringing.wait()
            self._ringing.clear()
            rung, self._rung = self._rung, set()
            with suppress(BotError):
                async with self._database.write(durable=False) as connection:
                    for name in sorted(rung):
                        await tell(connection, name, self._database.holder)
            await asyncio.sleep(APART)

    async def _listen(self) -> None:
        def told(_: object, __: int, ___: str, said: object) -> None:
            by, _, name = str(said).partition(" ")
            if name in self._bells and by != str(self._database.holder):
                self._bells[name].nudge()

        while True:
            try:
                async with self._database.read() as connection:
                    line = (await connection.get_raw_connection()).driver_connection
                    assert isinstance(line, Connection)
                    try:
                        await line.add_listener(CHANNEL, told)
                        while True:
                            await asyncio.sleep(LOOK)
                            await line.fetchval("SELECT 1", timeout=ANSWER)
                    finally:
                        await connection.invalidate()  # nobody else shall be told what was for us
            except BotError as error:
                _log.warning("bells of other processes not heard", reason=str(error))
            await asyncio.sleep(AGAIN)


async def tell(connection: AsyncConnection, name: str, by: int) -> None:
    """Whoever listens hears of it once the transaction is committed."""
    if connection.dialect.name == "postgresql":
        await connection.execute(
            text("SELECT pg_notify(:channel, :said)"), {"channel": CHANNEL, "said": f"{by} {name}"}
        )
