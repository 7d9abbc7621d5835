"""Keys change under a large record while it is moderated: how long all of it takes, and how long others wait.

python -m tests.benches.rotation [--rows ROWS] [--postgresql]
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.records.resealing import SqlResealing
from storage.tables import incidents
from tests.adapters.storage.keeping.test_rotation import multiply, offend
from tests.adapters.storage.keeping.test_sealing import PLANTED, opened, rotation
from tests.fakes.clock import ImpatientClock
from tests.servers.databases import sqlite_in
from tests.servers.postgres import Postgres


class Watched:
    """The database that a rotation writes to, which remembers how long its longest transaction took."""

    def __init__(self, database: Database) -> None:
        self._database, self.longest, self.batches = database, 0.0, 0
        self.sealing, self.read = database.sealing, database.read

    @asynccontextmanager
    async def write(self, *, durable: bool = True) -> AsyncIterator[AsyncConnection]:
        async with self._database.write(durable=durable) as connection:
            began = time.perf_counter()
            yield connection
        self.longest, self.batches = max(self.longest, time.perf_counter() - began), self.batches + 1


async def readable(database: Database) -> int:
    """Of how many incidents the text is what was said, and the decision can be read."""
    number = 0
    async with database.read() as connection:
        found = await connection.stream(select(incidents.c.body, incidents.c.decision).execution_options(yield_per=500))
        async for body, decision in found:
            number += PLANTED[0] in body and '"unreadable"' not in decision
    return number


async def bench(url: str, keys: Path, rows: int) -> None:
    async with opened(url, keys, ImpatientClock()) as (database, here):
        await offend(here, range(1))
        await multiply(database, rows)
        database.sealing.rotate()
        watched = Watched(database)
        stored = SqlResealing(watched)  # type: ignore[arg-type]  # as much of one as it needs
        began, waits = time.perf_counter(), list[float]()
        sealing = asyncio.create_task(stored.reseal(database.sealing.earlier()))
        while not sealing.done():
            asked = time.perf_counter()
            await offend(here, range(rows + len(waits), rows + len(waits) + 1))
            waits.append(time.perf_counter() - asked)
            await asyncio.sleep(0.1)
        resealed, took = await sealing, time.perf_counter() - began
        await rotation(database).rewrap()
        assert not database.sealing.earlier()
        lost = rows + len(waits) - await readable(database)
    waits.sort()
    print(f"{resealed:,} rows in {took:,.0f} s, {watched.batches:,} batches, the longest {watched.longest:.3f} s")
    median, longest = waits[len(waits) // 2], waits[-1]
    print(
        f"meanwhile {len(waits):,} messages kept and settled, p50 {median:.3f} s, at most {longest:.3f} s; lost: {lost}"
    )


def main() -> None:
    command = argparse.ArgumentParser(prog="python -m tests.benches.rotation")
    command.add_argument("--rows", type=int, default=1_000_000)
    command.add_argument("--postgresql", action="store_true")
    asked = command.parse_args()
    with tempfile.TemporaryDirectory(prefix="jikimi-rotation-", dir=".") as folder:
        server = Postgres() if asked.postgresql else None
        try:
            url = server.create() if server else sqlite_in(Path(folder))
            asyncio.run(bench(url, Path(folder) / "keys", asked.rows))
        finally:
            if server:
                server.stop()


if __name__ == "__main__":
    main()
