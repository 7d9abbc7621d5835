"""Nobody in despair is deleted or sanctioned for what they say, whatever rule a community has written."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from bot.config import Config
from bot.core.communities.community import Community
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import Judgement, Part, Unscreened, Verdict
from bot.core.rules.actions import Action, Delete, Escalate, Flag, Timeout, Warn
from bot.core.rules.conditions import Condition, Explanation, Kind, Past, Repeats, Score, Text
from bot.core.rules.decision import Decision, decide
from bot.core.rules.lists import Lists
from bot.core.rules.policy import Policy, Reason, Rule, Watch
from tests.builders import DISCORD, GUARD, NOW, message

CRY = "다 끝내고 죽고싶어요"
HOUR = timedelta(hours=1)
POLICY = Config().policy.in_mode(Watch.LIVE)
WORDS, SCORE = Text(any_of=("끝내",)), Score(at_least=0.9)
AGAIN = Repeats(at_least=0, within=timedelta(minutes=1))


def rule(*when: Condition, kind: HarmKind | None = None, then: Sequence[Action] = (Delete(), Warn())) -> Rule:
    return Rule(name="own", when=when, then=tuple(then), reason=Reason(ko="", en=""), kind=kind)


def decided(*rules: Rule, despair: float | None = 0.9, text: str = "이제 다 끝내려고요") -> Decision:
    """`despair`: how surely the guard reads it as that; None: it does not know that kind."""
    found = [Judgement(Part.PROMPT, HarmKind.ABUSE, 0.99, "g")]
    found += [] if despair is None else [Judgement(Part.PROMPT, HarmKind.SELF_HARM, despair, "g")]
    policy = Policy(rules=rules, no_despair=POLICY.no_despair)
    return decide(message(text=text), Verdict(guard=GUARD, found=tuple(found)), policy, at=NOW)


@pytest.mark.parametrize("condition", [WORDS, SCORE, Kind(any_of=frozenset({HarmKind.ABUSE}), at_least=0.9)])
def test_an_own_rule_shows_it_to_moderators_and_does_nothing_to_its_author(condition: Condition) -> None:
    spared = decided(rule(condition))
    assert spared.actions == (Flag(),) and set(spared.withheld) == {Delete(), Warn()}
    assert spared.restraints == (Explanation("despair"),) and spared.strike == 0
    assert set(decided(rule(condition), despair=0.1).actions) == {Delete(), Warn()}
    assert decided(rule(condition, then=(Delete(), Escalate()))).actions == (Escalate(), Flag()), "people may be called"


def test_words_of_despair_are_enough_where_no_guard_says_otherwise() -> None:
    for unsure in (None, 0.05):
        assert decided(rule(WORDS), text=CRY, despair=unsure).actions == (Flag(),)
    assert Delete() in decided(rule(WORDS), text=CRY, despair=0.01).actions
    away = decide(message(text=CRY), Unscreened("away", GUARD), POLICY, at=NOW)
    assert Escalate() in away.actions


def test_a_forbidden_word_is_no_exception() -> None:
    lists = Community(platform=DISCORD, id="c", lists=Lists(forbidden_words=("끝내고",)))
    policy = Config().policy_of(lists, Watch.LIVE)
    found = decide(message(text=CRY), Verdict(guard=GUARD), policy, at=NOW)
    assert Delete() not in found.actions and Explanation("despair") in found.restraints


def test_a_rule_that_looks_for_self_harm_means_it() -> None:
    asked = Kind(any_of=frozenset({HarmKind.SELF_HARM}), at_least=0.5)
    for one in (rule(asked), rule(WORDS, kind=HarmKind.SELF_HARM)):
        assert set(decided(one).actions) == {Delete(), Warn()} and not decided(one).restraints


def test_conduct_is_judged_as_ever() -> None:
    found = (Judgement(Part.PROMPT, HarmKind.SELF_HARM, 0.9, "g"),)
    policy = Policy(rules=(rule(AGAIN),), no_despair=POLICY.no_despair)
    flooding = decide(message(), Verdict(guard=GUARD, found=found), policy, at=NOW, past=Past(repeats=(NOW,)))
    assert set(flooding.actions) == {Delete(), Warn()}


def test_what_another_rule_is_sure_of_is_done_and_the_rest_withheld() -> None:
    brief, long = Timeout(timedelta(minutes=10)), Timeout(HOUR)
    both = decided(rule(WORDS, kind=HarmKind.SELF_HARM, then=(brief,)), rule(WORDS, then=(long, Delete())))
    assert both.actions == (brief, Flag()) or both.actions == (Flag(), brief)
    assert set(both.withheld) == {long, Delete()}


def test_nobody_seems_to_be_in_despair_where_no_rule_found_anything() -> None:
    assert not decided(rule(Text(any_of=("없는 말",)))).restraints
