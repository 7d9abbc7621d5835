"""What a community has set <-> its JSON, all but the number of the change, which has a column."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from bot.core.chat.message import Platform
from bot.core.communities.community import Community, Listing, Tidied
from bot.core.communities.hours import Hours, Night
from bot.core.communities.overrides import Override
from bot.core.communities.sharing import Consent
from bot.core.rules.lists import Lists
from bot.core.rules.policy import Watch
from storage.codec.stored import Stored, fitting
from storage.columns import writable


class _Lists(Stored):
    model_config = ConfigDict(from_attributes=True)

    forbidden_words: tuple[str, ...] = ()
    tried_words: tuple[str, ...] = ()
    allowed_words: tuple[str, ...] = ()
    forbidden_links: tuple[str, ...] = ()
    allowed_links: tuple[str, ...] = ()


class _Override(Stored):
    model_config = ConfigDict(from_attributes=True)

    mode: Watch | None = None
    preset: str | None = None
    off: bool = False
    thresholds: tuple[tuple[str, float], ...] = ()
    until: AwareDatetime | None = None
    place: bool = True


class _Hours(Stored):
    model_config = ConfigDict(from_attributes=True)

    start: int
    end: int


class _Night(Stored):
    model_config = ConfigDict(from_attributes=True)

    hours: _Hours
    preset: str | None = None
    mode: Watch | None = None


class _Consent(Stored):
    model_config = ConfigDict(from_attributes=True)

    by: str
    at: AwareDatetime


class _Unnumbered(Stored):
    """As settings were written before they said a version, with whatever an earlier one had besides."""

    model_config = ConfigDict(extra="ignore")

    platform: Platform
    id: str
    name: str = ""
    language: str | None = None
    timezone: str | None = None
    preset: str | None = None
    mode: Watch | None = None
    moderators_channel: str | None = None
    report_channel: str | None = None
    urgent: tuple[str, ...] = ()
    exempt_roles: frozenset[str] = frozenset()
    exempt_channels: frozenset[str] = frozenset()
    thresholds: dict[str, float] = Field(default_factory=dict)
    kinds: dict[str, str] = Field(default_factory=dict)
    shadow: frozenset[str] = frozenset()
    rules: dict[str, str] = Field(default_factory=dict)
    night: _Night | None = None
    quiet: _Hours | None = None
    overrides: dict[str, _Override] = Field(default_factory=dict)
    lists: _Lists = Field(default_factory=_Lists)
    house_rules: str = ""
    bots: dict[str, bool] = Field(default_factory=dict)
    bot_owners: dict[str, str] = Field(default_factory=dict)
    paused_until: AwareDatetime | None = None
    welcomed: bool = False
    staff_explained: bool = False
    left_at: AwareDatetime | None = None
    ladder: str | None = None
    care: bool | None = None
    native_filter: bool = False
    gate: bool = False
    newcomers: timedelta = timedelta()
    tidied: frozenset[Tidied] = frozenset()
    blocklist: Listing | None = None
    shares: dict[str, _Consent] = Field(default_factory=dict)
    report_day: str | None = None
    report_hour: int | None = None
    daily_digest: bool | None = None
    alert_at: int | None = None


class _Settings(_Unnumbered):
    model_config = ConfigDict(extra="forbid")

    v: Literal[1]


class _Version(BaseModel):
    v: int = 0


def write_settings(community: Community) -> str:
    known: dict[str, Any] = {name: getattr(community, name) for name in _Unnumbered.model_fields}
    known |= {name: dict(value) for name, value in known.items() if isinstance(value, Mapping)}
    known |= {"name": writable(community.name), "house_rules": writable(community.house_rules)}
    with fitting("community's settings"):
        return _Settings(v=1, **known).model_dump_json(exclude_defaults=True)


def read_settings(stored: str) -> Community:
    with fitting("community's settings"):
        shape = _Settings if _Version.model_validate_json(stored).v else _Unnumbered
        known = shape.model_validate_json(stored).model_dump(exclude={"v"})
    known["lists"] = Lists(**known["lists"])
    known["overrides"] = {of: Override(**one) for of, one in known["overrides"].items()}
    known["shares"] = {key: Consent(**one) for key, one in known["shares"].items()}
    if night := known["night"]:
        known["night"] = Night(**night | {"hours": Hours(**night["hours"])})
    if quiet := known["quiet"]:
        known["quiet"] = Hours(**quiet)
    return Community(**known)
