"""A process that dies while it brings a database up to date:
`python -m tests.adapters.storage.schema.killed_upgrade URL N`.

It is killed as it is about to commit for the Nth time; rows are rewritten two at a time.
"""

import asyncio
import os
import signal
import sys

from sqlalchemy import Connection

from storage.database import Database
from storage.migrations import rewriting
from tests.fakes.clock import ManualClock


async def main(url: str, commits: int) -> None:
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


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
