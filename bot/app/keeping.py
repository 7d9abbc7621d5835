"""What people say, at rest: the keys that it is sealed with."""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from adapters.keyring import Keyring, master_key
from adapters.system_clock import SystemClock
from bot.app.parts import Stores
from bot.app.runner import Service
from bot.config import Config
from bot.core.base.clock import Clock
from bot.core.chat.ports import Bookmarks
from bot.core.operations.rotation import Rotation
from bot.core.operations.sealing import Openly, Sealing
from bot.core.text.catalogue import texts
from storage.database import Database
from storage.records.resealing import SqlResealing
from storage.settings.bookmarks import SqlBookmarks


def sealing(config: Config, clock: Clock) -> Sealing:
    """Where a master key is made for it, that is said on stderr, once in its life."""
    folder = config.storage.keys_folder
    if folder is None:
        return Openly()
    say = texts(config.defaults.language)

    def said(path: Path) -> None:
        print(say("encryption.made", path=path), file=sys.stderr, flush=True)

    return Keyring(folder, master_key(folder, said=said), clock)


def opened(config: Config, clock: Clock) -> AbstractAsyncContextManager[Database]:
    """For the process that works on it."""
    return Database.open(config.storage.url, clock, sealing(config, clock))


def services(database: Database, stores: Stores, clock: Clock) -> Sequence[Service]:
    """What sees to it that nothing is kept longer than it is needed."""
    return (rotation(database, stores.bookmarks, clock).run,)


def visit(config: Config) -> AbstractAsyncContextManager[Database]:
    """For an errand beside the process that works on the database."""
    clock = SystemClock()
    return Database.visit(config.storage.url, clock, sealing(config, clock))


def rotation(database: Database, bookmarks: Bookmarks, clock: Clock) -> Rotation:
    return Rotation(sealing=database.sealing, stored=SqlResealing(database), bookmarks=bookmarks, clock=clock)


@asynccontextmanager
async def rotating(config: Config) -> AsyncIterator[Rotation]:
    """The keys and what they seal, beside a running process, too."""
    async with visit(config) as database:
        yield rotation(database, SqlBookmarks(database), database.clock)


async def adopt(config: Config) -> None:
    """The database goes on with the keys that there are."""
    clock = SystemClock()
    async with Database.visit(config.storage.url, clock) as database:
        await database.adopt(sealing(config, clock).name)
