"""Many text patterns -> one quick search: most messages hold none of them, and are told so at once.

A pattern is plain text, or a regular expression between slashes. Every match of a pattern holds at least one of a
few pairs of neighbouring letters; a text without any of those pairs need not be searched at all.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise

# The standard library's own parser of regular expressions: private, but the same from Python 3.11 to 3.14. Whatever
# it says that is not understood below only costs speed: such patterns are always searched for.
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

Pairs = frozenset[str]


class Patterns:
    """Finds the first place where one of many patterns stands. Upper and lower case are the same."""

    __slots__ = ("_always", "_pairs", "_seldom")

    def __init__(self, patterns: Iterable[str]) -> None:
        expressions = [expression(pattern) for pattern in patterns]
        needed = {one: _pairs(one) for one in expressions}
        self._always = _compiled(one for one in expressions if not needed[one])
        self._seldom = _compiled(one for one in expressions if needed[one])
        self._pairs: Pairs = frozenset().union(*(pairs for pairs in needed.values() if pairs))

    def search(self, text: str, pairs: Pairs) -> re.Match[str] | None:
        """`pairs` is `pairs_of(text)`, which the caller keeps for the next search."""
        found = self._always.search(text) if self._always else None
        if found or not self._seldom or self._pairs.isdisjoint(pairs):
            return found
        return self._seldom.search(text)

    def finditer(self, text: str) -> Iterable[re.Match[str]]:
        for compiled in (self._always, self._seldom):
            if compiled:
                yield from compiled.finditer(text)


@lru_cache(maxsize=256)
def compiled(patterns: tuple[str, ...]) -> Patterns:
    return Patterns(patterns)


def pairs_of(text: str) -> Pairs:
    """Every pair of neighbouring letters."""
    text = text.lower()
    return frozenset(map("".join, pairwise(text)))


def expression(pattern: str) -> str:
    """The regular expression of a pattern: `/…/` as it stands, anything else literally. Raises re.error."""
    if len(pattern) > 2 and pattern.startswith("/") and pattern.endswith("/"):
        return f"(?:{pattern[1:-1]})"
    return re.escape(pattern)


def _compiled(expressions: Iterable[str]) -> re.Pattern[str] | None:
    together = "|".join(expressions)
    return re.compile(together, re.IGNORECASE) if together else None


def _pairs(one: str) -> Pairs | None:
    """Pairs of which every match holds at least one; None where there are no such."""
    pairs = _of_sequence(parser.parse(one, re.IGNORECASE))
    # Letters whose case is more than one other letter (ſ, K) are not worth following.
    return pairs if pairs and all(pair.isascii() or pair == pair.casefold() for pair in pairs) else None


def _of_sequence(items: Iterable[tuple[Any, Any]]) -> Pairs | None:
    found: list[Pairs] = []
    before = ""
    for op, argument in items:
        letter = chr(argument).lower() if op is ops.LITERAL else ""
        if before and letter:
            found.append(frozenset((before + letter,)))
        before = letter
        inside: Pairs | None = None
        if op is ops.SUBPATTERN:
            inside = _of_sequence(argument[-1])
        elif op is ops.BRANCH:
            each = [_of_sequence(branch) for branch in argument[1]]
            inside = frozenset().union(*(pairs for pairs in each if pairs)) if all(each) else None
        elif op in (ops.MAX_REPEAT, ops.MIN_REPEAT) and argument[0] > 0:
            inside = _of_sequence(argument[2])
        if inside:
            found.append(inside)
    return min(found, key=len, default=None)
