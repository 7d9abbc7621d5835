"""An action <-> its kind and its parameters."""

from collections.abc import Callable
from dataclasses import MISSING, fields
from datetime import timedelta
from typing import Any, NamedTuple, get_type_hints

from pydantic import ConfigDict

from bot.core.base.errors import Broken
from bot.core.rules.actions import ACTIONS, Action, Flag
from storage.codec.stored import Stored, fitting
from storage.columns import writable


class StoredAction(Stored):
    """Its kind and, under the names of `_PARAMETERS`, the fields of its class."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, bool | int | str]

    kind: str


class _Parameter(NamedTuple):
    """How a field of an action is stored."""

    name: str
    stored: type[str | int]
    write: Callable[[Any], str | int]
    read: Callable[[Any], Any]


def _parameter(field: str, kind: object) -> _Parameter:
    if kind is timedelta:
        return _Parameter(f"{field}_us", int, lambda span: span // _MICROSECOND, lambda us: us * _MICROSECOND)
    if isinstance(kind, type) and issubclass(kind, str):
        return _Parameter(field, str, writable, kind)
    if kind is bool:
        return _Parameter(field, bool, bool, bool)
    raise TypeError(f"no stored form for an action's {field}: {kind}")


_MICROSECOND = timedelta(microseconds=1)
_ACTIONS = {action.kind: action for action in ACTIONS}
_PARAMETERS = {
    action.kind: {one.name: _parameter(one.name, get_type_hints(action)[one.name]) for one in fields(action)}
    for action in ACTIONS
}
#: What is not stored, and what earlier versions did not know: parameters that are as they mostly are.
_USUAL = {
    action.kind: {one.name: one.default for one in fields(action) if one.default is not MISSING} for action in ACTIONS
}


def write_action(action: Action) -> str:
    with fitting("action"):
        return store_action(action).model_dump_json(exclude_defaults=True)


def read_action(stored: str | None) -> Action:
    """None: its key is gone; then it is one that harms nobody."""
    if stored is None:
        return Flag()
    with fitting("action"):
        return restore_action(StoredAction.model_validate_json(stored))


def store_action(action: Action) -> StoredAction:
    parameters, usual = _PARAMETERS[action.kind].items(), _USUAL[action.kind]
    told = [(field, one) for field, one in parameters if field not in usual or getattr(action, field) != usual[field]]
    given: dict[str, Any] = {one.name: one.write(getattr(action, field)) for field, one in told}
    return StoredAction(kind=action.kind, **given)


def restore_action(stored: StoredAction) -> Action:
    parameters, given = _PARAMETERS.get(stored.kind, {}), stored.__pydantic_extra__
    told = {field: one for field, one in parameters.items() if one.name in given}
    usual = _USUAL.get(stored.kind, {})
    if (
        stored.kind not in _ACTIONS
        or {name: type(value) for name, value in given.items()} != {one.name: one.stored for one in told.values()}
        or told.keys() | usual.keys() != parameters.keys()
    ):
        raise Broken("The database holds an action {kind!r} that this version does not know.", kind=stored.kind)
    return _ACTIONS[stored.kind](**usual | {field: one.read(given[one.name]) for field, one in told.items()})
