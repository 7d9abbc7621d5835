"""Many text patterns -> one quick search: most messages hold none of them, and are told so at once.

A pattern is plain text, or a regular expression between slashes. Every match of a pattern holds at least one of a
few signs (pairs of neighbouring letters, or single letters); a text without any of them need not be searched.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib import import_module
from itertools import pairwise
from typing import Any, Protocol

from bot.core.text.expressions import Expression, Found, NotLinear

# The standard library's own parser of regular expressions: private, but the same from Python 3.11 to 3.14. Whatever
# it says that is not understood below only costs speed: such patterns are always searched for.
ops, parser = import_module("re._constants"), import_module("re._parser")

Signs = frozenset[str]


class Patterns:
    """Finds the first place where one of many patterns stands. Upper and lower case are the same.

    The `reviewed` ones are our own: tests hold that they take time in proportion to a text under Python's engine. The
    expressions of everybody else (`own`) run under an engine that does so whatever they say. Raises re.error where one
    is no expression, NotLinear where that engine does not understand it.
    """

    __slots__ = ("_engines", "_is_always_worth_it", "_signs")

    def __init__(self, own: Iterable[str], reviewed: Iterable[str] = ()) -> None:
        own = tuple(own)
        plain = [*map(expression, reviewed), *(re.escape(pattern) for pattern in own if not is_expression(pattern))]
        written = [inside(pattern) for pattern in own if is_expression(pattern)]
        needed = {one: _signs(one) for one in (*plain, *written)}
        self._is_always_worth_it = not all(needed.values())
        self._signs: Signs = frozenset().union(*(signs for signs in needed.values() if signs))
        together = (_compiled(one for one in plain if bool(needed[one]) is seldom) for seldom in (False, True))
        self._engines: tuple[_Engine, ...] = (*filter(None, together), *map(Expression, written))

    def may_stand_in(self, signs: Signs | None) -> bool:
        """Whether a text with these signs (`signs_of`; None: nobody knows) is worth searching."""
        return signs is None or self._is_always_worth_it or not self._signs.isdisjoint(signs)

    def search(self, text: str) -> Found | None:
        return next((found for engine in self._engines if (found := engine.search(text))), None)

    def finditer(self, text: str) -> Iterator[Found]:
        for engine in self._engines:
            yield from engine.finditer(text)


class _Engine(Protocol):
    def search(self, text: str) -> Found | None: ...
    def finditer(self, text: str) -> Iterator[Found]: ...


class _Reviewed:
    """Many expressions as one of Python's."""

    def __init__(self, expressions: str) -> None:
        self._compiled = re.compile(expressions, re.IGNORECASE)

    def search(self, text: str) -> Found | None:
        return Found(match[0], *match.span()) if (match := self._compiled.search(text)) else None

    def finditer(self, text: str) -> Iterator[Found]:
        return (Found(match[0], *match.span()) for match in self._compiled.finditer(text))


@lru_cache(maxsize=256)
def compiled(own: tuple[str, ...], reviewed: tuple[str, ...] = ()) -> Patterns:
    return Patterns(own, reviewed)


def is_linear(pattern: str) -> bool:
    """Whether an own pattern runs under the linear engine. Raises re.error where it is no expression."""
    try:
        compiled((pattern,))
    except NotLinear:
        return False
    return True


def objection(pattern: str, *, allow: bool = False) -> tuple[str, str] | None:
    """Why a pattern is not taken, as a code (see the texts, under `pattern.`) and what the engine says of it; None
    where it is. `allow`: also one that only runs where it can be killed, for configurations that have such."""
    if not pattern.strip():
        return "empty", ""
    try:
        if re.compile(expression(pattern)).match(""):
            return "everything", ""
        return None if is_linear(pattern) or allow else ("looks_around", "")
    except (re.error, OverflowError, RecursionError) as error:
        return "unreadable", str(error)


def signs_of(text: str) -> Signs:
    """Every letter, and every pair of neighbouring letters."""
    text = text.lower()
    return frozenset(text).union(map("".join, pairwise(text)))


def is_expression(pattern: str) -> bool:
    return len(pattern) > 2 and pattern.startswith("/") and pattern.endswith("/")


def inside(pattern: str) -> str:
    """What stands between the slashes, so that it can stand beside others."""
    return f"(?:{pattern[1:-1]})"


def expression(pattern: str) -> str:
    """The regular expression of a pattern: `/…/` as it stands, anything else literally."""
    return inside(pattern) if is_expression(pattern) else re.escape(pattern)


def _compiled(expressions: Iterable[str]) -> _Reviewed | None:
    together = "|".join(expressions)
    return _Reviewed(together) if together else None


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
