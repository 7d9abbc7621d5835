"""What is remembered of so many things at most: what was set longest ago is forgotten first."""

from collections import OrderedDict
from typing import TypeVar

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
