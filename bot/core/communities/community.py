"""What a community has set for itself; everything unset follows the configuration's defaults."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal, get_args

from bot.core.chat.message import CommunityRef, Platform
from bot.core.communities.hours import Hours, Night
from bot.core.communities.overrides import Overrides
from bot.core.communities.sharing import Consents, name_of
from bot.core.rules.lists import NO_LISTS, Lists
from bot.core.rules.policy import Watch

Preset = Literal["gentle", "balanced", "strict"]  # the shipped rules, by how much they let pass
PRESETS: tuple[Preset, ...] = get_args(Preset)


class Tidied(StrEnum):
    """What is deleted because nobody needs it."""

    JOINS = "joins"  # the network's own notices that somebody has come or gone
    COMMANDS = "commands"  # to the bot, once they are served


class Listing(StrEnum):
    """What follows where a public blocklist has somebody who comes in."""

    FLAG = "flag"  # moderators are told
    RESTRICT = "restrict"  # they are silenced, too, until somebody has looked


LONGEST_RULES = 4_000  # characters of the rules that a community has written down

#: What is no setting of anybody's.
_NOTED = {"platform", "id", "version", "name", "welcomed", "left_at", "staff_explained"}

#: Of a kind of harm: no rule looks for it.
IGNORED = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is known of nearly all, or set by them."""

    platform: Platform
    id: str
    version: int = field(default=0, compare=False)  # counts up with every change of any community; 0: never stored
    name: str = ""
    language: str | None = None
    timezone: str | None = None
    preset: str | None = None
    mode: Watch | None = None
    moderators_channel: str | None = None  # where cards go
    report_channel: str | None = None
    urgent: tuple[str, ...] = ()  # who is pinged by an escalation
    welcomed: bool = False
    staff_explained: bool = False  # its moderators were told why their own messages are left alone


@dataclass(frozen=True, kw_only=True)
class Community(_Known):
    """A Discord server or a Telegram group. Channels, roles and people are the platform's ids, as text. There may be
    very many, so that what only some set takes room only where it is set; else it stands in the class."""

    exempt_roles: frozenset[str] = frozenset()
    exempt_channels: frozenset[str] = frozenset()
    thresholds: Mapping[str, float] = field(default_factory=dict)  # rule -> score from which it matches
    kinds: Mapping[str, str] = field(default_factory=dict)  # kind of harm -> the preset of its rules, or `IGNORED`
    shadow: frozenset[str] = frozenset()  # rules that are only recorded
    rules: Mapping[str, str] = field(
        default_factory=dict
    )  # its own by name, each as the TOML table that it was given as
    night: Night | None = None
    quiet: Hours | None = None  # when cards make no sound, unless they call somebody
    overrides: Overrides = field(default_factory=dict)  # what is different in a place or for a role, by its id
    lists: Lists = NO_LISTS  # words of its own
    house_rules: str = ""  # what it has written down for its members
    bots: Mapping[str, bool] = field(default_factory=dict)  # bot -> whether what it says is judged as answers
    bot_owners: Mapping[str, str] = field(default_factory=dict)  # bot -> the channel in which its owner is told
    paused_until: datetime | None = None  # nothing is done (watch-only) until then
    left_at: datetime | None = None  # when the bot was taken out; None while it is there
    ladder: str | None = None  # how far the rules go by themselves with who offends again (`Ladder.reach`)
    care: bool | None = None  # whether who is in despair is told in private where somebody listens
    native_filter: bool = False  # the platform's own filter (Discord's AutoMod) works along with us
    gate: bool = False  # who asks to come in is asked something first
    newcomers: timedelta = timedelta()  # for so long who has come may write words alone
    tidied: frozenset[Tidied] = frozenset()
    blocklist: Listing | None = None  # whether newcomers are looked up in a public one, and what follows
    shares: Consents = field(default_factory=dict)  # what it has agreed to share with which others of its owner
    report_day: str | None = None  # one of schedule.DAYS, or "off"
    report_hour: int | None = None
    daily_digest: bool | None = None
    alert_at: int | None = None  # incidents in a burst that are news; 0: none are

    def __post_init__(self) -> None:
        here = {name: value for name, value in vars(self).items() if value != _USUAL[name]}
        object.__delattr__(self, "__dict__")
        if here:
            object.__setattr__(self, "__dict__", here)

    @property
    def ref(self) -> CommunityRef:
        return CommunityRef(self.platform, self.id)

    @classmethod
    def blank(cls, ref: CommunityRef) -> "Community":
        """One that has set nothing."""
        return cls(platform=ref.platform, id=ref.id)

    @property
    def has_settings(self) -> bool:
        """Whether anybody has ever set anything: more than that we know its name and have greeted it."""
        return any(getattr(self, name) != usual for name, usual in _USUAL.items() if name not in _NOTED)

    def as_ruled(self) -> "Community":
        """Of its settings those that policies are made of; no name, no place and nobody's id but exceptions."""
        return replace(
            self,
            platform=Platform(""),
            version=0,
            id="",
            name="",
            moderators_channel=None,
            report_channel=None,
            urgent=(),
            night=None,
            quiet=None,
            overrides={},
            house_rules="",
            paused_until=None,
            welcomed=False,
            staff_explained=False,
            left_at=None,
            native_filter=False,
            gate=False,
            newcomers=timedelta(),
            tidied=frozenset(),
            shares={},
            blocklist=None,
            report_day=None,
            report_hour=None,
            daily_digest=None,
            alert_at=None,
        )

    def without(self, member: str) -> "Community":
        """The same settings, naming somebody nowhere who is not to be known any more."""
        return replace(
            self,
            urgent=tuple(one for one in self.urgent if one != member),
            exempt_roles=self.exempt_roles - {member},
            bot_owners={bot: owner for bot, owner in self.bot_owners.items() if owner != member},
            shares={key: one for key, one in self.shares.items() if one.by != member},
        )

    def moved(self, was: CommunityRef, new_id: str) -> "Community":
        """The same settings when what had one id, the community itself, a channel or one that it shares with, has
        another."""

        def id_(given: str | None) -> str | None:
            return new_id if (self.platform, given) == (was.platform, was.id) else given

        old, new = (name_of(CommunityRef(was.platform, one)) for one in (was.id, new_id))
        return replace(
            self,
            id=id_(self.id) or "",
            moderators_channel=id_(self.moderators_channel),
            report_channel=id_(self.report_channel),
            exempt_channels=frozenset(id_(channel) or "" for channel in self.exempt_channels),
            bot_owners={bot: id_(channel) or "" for bot, channel in self.bot_owners.items()},
            shares={key.replace(old, new) if key.endswith(f" {old}") else key: one for key, one in self.shares.items()},
        )


#: Of a community that has set nothing.
_USUAL = {
    one.name: one.default if one.default_factory is MISSING else one.default_factory() for one in fields(Community)
}
for _name in _USUAL.keys() - set(_Known.__slots__):
    setattr(Community, _name, _USUAL[_name])
