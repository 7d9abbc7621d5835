"""Room for notices: a few may be under way at a time, so that actions never find every slot taken by them."""

from collections.abc import Iterator
from contextlib import contextmanager

from bot.errors import Unavailable

AT_ONCE = 16


class Notices:
    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._under_way = 0

    @contextmanager
    def room(self) -> Iterator[None]:
        """Raises `Unavailable` where there is none: deletions and sanctions never wait for a notice."""
        if self._under_way >= self._at_once:
            raise Unavailable("other notices come first", retry_after=1)
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
