"""Many text patterns -> one quick search: most messages hold none of them, and are told so at once.

A pattern is plain text, or a regular expression between slashes. Every match of a pattern holds at least one of a
few signs (pairs of neighbouring letters, or single letters); a text without any of them need not be searched.
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

Signs = frozenset[str]


class Patterns:
    """Finds the first place where one of many patterns stands. Upper and lower case are the same."""

    __slots__ = ("_always", "_seldom", "_signs")

    def __init__(self, patterns: Iterable[str]) -> None:
        expressions = [expression(pattern) for pattern in patterns]
        needed = {one: _signs(one) for one in expressions}
        self._always = _compiled(one for one in expressions if not needed[one])
        self._seldom = _compiled(one for one in expressions if needed[one])
        self._signs: Signs = frozenset().union(*(signs for signs in needed.values() if signs))

    def may_stand_in(self, signs: Signs) -> bool:
        """Whether a text with these signs (`signs_of`) is worth searching."""
        return self._always is not None or not self._signs.isdisjoint(signs)

    def search(self, text: str) -> re.Match[str] | None:
        for compiled in (self._always, self._seldom):
            if compiled and (found := compiled.search(text)):
                return found
        return None

    def finditer(self, text: str) -> Iterable[re.Match[str]]:
        for compiled in (self._always, self._seldom):
            if compiled:
                yield from compiled.finditer(text)


@lru_cache(maxsize=256)
def compiled(patterns: tuple[str, ...]) -> Patterns:
    return Patterns(patterns)


def signs_of(text: str) -> Signs:
    """Every letter, and every pair of neighbouring letters."""
    text = text.lower()
    return frozenset(text).union(map("".join, pairwise(text)))


def expression(pattern: str) -> str:
    """The regular expression of a pattern: `/…/` as it stands, anything else literally. Raises re.error."""
    if len(pattern) > 2 and pattern.startswith("/") and pattern.endswith("/"):
        return f"(?:{pattern[1:-1]})"
    return re.escape(pattern)


def _compiled(expressions: Iterable[str]) -> re.Pattern[str] | None:
    together = "|".join(expressions)
    return re.compile(together, re.IGNORECASE) if together else None


def _signs(one: str) -> Signs | None:
    """Signs of which every match holds at least one; None where there are no such."""
    signs = _of_sequence(parser.parse(one, re.IGNORECASE))
    # Letters whose case is more than one other letter (ſ, K) are not worth following.
    return signs if signs and all(sign.isascii() or sign == sign.casefold() for sign in signs) else None


def _of_sequence(items: Iterable[tuple[Any, Any]]) -> Signs | None:
    found: list[Signs] = []
    before = ""
    for op, argument in items:
        inside: Signs | None = None
        letter = ""
        if op is ops.LITERAL:
            letter = chr(argument).lower()
            inside = frozenset((before + letter,))
        elif op is ops.SUBPATTERN:
            inside = _of_sequence(argument[-1])
        elif op is ops.BRANCH:
            each = [_of_sequence(branch) for branch in argument[1]]
            inside = frozenset().union(*(signs for signs in each if signs)) if all(each) else None
        elif op in (ops.MAX_REPEAT, ops.MIN_REPEAT) and argument[0] > 0:
            inside = _of_sequence(argument[2])
        before = letter
        if inside:
            found.append(inside)
    return min(found, key=_commonness, default=None)


def _commonness(signs: Signs) -> tuple[int, int]:
    """Pairs are rarer than single letters, blanks and ASCII signs the most common of these; fewer are better."""
    return sum(len(sign) == 1 for sign in signs) + 100 * bool(signs & _COMMON), len(signs)


_COMMON = frozenset(" .,-!?~0123456789" + "이가은는을를도의에하다고지나니아어요")
