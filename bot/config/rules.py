"""A [[rules]] table, a user's own or a preset's -> the core's rule."""

import tomllib
from datetime import timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, create_model

from bot.config.values import Duration, Table
from bot.config.written import CONDITION_FORMS, WITH_BAR, action
from bot.core.rules.actions import Action
from bot.core.rules.conditions import Condition
from bot.core.rules.policy import Mode, Reason, Rule

Preset = Literal["gentle", "balanced", "strict"]


class _When(Table):
    def conditions(self) -> tuple[Condition, ...]:
        written = ((form, getattr(self, key)) for key, form in CONDITION_FORMS.items())
        return tuple(form.value(given) for form, given in written if given is not None)

    def with_bar(self, bar: float) -> Self:
        """The same with another threshold, where it has one."""
        for key in WITH_BAR:
            if (asked := getattr(self, key)) is not None:
                return self.model_copy(update={key: asked.model_copy(update={"at_least": bar})})
        return self


_keys: Any = {key: (form.annotation | None, None) for key, form in CONDITION_FORMS.items()}


class When(create_model("When", __base__=_When, **_keys)):  # type: ignore[misc]  # its keys are what the core declares
    """A key for every condition; all that are given must hold."""


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

    then: list[Annotated[Action, BeforeValidator(action)]]
    """The actions, such as "delete" or "timeout 10m"."""

    reason: ReasonText | None = None
    """What a member reads; left out: the rule's name."""

    mode: Literal["live", "shadow"] = "live"
    """Whether it acts, or is only recorded."""

    exempt_roles: list[str] = []
    """Roles that it does not apply to, by name or id."""

    exempt_channels: list[str] = []
    """Channels that it does not apply to, by name or id."""

    cooldown: Duration = timedelta(0)
    """How long a member is not sanctioned by it again."""

    def with_bar(self, bar: float | None) -> Self:
        """The same rule, matching from another score on; unchanged where it asks for no score."""
        return self if bar is None else self.model_copy(update={"when": self.when.with_bar(bar)})

    def rule(self) -> Rule:
        reason = self.reason or ReasonText(ko=f"‘{self.name}’ 규칙", en=f"rule ‘{self.name}’")
        return Rule(
            name=self.name,
            when=self.when.conditions(),
            then=tuple(self.then),
            reason=Reason(ko=reason.ko, en=reason.en),
            mode=Mode(self.mode),
            exempt_roles=frozenset(self.exempt_roles),
            exempt_channels=frozenset(self.exempt_channels),
            cooldown=self.cooldown,
        )


class _RuleFile(Table):
    rules: list[RuleSettings]


@lru_cache
def preset(name: Preset) -> tuple[RuleSettings, ...]:
    """The rules of a shipped preset, in order."""
    content = tomllib.loads(files("bot.config.presets").joinpath(f"{name}.toml").read_text("utf-8"))
    return tuple(_RuleFile.model_validate(content).rules)
