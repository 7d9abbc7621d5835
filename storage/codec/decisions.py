"""A decision <-> what is stored of it: everything but the message, which has a row of its own."""

from typing import Literal

from pydantic import Field

from bot.core.chat.message import Message
from bot.core.guarding.kinds import HarmKind
from bot.core.rules.conditions import Explanation
from bot.core.rules.decision import Decision, Finding
from bot.core.rules.policy import Mode, Reason
from storage.codec.actions import StoredAction, restore_action, store_action
from storage.codec.screenings import StoredScreening, read_screening, write_screening
from storage.codec.stored import Stored, fitting
from storage.columns import writable


class StoredWhy(Stored):
    code: str
    facts: dict[str, str | bool | int | float] = Field(default_factory=dict)


class _Finding(Stored):
    rule: str
    matched: bool
    why: StoredWhy
    mode: Mode = Mode.LIVE


class StoredReason(Stored):
    ko: str
    en: str


class _Decision(Stored):
    v: Literal[1]
    screening: StoredScreening
    policy_version: str
    language: str
    findings: tuple[_Finding, ...] = ()
    actions: tuple[StoredAction, ...] = ()
    withheld: tuple[StoredAction, ...] = ()
    restraints: tuple[StoredWhy, ...] = ()
    rule: str | None = None
    kinds: tuple[HarmKind, ...] = ()
    reason: StoredReason | None = None
    thresholds: dict[str, float] = Field(default_factory=dict)
    strike: int = 0
    step: int = 0
    proposed: StoredAction | None = None


def write_decision(decision: Decision) -> str:
    """Everything but the message, which has a row of its own."""
    with fitting("decision"):
        stored = _Decision(
            v=1,
            screening=write_screening(decision.screening),
            policy_version=decision.policy_version,
            language=decision.language,
            findings=tuple(
                _Finding(rule=finding.rule, matched=finding.matched, why=write_why(finding.why), mode=finding.mode)
                for finding in decision.findings
            ),
            actions=tuple(map(store_action, decision.actions)),
            withheld=tuple(map(store_action, decision.withheld)),
            restraints=tuple(map(write_why, decision.restraints)),
            rule=decision.rule,
            kinds=tuple(sorted(decision.kinds)),
            reason=None if decision.reason is None else StoredReason(ko=decision.reason.ko, en=decision.reason.en),
            thresholds=dict(decision.thresholds),
            strike=decision.strike,
            step=decision.step,
            proposed=None if decision.proposed is None else store_action(decision.proposed),
        )
    return stored.model_dump_json(exclude_defaults=True)


def read_decision(stored: str, message: Message) -> Decision:
    with fitting("decision"):
        decision = _Decision.model_validate_json(stored)
    return Decision(
        message=message,
        screening=read_screening(decision.screening),
        policy_version=decision.policy_version,
        language=decision.language,
        findings=tuple(
            Finding(finding.rule, finding.matched, read_why(finding.why), finding.mode) for finding in decision.findings
        ),
        actions=tuple(map(restore_action, decision.actions)),
        withheld=tuple(map(restore_action, decision.withheld)),
        restraints=tuple(map(read_why, decision.restraints)),
        rule=decision.rule,
        kinds=frozenset(decision.kinds),
        reason=None if decision.reason is None else Reason(ko=decision.reason.ko, en=decision.reason.en),
        thresholds=decision.thresholds,
        strike=decision.strike,
        step=decision.step,
        proposed=None if decision.proposed is None else restore_action(decision.proposed),
    )


#: What stands for words that are forgotten.
FORGOTTEN = "…"
#: The fact that names a second member (core.rules.decision.Decision.other).
OTHER = "other"


def without_words(stored: str) -> str:
    """The same decision, and nothing in it that anybody has said."""
    with fitting("decision"):
        decision = _Decision.model_validate_json(stored)
    return decision.model_copy(
        update={
            "screening": decision.screening.model_copy(update={"evidence": ()}),
            "findings": tuple(one.model_copy(update={"why": _hidden(one.why)}) for one in decision.findings),
            "restraints": tuple(map(_hidden, decision.restraints)),
        }
    ).model_dump_json(exclude_defaults=True)


def without_other(stored: str) -> str:
    """The same decision, naming nobody else's part in it."""
    with fitting("decision"):
        decision = _Decision.model_validate_json(stored)
    findings = tuple(
        one.model_copy(update={"why": StoredWhy(code=one.why.code, facts=one.why.facts | {OTHER: FORGOTTEN})})
        if OTHER in one.why.facts
        else one
        for one in decision.findings
    )
    return decision.model_copy(update={"findings": findings}).model_dump_json(exclude_defaults=True)


def _hidden(why: StoredWhy) -> StoredWhy:
    facts = {name: FORGOTTEN if isinstance(fact, str) else fact for name, fact in why.facts.items()}
    return StoredWhy(code=why.code, facts=facts)


def write_why(why: Explanation) -> StoredWhy:
    return StoredWhy(
        code=why.code,
        facts={key: writable(fact) if isinstance(fact, str) else fact for key, fact in why.facts.items()},
    )


def read_why(stored: StoredWhy) -> Explanation:
    return Explanation(stored.code, stored.facts)
