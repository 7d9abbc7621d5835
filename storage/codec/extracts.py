"""A stored decision and body -> as much of them as whoever reads many of them needs; they are read leniently."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import GuardVersion
from bot.core.rules.policy import Mode, Reason
from storage.codec.decisions import StoredReason
from storage.codec.stored import fitting


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
    with fitting("decision"):
        return len(_Decided.model_validate_json(stored).actions)


class _Climbed(BaseModel):
    model_config = ConfigDict(extra="ignore")

    step: int = 0
    proposed: object = None


def read_step_taken(stored: str) -> int:
    """Which step of the ladder a decision has taken by itself; 0: none."""
    with fitting("decision"):
        climbed = _Climbed.model_validate_json(stored)
    return 0 if climbed.proposed else climbed.step


class _Cause(BaseModel):
    model_config = ConfigDict(extra="ignore")

    rule: str | None = None
    reason: StoredReason | None = None
    language: str = "ko"


def read_cause(stored: str) -> Cause:
    with fitting("decision"):
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
    kinds: tuple[HarmKind, ...]
    unscreened: bool
    late: bool
    withheld: tuple[str, ...]
    policy: str
    guard: GuardVersion


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

    guard: GuardVersion
    unscreened: str | None = None


class _Gist(BaseModel):
    model_config = ConfigDict(extra="ignore")

    screening: _Judged
    policy_version: str
    kinds: tuple[HarmKind, ...] = ()
    findings: tuple[_MatchedOf, ...] = ()
    withheld: tuple[_Coded, ...] = ()
    restraints: tuple[_Coded, ...] = ()
    rule: str | None = None
    thresholds: dict[str, float] = Field(default_factory=dict)


def read_gist(stored: str, body: str | None) -> Gist:
    """Of a decision and of its message's body: what a report reads twenty thousand times."""
    with fitting("decision"):
        decision = _Gist.model_validate_json(stored)
        written = _Written() if body is None else _Written.model_validate_json(body)
    return Gist(
        author_name=written.name,
        channel_name=written.channel,
        bot=written.bot,
        rules=tuple(found.rule for found in decision.findings if found.matched and found.mode is Mode.LIVE),
        shadow=tuple(found.rule for found in decision.findings if found.matched and found.mode is Mode.SHADOW),
        bar=decision.thresholds.get(decision.rule or ""),
        kinds=decision.kinds,
        unscreened=decision.screening.unscreened is not None,
        late=any(why.code == "late" for why in decision.restraints),
        withheld=tuple(action.kind for action in decision.withheld),
        policy=decision.policy_version,
        guard=decision.screening.guard,
    )


class _OfKinds(BaseModel):
    model_config = ConfigDict(extra="ignore")

    kinds: tuple[HarmKind, ...] = ()


def read_kinds(stored: str) -> tuple[HarmKind, ...]:
    """Of a decision."""
    with fitting("decision"):
        return _OfKinds.model_validate_json(stored).kinds
