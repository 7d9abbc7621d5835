"""A community's policy <-> a TOML file of it; a file that is not right comes out as its mistakes, a line each."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, ValidationError

from bot.config import problems
from bot.config.rules import RuleSettings
from bot.config.sections import Config
from bot.config.values import Probability, Table
from bot.config.writing import toml
from bot.core.chat.links import place_of
from bot.core.chat.message import Platform
from bot.core.communities.community import IGNORED, LONGEST_RULES, PRESETS, Community, Preset
from bot.core.communities.hours import Hours, Night
from bot.core.communities.overrides import MOST as MOST_OVERRIDES
from bot.core.communities.overrides import Override
from bot.core.communities.ports import Unfit
from bot.core.guarding.kinds import HarmKind
from bot.core.rules import probing
from bot.core.rules.ladder import REACHES
from bot.core.rules.lists import MOST as MOST_WORDS
from bot.core.rules.lists import Lists
from bot.core.rules.policy import Watch
from bot.core.text.catalogue import Texts
from bot.core.text.patterns import objection
from bot.core.text.words import objection as objection_to_word

FORMAT = 1
LARGEST = 512 * 1024  # bytes
MOST_RULES, MOST_PATTERNS, LONGEST_PATTERN = 100, 1_000, 300
MOST_EXEMPT = 200  # roles or channels
MOST_TOLD = 5  # mistakes at once

_Entries = Annotated[list[str], Field(max_length=MOST_WORDS)]
_Ids = Annotated[list[Annotated[str, Field(min_length=1, max_length=60)]], Field(max_length=MOST_EXEMPT)]
_Hour = Annotated[int, Field(ge=0, le=23)]


class _Words(Table):
    forbidden: _Entries = []
    allowed: _Entries = []
    counted: _Entries = []


class _Links(Table):
    forbidden: _Entries = []
    allowed: _Entries = []


class _Quiet(Table):
    start: _Hour
    end: _Hour

    def hours(self) -> Hours:
        return Hours(start=self.start, end=self.end)


class _Night(_Quiet):
    preset: Preset | None = None
    mode: Literal["live", "watch"] | None = None

    def night(self) -> Night:
        return Night(hours=self.hours(), preset=self.preset, mode=Watch(self.mode) if self.mode else None)


class _Exempt(Table):
    roles: _Ids = []
    channels: _Ids = []


class _Override(Table):
    mode: Literal["live", "watch"] | None = None
    preset: Preset | None = None
    off: bool = False
    thresholds: Annotated[dict[str, Probability], Field(max_length=MOST_EXEMPT)] = {}
    until: AwareDatetime | None = None
    place: bool = True


class PolicyFile(Table):
    """What may stand in the file."""

    format: Literal[1]
    """The version of this shape."""

    community: str = ""
    """Of which it was written; only there the places, roles and people that it names mean anything."""

    preset: Preset | None = None
    mode: Literal["live", "watch"] | None = None
    ladder: Literal[REACHES] | None = None  # type: ignore[valid-type]  # known when it runs
    care: bool | None = None
    shadow: _Ids = []
    kinds: dict[Annotated[HarmKind, Field(strict=False)], Literal[(*PRESETS, IGNORED)]] = {}  # type: ignore[valid-type]
    thresholds: Annotated[dict[str, Probability], Field(max_length=MOST_EXEMPT)] = {}
    words: _Words = _Words()
    links: _Links = _Links()
    night: _Night | None = None
    quiet: _Quiet | None = None
    exempt: _Exempt = _Exempt()
    house_rules: Annotated[str, Field(max_length=LONGEST_RULES)] = ""
    overrides: Annotated[dict[str, _Override], Field(max_length=MOST_OVERRIDES)] = {}
    rules: Annotated[list[RuleSettings], Field(max_length=MOST_RULES)] = []

    def policy(self, written: Mapping[str, str]) -> Community:
        """`written`: its rules, each as it stands in the file."""
        platform, _, id_ = self.community.partition("/")
        night = self.night
        return Community(
            platform=Platform(platform),
            id=id_,
            preset=self.preset,
            mode=Watch(self.mode) if self.mode else None,
            ladder=self.ladder,
            care=self.care,
            shadow=frozenset(self.shadow),
            kinds={str(kind): level for kind, level in self.kinds.items()},
            thresholds=self.thresholds,
            lists=Lists(
                forbidden_words=tuple(self.words.forbidden), allowed_words=tuple(self.words.allowed),
                tried_words=tuple(self.words.counted), forbidden_links=tuple(self.links.forbidden),
                allowed_links=tuple(self.links.allowed),
            ),
            night=night.night() if night else None,
            quiet=self.quiet.hours() if self.quiet else None,
            house_rules=self.house_rules.strip(),
            exempt_roles=frozenset(self.exempt.roles),
            exempt_channels=frozenset(self.exempt.channels),
            overrides={of: _override(one) for of, one in self.overrides.items()},
            rules=written,
        )  # fmt: skip


def _override(one: _Override) -> Override:
    mode = Watch(one.mode) if one.mode else None
    bars = tuple(sorted(one.thresholds.items()))
    return Override(mode=mode, preset=one.preset, off=one.off, thresholds=bars, until=one.until, place=one.place)


def read(content: bytes, say: Texts) -> Community | Unfit:
    """A policy, and of which community it was written; or why it is none. It takes up to a second: not in the event
    loop."""
    if len(content) > LARGEST:
        return Unfit(say("policy_file.large", most=LARGEST // 1024))
    try:
        table = tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return Unfit(say["policy_file.not_text"])
    except tomllib.TOMLDecodeError as error:
        return Unfit(say("policy_file.not_toml", problem=problems.not_toml(error, say)))
    except RecursionError:
        return Unfit(say["policy_file.deep"])
    if isinstance(version := table.get("format"), int) and version > FORMAT:
        return Unfit(say["policy_file.newer"])
    try:
        file = PolicyFile.model_validate(table)
    except ValidationError as error:
        found = (problems.explained(one, PolicyFile, say) for one in error.errors(include_url=False))
        return Unfit("\n".join(islice((say("policy_file.problem", key=key, why=why) for key, why in found), MOST_TOLD)))
    except RecursionError:
        return Unfit(say["policy_file.deep"])
    mistakes = dict.fromkeys(chain(_in_lists(file, say), _in_hours(file, say), _in_rules(file, say)))
    if mistakes := mistakes or dict.fromkeys(problems.sweeping((one.rule() for one in file.rules), say)):
        return Unfit("\n".join(islice(mistakes, MOST_TOLD)))
    return file.policy({one["name"]: toml(one) for one in table.get("rules", ())})


def written(policy: Community) -> str:
    """Reads back as the same policy."""
    lists, night, quiet = policy.lists, policy.night, policy.quiet
    tables: dict[str, Any] = {
        "words": {"forbidden": lists.forbidden_words, "allowed": lists.allowed_words, "counted": lists.tried_words},
        "links": {"forbidden": lists.forbidden_links, "allowed": lists.allowed_links},
        "exempt": {"roles": sorted(policy.exempt_roles), "channels": sorted(policy.exempt_channels)},
    }
    given: dict[str, Any] = {
        "format": FORMAT, "community": f"{policy.platform}/{policy.id}", "preset": policy.preset, "mode": policy.mode,
        "ladder": policy.ladder, "care": policy.care, "shadow": sorted(policy.shadow), "kinds": dict(policy.kinds),
        "thresholds": dict(policy.thresholds), "house_rules": policy.house_rules,
        **{name: _filled(table) for name, table in tables.items()},
        "night": night and _hours(night.hours) | {"preset": night.preset, "mode": night.mode},
        "quiet": quiet and _hours(quiet),
        "overrides": {of: _told(one) for of, one in sorted(policy.overrides.items())},
        "rules": [tomllib.loads(table) for table in policy.rules.values()],
    }  # fmt: skip
    return toml({name: _filled(one) if isinstance(one, dict) else one for name, one in _filled(given).items()}) + "\n"


def remarks(policy: Community, config: Config, say: Texts) -> Iterator[str]:
    """What works, but hardly as it is meant."""
    rules = config.policy_of(policy).rules
    known = {rule.name for rule in rules}
    yield from (say("policy_file.unknown", name=name) for name in sorted({*policy.thresholds, *policy.shadow} - known))
    for place, later in enumerate(rules):
        if later.name not in policy.rules:
            continue
        if text := next(iter(probing.touched(later)), None):
            yield say("policy_file.touches", rule=later.name, text=text)
        for earlier in (one for one in rules[:place] if one.makes_pointless(later)):
            yield say("policy_file.pointless", rule=later.name, earlier=earlier.name)


def _filled(table: Mapping[str, Any]) -> dict[str, Any]:
    """Without what says nothing."""
    return {name: value for name, value in table.items() if value not in (None, "", {}, [], ())}


def _hours(hours: Hours) -> dict[str, Any]:
    return {"start": hours.start, "end": hours.end}


def _told(one: Override) -> dict[str, object]:
    known: dict[str, object] = {"mode": one.mode, "preset": one.preset, "off": one.off or None, "until": one.until}
    return _filled(known | {"thresholds": dict(one.thresholds), "place": None if one.place else False})


def _in_lists(file: PolicyFile, say: Texts) -> Iterator[str]:
    words, links = file.words, file.links
    for word in (*words.forbidden, *words.allowed, *words.counted):
        if code := objection_to_word(word):
            yield say("policy_file.word", word=word[:60], why=say[f"word.{code}"])
    for link in (*links.forbidden, *links.allowed):
        if place_of(link) != link:
            yield say("policy_file.link", link=link[:60])


def _in_hours(file: PolicyFile, say: Texts) -> Iterator[str]:
    for name, hours in (("night", file.night), ("quiet", file.quiet)):
        if hours and hours.start == hours.end:
            yield say("policy_file.problem", key=name, why=say["policy_file.no_hours"])


def _in_rules(file: PolicyFile, say: Texts) -> Iterator[str]:
    patterns = 0
    names = [one.name for one in file.rules]
    for settings in file.rules:
        if not re.fullmatch(r"[\w -]+", settings.name) or names.count(settings.name) > 1:
            yield say("policy_file.name", rule=settings.name)
        rule = settings.rule()
        yield from problems.in_rule(rule, say)
        for pattern in (pattern for text in rule.sought for pattern in (*text.any_of, *text.unless)):
            patterns += 1
            if patterns > MOST_PATTERNS or len(pattern) > LONGEST_PATTERN:
                yield say("policy_file.patterns", rule=rule.name, most=MOST_PATTERNS, longest=LONGEST_PATTERN)
            elif problem := objection(pattern):
                why = say(f"pattern.{problem[0]}", why=problem[1])
                yield say("check.regex", rule=rule.name, pattern=pattern, why=why)
