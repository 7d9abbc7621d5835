"""What a condition or an action declares -> how a rule writes it, and what was written -> the core's value."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from datetime import timedelta
from enum import Enum
from functools import lru_cache
from importlib.resources import files
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from pydantic import create_model

from bot.config.values import Duration, Names, Table, duration, refused
from bot.core.rules.actions import RULE_ACTIONS, Action
from bot.core.rules.conditions import CONDITIONS, Condition, Group, Written


class Form(NamedTuple):
    """`annotation` is what a rule may write, for pydantic; `value` makes the core's value of it."""

    annotation: Any
    value: Callable[[Any], Any]


class Patterns(Table):
    """A group of patterns in presets/patterns.toml."""

    any_of: Names
    unless: list[str] = []


@lru_cache
def _groups() -> Mapping[str, Group]:
    content = tomllib.loads(files("bot.config.presets").joinpath("patterns.toml").read_text("utf-8"))
    groups = {name: Patterns.model_validate(group) for name, group in content.items()}
    return {name: Group(name=name, any_of=tuple(one.any_of), unless=tuple(one.unless)) for name, one in groups.items()}


def _form(declared: Any) -> Form:
    """Of the type of a field."""
    origin, parameters = get_origin(declared), get_args(declared)
    if origin is Annotated:
        inner = _form(parameters[0])
        bounds = [bound for bound in parameters[1:] if not isinstance(bound, Written)]
        return Form(Annotated[inner.annotation, *bounds] if bounds else inner.annotation, inner.value)
    if origin in (frozenset, tuple):
        item = _form(parameters[0])
        return Form(list[item.annotation], lambda written: origin(map(item.value, written)))  # type: ignore[name-defined]
    if origin in (Union, UnionType):
        inner = _form(next(one for one in parameters if one is not NoneType))
        return Form(inner.annotation | None, lambda written: None if written is None else inner.value(written))
    if declared is timedelta:
        return Form(Duration, _as_it_is)
    if declared is Group:
        return Form(Literal[*_groups()], lambda name: _groups()[name])
    if issubclass(declared, Enum):
        return Form(Literal[*(one.value for one in declared)], declared)
    return _table(declared) if issubclass(declared, Condition) else Form(declared, _as_it_is)


def _table(condition: type[Condition]) -> Form:
    """Several fields, or none that must be given, are a table."""
    known = {_name(field, hint): (field, _form(hint)) for field, hint in _declared(condition)}
    keys: Any = {name: (form.annotation, _default(field)) for name, (field, form) in known.items()}
    table = create_model(condition.__name__, __base__=Table, __doc__=condition.__doc__, **keys)

    def value(written: Table) -> Condition:
        given = {field.name: form.value(getattr(written, name)) for name, (field, form) in known.items()}
        return condition(**given)

    return Form(table, value)


def form_of(condition: type[Condition]) -> Form:
    """Of what stands under its key: see `Condition`."""
    match _declared(condition):
        case []:
            return Form(Literal[True], lambda _: condition())
        case [(field, hint)] if field.default is MISSING:
            form = _form(hint)
            return Form(form.annotation, lambda written: condition(**{field.name: form.value(written)}))
    return _table(condition)


def _declared(kind: type[Any]) -> list[tuple[Field[Any], Any]]:
    hints = get_type_hints(kind, include_extras=True)
    return [(field, hints[field.name]) for field in fields(kind)]


def _name(field: Field[Any], hint: Any) -> str:
    return next((one.name for one in getattr(hint, "__metadata__", ()) if isinstance(one, Written)), field.name)


def _default(field: Field[Any]) -> Any:
    """As it would be written."""
    match field.default:
        case default if default is MISSING:
            return ...
        case Enum(value=value):
            return value
        case frozenset() | tuple() as several:
            return list(several)
        case default:
            return default


def _as_it_is(written: Any) -> Any:
    return written


#: By the key under which a rule asks for it, in the order in which conditions are asked.
CONDITION_FORMS: Mapping[str, Form] = {condition.key: form_of(condition) for condition in CONDITIONS}
#: The keys of conditions whose score threshold moderators may move.
WITH_BAR = tuple(condition.key for condition in CONDITIONS if condition.bar is not Condition.bar)

_ACTIONS: Mapping[str, type[Action]] = {action.kind: action for action in RULE_ACTIONS}
_PARAMETERS: Mapping[Any, Callable[[str], object]] = {timedelta: duration}


def action(written: object) -> Action:
    """ "delete", "timeout 10m": its kind, and what it must be given."""
    kind, _, rest = written.partition(" ") if isinstance(written, str) else ("", "", "")
    if kind not in _ACTIONS:
        raise refused("action", written)
    asked = [(field.name, hint) for field, hint in _declared(_ACTIONS[kind]) if field.default is MISSING]
    if bool(rest) is not bool(asked):
        raise refused("action", written)
    given: Any = {name: _PARAMETERS[hint](rest.strip()) for name, hint in asked}
    return _ACTIONS[kind](**given)
