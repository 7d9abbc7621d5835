"""A process that dies while it seals everything anew.

It is killed as it is about to commit for the Nth time (`commits`); 0: as the earlier keys are about to be thrown away,
and the file of the new ones is not in its place yet. Five rows are sealed at a time.
"""

import os
import signal
from pathlib import Path

from sqlalchemy.engine.base import Transaction

from adapters.keyring import Keyring, master_key
from adapters.keyring import keyring as module
from bot.core.operations.rotation import Rotation
from storage.database import Database
from storage.records import resealing
from storage.records.resealing import SqlResealing
from storage.settings.bookmarks import SqlBookmarks
from tests.fakes.clock import ImpatientClock


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def rewrap(url: str, keys: Path, commits: int) -> None:
    clock, left, commit = ImpatientClock(), commits, Transaction.commit

    def counted(transaction: Transaction) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            die()
        commit(transaction)

    resealing.BATCH = 5
    async with Database.visit(url, clock, Keyring(keys, master_key(keys, {}), clock)) as database:
        database.sealing.rotate()
        Transaction.commit = counted  # type: ignore[method-assign, assignment]
        if commits == 0:
            module.replace_file = die  # type: ignore[assignment, attr-defined]
        rotation = Rotation(
            sealing=database.sealing, stored=SqlResealing(database), bookmarks=SqlBookmarks(database), clock=clock
        )
        await rotation.rewrap()
