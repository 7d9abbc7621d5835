"""Whoever quotes or reports harm is not punished for it; it is no cloak for what harms all the same."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import Judgement, Part, Verdict
from bot.core.rules.actions import Delete, Escalate, Flag, Timeout, Warn
from bot.core.rules.conditions import Condition, Explanation, Kind, Repeats, Score, Text
from bot.core.rules.decision import Decision, decide
from bot.core.rules.policy import Policy, Reason, Rule
from tests.builders import GUARD, message

NOW = datetime(2026, 11, 26, tzinfo=UTC)
HARD = (Delete(), Warn(), Timeout(timedelta(hours=1)))


def rule(*when: Condition, kind: HarmKind | None = None) -> Rule:
    return Rule(name="r", when=when, then=(*HARD, Escalate()), reason=Reason(ko="", en=""), kind=kind)


def decided(one: Rule, *others: Rule, kind: HarmKind = HarmKind.ABUSE, quotes: float | None = 0.9) -> Decision:
    found = (Judgement(Part.PROMPT, kind, 0.99, "embedded"),)
    verdict = Verdict(guard=GUARD, found=found, quotes=quotes)
    policy = Policy(rules=(one, *others))
    return decide(message(text='쟤가 저한테 "바보"래요', sent_at=NOW), verdict, policy, at=NOW)


@pytest.mark.parametrize("kind", sorted(set(HarmKind) - {HarmKind.DOXXING, HarmKind.ADVERTISING, HarmKind.FRAUD}))
def test_what_is_quoted_is_shown_to_moderators_at_most(kind: HarmKind) -> None:
    quoted = decided(rule(Kind(any_of=frozenset({kind}), at_least=0.9)), kind=kind)
    assert quoted.actions == (Flag(),) and set(quoted.withheld) == {*HARD, Escalate()}
    assert Explanation("quotes") in quoted.restraints
    said = decided(rule(Kind(any_of=frozenset({kind}), at_least=0.9)), kind=kind, quotes=0.05)
    assert set(said.actions) == {*HARD, Escalate()} and not said.restraints


@pytest.mark.parametrize("quotes", [0.1, 0.3, 0.49])
def test_who_may_have_quoted_is_not_sanctioned_but_people_are_called(quotes: float) -> None:
    perhaps = decided(
        rule(Kind(any_of=frozenset({HarmKind.THREAT}), at_least=0.9)), kind=HarmKind.THREAT, quotes=quotes
    )
    assert set(perhaps.actions) == {Escalate(), Flag()} and set(perhaps.withheld) == set(HARD)
    assert perhaps.strike == 0 and Explanation("quotes") in perhaps.restraints


@pytest.mark.parametrize("condition", [Score(at_least=0.9), Text(any_of=("바보",))])
def test_that_holds_for_words_and_scores_too(condition: Condition) -> None:
    assert decided(rule(condition)).actions == (Flag(),)
    assert set(decided(rule(condition), quotes=None).actions) == {*HARD, Escalate()}, "nobody said that it quotes"


@pytest.mark.parametrize("kind", [HarmKind.DOXXING, HarmKind.ADVERTISING, HarmKind.FRAUD])
def test_a_quotation_is_no_cloak(kind: HarmKind) -> None:
    by_kind, by_words = rule(Kind(any_of=frozenset({kind}), at_least=0.9)), rule(Text(any_of=("바보",)), kind=kind)
    for one in (by_kind, by_words):
        assert set(decided(one, kind=kind).actions) == {*HARD, Escalate()}
    mixed = rule(Kind(any_of=frozenset({kind, HarmKind.ABUSE}), at_least=0.9))
    assert decided(mixed, kind=kind).actions == (Flag(),), "it may be the abuse that is quoted"


def test_conduct_is_nothing_that_one_quotes() -> None:
    assert decided(rule(Repeats(at_least=0, within=timedelta(minutes=1)))).actions != (Flag(),)


def test_a_rule_beside_it_acts_as_ever() -> None:
    both = decided(
        rule(Score(at_least=0.9)),
        Rule(
            name="d",
            when=(Text(any_of=("바보",)),),
            then=(Delete(),),
            reason=Reason(ko="", en=""),
            kind=HarmKind.DOXXING,
        ),
    )
    assert set(both.actions) == {Delete(), Flag()}
