"""A process that dies while it brings a database up to date.

It is killed as it is about to commit for the Nth time (`commits`); rows are rewritten two at a time.
"""

import os
import signal

from sqlalchemy import Connection

from storage.database import Database
from storage.migrations import rewriting
from tests.fakes.clock import ManualClock


async def bring_up_to_date(url: str, commits: int) -> None:
    commit, left = Connection.commit, commits

    def counted(connection: Connection) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        commit(connection)

    rewriting.BATCH = 2
    Connection.commit = counted  # type: ignore[assignment, method-assign]
    async with Database.open(url, ManualClock()):
        pass
