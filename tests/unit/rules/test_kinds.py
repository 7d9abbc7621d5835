"""Rules that ask for kinds of harm."""

from dataclasses import replace

import pytest

from bot.config import Config
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import Judgement, Part, Task, Unscreened, Verdict
from bot.core.rules.actions import Flag
from bot.core.rules.conditions import Kind, Score, Situation, Text
from bot.core.rules.decision import decide
from bot.core.rules.policy import Policy, Reason, Rule
from tests.builders import GUARD, message

FOUND = Verdict(
    guard=GUARD,
    found=(
        Judgement(Part.PROMPT, HarmKind.THREAT, 0.8, "embedded"),
        Judgement(Part.PROMPT, HarmKind.ABUSE, 0.3, "embedded"),
        Judgement(Part.PROMPT, HarmKind.ABUSE, 0.6, "wildguard-ko"),
        Judgement(Part.RESPONSE, HarmKind.SEXUAL, 0.9, "embedded"),
    ),
    refusal=0.25,
)


def said(condition: Kind, *, answer: bool = False) -> tuple[bool, str]:
    holds, why = condition.check(Situation(message=message(), screening=FOUND, answer=answer))
    return holds, why.code


def kind(*any_of: HarmKind, at_least: float, below: float | None = None) -> Kind:
    return Kind(any_of=frozenset(any_of), at_least=at_least, below=below)


def test_the_likeliest_of_the_kinds_counts() -> None:
    assert said(kind(HarmKind.ABUSE, HarmKind.THREAT, at_least=0.8)) == (True, "kind_reached")
    assert said(kind(HarmKind.ABUSE, at_least=0.8)) == (False, "kind_below")
    assert said(kind(HarmKind.ABUSE, at_least=0.6)) == (True, "kind_reached"), "the surer of two guards"
    assert said(kind(HarmKind.THREAT, at_least=0.5, below=0.8)) == (False, "kind_above")
    assert said(kind(HarmKind.GROOMING, at_least=0)) == (False, "kind_not_judged")


def test_of_an_answer_the_answer_counts() -> None:
    assert said(kind(HarmKind.SEXUAL, at_least=0.5), answer=True) == (True, "kind_reached")
    assert said(kind(HarmKind.SEXUAL, at_least=0.5)) == (False, "kind_not_judged")
    assert said(kind(HarmKind.THREAT, at_least=0.5), answer=True) == (False, "kind_not_judged")


def test_without_a_verdict_no_kind_is_found() -> None:
    situation = Situation(message=message(), screening=Unscreened("away", GUARD))
    assert kind(HarmKind.ABUSE, at_least=0).check(situation)[1].code == "no_verdict"


def test_what_it_implies() -> None:
    narrow, wide = kind(HarmKind.ABUSE, at_least=0.9), kind(HarmKind.ABUSE, HarmKind.HATE, at_least=0.5)
    assert narrow.implies(wide) and not wide.implies(narrow)
    assert not narrow.implies(kind(HarmKind.ABUSE, at_least=0.5, below=0.95))
    assert kind(HarmKind.ABUSE, at_least=0.5, below=0.5).contradiction()


def test_that_any_kind_holds_is_what_the_tasks_say() -> None:
    assert FOUND.scores == {Task.PROMPT_HARM: 0.8, Task.RESPONSE_HARM: 0.9, Task.RESPONSE_REFUSAL: 0.25}
    assert FOUND.harm == 0.9
    halved = FOUND.scaled(lambda task, score: score / 2 if task is Task.PROMPT_HARM else score)
    assert halved.kinds[Part.PROMPT] == {HarmKind.THREAT: 0.4, HarmKind.ABUSE: 0.3}
    assert (halved.kinds[Part.RESPONSE], halved.refusal) == ({HarmKind.SEXUAL: 0.9}, 0.25)


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_score_is_a_number(score: float) -> None:
    with pytest.raises(ValueError):
        replace(FOUND, refusal=score)
    with pytest.raises(ValueError):
        Verdict.of_scores({Task.PROMPT_HARM: score}, guard=GUARD)


def decided(*rules: Rule, found: tuple[Judgement, ...]) -> frozenset[HarmKind]:
    verdict = Verdict(guard=GUARD, found=found)
    return decide(message(text="바보"), verdict, Policy(rules=rules), at=message().sent_at).kinds


def test_a_decision_says_what_kind_of_harm_it_is_about() -> None:
    any_harm = Rule(name="any", when=(Score(at_least=0.5),), then=(Flag(),), reason=Reason(ko="", en=""))
    word = Rule(name="w", when=(Text(any_of=("바보",)),), then=(Flag(),), reason=any_harm.reason, kind=HarmKind.ABUSE)
    threat = Judgement(Part.PROMPT, HarmKind.THREAT, 0.8, "a")
    unknown = Judgement(Part.PROMPT, HarmKind.UNSPECIFIED, 0.9, "a")
    elsewhere = Judgement(Part.RESPONSE, HarmKind.SEXUAL, 0.9, "a")
    unlikely = Judgement(Part.PROMPT, HarmKind.HATE, 0.4, "a")
    assert decided(any_harm, found=(threat, unknown, elsewhere, unlikely)) == {HarmKind.THREAT}
    assert decided(any_harm, found=(unknown,)) == {HarmKind.UNSPECIFIED}
    assert decided(any_harm, word, found=(threat,)) == {HarmKind.THREAT, HarmKind.ABUSE}
    assert decided(word, found=(unlikely, unknown)) == {HarmKind.ABUSE}
    assert decided(any_harm, found=(unlikely,)) == frozenset(), "nothing is wrong, so of no kind"


RAW = replace(GUARD, name="llama-guard-3-8b", dialect="abc", calibration="")


def raw(*found: Judgement) -> Verdict:
    return Verdict(guard=RAW, found=found)


def test_a_model_that_nobody_has_calibrated_flags_by_the_shipped_rules() -> None:
    (rule,) = (one for one in Config().policy.rules if one.name == "sure-abuse")
    assert rule.shipped
    theirs, ours = (Judgement(Part.PROMPT, HarmKind.ABUSE, 0.99, name) for name in (RAW.name, "embedded"))

    def done(screening: Verdict, one: Rule = rule) -> tuple[list[str], list[str]]:
        policy = Policy(rules=(one,))
        decision = decide(message("말"), screening, policy, at=message("말").sent_at)
        return [action.kind for action in decision.actions], [why.code for why in decision.restraints]

    acted: tuple[list[str], list[str]] = (["delete", "warn", "flag"], [])
    assert done(raw(theirs)) == (["flag"], ["raw_scores"])
    assert done(raw(theirs, ours)) == acted, "the embedded guard's word is enough"
    assert done(replace(raw(theirs), guard=replace(RAW, calibration="fitted"))) == acted
    assert done(raw(theirs), replace(rule, shipped=False)) == acted, "whoever writes a rule says otherwise"
