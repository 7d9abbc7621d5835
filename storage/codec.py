"""Domain values <-> the JSON that is stored: what does not fit its shape exactly is refused, never guessed.

The classes below are the stored format. A change to one of them that could not read an older record needs a new
number in `v` and a reader for the old one.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Any, Literal, NamedTuple, assert_never, get_type_hints

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from bot.core.base.errors import Broken
from bot.core.chat.message import (
    Author,
    Kind,
    Link,
    LinkKind,
    Media,
    Message,
    MessageRef,
    Origin,
    OriginKind,
    Pairing,
    Platform,
)
from bot.core.guarding.verdict import GuardVersion, Route, Screening, Task, Unscreened, Verdict
from bot.core.rules.actions import ACTIONS, Action, CalledOff, Done, Gone, Outcome, Refused, Unconfirmed
from bot.core.rules.conditions import Explanation
from bot.core.rules.policy import Decision, Finding, Mode, Reason
from storage.tables import AnyRow, plain, writable


class _Stored(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, hide_input_in_errors=True)


class _Link(_Stored):
    kind: LinkKind
    target: str
    shown: str = ""


class _Origin(_Stored):
    kind: OriginKind
    title: str = ""
    name: str = ""


class _Body(_Stored):
    """What of a message has no column of its own; it is all erased together."""

    v: Literal[1]
    text: str = ""
    name: str = ""
    roles: tuple[str, ...] = ()
    bot: bool = False
    myself: bool = False
    no_account: bool = False
    unmet: bool = False
    since: AwareDatetime | None = None
    reply_to: str | None = None
    prompt: str | None = None
    pairing: Pairing | None = None
    lead: str = ""
    channel: str = ""  # its name
    within: tuple[str, ...] = ()
    typed: str | None = None
    mentions: int = 0
    links: tuple[_Link, ...] = ()
    forwarded: _Origin | None = None
    quoted: _Origin | None = None
    media: tuple[Media, ...] = ()
    via_bot: str | None = None
    is_name: bool = False
    more_to_come: bool = False
    filtered: str | None = None
    extra: dict[str, str] = Field(default_factory=dict)


class _Why(_Stored):
    code: str
    facts: dict[str, str | bool | int | float] = Field(default_factory=dict)


class _Finding(_Stored):
    rule: str
    matched: bool
    why: _Why
    mode: Mode = Mode.LIVE


class _Guard(_Stored):
    name: str
    model: str = ""
    dialect: str = ""
    calibration: str = ""


class _Screening(_Stored):
    """A verdict, or, where `unscreened` gives a reason, none."""

    guard: _Guard
    unscreened: str | None = None
    scores: dict[Task, float] = Field(default_factory=dict)
    categories: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    windows: int = 1
    route: Route | None = None


class _Action(_Stored):
    """Its kind and, under the names of `_PARAMETERS`, the fields of its class."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, bool | int | str]

    kind: str


class _Reason(_Stored):
    ko: str
    en: str


class _Decision(_Stored):
    v: Literal[1]
    screening: _Screening
    policy_version: str
    language: str
    findings: tuple[_Finding, ...] = ()
    actions: tuple[_Action, ...] = ()
    withheld: tuple[_Action, ...] = ()
    restraints: tuple[_Why, ...] = ()
    rule: str | None = None
    reason: _Reason | None = None
    thresholds: dict[str, float] = Field(default_factory=dict)


class _Parameter(NamedTuple):
    """How a field of an action is stored."""

    name: str
    stored: type[str | int]
    write: Callable[[Any], str | int]
    read: Callable[[Any], Any]


def _parameter(field: str, kind: object) -> _Parameter:
    if kind is timedelta:
        return _Parameter(f"{field}_us", int, lambda span: span // _MICROSECOND, lambda us: us * _MICROSECOND)
    if kind is str:
        return _Parameter(field, str, writable, str)
    if kind is bool:
        return _Parameter(field, bool, bool, bool)
    raise TypeError(f"no stored form for an action's {field}: {kind}")


_MICROSECOND = timedelta(microseconds=1)
_ACTIONS = {action.kind: action for action in ACTIONS}
_PARAMETERS = {
    action.kind: {one.name: _parameter(one.name, get_type_hints(action)[one.name]) for one in fields(action)}
    for action in ACTIONS
}


def write_body(message: Message) -> str:
    author = message.author
    with _fitting("message"):
        body = _Body(
            v=1,
            text=writable(message.text),
            name=writable(author.name),
            roles=tuple(sorted(map(writable, author.roles))),
            bot=author.bot,
            myself=author.myself,
            no_account=author.no_account,
            unmet=author.unmet,
            since=author.since,
            reply_to=None if message.reply_to is None else writable(message.reply_to),
            prompt=None if message.prompt is None else writable(message.prompt),
            channel=writable(message.channel_name),
            within=tuple(sorted(map(writable, message.within))),
            typed=None if message.typed is None else writable(message.typed),
            pairing=message.pairing,
            lead=writable(message.lead),
            mentions=message.mentions,
            links=tuple(
                _Link(kind=link.kind, target=writable(link.target), shown=writable(link.shown))
                for link in message.links
            ),
            forwarded=_write_origin(message.forwarded),
            quoted=_write_origin(message.quoted),
            media=tuple(sorted(message.media)),
            via_bot=None if message.via_bot is None else writable(message.via_bot),
            is_name=message.is_name,
            more_to_come=message.more_to_come,
            filtered=None if message.filtered is None else writable(message.filtered),
            extra={writable(key): writable(value) for key, value in message.extra.items()},
        )
    return body.model_dump_json(exclude_defaults=True)


def _write_origin(origin: Origin | None) -> _Origin | None:
    if origin is None:
        return None
    return _Origin(kind=origin.kind, title=writable(origin.title), name=writable(origin.name))


def _read_origin(origin: _Origin | None) -> Origin | None:
    return None if origin is None else Origin(origin.kind, origin.title, origin.name)


def write_rows(rows: Iterable[Sequence[str | int | float | None]]) -> str:
    """For the parameter `given` of Database.sql. What is not Unicode is found out there, before anything is stored."""
    return json.dumps(list(rows), ensure_ascii=False, allow_nan=False)


def write_refs(refs: Iterable[MessageRef]) -> str:
    return write_rows(map(key, refs))


def key(ref: MessageRef) -> tuple[str, str, str, int]:
    """Values for the columns tables.REF; the first three name the message, whichever revision."""
    return ref.platform.value, plain(ref.channel_id), plain(ref.message_id), ref.revision


def plain_ref(ref: MessageRef) -> MessageRef:
    """As it is read again."""
    return replace(ref, channel_id=plain(ref.channel_id), message_id=plain(ref.message_id))


def read_ref(row: AnyRow) -> MessageRef:
    """`row` has the columns tables.REF."""
    return MessageRef(Platform(row.platform), row.channel, row.message, row.revision)


def read_message(row: AnyRow, *, with_body: bool = True) -> Message:
    """`row` has the columns tables.MESSAGE. Where the body was erased, only what names the message is left."""
    with _fitting("message"):
        body = _Body.model_validate_json(row.body) if with_body and row.body is not None else _Body(v=1)
    return Message(
        ref=read_ref(row),
        community_id=row.community,
        author=Author(
            id=row.author,
            name=body.name,
            roles=frozenset(body.roles),
            bot=body.bot,
            myself=body.myself,
            no_account=body.no_account,
            unmet=body.unmet,
            since=body.since,
        ),
        sent_at=row.sent_at,
        text=body.text,
        kind=Kind(row.kind),
        reply_to=body.reply_to,
        prompt=body.prompt,
        pairing=body.pairing,
        lead=body.lead,
        channel_name=body.channel,
        within=frozenset(body.within),
        typed=body.typed,
        mentions=body.mentions,
        links=tuple(Link(link.kind, link.target, link.shown) for link in body.links),
        forwarded=_read_origin(body.forwarded),
        quoted=_read_origin(body.quoted),
        media=frozenset(body.media),
        via_bot=body.via_bot,
        is_name=body.is_name,
        more_to_come=body.more_to_come,
        filtered=body.filtered,
        extra=body.extra,
    )


def write_decision(decision: Decision) -> str:
    """Everything but the message, which has a row of its own."""
    with _fitting("decision"):
        stored = _Decision(
            v=1,
            screening=_write_screening(decision.screening),
            policy_version=decision.policy_version,
            language=decision.language,
            findings=tuple(
                _Finding(rule=finding.rule, matched=finding.matched, why=_write_why(finding.why), mode=finding.mode)
                for finding in decision.findings
            ),
            actions=tuple(map(_write_action, decision.actions)),
            withheld=tuple(map(_write_action, decision.withheld)),
            restraints=tuple(map(_write_why, decision.restraints)),
            rule=decision.rule,
            reason=None if decision.reason is None else _Reason(ko=decision.reason.ko, en=decision.reason.en),
            thresholds=dict(decision.thresholds),
        )
    return stored.model_dump_json(exclude_defaults=True)


def read_decision(stored: str, message: Message) -> Decision:
    with _fitting("decision"):
        decision = _Decision.model_validate_json(stored)
    return Decision(
        message=message,
        screening=_read_screening(decision.screening),
        policy_version=decision.policy_version,
        language=decision.language,
        findings=tuple(
            Finding(finding.rule, finding.matched, _read_why(finding.why), finding.mode)
            for finding in decision.findings
        ),
        actions=tuple(map(_read_action, decision.actions)),
        withheld=tuple(map(_read_action, decision.withheld)),
        restraints=tuple(map(_read_why, decision.restraints)),
        rule=decision.rule,
        reason=None if decision.reason is None else Reason(ko=decision.reason.ko, en=decision.reason.en),
        thresholds=decision.thresholds,
    )


@dataclass(frozen=True, slots=True)
class Cause:
    """As much of a decision as those need who carry it out."""

    rule: str
    reason: Reason
    language: str


class _Decided(BaseModel):
    model_config = ConfigDict(extra="ignore")

    actions: tuple[object, ...] = ()


def count_actions(stored: str) -> int:
    """How many actions a decision asked for: the first of its incident's."""
    with _fitting("decision"):
        return len(_Decided.model_validate_json(stored).actions)


class _Cause(BaseModel):
    model_config = ConfigDict(extra="ignore")

    rule: str | None = None
    reason: _Reason | None = None
    language: str = "ko"


def read_cause(stored: str) -> Cause:
    with _fitting("decision"):
        cause = _Cause.model_validate_json(stored)
    reason = Reason(ko=cause.reason.ko, en=cause.reason.en) if cause.reason else Reason(ko="", en="")
    return Cause(cause.rule or "", reason, cause.language)


@dataclass(frozen=True, slots=True)
class Gist:
    """As much of a message and its decision as a report needs; never the text."""

    author_name: str
    channel_name: str
    bot: bool
    rules: tuple[str, ...]  # live ones that matched
    shadow: tuple[str, ...]
    bar: float | None  # the threshold of the rule that decided
    categories: tuple[str, ...]
    unscreened: bool
    late: bool
    withheld: tuple[str, ...]
    policy: str


class _Written(BaseModel):
    model_config = ConfigDict(extra="ignore")

    name: str = ""
    channel: str = ""
    bot: bool = False


class _MatchedOf(BaseModel):
    model_config = ConfigDict(extra="ignore")

    rule: str
    matched: bool
    mode: Mode = Mode.LIVE


class _Coded(BaseModel):
    model_config = ConfigDict(extra="ignore")

    code: str = ""
    kind: str = ""


class _Judged(BaseModel):
    model_config = ConfigDict(extra="ignore")

    unscreened: str | None = None
    categories: tuple[str, ...] = ()


class _Gist(BaseModel):
    model_config = ConfigDict(extra="ignore")

    screening: _Judged
    policy_version: str
    findings: tuple[_MatchedOf, ...] = ()
    withheld: tuple[_Coded, ...] = ()
    restraints: tuple[_Coded, ...] = ()
    rule: str | None = None
    thresholds: dict[str, float] = Field(default_factory=dict)


def read_gist(stored: str, body: str | None) -> Gist:
    """Of a decision and of its message's body: what a report reads twenty thousand times."""
    with _fitting("decision"):
        decision = _Gist.model_validate_json(stored)
        written = _Written() if body is None else _Written.model_validate_json(body)
    return Gist(
        author_name=written.name,
        channel_name=written.channel,
        bot=written.bot,
        rules=tuple(found.rule for found in decision.findings if found.matched and found.mode is Mode.LIVE),
        shadow=tuple(found.rule for found in decision.findings if found.matched and found.mode is Mode.SHADOW),
        bar=decision.thresholds.get(decision.rule or ""),
        categories=tuple(sorted(decision.screening.categories)),
        unscreened=decision.screening.unscreened is not None,
        late=any(why.code == "late" for why in decision.restraints),
        withheld=tuple(action.kind for action in decision.withheld),
        policy=decision.policy_version,
    )


def write_action(action: Action) -> str:
    with _fitting("action"):
        return _write_action(action).model_dump_json(exclude_defaults=True)


def read_action(stored: str) -> Action:
    with _fitting("action"):
        return _read_action(_Action.model_validate_json(stored))


def write_outcome(outcome: Outcome) -> tuple[str, str | None]:
    """The state of a finished action, with the reason why it was refused or the receipt of what is done."""
    match outcome:
        case Refused(note) | Done(note):
            return outcome.kind, writable(note) or None
        case Gone() | Unconfirmed() | CalledOff():
            return outcome.kind, None
        case _:
            assert_never(outcome)


def read_outcome(state: str, reason: str | None) -> Outcome | None:
    """None: the action is still to be done."""
    match state:
        case "planned" | "started":
            return None
        case Done.kind:
            return Done(reason or "")
        case Gone.kind:
            return Gone()
        case Refused.kind:
            return Refused(reason or "")
        case Unconfirmed.kind:
            return Unconfirmed()
        case CalledOff.kind:
            return CalledOff()
        case _:
            raise Broken(f"The database holds an action in the state {state!r}, which this version does not know.")


def _write_screening(screening: Screening) -> _Screening:
    version = screening.guard
    guard = _Guard(name=version.name, model=version.model, dialect=version.dialect, calibration=version.calibration)
    if isinstance(screening, Unscreened):
        return _Screening(guard=guard, unscreened=screening.reason)
    return _Screening(
        guard=guard,
        scores=dict(screening.scores),
        categories=tuple(sorted(screening.categories)),
        evidence=tuple(map(writable, screening.evidence)),
        windows=screening.windows,
        route=screening.route,
    )


def _read_screening(stored: _Screening) -> Screening:
    version = stored.guard
    guard = GuardVersion(
        name=version.name, model=version.model, dialect=version.dialect, calibration=version.calibration
    )
    if stored.unscreened is not None:
        return Unscreened(reason=stored.unscreened, guard=guard)
    return Verdict(
        guard=guard,
        scores=stored.scores,
        categories=frozenset(stored.categories),
        evidence=stored.evidence,
        windows=stored.windows,
        route=stored.route,
    )


def _write_why(why: Explanation) -> _Why:
    return _Why(
        code=why.code,
        facts={key: writable(fact) if isinstance(fact, str) else fact for key, fact in why.facts.items()},
    )


def _read_why(stored: _Why) -> Explanation:
    return Explanation(stored.code, stored.facts)


def _write_action(action: Action) -> _Action:
    parameters = _PARAMETERS[action.kind].items()
    given: dict[str, Any] = {one.name: one.write(getattr(action, field)) for field, one in parameters}
    return _Action(kind=action.kind, **given)


def _read_action(stored: _Action) -> Action:
    parameters, given = _PARAMETERS.get(stored.kind), stored.__pydantic_extra__
    if parameters is None or {name: type(value) for name, value in given.items()} != {
        one.name: one.stored for one in parameters.values()
    }:
        raise Broken(f"The database holds an action {stored.kind!r} that this version does not know.")
    return _ACTIONS[stored.kind](**{field: one.read(given[one.name]) for field, one in parameters.items()})


@contextmanager
def _fitting(what: str) -> Iterator[None]:
    """A value or a record that does not fit gives one sentence with the names of the fields, never their content."""
    try:
        yield
    except ValidationError as error:
        fields = sorted({".".join(map(str, problem["loc"])) or "JSON" for problem in error.errors(include_input=False)})
        raise Broken(f"A stored {what} does not fit this version's format: {', '.join(fields)}.") from None
