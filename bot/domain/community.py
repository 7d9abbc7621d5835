"""What a community has set for itself; everything unset follows the configuration's defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bot.domain.message import Platform
from bot.domain.rules import Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class Community:
    """A Discord server or a Telegram group. Channels, roles and people are the platform's ids, as text."""

    platform: Platform
    id: str
    name: str = ""
    language: str | None = None
    timezone: str | None = None
    preset: str | None = None
    mode: Watch | None = None
    moderators_channel: str | None = None  # where cards go
    report_channel: str | None = None
    urgent: tuple[str, ...] = ()  # who is pinged by an escalation
    exempt_roles: frozenset[str] = frozenset()
    exempt_channels: frozenset[str] = frozenset()
    thresholds: Mapping[str, float] = field(default_factory=dict)  # rule -> score from which it matches
    bots: Mapping[str, bool] = field(default_factory=dict)  # bot -> whether what it says is judged as answers
    bot_owners: Mapping[str, str] = field(default_factory=dict)  # bot -> the channel in which its owner is told
    paused_until: datetime | None = None  # nothing is done (watch-only) until then
    welcomed: bool = False
