"""A file that root has just made where somebody else works -> theirs, as everything there is."""

import os
from contextlib import suppress
from pathlib import Path


def hand_over(new: Path, like: Path | None = None) -> None:
    """To whoever `like` belongs to, where that is there, else the folder. Only root can, and only root has to."""
    if os.name == "posix" and os.geteuid() == 0:
        with suppress(OSError):  # a root that may not
            theirs = (like if like and like.exists() else new.parent).stat()
            os.chown(new, theirs.st_uid, theirs.st_gid)
