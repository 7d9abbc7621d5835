"""A chat network as its package declares it <-> its section of a configuration: its keys, and what they hold."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import timedelta
from functools import lru_cache
from typing import Annotated, Any, TypeVar, get_type_hints

from pydantic import AfterValidator, Field, create_model

from bot.config import values
from bot.config.sections import Config
from bot.core.moderators.network import Address, Count, Network

Declared = TypeVar("Declared", bound=Network)

#: A field's type -> what of it stands in a TOML file.
_WRITTEN: Mapping[Any, Any] = {
    **{plain: plain for plain in (str, int, bool)},
    **{tuple[plain, ...]: list[plain] for plain in (str, int)},  # type: ignore[valid-type]  # made when it runs
    timedelta: values.Duration,
    Address: values.Address,
    Count: values.Count,
}


@lru_cache
def with_sections(networks: Sequence[type[Network]]) -> type[Config]:
    """A configuration in which each of the networks has its section."""
    tables: dict[str, Any] = {one.platform: (table := _table(one), table()) for one in networks}
    return create_model("Config", __base__=Config, **tables)


def chosen(config: Config, network: type[Declared]) -> Declared:
    """What a configuration says about a network; where it has no such section, what holds by default."""
    section = getattr(config, network.platform, None)
    written: dict[str, Any] = {}
    for one in fields(network) if section else ():
        value = getattr(section, one.name)
        written[one.name] = tuple(value) if isinstance(value, list) else value
    return network(**written)


def _table(network: type[Network]) -> type[values.Table]:
    hints = get_type_hints(network, include_extras=True)
    keys: dict[str, Any] = {
        one.name: (_kind(_WRITTEN[hints[one.name]], one.repr), Field(default=_plain(one.default), repr=one.repr))
        for one in fields(network)
    }
    return create_model(network.__name__, __base__=values.Table, **keys)


def _kind(written: Any, is_shown: bool) -> Any:
    return written if is_shown else Annotated[written, AfterValidator(values.Confidential)]


def _plain(default: object) -> object:
    return list(default) if isinstance(default, tuple) else default
