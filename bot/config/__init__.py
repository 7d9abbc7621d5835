"""TOML file + environment -> one frozen, fully checked Config; anything wrong is one sentence that names the key."""

import difflib
import hashlib
import json
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from bot.core.base.errors import Broken
from bot.core.chat.message import Pairing, Platform
from bot.core.communities.community import Community
from bot.core.guarding.verdict import YES, Task
from bot.core.reporting.delivery.schedule import DAYS, Burst, Schedule
from bot.core.rules import conditions
from bot.core.rules.actions import Action, Ban, Delete, Escalate, Flag, Kick, Notice, TellOwner, Timeout, Warn
from bot.core.rules.policy import Mode, Policy, Reason, Rule, Watch
from bot.core.text.catalogue import Texts
from bot.core.text.patterns import is_linear, objection

Preset = Literal["gentle", "balanced", "strict"]
Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_ACTIONS: Mapping[str, Action] = {
    a.kind: a for a in (Delete(), Flag(), Escalate(), Warn(), Kick(), Ban(), Notice(), TellOwner())
}
_LONGEST_TIMEOUT = timedelta(days=27, hours=23)  # what Discord takes; Telegram takes more


def _duration(value: object) -> object:
    if not isinstance(value, str):
        raise PydanticCustomError("duration", "{given}", {"given": json.dumps(value, default=str)})
    if not (match := re.fullmatch(r"(\d{1,6})\s*([smhd])", value)):
        raise PydanticCustomError("duration", "{given}", {"given": json.dumps(value, ensure_ascii=False)})
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _action(value: object) -> object:
    if isinstance(value, str):
        if value in _ACTIONS:
            return _ACTIONS[value]
        if value.startswith("timeout "):
            return Timeout(min(_as_duration(value[8:].strip()), _LONGEST_TIMEOUT))
    raise PydanticCustomError("action", "{given}", {"given": json.dumps(value, ensure_ascii=False, default=str)})


def _as_duration(value: str) -> timedelta:
    duration = _duration(value)
    assert isinstance(duration, timedelta)
    return duration


def _zone(value: object) -> object:
    try:
        ZoneInfo(str(value))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise PydanticCustomError("timezone", "{given}", {"given": json.dumps(value, default=str)}) from None
    return value


def _address(value: object) -> object:
    if not re.match(r"https?://[^\s/]+", str(value)):
        raise PydanticCustomError("address", "{given}", {"given": json.dumps(value, ensure_ascii=False, default=str)})
    return value


def _listen(value: object) -> object:
    """Host and port to listen on, or nothing."""
    match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^\s\[\]/:]+):(\d{1,5})", str(value))
    if value != "" and not (match and int(match[2]) < 65_536):
        raise PydanticCustomError("listen", "{given}", {"given": json.dumps(value, ensure_ascii=False, default=str)})
    return value


def _channel(value: object) -> object:
    """A Discord channel's or Telegram chat's id; names are not looked up."""
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9]{1,20}", value):
        raise PydanticCustomError("channel", "{given}", {"given": json.dumps(value, ensure_ascii=False)})
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Zone = Annotated[str, BeforeValidator(_zone)]
Probability = Annotated[float, Field(ge=0, le=1)]
Address = Annotated[str, BeforeValidator(_address)]
Listen = Annotated[str, BeforeValidator(_listen)]
ChannelId = Annotated[str, BeforeValidator(_channel)]
Names = Annotated[list[str], Field(min_length=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Storage(_Section):
    url: Annotated[str, Field(repr=False)] = "sqlite:///jikimi.db"

    @property
    def shown(self) -> str:
        """The URL without its password, wherever in it that stands."""
        without = re.sub(r"(?<=://)([^:/@]*):.*@", r"\1:***@", self.url)
        return re.sub(r"([?&][^=&]*(?:pass|secret|token)[^=&]*=)[^&]*", r"\1***", without, flags=re.IGNORECASE)


class GuardChoice(_Section):
    """Which guard judges, and where a guard model runs."""

    name: str = "embedded"
    engine: Literal["server", "vllm"] = "server"
    mode: Literal["classify", "generate"] = "classify"
    gpu_memory_utilization: Annotated[float, Field(gt=0, le=1)] = 0.9
    servers: Annotated[list[Address], Field(min_length=1, repr=False)] = ["http://127.0.0.1:8000"]
    token: SecretStr = SecretStr("")
    model: str = ""
    revision: str = ""
    tokenizer: str = ""
    timeout: Duration = timedelta(seconds=10)
    calibration: str = ""
    second: str = "wildguard-ko"
    skip_below: Probability = 0.05
    sample: Probability = 0.02


class Defaults(_Section):
    preset: Preset = "balanced"
    mode: Literal["watch", "live"] = "watch"
    language: Literal["ko", "en"] = "ko"
    timezone: Zone = "Asia/Seoul"
    late_after: Duration = timedelta(minutes=10)
    alarm_after: Duration = timedelta(seconds=10)
    exempt_roles: list[str] = []
    exempt_channels: list[str] = []
    disabled_rules: list[str] = []


class Discord(_Section):
    token: SecretStr = SecretStr("")
    api_url: str = "https://discord.com/api/v10"
    gateway_url: str = ""
    shard_ids: list[int] = []
    shard_count: Annotated[int, Field(ge=0)] = 0
    member_names: bool = False


class Telegram(_Section):
    token: SecretStr = SecretStr("")
    api_url: Address = "https://api.telegram.org"
    webhook_url: str = ""
    webhook_listen: str = "127.0.0.1:8443"


class Bots(_Section):
    """What other bots say, LLM bots above all."""

    quiet: Duration = timedelta(seconds=4)
    longest: Duration = timedelta(seconds=30)
    look: Annotated[int, Field(ge=1)] = 500
    judge_others: bool = False
    owners: dict[str, ChannelId] = {}


class Http(_Section):
    listen: Listen = ""
    metrics_listen: Listen = ""
    per_second: Annotated[int, Field(ge=1)] = 20
    deadline: Duration = timedelta(seconds=5)


class Report(_Section):
    day: Literal[Day, "off"] = "monday"
    hour: Annotated[int, Field(ge=0, le=23)] = 9
    daily: bool = False
    alert: Annotated[int, Field(ge=0)] = 30
    alert_within: Duration = timedelta(minutes=10)
    alert_pause: Duration = timedelta(hours=6)
    workers: Annotated[int, Field(ge=1, le=64)] = 2


class _Score(_Section):
    task: Literal["prompt_harm", "response_refusal", "response_harm"] = "prompt_harm"
    at_least: Probability
    below: Probability | None = None


class _Pair(_Section):
    is_: Annotated[Literal["harmful_answer", "answered_harm", "refused_harm", "over_refusal"], Field(alias="is")]
    at_least: Probability = YES


Group = Literal["threat", "self_harm", "doxxing", "spam_link", "invite_link", "severe_slur"]


class _Patterns(_Section):
    any_of: Names
    unless: list[str] = []

    def named(self, name: str) -> conditions.Group:
        return conditions.Group(name=name, any_of=tuple(self.any_of), unless=tuple(self.unless))


class _Text(_Section):
    """Own patterns, a shipped group of them, or both."""

    group: Group | None = None
    any_of: list[str] = []
    unless: list[str] = []

    def condition(self) -> conditions.Text:
        group = _patterns()[self.group] if self.group else None
        return conditions.Text(any_of=tuple(self.any_of), unless=tuple(self.unless), group=group)


class _Repeats(_Section):
    times: Annotated[int, Field(ge=2)]
    within: Duration


class _Offences(_Section):
    times: Annotated[int, Field(ge=1)]
    within: Duration


class _Link(_Section):
    allowed: list[str] = []


class _When(_Section):
    score: _Score | None = None
    categories: Names | None = None
    unscreened: Literal[True] | None = None
    text: _Text | None = None
    no_text: _Text | None = None
    channels: Names | None = None
    roles: Names | None = None
    new_author: Duration | None = None
    by_bot: bool | None = None
    by_staff: Literal[True] | None = None
    edited: Literal[True] | None = None
    filtered: Literal[True] | None = None
    overrides: Literal[True] | None = None
    link: _Link | None = None
    mentions: Annotated[int, Field(ge=1)] | None = None
    repeats: _Repeats | None = None
    pair: _Pair | None = None
    pairing: Annotated[list[Literal["certain", "guessed", "hidden"]], Field(min_length=1)] | None = None
    offences: _Offences | None = None

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


class _Reason(_Section):
    ko: str
    en: str


class RuleText(_Section):
    """One [[rules]] table."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    when: _When
    then: list[Annotated[Action, BeforeValidator(_action)]]
    reason: _Reason | None = None
    mode: Literal["live", "shadow"] = "live"
    exempt_roles: list[str] = []
    exempt_channels: list[str] = []
    cooldown: Duration = timedelta(0)

    def with_bar(self, bar: float | None) -> "RuleText":
        """The same rule, matching from another score on; unchanged where it asks for no score."""
        name = "score" if self.when.score else "pair"
        asked = self.when.score or self.when.pair
        if bar is None or asked is None:
            return self
        moved = asked.model_copy(update={"at_least": bar})
        return self.model_copy(update={"when": self.when.model_copy(update={name: moved})})

    def rule(self) -> Rule:
        reason = self.reason or _Reason(ko=f"‘{self.name}’ 규칙", en=f"rule ‘{self.name}’")
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


class Config(_Section):
    """Everything a user can set. `policy` is what the defaults make of a community that has set nothing."""

    storage: Storage = Storage()
    guard: GuardChoice = GuardChoice()
    defaults: Defaults = Defaults()
    discord: Discord = Discord()
    telegram: Telegram = Telegram()
    bots: Bots = Bots()
    http: Http = Http()
    report: Report = Report()
    rules: list[RuleText] = []

    @property
    def policy(self) -> Policy:
        return self.policy_of(None)

    def policy_of(self, community: Community | None, mode: Watch | None = None) -> Policy:
        """The rules of a community by what it has set (None: nothing). `mode` overrides both."""
        defaults, asked = self.defaults, community or Community(platform=Platform.REHEARSAL, id="")
        taken = {text.name for text in self.rules} | set(defaults.disabled_rules)
        shipped = preset(asked.preset if asked.preset in get_args(Preset) else defaults.preset)
        chosen = (*self.rules, *(text for text in shipped if text.name not in taken))
        texts = [text.with_bar(asked.thresholds.get(text.name)) for text in chosen]
        return Policy(
            rules=tuple(text.rule() for text in texts),
            version=_fingerprint(defaults, self.bots, *texts),
            mode=mode or asked.mode or Watch(defaults.mode),
            exempt_roles=frozenset(defaults.exempt_roles) | asked.exempt_roles,
            exempt_channels=frozenset(defaults.exempt_channels) | asked.exempt_channels,
            late_after=defaults.late_after,
            language=asked.language or defaults.language,
            timezone=asked.timezone or defaults.timezone,
            bots=asked.bots,
            bot_owners=self.bots.owners | dict(asked.bot_owners),
            judge_other_bots=self.bots.judge_others,
        )

    def schedule_of(self, community: Community) -> Schedule:
        """When a community gets which report; one that has taken the bot out gets none."""
        report = self.report
        on = "off" if community.left_at else community.report_day or report.day
        daily = report.daily if community.daily_digest is None else community.daily_digest
        return Schedule(
            timezone=community.timezone or self.defaults.timezone,
            weekday=DAYS.index(on) if on in DAYS else None,
            hour=report.hour if community.report_hour is None else community.report_hour,
            daily=daily and community.left_at is None,
            burst=Burst(
                incidents=report.alert if community.alert_at is None else community.alert_at,
                within=report.alert_within,
                apart=report.alert_pause,
            ),
        )


class _RuleFile(_Section):
    rules: list[RuleText]


@lru_cache
def _patterns() -> dict[str, conditions.Group]:
    content = tomllib.loads(files("bot.config.presets").joinpath("patterns.toml").read_text("utf-8"))
    return {name: _Patterns.model_validate(group).named(name) for name, group in content.items()}


@lru_cache
def preset(name: Preset) -> tuple[RuleText, ...]:
    """The rules of a shipped preset, in order."""
    content = tomllib.loads(files("bot.config.presets").joinpath(f"{name}.toml").read_text("utf-8"))
    return tuple(_RuleFile.model_validate(content).rules)


def load(path: Path | None, say: Texts, environment: Mapping[str, str] = os.environ) -> Config:
    """The checked configuration; None or an absent default file means all defaults. Raises `Broken`."""
    name = str(path) if path else "config"
    content: dict[str, Any] = {}
    if path:
        try:
            content = tomllib.loads(path.read_text("utf-8-sig"))
        except FileNotFoundError:
            raise Broken(say("check.no_file", path=name)) from None
        except OSError as error:
            raise Broken(say("check.problem", path=name, key="-", why=error.strerror)) from None
        except UnicodeDecodeError:
            raise Broken(say("check.not_text", path=name)) from None
        except tomllib.TOMLDecodeError as error:
            raise Broken(say("check.not_toml", path=name, problem=error)) from None
    for section in ("discord", "telegram", "guard"):
        if token := environment.get(f"JIKIMI_{section.upper()}_TOKEN"):
            table = content.setdefault(section, {})
            if isinstance(table, dict):
                table["token"] = token
    _secrets(content)
    try:
        config = Config.model_validate(content)
    except ValidationError as error:
        _refuse(name, error.errors(include_url=False, include_context=True)[0], content, say)
    _check_rules(name, config, say)
    return config


def _secrets(content: dict[str, Any]) -> None:
    """Strict pydantic takes only SecretStr for a secret."""
    for section in ("discord", "telegram", "guard"):
        table = content.get(section)
        if isinstance(table, dict) and isinstance(table.get("token"), str):
            table["token"] = SecretStr(table["token"])


def _check_rules(path: str, config: Config, say: Texts) -> None:
    def refuse(key: str, **facts: object) -> NoReturn:
        raise Broken(say("check.problem", path=path, key="rules", why=say(f"check.{key}", **facts)))

    names = [text.name for text in config.rules]
    for text in config.rules:
        if names.count(text.name) > 1:
            refuse("duplicate", rule=text.name)
        rule = text.rule()
        if not rule.when:
            refuse("empty_condition", rule=rule.name)
        if not rule.then:
            refuse("no_action", rule=rule.name)
        if why := rule.contradiction():
            refuse("contradiction", rule=rule.name, why=why)
        for asked in filter(None, (text.when.text, text.when.no_text)):
            if not asked.group and not asked.any_of:
                refuse("empty_text", rule=rule.name)
            for pattern in (*asked.any_of, *asked.unless):
                if problem := objection(pattern, allow=True):
                    code, said = problem
                    why = say(f"pattern.{code}", why=said)
                    refuse("regex", rule=rule.name, pattern=pattern, why=why)
    known = [rule.name for rule in preset(config.defaults.preset)]
    for name in config.defaults.disabled_rules:
        if name not in known:
            refuse("unknown_rule", given=name, names=", ".join(known))
    own = set(names)
    rules = config.policy.rules
    for place, later in enumerate(rules):
        for earlier in rules[:place]:
            if own & {later.name, earlier.name} and earlier.makes_pointless(later):
                refuse("pointless", rule=later.name, earlier=earlier.name)


def warnings(config: Config, say: Texts) -> list[str]:
    """A sentence about everything that works, but not as well as it could."""
    return [
        say("check.slow_regex", rule=text.name, pattern=pattern)
        for text in config.rules
        for asked in filter(None, (text.when.text, text.when.no_text))
        for pattern in (*asked.any_of, *asked.unless)
        if not is_linear(pattern)
    ]


#: What may hold a password or a token, and is never repeated.
_SECRET = frozenset({"token", "url", "servers", "api_url", "webhook_url"})


def _refuse(path: str, problem: ErrorDetails, content: Mapping[str, Any], say: Texts) -> NoReturn:
    """Turn pydantic's first complaint into one sentence that says what to change."""
    location: Sequence[str | int] = problem["loc"]
    key = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
    facts, kind = problem.get("ctx", {}), problem["type"]
    is_secret = not _SECRET.isdisjoint(location)
    given = "***" if is_secret else json.dumps(problem["input"], ensure_ascii=False, default=str)
    kinds = {
        "float_type": "number",
        "int_type": "whole",
        "int_from_float": "whole",
        "string_type": "string",
        "bool_type": "flag",
        "list_type": "list",
        "model_type": "table",
        "dict_type": "table",
        "is_instance_of": "string",
    }
    if kind == "extra_forbidden":
        close = difflib.get_close_matches(str(location[-1]), _siblings(location[:-1]), n=1)
        why = say("check.unknown_key", hint=say("check.unknown_hint", name=close[0]) if close else "")
    elif kind == "literal_error":
        why = say("check.choice", given=given, choices=facts["expected"].replace(" or ", ", "))
    elif kind == "missing":
        why = say["check.missing"]
    elif kind in ("too_short", "string_too_short"):
        why = say["check.empty"]
    elif kind in ("greater_than_equal", "greater_than"):
        why = say("check.range_low", given=given, bound=facts.get("ge", facts.get("gt")))
    elif kind in ("less_than_equal", "less_than"):
        why = say("check.range_high", given=given, bound=facts.get("le", facts.get("lt")))
    elif kind in kinds:
        why = say("check.kind", given=given, kind=say[f"check.{kinds[kind]}"])
    elif kind in ("duration", "action", "timezone", "address", "listen", "channel"):
        why = say(f"check.{kind}", given="***" if is_secret else facts["given"])
    else:
        why = say("check.other", why=problem["msg"])
    raise Broken(say("check.problem", path=path, key=key, why=why))


def _siblings(location: Sequence[str | int]) -> list[str]:
    """The known keys of the table at a location."""
    model: type[BaseModel] = Config
    for part in location:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        if not field:
            return []
        candidates = [field.annotation, *get_args(field.annotation)]
        model = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), model)
    return list(model.model_fields)


def _fingerprint(*parts: BaseModel) -> str:
    """Names this exact content, the same in every process."""
    return hashlib.sha256("\n".join(part.model_dump_json() for part in parts).encode()).hexdigest()[:12]
