"""A database URL -> where it points, held alone where that is a file."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from bot.core.base.errors import BotError, Broken
from bot.core.base.owner import hand_over
from storage.errors import driver_errors

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]


def parsed(url: str) -> URL:
    """Nothing of a URL that cannot be read is repeated: it may hold a password."""
    try:
        place = make_url(url)
    except (ArgumentError, ValueError):
        raise Broken("[storage] url cannot be read; write sqlite:///PATH or postgresql://USER@HOST/DATABASE.") from None
    if unknown := place.query.keys() - ({"sslmode"} if place.drivername == "postgresql" else set()):
        raise Broken(
            "[storage] url ends with {given}, which means nothing here; leave it out.", given=", ".join(sorted(unknown))
        )
    if place.drivername == "sqlite":
        if place.host or not place.database or place.database == ":memory:":
            raise Broken("[storage] url names no file; write sqlite:///PATH, with a fourth slash for an absolute path.")
        return place.set(drivername="sqlite+aiosqlite")
    if place.drivername == "postgresql":
        # libpq's word, which people copy from their provider, is not asyncpg's
        query = {"ssl" if key == "sslmode" else key: value for key, value in place.query.items()}
        return place.set(drivername="postgresql+asyncpg", query=query)
    raise Broken(
        "[storage] url begins with {scheme}:, but must begin with sqlite: or postgresql:.", scheme=place.drivername
    )


def file_of(place: URL) -> Path | None:
    """Where a SQLite database lies; None: it is a server's."""
    is_file = place.get_backend_name() == "sqlite" and place.database is not None
    return Path(str(place.database)) if is_file else None


@contextmanager
def alone(place: URL) -> Iterator[None]:
    """Holds a SQLite file against other processes that would work on it; reading it with other tools stays possible.
    The lock is SQLite's own, on an empty file beside it: it ends with the process, on every operating system. Where
    there is flock, the file itself is locked, too: it may have other names (a hard link, a mount of its own)."""
    if (named := file_of(place)) is None:
        yield
        return
    path = named.resolve()
    _refuse_odd(path)
    with driver_errors():
        lock = sqlite3.connect(f"{path}-lock", timeout=0, isolation_level=None)
    try:
        try:
            with driver_errors():
                lock.execute("BEGIN EXCLUSIVE")
        except BotError:
            raise _taken(path) from None
        with _locked(path):
            _tighten(path)
            yield
    finally:
        lock.close()


def look(url: str) -> None:
    """Broken: it is no URL of ours, or a file that cannot be worked on. Opens nothing."""
    if named := file_of(parsed(url)):
        path = named.resolve()
        _refuse_odd(path)


def _refuse_odd(path: Path) -> None:
    if path.is_dir():
        raise Broken("The database {path} is a folder; check [storage] url.", path=path)
    if not path.parent.is_dir():
        raise Broken("The database {path} lies in a folder that does not exist; check [storage] url.", path=path)
    if closed := [one for one in (path.parent, path) if one.exists() and not os.access(one, os.R_OK | os.W_OK)]:
        raise Broken("{path} may only be read: its disk is read-only, or it is another user's.", path=closed[0])


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """By another kind of lock than SQLite's own, which do not outlive that this file is closed."""
    if fcntl is None:
        yield
        return
    try:
        file = os.open(path, os.O_RDONLY | os.O_CREAT, 0o600)
    except OSError:
        raise Broken("The database file cannot be opened; check the path in [storage] url.") from None
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _taken(path) from None
        except OSError:
            pass  # a file system without such locks
        yield
    finally:
        os.close(file)


def _tighten(path: Path) -> None:
    """Earlier versions left it readable by every user of the machine; root may have made what another works with."""
    for end in ("", "-lock", "-lock-journal", "-wal", "-shm"):
        file = path.with_name(path.name + end)
        with suppress(OSError):  # not there, or somebody else's
            file.chmod(0o600)
            hand_over(file, path if path.stat().st_size else None)  # an empty one has just been made


def _taken(path: Path) -> Broken:
    return Broken("Another process has the database {path} open; stop that one first.", path=path)
