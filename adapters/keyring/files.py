"""Small secret files: read whole, replaced whole, readable by their owner alone."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.core.base.errors import Broken, reason
from bot.core.base.owner import hand_over

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

KEYRING = "keyring"  # the file in the folder of the keys that the master key seals


def private_folder(folder: Path) -> None:
    """Broken: it is not there and cannot be made."""
    if folder.is_dir():
        return
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        hand_over(folder)
    except OSError as error:
        raise Broken(
            "The folder of the keys {folder} cannot be made ({why}); name another in [storage] keys.",
            folder=folder,
            why=reason(error),
        ) from None


def replace_file(path: Path, content: bytes) -> None:
    """Afterwards it is on the disk, whatever happens to the machine; before, it is as it was."""
    new = path.with_name(f"{path.name}.new")
    with open(new, "wb", opener=_private) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    hand_over(new, path)
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Of several processes, one at a time; the lock ends with the process."""
    with open(path, "ab", opener=_private) as file:
        hand_over(path)
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)
