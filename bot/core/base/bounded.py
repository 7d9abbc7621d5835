"""What is remembered of so many things at most: what was set longest ago is forgotten first. And of what somebody sends
as much as may be held."""

from collections import OrderedDict
from typing import Protocol, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Bounded(OrderedDict[Key, Value]):
    """A dict of at most `most` keys, oldest first. To set a key, or to ask for it by `refresh`, makes it the newest; to
    read it does not."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def __setitem__(self, key: Key, value: Value) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        while len(self) > self.most:
            self.popitem(last=False)

    def refresh(self, key: Key, default: Value) -> Value:
        """What stands there, or else from now on `default`."""
        self[key] = value = self.get(key, default)
        return value


class Stream(Protocol):
    """Gives `n` bytes at most, b"" at its end; of what comes compressed as they are afterwards."""

    async def read(self, n: int, /) -> bytes: ...


async def beginning(stream: Stream, most: int) -> bytes:
    """All of it, or the first `most` bytes where it is longer. The length that was announced is not gone by: it is that
    of what is compressed."""
    content = bytearray()
    while piece := await stream.read(min(65_536, most - len(content))):
        content += piece
    return bytes(content)
