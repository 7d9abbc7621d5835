"""Regular expressions as people write them in settings -> the same under an engine whose time grows with the text and
with nothing else (RE2), letters and boundaries meant as Unicode means them."""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from importlib import import_module
from itertools import islice
from typing import Any, NamedTuple

import re2

ops, parser = import_module("re._constants"), import_module("re._parser")  # see patterns.py

MOST_SPANS = 500  # of one expression in one text: each may cost a walk through the rest of it

_OPTIONS = re2.Options()
_OPTIONS.case_sensitive = False
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 32 << 20  # bytes: a class like \w{1,20} needs more than RE2's own 8 MiB

_LAST = 0x10FFFF
_WORD = r"\p{L}\p{N}_"
_CATEGORY = {  # inside a class
    ops.CATEGORY_WORD: _WORD,
    ops.CATEGORY_DIGIT: r"\p{Nd}",
    ops.CATEGORY_SPACE: r"\t-\r\x1c-\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}",
}
_WITHOUT = {  # the category that is all the others -> the one it leaves out
    ops.CATEGORY_NOT_WORD: ops.CATEGORY_WORD,
    ops.CATEGORY_NOT_DIGIT: ops.CATEGORY_DIGIT,
    ops.CATEGORY_NOT_SPACE: ops.CATEGORY_SPACE,
}
_HOLDS = {
    ops.CATEGORY_WORD: lambda letter: letter.isalnum() or letter == "_",
    ops.CATEGORY_DIGIT: str.isdecimal,
    ops.CATEGORY_SPACE: str.isspace,
}
_PLACES = {
    ops.AT_BEGINNING: r"\A",
    ops.AT_BEGINNING_STRING: r"\A",
    ops.AT_END: r"\z",
    ops.AT_END_STRING: r"\z",
    ops.AT_BOUNDARY: r"\b",
    ops.AT_NON_BOUNDARY: r"\B",
}

Ranges = Sequence[tuple[int, int]]


class NotLinear(ValueError):
    """Only an engine that tries everything understands this expression: it looks around, refers back, or is too big."""


class Found(NamedTuple):
    text: str
    start: int
    end: int


class Expression:
    """Finds where a regular expression stands in a text of one line; upper and lower case are the same.

    RE2 knows `\\b` for ASCII alone. Where an expression asks for it, the text is read with marks: every character
    stands between two that are ASCII words or not, as it is itself one for Unicode or not; so RE2's boundaries fall
    where Unicode's do.
    """

    __slots__ = ("_compiled", "_marked")

    def __init__(self, source: str) -> None:
        """Raises re.error where it is no expression, NotLinear where it is none for this engine."""
        items = parser.parse(source, re.IGNORECASE)
        self._marked = _asks_for_boundaries(items)
        try:
            self._compiled = re2.compile(_sequence(items, self._marked), _OPTIONS)
        except re2.error as error:
            raise NotLinear(str(error)) from None

    def search(self, text: str) -> Found | None:
        return next(self.finditer(text), None)

    def finditer(self, text: str) -> Iterator[Found]:
        """At most MOST_SPANS, from left to right."""
        read = _with_marks(text) if self._marked else text
        width = _WIDTH if self._marked else 1
        for match in islice(self._compiled.finditer(read), MOST_SPANS):
            start, end = match.start() // width, match.end() // width
            if start < end:  # nothing is found by who finds nothing
                yield Found(text[start:end], start, end)


# ---- with marks: W c W for what is part of a word, N c N for what is none ------------------------------------------

_WIDTH = 5
_MARKED = r"[_\x02]\x01%s\x01[_\x02]"


def _with_marks(text: str) -> str:
    return "".join([f"_\x01{c}\x01_" if c.isalnum() or c == "_" else f"\x02\x01{c}\x01\x02" for c in text])


# ---- Python's parsed expression, written for RE2 --------------------------------------------------------------------


def _sequence(items: Iterable[tuple[Any, Any]], marked: bool) -> str:
    return "".join(_written(op, argument, marked) for op, argument in items)


def _written(op: Any, argument: Any, marked: bool) -> str:
    if op is ops.LITERAL:
        return _one(_letter(argument), marked)
    if op is ops.NOT_LITERAL:
        return _one(f"[^{_letter(argument)}]", marked)
    if op is ops.ANY:
        return _one("(?s:.)", marked)
    if op is ops.IN:
        return _one(_class(argument), marked)
    if op is ops.BRANCH:
        return "(?:" + "|".join(_sequence(branch, marked) for branch in argument[1]) + ")"
    if op is ops.SUBPATTERN:
        _, added, taken, items = argument
        flags = "i" if added & re.IGNORECASE else "-i" if taken & re.IGNORECASE else ""
        return f"(?{flags}:{_sequence(items, marked)})"
    if op in (ops.MAX_REPEAT, ops.MIN_REPEAT):
        least, most, items = argument
        lazy = "?" if op is ops.MIN_REPEAT else ""
        return f"(?:{_sequence(items, marked)}){{{least},{'' if most is ops.MAXREPEAT else most}}}{lazy}"
    if op is ops.AT and argument in _PLACES:
        return _PLACES[argument]
    raise NotLinear(str(op).lower())


def _one(written: str, marked: bool) -> str:
    return _MARKED % written if marked else written


def _letter(code: int) -> str:
    return f"\\x{{{code:x}}}"


def _class(items: Sequence[tuple[Any, Any]]) -> str:
    negated = bool(items) and items[0][0] is ops.NEGATE
    items = items[1:] if negated else items
    if any(op is ops.CATEGORY and argument in _WITHOUT for op, argument in items):
        # RE2 has no complement inside a class.
        ranges = [one for op, argument in items for one in _ranges(op, argument)]
        written = "".join(f"{_letter(first)}-{_letter(last)}" for first, last in _merged(ranges))
    else:
        written = "".join(_in_class(op, argument) for op, argument in items)
    return f"[{'^' if negated else ''}{written}]"


def _in_class(op: Any, argument: Any) -> str:
    if op is ops.CATEGORY:
        return _CATEGORY[argument]
    first, last = argument if op is ops.RANGE else (argument, argument)
    return f"{_letter(first)}-{_letter(last)}"


def _ranges(op: Any, argument: Any) -> Ranges:
    if op is ops.CATEGORY:
        return _others(_category(_WITHOUT[argument])) if argument in _WITHOUT else _category(argument)
    return [argument] if op is ops.RANGE else [(argument, argument)]


@lru_cache
def _category(category: Any) -> Ranges:
    holds = _HOLDS[category]
    return _merged((code, code) for code in range(_LAST + 1) if holds(chr(code)))


def _merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def _others(ranges: Ranges) -> Ranges:
    starts = [0, *(last + 1 for _, last in ranges)]
    ends = [*(first - 1 for first, _ in ranges), _LAST]
    return [(first, last) for first, last in zip(starts, ends, strict=True) if first <= last]


def _asks_for_boundaries(items: Any) -> bool:
    """Wherever it stands in a parsed expression."""
    if isinstance(items, tuple) and len(items) == 2 and items[0] is ops.AT:
        return items[1] in (ops.AT_BOUNDARY, ops.AT_NON_BOUNDARY)
    if isinstance(items, str | int) or items is None:
        return False
    return any(_asks_for_boundaries(item) for item in items)
