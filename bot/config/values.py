"""What one key may hold: a TOML value -> what it stands for, or a refusal that `problems` puts into words."""

import json
import re
from datetime import timedelta
from ipaddress import ip_address
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic_core import PydanticCustomError

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Table(BaseModel):
    """A TOML table of which every key is known. What stands below a field says what it means."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def refused(kind: str, value: object) -> PydanticCustomError:
    """`kind` names the sentence, check.KIND."""
    return PydanticCustomError(kind, "{given}", {"given": json.dumps(value, ensure_ascii=False, default=str)})


def duration(value: object) -> timedelta:
    """ "30s", "10m", "2h", "7d"."""
    match = re.fullmatch(r"(\d{1,6})\s*([smhd])", value) if isinstance(value, str) else None
    if not match:
        raise refused("duration", value)
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _zone(value: object) -> object:
    try:
        ZoneInfo(str(value))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise refused("timezone", value) from None
    return value


def _address(value: object) -> object:
    if not re.match(r"https?://[^\s/]+", str(value)):
        raise refused("address", value)
    return value


def _listen(value: object) -> object:
    """Host and port to listen on, or nothing."""
    match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^\s\[\]/:]+):(\d{1,5})", str(value))
    if value != "" and not (match and int(match[2]) < 65_536):
        raise refused("listen", value)
    return value


def _channel(value: object) -> object:
    """A Discord channel's or Telegram chat's id; names are not looked up."""
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9]{1,20}", value):
        raise refused("channel", value)
    return value


class Confidential(str):
    """An address that may have a password in it: whoever shows it without meaning to shows nothing."""

    def __repr__(self) -> str:
        return "'***'"


Duration = Annotated[timedelta, BeforeValidator(duration)]
Zone = Annotated[str, BeforeValidator(_zone)]
Probability = Annotated[float, Field(ge=0, le=1)]
Address = Annotated[str, BeforeValidator(_address), AfterValidator(Confidential)]
Listen = Annotated[str, BeforeValidator(_listen)]
Count = Annotated[int, Field(ge=0)]
ChannelId = Annotated[str, BeforeValidator(_channel)]
Names = Annotated[list[str], Field(min_length=1)]

#: Shown nowhere, and taken from the environment first: see `loading`. Strict pydantic wants a SecretStr for one.
Token = Annotated[SecretStr, Field(strict=False)]
#: What may hold a password is repeated neither in a repr nor in a refusal.
CONFIDENTIAL = Field(repr=False)


def is_near(host: str) -> bool:
    """Whether it is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
