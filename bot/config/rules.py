"""A [[rules]] table, a user's own or a preset's -> the core's rule."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, fields
from datetime import timedelta
from functools import lru_cache, partial
from importlib.resources import files
from typing import Annotated, Any, Literal

import structlog
from pydantic import BeforeValidator, Field, ValidationError

from bot.config.conditions import When
from bot.config.values import Duration, Table, duration, refused
from bot.core.communities.community import PRESETS, Preset
from bot.core.guarding.kinds import HarmKind
from bot.core.rules.actions import RULE_ACTIONS, Action, Weight
from bot.core.rules.ladder import MOST_STRIKES
from bot.core.rules.policy import Mode, Reason, Rule

_log = structlog.get_logger(__name__)


def _touches_author(action: Action | type[Action]) -> bool:
    return action.user_visible and action.weight is Weight.MEMBER


#: What a rule may ask for; of that, what a step of the ladder may be.
_ACTIONS = {action.kind: action for action in RULE_ACTIONS}
_STEPS = {kind: action for kind, action in _ACTIONS.items() if _touches_author(action)}


def _action(value: object, known: Mapping[str, type[Action]] = _ACTIONS, wanted: str = "action") -> object:
    """The kind and, after a space, the one field that must be given, if there is one: "delete", "timeout 10m"."""
    kind, space, given = value.partition(" ") if isinstance(value, str) else ("", "", "")
    action = known.get(kind)
    if action is None or bool(space) is not bool(_asked(action)):
        raise refused(wanted, value)
    parameters: dict[str, Any] = {name: duration(given.strip()) for name in _asked(action)}
    return action(**parameters)


def _asked(action: type[Action]) -> list[str]:
    return [one.name for one in fields(action) if one.default is MISSING]


#: "action", "step" -> how each is written.
CHOICES = {
    wanted: [f'"{kind} 10m"' if _asked(action) else kind for kind, action in known.items()]
    for wanted, known in (("action", _ACTIONS), ("step", _STEPS))
}

Step = Annotated[Action, BeforeValidator(partial(_action, known=_STEPS, wanted="step"))]


class ReasonText(Table):
    """What a member reads."""

    ko: str
    en: str


class RuleSettings(Table):
    """One [[rules]] table."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    """Unique, up to 60 characters; that of one of the preset's rules replaces it."""

    when: When
    """The conditions."""

    then: list[Annotated[Action, BeforeValidator(_action)]]
    """The actions, such as "delete" or "timeout 10m"."""

    reason: ReasonText | None = None
    """What a member reads: { ko = "…", en = "…" }; left out: the rule's name."""

    kind: Annotated[HarmKind | None, Field(strict=False)] = None
    """The kind of harm that it looks for, where no condition of its says so."""

    mode: Literal["live", "shadow"] = "live"
    """Whether it acts, or is only recorded."""

    exempt_roles: list[str] = []
    """Roles that it does not apply to, by name or id."""

    exempt_channels: list[str] = []
    """Channels that it does not apply to, by name or id."""

    cooldown: Duration = timedelta(0)
    """How long a member is not sanctioned by it again."""

    strike: Annotated[int | None, Field(ge=0, le=MOST_STRIKES)] = None
    """How many strikes a match gives its author, 0 to 10; left out: 1 where an action is about the author."""

    def with_bar(self, bar: float | None) -> "RuleSettings":
        """The same rule, matching from another score on; unchanged where it asks for no score."""
        return self if bar is None else self.model_copy(update={"when": self.when.with_bar(bar)})

    def in_shadow(self) -> "RuleSettings":
        """The same rule, only recorded."""
        return self.model_copy(update={"mode": "shadow"})

    def rule(self, *, shipped: bool = False) -> Rule:
        reason = self.reason or ReasonText(ko=f"‘{self.name}’ 규칙", en=f"rule ‘{self.name}’")
        return Rule(
            name=self.name,
            when=self.when.conditions(),
            then=tuple(self.then),
            reason=Reason(ko=reason.ko, en=reason.en),
            kind=self.kind,
            mode=Mode(self.mode),
            exempt_roles=frozenset(self.exempt_roles),
            exempt_channels=frozenset(self.exempt_channels),
            cooldown=self.cooldown,
            shipped=shipped,
            strike=int(any(map(_touches_author, self.then))) if self.strike is None else self.strike,
        )


class _RuleFile(Table):
    rules: list[RuleSettings]


@lru_cache
def preset(name: Preset) -> tuple[RuleSettings, ...]:
    """The rules of a shipped preset, in order."""
    content = tomllib.loads(files("bot.config.presets").joinpath(f"{name}.toml").read_text("utf-8"))
    return tuple(_RuleFile.model_validate(content).rules)


@lru_cache(maxsize=1_000)
def own(table: str) -> RuleSettings | None:
    """A rule of a community's own. None: a later version has written it, and this one cannot read it."""
    try:
        return RuleSettings.model_validate(tomllib.loads(table))
    except (ValidationError, tomllib.TOMLDecodeError) as error:
        _log.warning("rule of a community not read", error=type(error).__name__)
        return None


def by_kind(shipped: Iterable[RuleSettings], kinds: Mapping[str, str]) -> Iterator[RuleSettings]:
    """The rules of a preset, where those about some kinds of harm are taken from another, or left away."""
    taken = set[HarmKind]()
    for one in shipped:
        kind = _kind(one)
        if kind not in kinds:
            yield one
        elif kind and kind not in taken:
            taken.add(kind)
            yield from _about(kind, kinds[kind])


def _about(kind: HarmKind, name: str) -> Iterator[RuleSettings]:
    if name in PRESETS:
        yield from (one for one in preset(name) if _kind(one) is kind)


def _kind(one: RuleSettings) -> HarmKind | None:
    """The one that it is about, if it is one."""
    kinds = one.rule().kinds
    return next(iter(kinds)) if len(kinds) == 1 else None
