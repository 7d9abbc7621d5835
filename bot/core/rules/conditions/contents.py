"""Conditions on what the message holds beside its words, and on the way it came."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge

from bot.core.chat.links import host_of
from bot.core.chat.message import Kind, LinkKind, Message
from bot.core.rules.conditions.condition import Check, Condition, Explanation, Rank, Situation

_NO_LINK: Check = (False, Explanation("no_link"))


@dataclass(frozen=True, kw_only=True)
class Link(Condition, key="link", rank=Rank.CONDUCT):
    """The message holds a link to a host that is neither one of `allowed` nor below one of them. A mention is none."""

    allowed: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "allowed", frozenset(name.lower() for name in self.allowed))

    def check(self, situation: Situation) -> Check:
        for address in _addresses(situation.message):
            host = host_of(address)  # a link nobody can read is not an allowed one
            if not any(host == name or host.endswith(f".{name}") for name in self.allowed):
                return True, Explanation("link", {"host": host})
        return _NO_LINK

    def implies(self, other: Condition) -> bool:
        return isinstance(other, Link) and other.allowed <= self.allowed


@dataclass(frozen=True, kw_only=True)
class Mentions(Condition, key="mentions", rank=Rank.CONDUCT):
    at_least: Annotated[int, Ge(1)]

    def check(self, situation: Situation) -> Check:
        mentions = situation.message.mentions
        return mentions >= self.at_least, Explanation("mentions", {"mentions": mentions, "bar": self.at_least})

    def implies(self, other: Condition) -> bool:
        return isinstance(other, Mentions) and self.at_least >= other.at_least


@dataclass(frozen=True, kw_only=True)
class Edited(Condition, key="edited", rank=Rank.CIRCUMSTANCE):
    def check(self, situation: Situation) -> Check:
        edited = situation.message.kind is Kind.EDIT
        return edited, Explanation("edited" if edited else "not_edited")


@dataclass(frozen=True, kw_only=True)
class Filtered(Condition, key="filtered", rank=Rank.CIRCUMSTANCE):
    """The platform's own filter has stopped the message."""

    def check(self, situation: Situation) -> Check:
        found = situation.message.filtered
        return (
            (False, Explanation("not_filtered")) if found is None else (True, Explanation("filtered", {"found": found}))
        )


CONDITIONS = (Link, Mentions, Edited, Filtered)

_LINK = re.compile(
    r"https?://[^\s<>]+|(?<![\w.@/-])(?:www\.[^\s<>]+|(?:[\w-]{1,63}\.)++[a-z]{2,24}/[^\s<>]+)", re.IGNORECASE
)


def _addresses(message: Message) -> Iterator[str]:
    """What the platform marks as links, and what reads like one where nothing is marked."""
    yield from (link.target for link in message.links if link.kind is not LinkKind.MENTION)
    text = message.read
    if "." in text or "/" in text:
        yield from (match.group() for match in _LINK.finditer(text))
