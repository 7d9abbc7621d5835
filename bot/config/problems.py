"""What is wrong with a configuration, or could be better -> sentences that name the key and say what to change."""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from tomllib import TOMLDecodeError
from typing import get_args

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from bot.config.guards import GuardSettings, HouseRulesSettings
from bot.config.rules import CHOICES, preset
from bot.config.sections import Config
from bot.core.communities.former import renewed
from bot.core.rules import probing
from bot.core.rules.policy import Rule
from bot.core.text.catalogue import Texts
from bot.core.text.patterns import is_linear, objection

#: What pydantic calls a value of the wrong kind -> what check.kind calls the right one.
_KINDS: Mapping[str, str] = {
    "float_type": "number",
    "int_type": "whole",
    "int_from_float": "whole",
    "string_type": "string",
    "bool_type": "flag",
    "list_type": "list",
    "model_type": "table",
    "dict_type": "table",
}

#: How tomllib begins what it says -> what is said of it.
_TOML = {
    "Expected '='": "equals",
    "Expected ']": "open",
    "Unclosed": "open",
    "Unterminated": "open",
    "Cannot": "twice",
    "Duplicate": "twice",
}
_PLACE = re.compile(r"line (\d+), column (\d+)\)$")


def not_toml(error: TOMLDecodeError, say: Texts) -> str:
    """Where it can be read no further, and what is wrong there."""
    why = say[f"toml.{next((kind for begins, kind in _TOML.items() if str(error).startswith(begins)), 'odd')}"]
    if found := _PLACE.search(str(error)):
        return say("toml.at", line=found[1], column=found[2], why=why)
    return say("toml.at_end", why=why)


def explained(problem: ErrorDetails, model: type[BaseModel], say: Texts) -> tuple[str, str]:
    """The key, and what is wrong with what stands there. `model`: what was to be read."""
    location = problem["loc"]
    key = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
    return key, _why(problem, model, "***" if _is_confidential(model, location) else None, say)


def _why(problem: ErrorDetails, model: type[BaseModel], hidden: str | None, say: Texts) -> str:
    kind, facts = problem["type"], problem.get("ctx", {})
    given = hidden or json.dumps(problem["input"], ensure_ascii=False, default=str)
    match kind:
        case "extra_forbidden":
            *table, name = problem["loc"]
            return say("check.unknown_key", hint=_hint(str(name), table, model, say))
        case "literal_error" | "enum":
            return say("check.choice", given=given, choices=facts["expected"].replace(" or ", ", "))
        case "missing":
            return say["check.missing"]
        case "too_short" | "string_too_short":
            return say["check.empty"]
        case "string_too_long" | "too_long":
            return say("check.too_long", bound=facts["max_length"])
        case "greater_than_equal" | "greater_than":
            return say("check.range_low", given=given, bound=facts.get("ge", facts.get("gt")))
        case "less_than_equal" | "less_than":
            return say("check.range_high", given=given, bound=facts.get("le", facts.get("lt")))
        case _ if kind in _KINDS:
            return say("check.kind", given=given, kind=say[f"check.{_KINDS[kind]}"])
        case "action" | "step":
            return say(f"check.{kind}", given=facts["given"], choices=", ".join(CHOICES[kind]))
        case "duration" | "timezone" | "address" | "listen" | "channel":
            return say(f"check.{kind}", given=hidden or facts["given"])
        case _:
            return say("check.other", why=problem["msg"])


def _hint(name: str, table: Sequence[str | int], model: type[BaseModel], say: Texts) -> str:
    """What may be meant by a key that there is not."""
    if close := difflib.get_close_matches(name, _keys(model, table), n=1):
        return say("check.unknown_hint", name=close[0])
    sections = [f"[{one}]" for one in _keys(model, ()) if not table and name in _below(_named(model)[one])]
    return say("check.key_of", sections=", ".join(sections)) if sections else ""


def in_the_clear(guard: GuardSettings | HouseRulesSettings, say: Texts) -> Iterator[str]:
    """Its servers that what people say would be sent to readably, over a net."""
    if not guard.plain_http and (isinstance(guard, HouseRulesSettings) or guard.engine == "server"):
        yield from (say("check.plain_http", server=server) for server in guard.beyond("http"))


def in_rules(config: Config, say: Texts) -> Iterator[str]:
    """The rules that cannot be read, can never match or can never matter."""
    in_each = list(_in_each_rule(config, say))
    # One without a condition would make all that follow it pointless.
    return chain(in_each, () if in_each else _pointless(config, say))


def _in_each_rule(config: Config, say: Texts) -> Iterator[str]:
    names = [written.name for written in config.rules]
    for written in config.rules:
        rule = written.rule()
        if names.count(rule.name) > 1:
            yield say("check.duplicate", rule=rule.name)
        yield from in_rule(rule, say)
        for text in rule.sought:
            for pattern in (*text.any_of, *text.unless):
                if problem := objection(pattern, allow=True):
                    code, said = problem
                    why = say(f"pattern.{code}", why=said)
                    yield say("check.regex", rule=rule.name, pattern=pattern, why=why)


def in_rule(rule: Rule, say: Texts) -> Iterator[str]:
    """What keeps it from ever mattering."""
    if not rule.when:
        yield say("check.empty_condition", rule=rule.name)
    if not rule.then:
        yield say("check.no_action", rule=rule.name)
    if why := rule.contradiction():
        yield say("check.contradiction", rule=rule.name, why=say.why(why))
    for text in rule.sought:
        if not text.group and not text.any_of:
            yield say("check.empty_text", rule=rule.name)


def in_disabled(config: Config, say: Texts) -> Iterator[str]:
    """The names of no rule."""
    known = {rule.name: None for rule in preset(config.defaults.preset)}
    for name in config.defaults.disabled_rules:
        if not renewed([name]) & known.keys():
            close = difflib.get_close_matches(name, known, n=1)
            hint = say("check.unknown_hint", name=close[0]) if close else say("check.known", names=", ".join(known))
            yield say("check.unknown_rule", given=name, hint=hint)


def _pointless(config: Config, say: Texts) -> Iterator[str]:
    own = {rule.name for rule in config.rules}
    rules = config.policy.rules
    for place, later in enumerate(rules):
        for earlier in rules[:place]:
            if own & {later.name, earlier.name} and earlier.makes_pointless(later):
                yield say("check.pointless", rule=later.name, earlier=earlier.name)


def warnings(config: Config, say: Texts) -> list[str]:
    """A sentence about everything that works, but not as well as it could."""
    renamed = [one.told(say) for one in config.renamed]
    slow = [
        say("check.slow_regex", rule=rule.name, pattern=pattern)
        for rule in config.rules
        for text in rule.rule().sought
        for pattern in (*text.any_of, *text.unless)
        if not is_linear(pattern)
    ]
    sent = [("sent", config.judging_hosts()), ("read", config.house_rules.beyond())]
    leaves = [say(f"check.{how}", hosts=", ".join(hosts)) for how, hosts in sent if hosts]
    readable = config.sent_to("http")
    everybody = list(sweeping((one.rule() for one in config.rules), say))
    return renamed + slow + everybody + leaves + [say("check.goes_readably", server=server) for server in readable]


def sweeping(rules: Iterable[Rule], say: Texts) -> Iterator[str]:
    """Those that act on what everybody says."""
    for rule in rules:
        if len(hit := probing.touched(rule)) > probing.MOST:
            yield say("policy_file.everything", rule=rule.name, count=len(hit), of=len(probing.ORDINARY), text=hit[0])


def _is_confidential(model: type[BaseModel], location: Sequence[str | int]) -> bool:
    """Whether what stands there may hold a password: a key that does, or a section with such a key."""
    fields = list(_fields(model, location))
    return any(map(_hides, fields)) or (bool(fields) and any(map(_hides, _below(fields[-1]).values())))


def _keys(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """The known keys of the table at a location."""
    fields = list(_fields(model, location))
    return list(_below(fields[-1]) if fields else _named(model))


def _fields(model: type[BaseModel], location: Sequence[str | int]) -> Iterator[FieldInfo]:
    """From the whole configuration down to a location, as far as it is known."""
    known = _named(model)
    for part in location:
        if isinstance(part, int):
            continue
        if part not in known:
            return
        yield known[part]
        known = _below(known[part])


def _below(field: FieldInfo) -> dict[str, FieldInfo]:
    candidates = (field.annotation, *get_args(field.annotation))
    table = next((one for one in candidates if isinstance(one, type) and issubclass(one, BaseModel)), None)
    return _named(table) if table else {}


def _named(table: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in table.model_fields.items()}


def _hides(field: FieldInfo) -> bool:
    return field.annotation is SecretStr or not field.repr
