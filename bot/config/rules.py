"""A [[rules]] table, a user's own or a preset's -> the core's rule."""

import tomllib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from bot.config.values import Duration, Names, Probability, Table, duration, refused
from bot.core.chat.message import Pairing
from bot.core.guarding.verdict import YES, Task
from bot.core.rules import conditions
from bot.core.rules.actions import Action, Ban, Delete, Escalate, Flag, Kick, Notice, TellOwner, Timeout, Warn
from bot.core.rules.policy import Mode, Reason, Rule

Preset = Literal["gentle", "balanced", "strict"]
Group = Literal["threat", "self_harm", "doxxing", "spam_link", "invite_link", "severe_slur"]

_ACTIONS: Mapping[str, Action] = {
    a.kind: a for a in (Delete(), Flag(), Escalate(), Warn(), Kick(), Ban(), Notice(), TellOwner())
}


def _action(value: object) -> object:
    if isinstance(value, str):
        if value in _ACTIONS:
            return _ACTIONS[value]
        if value.startswith("timeout "):
            return Timeout(duration(value[8:].strip()))
    raise refused("action", value)


class Score(Table):
    """when.score: what the guard says."""

    task: Literal["prompt_harm", "response_refusal", "response_harm"] = "prompt_harm"
    """What was judged: how harmful a message is, or a bot's answer, or whether the answer refuses."""

    at_least: Probability
    """The score, 0 to 1, from which it holds."""

    below: Probability | None = None
    """The score from which it holds no longer."""


class Pair(Table):
    """when.pair: what a bot's answer is, together with what was asked."""

    is_: Annotated[Literal["harmful_answer", "answered_harm", "refused_harm", "over_refusal"], Field(alias="is")]
    """A harmful answer; a harmful prompt answered, or refused; a harmless prompt refused."""

    at_least: Probability = YES
    """The score, 0 to 1, from which it holds."""


class Patterns(Table):
    """A group of patterns in presets/patterns.toml."""

    any_of: Names
    unless: list[str] = []

    def named(self, name: str) -> conditions.Group:
        return conditions.Group(name=name, any_of=tuple(self.any_of), unless=tuple(self.unless))


class Text(Table):
    """when.text and when.no_text: own patterns, a shipped group of them, or both."""

    group: Group | None = None
    """A group that is shipped."""

    any_of: list[str] = []
    """Words, or regular expressions between slashes, of which one must stand in the text."""

    unless: list[str] = []
    """Innocent words that are cut out first."""

    def condition(self) -> conditions.Text:
        group = _patterns()[self.group] if self.group else None
        return conditions.Text(any_of=tuple(self.any_of), unless=tuple(self.unless), group=group)


class Repeats(Table):
    """when.repeats: the same text again and again."""

    times: Annotated[int, Field(ge=2)]
    """How often, this message included; at least 2."""

    within: Duration
    """The time in which they came."""


class Offences(Table):
    """when.offences: the author has been acted on in this channel before."""

    times: Annotated[int, Field(ge=1)]
    """How often, this message not counted; at least 1."""

    within: Duration
    """The time in which that was."""


class Link(Table):
    """when.link: a link beyond the allow list."""

    allowed: list[str] = []
    """Hosts, with what lies below them, that are no reason."""


class When(Table):
    """All that is given must hold."""

    score: Score | None = None
    """The guard's score."""

    categories: Names | None = None
    """Harm categories, of which the guard has named one."""

    unscreened: Literal[True] | None = None
    """The guard gave no verdict."""

    text: Text | None = None
    """These words stand in the text."""

    no_text: Text | None = None
    """None of these words stands in the text."""

    channels: Names | None = None
    """Channels (their threads, too) or categories, by name or id."""

    roles: Names | None = None
    """Roles of the author, by name or id."""

    new_author: Duration | None = None
    """The author joined less than this ago."""

    by_bot: bool | None = None
    """Whether a bot wrote it."""

    by_staff: Literal[True] | None = None
    """The community's own staff wrote it."""

    edited: Literal[True] | None = None
    """It is an edit."""

    filtered: Literal[True] | None = None
    """The platform's own filter stopped it."""

    overrides: Literal[True] | None = None
    """Hidden signs stand in it that turn letters round."""

    link: Link | None = None
    """A link stands in it."""

    mentions: Annotated[int, Field(ge=1)] | None = None
    """It mentions at least so many."""

    repeats: Repeats | None = None
    """Its author keeps saying it."""

    pair: Pair | None = None
    """It is a bot's answer."""

    pairing: Annotated[list[Literal["certain", "guessed", "hidden"]], Field(min_length=1)] | None = None
    """How sure it is what it answers."""

    offences: Offences | None = None
    """Its author has been acted on before."""

    def conditions(self) -> tuple[conditions.Condition, ...]:
        asked: list[conditions.Condition] = []
        if self.unscreened:
            asked.append(conditions.IsUnscreened())
        if self.categories:
            asked.append(conditions.Category(any_of=frozenset(self.categories)))
        if self.text:
            asked.append(self.text.condition())
        if s := self.score:
            asked.append(conditions.Score(task=Task(s.task), at_least=s.at_least, below=s.below))
        if p := self.pair:
            asked.append(conditions.Pair(is_=conditions.PairIs(p.is_), at_least=p.at_least))
        if self.offences:
            asked.append(conditions.Offences(at_least=self.offences.times, within=self.offences.within))
        if self.pairing:
            asked.append(conditions.Paired(any_of=frozenset(map(Pairing, self.pairing))))
        if self.repeats:
            asked.append(conditions.Repeats(at_least=self.repeats.times, within=self.repeats.within))
        if self.link:
            asked.append(conditions.Link(allowed=frozenset(name.lower() for name in self.link.allowed)))
        if self.mentions:
            asked.append(conditions.Mentions(at_least=self.mentions))
        if self.channels:
            asked.append(conditions.Channel(any_of=frozenset(self.channels)))
        if self.roles:
            asked.append(conditions.Role(any_of=frozenset(self.roles)))
        if self.new_author is not None:
            asked.append(conditions.NewAuthor(under=self.new_author))
        if self.by_bot is not None:
            asked.append(conditions.ByBot(bot=self.by_bot))
        if self.by_staff:
            asked.append(conditions.ByStaff())
        if self.edited:
            asked.append(conditions.Edited())
        if self.filtered:
            asked.append(conditions.Filtered())
        if self.overrides:
            asked.append(conditions.Overrides())
        if self.no_text:
            asked.append(conditions.NoText(text=self.no_text.condition()))
        return tuple(asked)


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
    """What a member reads; left out: the rule's name."""

    mode: Literal["live", "shadow"] = "live"
    """Whether it acts, or is only recorded."""

    exempt_roles: list[str] = []
    """Roles that it does not apply to, by name or id."""

    exempt_channels: list[str] = []
    """Channels that it does not apply to, by name or id."""

    cooldown: Duration = timedelta(0)
    """How long a member is not sanctioned by it again."""

    @property
    def texts(self) -> Iterator[Text]:
        """Every search for words among its conditions."""
        return filter(None, (self.when.text, self.when.no_text))

    def with_bar(self, bar: float | None) -> "RuleSettings":
        """The same rule, matching from another score on; unchanged where it asks for no score."""
        name = "score" if self.when.score else "pair"
        asked = self.when.score or self.when.pair
        if bar is None or asked is None:
            return self
        moved = asked.model_copy(update={"at_least": bar})
        return self.model_copy(update={"when": self.when.model_copy(update={name: moved})})

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
def _patterns() -> dict[str, conditions.Group]:
    content = tomllib.loads(files("bot.config.presets").joinpath("patterns.toml").read_text("utf-8"))
    return {name: Patterns.model_validate(group).named(name) for name, group in content.items()}


@lru_cache
def preset(name: Preset) -> tuple[RuleSettings, ...]:
    """The rules of a shipped preset, in order."""
    content = tomllib.loads(files("bot.config.presets").joinpath(f"{name}.toml").read_text("utf-8"))
    return tuple(_RuleFile.model_validate(content).rules)
