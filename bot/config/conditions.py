"""The conditions as the core declares them <-> the TOML below `when`: which keys there are, and what they mean."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from datetime import timedelta
from enum import StrEnum
from functools import cache, lru_cache
from importlib.resources import files
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from pydantic import create_model

from bot.config.values import Duration, Names, Table
from bot.core.guarding.kinds import HarmKind
from bot.core.rules.conditions import CONDITIONS, Condition, Group, NoKind, Text, Written


class _Patterns(Table):
    """A group of patterns in presets/patterns.toml."""

    any_of: Names
    unless: list[str] = []


@lru_cache
def _groups() -> Mapping[str, Group]:
    content = tomllib.loads(files("bot.config.presets").joinpath("patterns.toml").read_text("utf-8"))
    tables = {name: _Patterns.model_validate(table) for name, table in content.items()}
    return {name: Group(name=name, any_of=tuple(one.any_of), unless=tuple(one.unless)) for name, one in tables.items()}


@lru_cache
def no_despair() -> NoKind:
    """What holds of a text whose author does not seem to be in despair."""
    words = Text(group=_groups()["self_harm"])
    return NoKind(any_of=frozenset({HarmKind.SELF_HARM}), at_least=0.3, text=words, with_text=0.05)


class _Asked(NamedTuple):
    """A field of a condition; `default` is MISSING where it must be given."""

    name: str
    key: str
    type: Any
    default: object


@cache
def _asked(condition: type[Condition]) -> tuple[_Asked, ...]:
    hints = get_type_hints(condition, include_extras=True)
    return tuple(
        _Asked(one.name, _key(one.name, hints[one.name]), hints[one.name], one.default) for one in fields(condition)
    )


def _key(name: str, hint: Any) -> str:
    return next((one.name for one in getattr(hint, "__metadata__", ()) if isinstance(one, Written)), name)


def _form(condition: type[Condition]) -> Any:
    """`true` where there is nothing to say; the value itself where one thing must be said; else a table."""
    match _asked(condition):
        case ():
            return Literal[True]
        case (only,) if only.default is MISSING:
            return _written(only.type)
        case several:
            keys: dict[str, Any] = {one.key: (_written(one.type), _plain(one.default)) for one in several}
            return create_model(condition.__name__, __base__=Table, **keys)


def _written(hint: Any) -> Any:
    """What of a field's type stands in a TOML file."""
    origin, within = get_origin(hint), get_args(hint)
    if origin is Annotated:
        bounds = [one for one in hint.__metadata__ if not isinstance(one, Written)]
        return Annotated[(_written(within[0]), *bounds)] if bounds else _written(within[0])
    if origin in (Union, UnionType):
        return Union[tuple(map(_written, within))]  # noqa: UP007  # the members are known when it runs
    if origin in (frozenset, tuple):
        return list[_written(within[0])]  # type: ignore[misc]  # likewise
    if hint is timedelta:
        return Duration
    if hint is Group:
        return Literal[tuple(_groups())]
    if issubclass(hint, StrEnum):
        return Literal[tuple(one.value for one in hint)]
    return _form(hint) if issubclass(hint, Condition) else hint


def _plain(default: object) -> object:
    if default is MISSING:
        return ...
    if isinstance(default, tuple | frozenset):
        return list(default)
    return default.value if isinstance(default, StrEnum) else default


def _condition(condition: type[Condition], written: Any) -> Condition:
    match _asked(condition):
        case ():
            return condition()
        case (only,) if only.default is MISSING:
            return condition(**{only.name: _meant(only.type, written)})
        case several:
            return condition(**{one.name: _meant(one.type, getattr(written, one.key)) for one in several})


def _meant(hint: Any, written: Any) -> Any:
    """The other way: what stands in the file -> the field's value."""
    origin, within = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _meant(within[0], written)
    if origin in (Union, UnionType):
        return None if written is None else _meant(next(one for one in within if one is not NoneType), written)
    if origin in (frozenset, tuple):
        return origin(_meant(within[0], one) for one in written)
    if hint is Group:
        return _groups()[written]
    if issubclass(hint, Condition):
        return _condition(hint, written)
    return hint(written) if issubclass(hint, StrEnum) else written


class WhenBase(Table):
    """All that is given must hold."""

    def conditions(self) -> tuple[Condition, ...]:
        return tuple(_condition(one, written) for one in CONDITIONS if (written := self._given(one)) is not None)

    def with_bar(self, bar: float) -> "WhenBase":
        """The same, but holding from another score on; unchanged where no score is asked for."""
        for one in CONDITIONS:
            written = self._given(one)
            if written is not None and _condition(one, written).bar is not None:
                return self.model_copy(update={one.key: written.model_copy(update={"at_least": bar})})
        return self

    def _given(self, condition: type[Condition]) -> Any:
        return getattr(self, condition.key)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Only what is asked for: a policy keeps its version when there is more to ask for."""
        return ((key, written) for key, written in super().__repr_args__() if written is not None)


if TYPE_CHECKING:
    When = WhenBase
else:
    When = create_model("When", __base__=WhenBase, **{one.key: (_form(one) | None, None) for one in CONDITIONS})
