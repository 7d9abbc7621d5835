"""Functions of texts -> the same, remembering what they gave for the texts of lately; and all of that is forgotten."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, ParamSpec, TypeVar, cast

Given = ParamSpec("Given")
Answer = TypeVar("Answer")

_remembering: list[Any] = []


def remembered(function: Callable[Given, Answer], *, most: int) -> Callable[Given, Answer]:
    """For so many texts at most."""
    remembering: Any = lru_cache(maxsize=most)(function)
    _remembering.append(remembering)
    return cast(Callable[Given, Answer], remembering)


def forget() -> None:
    """Every text, whoever said it: which of them somebody has said nobody knows here."""
    for one in _remembering:
        one.cache_clear()
