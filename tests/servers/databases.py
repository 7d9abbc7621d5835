"""New databases of the newest schema with nothing in them, copies of one that was brought up to date once a process."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

from sqlalchemy import text

from storage.database import Database
from storage.flow.leases.freeing import release_the_dead
from tests.fakes.clock import ManualClock

_alembic = Lock()  # it works on one database at a time in a process


def sqlite_in(folder: Path) -> str:
    """The URL of the one in this folder."""
    path = folder / "jikimi.db"
    if not path.exists():
        path.write_bytes(_newest_sqlite())
    return f"sqlite:///{path}"


def bring_up_to_date(url: str) -> None:
    """Whether or not an event loop runs here."""

    async def opened() -> None:
        async with Database.open(url, ManualClock()):
            pass

    with _alembic, ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(lambda: asyncio.run(opened())).result()


async def forget_all_but_the_last(url: str) -> None:
    """What the processes on a database do once the lease of the others has run out."""
    async with Database.visit(url, ManualClock()) as database, database.write() as connection:
        await connection.execute(text("DELETE FROM holders WHERE id < (SELECT max(id) FROM holders)"))
        await release_the_dead(connection, database.clock.now())


@cache
def _newest_sqlite() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "newest.db"
        bring_up_to_date(f"sqlite:///{path}")
        return path.read_bytes()
