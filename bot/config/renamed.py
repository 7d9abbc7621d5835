"""A configuration written for a version before -> the same under the names of today, and which of them were old."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bot.core.text.catalogue import Texts


class Renamed(NamedTuple):
    """A key, with the tables that it stands in, and what it is called now."""

    old: str
    new: str

    def told(self, say: Texts) -> str:
        return say("check.renamed", old=self.old, new=self.new)


class Split(NamedTuple):
    """A rule of the presets, and those that were made of it."""

    old: str
    new: tuple[str, ...]

    def told(self, say: Texts) -> str:
        return say("check.split", old=self.old, new=", ".join(self.new))


#: One line for each key that was ever called otherwise; those who have it in their file are told (check.renamed).
RENAMED = (
    Renamed("bots.look", "judge_every"),
    Renamed("report.alert", "alert_at"),
)


def renew(content: object) -> tuple[object, tuple[Renamed, ...]]:
    """`content` is a TOML document, or a part of one. Where a key stands under both names, the old one is left to be
    refused like any unknown key."""
    found = []
    for one in RENAMED:
        renewed = _renewed(content, one.old.split("."), one.new)
        if renewed != content:
            found.append(one)
            content = renewed
    return content, tuple(found)


def _renewed(node: object, path: Sequence[str], new: str) -> object:
    if isinstance(node, list):
        return [_renewed(one, path, new) for one in node]
    key, *below = path
    if not isinstance(node, Mapping) or key not in node:
        return node
    if below:
        return {**node, key: _renewed(node[key], below, new)}
    return node if new in node else {new if name == key else name: value for name, value in node.items()}
