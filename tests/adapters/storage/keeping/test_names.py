"""One SQLite file under several names: whoever comes second is refused, whichever name it uses."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.core.base.errors import Broken
from storage.database import Database
from tests.fakes.clock import ManualClock
from tests.servers.databases import sqlite_in


def symlink(file: Path, other: Path) -> None:
    other.symlink_to(file)


def hard_link(file: Path, other: Path) -> None:
    os.link(file, other)


def folder_link(file: Path, other: Path) -> None:
    other.parent.rmdir()
    other.parent.symlink_to(file.parent)


@pytest.mark.parametrize("link", [symlink, hard_link, folder_link])
def test_the_lock_holds_under_every_name(tmp_path: Path, link: Callable[[Path, Path], None]) -> None:
    file, other = tmp_path / "real" / "jikimi.db", tmp_path / "other" / "jikimi.db"
    for folder in (file.parent, other.parent):
        folder.mkdir()

    async def scenario() -> None:
        async with Database.open(sqlite_in(file.parent), ManualClock()) as database:
            link(file, other)
            with pytest.raises(Broken, match="Another process has"):
                async with Database.open(f"sqlite:///{other}", ManualClock()):
                    pass
            assert await database.answers(), "and it works on"
        async with Database.open(f"sqlite:///{other}", ManualClock()) as database:
            assert await database.answers()

    asyncio.run(scenario())
