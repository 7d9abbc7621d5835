"""
The only two exceptions that may cross a port:

* BotError
  x Unavailable     try again later: time-out, rate limit, a restarting database
  x Broken          never try again in this process: dead engine, revoked token, bad configuration

What a caller branches on is a value in the signature, not an exception.
"""

import errno
import traceback


class BotError(Exception):
    """Base class for every error that crosses a port: a sentence in English, as logs have it, its facts apart, so that
    whoever shows it to somebody can say the same in their language (Texts.why)."""

    def __init__(self, sentence: str, /, **facts: object) -> None:
        super().__init__(sentence.format(**facts) if facts else sentence)
        self.sentence, self.facts = sentence, facts


class Unavailable(BotError):
    """A temporary failure. `retry_after` is in seconds, None where nobody said. `begun`: the receipt of what stands
    already and is only not finished, for whoever tries again."""

    def __init__(self, sentence: str, /, *, retry_after: float | None = None, begun: str = "", **facts: object) -> None:
        super().__init__(sentence, **facts)
        self.retry_after = retry_after
        self.begun = begun


class Broken(BotError):
    """A permanent failure; it says in one sentence what to change."""


#: By its number, because the words of an OSError are the system's own, in a language of its own.
_OF_THE_SYSTEM = {
    errno.EACCES: "Permission denied",
    errno.EADDRINUSE: "Address already in use",
    errno.EADDRNOTAVAIL: "Cannot assign requested address",
    errno.EEXIST: "File exists",
    errno.EIO: "Input/output error",
    errno.EISDIR: "Is a directory",
    errno.ELOOP: "Too many levels of symbolic links",
    errno.EMFILE: "Too many open files",
    errno.ENAMETOOLONG: "File name too long",
    errno.ENOENT: "No such file or directory",
    errno.ENOSPC: "No space left on device",
    errno.ENOTDIR: "Not a directory",
    errno.EPERM: "Operation not permitted",
    errno.EROFS: "Read-only file system",
}


def reason(error: Exception) -> str:
    """Why a file cannot be read or written, or an address not be listened on: a fact of an error, in English."""
    said = getattr(error, "strerror", None) or type(error).__name__
    return _OF_THE_SYSTEM.get(getattr(error, "errno", None) or 0, said)


def raised(error: BaseException) -> str:
    """What was raised and where, for the log: not what it says, which may quote a message."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} in {frames[-1].filename}:{frames[-1].lineno}" if frames else type(error).__name__
