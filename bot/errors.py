"""
The only two exceptions that may cross a port:

* BotError
  x Unavailable     try again later: time-out, rate limit, a restarting database
  x Broken          never try again in this process: dead engine, revoked token, bad configuration

What a caller branches on is a value in the signature, not an exception.
"""


class BotError(Exception):
    """Base class for every error that crosses a port."""


class Unavailable(BotError):
    """A temporary failure. `retry_after` is in seconds, None where nobody said."""

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Broken(BotError):
    """A permanent failure; the text says in one sentence what to change."""


def where(error: BaseException) -> str:
    """The file and line that raised it, for logs: what an exception says may quote a message."""
    frame = error.__traceback__
    while frame and frame.tb_next:
        frame = frame.tb_next
    return f"{frame.tb_frame.f_code.co_filename.rpartition('/')[2]}:{frame.tb_lineno}" if frame else ""
