"""A SQLite database, in use or not -> one file that holds all of it; and such a file -> the database.

PostgreSQL has its own commands for both: pg_dump and pg_restore.
"""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from sqlalchemy import URL

from bot.core.base.errors import Broken, reason
from bot.core.base.owner import hand_over
from storage.errors import driver_errors
from storage.migrations.upgrading import known_steps, newest_step
from storage.opening.engine import PATIENCE
from storage.opening.place import alone, file_of, parsed

BEFORE = ".before-"  # in the names of what is put aside: before an update, before a copy took its place


def back_up(url: str, to: Path) -> None:
    """While others work on it, too: readers keep nobody from writing. Broken: it is on PostgreSQL, or `to` exists."""
    source = _file(parsed(url), f"pg_dump --format=custom --file={to}")
    if to.exists():
        raise Broken("{file} exists already; name a file that does not.", file=to)
    _copy(source, to)


def restore(url: str, of: Path, now: datetime) -> Path | None:
    """Put a copy in the database's place. Returns where the database is that was there; None: there was none. Broken:
    another process works on it, or `of` is no whole database of this version or an earlier one."""
    place = parsed(url)
    target = _file(place, f"pg_restore --clean --if-exists --no-owner --dbname=URL {of}")
    _examine(of)
    with alone(place):
        aside = None
        if target.stat().st_size:  # the lock makes an empty one
            aside = target.with_name(f"{target.name}{BEFORE}{now:%Y%m%d-%H%M%S-%f}")
            _copy(target, aside)
            with driver_errors(), closing(sqlite3.connect(target, timeout=PATIENCE)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # what stays in the log would be read with it
        _copy(of, target)
    return aside


def copy_before_update(place: URL) -> None:
    """What an update changes is there once more as it was, until `forget_copies`."""
    if (source := file_of(place)) is None:
        return
    copy = source.with_name(f"{source.name}{BEFORE}{newest_step()}")
    if not copy.exists() and _step_of(source) is not None:
        _copy(source, copy)


def forget_copies(place: URL, before: datetime) -> None:
    """What was put aside before then: it holds what the database has forgotten since."""
    if (path := file_of(place)) is None:
        return
    for old in path.parent.glob(f"{path.name}{BEFORE}*"):
        if old.stat().st_mtime < before.timestamp():
            old.unlink(missing_ok=True)


def _file(place: URL, instead: str) -> Path:
    if (path := file_of(place)) is None:
        raise Broken(
            "The database is on PostgreSQL, which does this itself: {instead} (docs/en/operating.md).", instead=instead
        )
    return path


def _copy(source: Path, to: Path) -> None:
    """All of it at one moment, without what was erased, to be seen under its name once it is whole."""
    part = to.with_name(to.name + ".part")
    with _told(to):
        part.unlink(missing_ok=True)
        with driver_errors(), closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=rw", uri=True)) as connection:
            connection.execute("PRAGMA busy_timeout = 10000")
            _room_for(connection, to)
            connection.execute("VACUUM INTO ?", (str(part),))
        part.chmod(0o600)
        hand_over(part, to)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(to)  # the database itself only where it was copied before


@contextmanager
def _told(to: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Broken("{file} cannot be written: {why}.", file=to, why=reason(error)) from error


def _room_for(connection: sqlite3.Connection, to: Path) -> None:
    (size,) = connection.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()
    free = shutil.disk_usage(to.parent).free
    if free < size:
        raise Broken(
            "A copy of the database takes {size:,} MiB, and {folder} has {free:,} MiB left.",
            size=size >> 20,
            folder=to.parent,
            free=free >> 20,
        )


def _examine(of: Path) -> None:
    if not of.is_file():
        raise Broken("There is no file {file}.", file=of)
    step = None
    with suppress(sqlite3.DatabaseError):
        step = _step_of(of)
    if step is None:
        raise Broken("{file} is no whole database of Jikimi; take another back-up.", file=of)
    if step not in known_steps():
        raise Broken("A newer version of Jikimi has written {file}; restore it with that version.", file=of)


def _step_of(path: Path) -> str | None:
    """Of the schema; None: nothing of ours is in there. Raises what sqlite3 raises where the file is damaged."""
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=PATIENCE)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
            return None
        if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            return None
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(found[0]) if found else None
