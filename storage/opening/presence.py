"""The processes of this machine that work on a server's database -> which of them have died without a word.

Each holds a lock on a file of its own, which the operating system takes from it when it dies, however it dies. On the
server a lease says the same, some seconds later, and of other machines nothing else does. One that is only stopped, or
cut off from the server, keeps its lock.
"""

import os
import stat
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path

from sqlalchemy import URL

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]


@contextmanager
def present(place: URL, holder: int) -> Iterator[None]:
    """This process works on it, as the holder of that number."""
    if (folder := _folder(place)) is None:
        yield
        return
    path, unnamed = folder / str(holder), folder / f"new-{holder}"
    file = os.open(unnamed, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with suppress(OSError):  # a file system without such locks
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            unnamed.rename(path)  # locked before anybody can look at it
        yield
        with suppress(OSError):
            path.unlink()
    finally:
        os.close(file)


@contextmanager
def died(place: URL) -> Iterator[Collection[int]]:
    """The numbers of those whose lock nobody holds any more; they are forgotten where the block has ended well."""
    folder = _folder(place)
    paths = [path for path in folder.iterdir() if path.name.isdecimal() and _is_free(path)] if folder else []
    yield [int(path.name) for path in paths]
    for path in paths:
        with suppress(OSError):
            path.unlink()


def _is_free(path: Path) -> bool:
    try:
        file = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(file)
    return True


def _folder(place: URL) -> Path | None:
    """Of nobody but this user: whoever could write there could say that others are dead. None: there is none."""
    if fcntl is None or place.get_backend_name() != "postgresql":
        return None
    name = blake2b(f"{place.host} {place.port} {place.database}".encode(), digest_size=8).hexdigest()
    folder = Path(tempfile.gettempdir()) / f"jikimi-{os.getuid()}-{name}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        there = folder.lstat()
    except OSError:
        return None
    is_ours = there.st_uid == os.getuid() and stat.S_ISDIR(there.st_mode) and stat.S_IMODE(there.st_mode) == 0o700
    return folder if is_ours else None
