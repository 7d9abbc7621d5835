"""A bell rung or a word said in one process -> heard in the others, at once where there are any: on PostgreSQL, by
LISTEN and NOTIFY. Whoever waits for a bell looks by itself as well: one that nobody hears is only a delay."""

import asyncio
import json
from collections.abc import Callable, Collection
from contextlib import suppress

import structlog
from asyncpg import Connection
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.base.bounded import Bounded
from bot.core.base.errors import BotError
from bot.core.base.waiting import Bell
from storage.database import Database

#: Rung for what was kept, for what was planned, and for what communities have set.
KEPT, PLANNED, SETTINGS = "kept", "planned", "settings"
#: Said of incidents, of what was not done to staff, and of who somebody is.
CHANGED, SPARED, MET = "changed", "spared", "met"

CHANNEL = "jikimi"
APART = 0.02  # seconds between two that are passed on: what rings in between is one with the next
LOOK = 15.0  # seconds between two looks at whether the line still stands
ANSWER = 5.0  # seconds that it may take to say so
AGAIN = 3.0  # seconds until another is asked for
LONGEST = 7_900  # bytes of a word, as PostgreSQL takes it
TOGETHER = 5_000  # words that wait to be passed on, at most

_TELL = text("SELECT pg_notify(:channel, said.value) FROM json_array_elements_text(CAST(:words AS json)) AS said")

_log = structlog.get_logger(__name__)


class SqlBells:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._heard: dict[str, Callable[[str], None]] = {}
        self._rung: Bounded[str, None] = Bounded(TOGETHER)
        self._ringing = asyncio.Event()

    def bell(self, name: str) -> Bell:
        """To be called before `run`."""

        bell = Bell(lambda: self._ring(name))
        self._heard[name] = lambda _: bell.nudge()
        return bell

    def word(self, name: str, heard: Callable[[str], None]) -> Callable[[str], None]:
        """Says something, a few hundred characters at most, that the others hear. To be called before `run`."""
        self._heard[name] = heard
        return lambda words: self._ring(f"{name} {words}")

    def _ring(self, said: str) -> None:
        if len(said.encode()) > LONGEST:
            _log.warning("too long to be said to other processes", word=said.partition(" ")[0])
            return
        self._rung[said] = None
        self._ringing.set()

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
            rung = list(self._rung)
            self._rung.clear()
            with suppress(BotError):
                async with self._database.write(durable=False) as connection:
                    await tell(connection, rung, self._database.holder)
            await asyncio.sleep(APART)

    async def _listen(self) -> None:
        def told(_: object, __: int, ___: str, said: object) -> None:
            by, name, words = f"{said} ".split(" ", 2)
            if name in self._heard and by != str(self._database.holder):
                self._heard[name](words.removesuffix(" "))

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
                _log.warning("bells of other processes not heard", reason=error)
            await asyncio.sleep(AGAIN)


async def tell(connection: AsyncConnection, said: Collection[str], by: int) -> None:
    """Whoever listens hears of it once the transaction is committed."""
    if connection.dialect.name == "postgresql":
        words = json.dumps([f"{by} {one}" for one in said])
        await connection.execute(_TELL, {"channel": CHANNEL, "words": words})
