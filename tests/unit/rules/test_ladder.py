"""What counts against a member, what does not, and the step that it leads to."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.config import Config, preset
from bot.core.chat.message import STAFF, Author
from bot.core.communities.community import Community
from bot.core.guarding.verdict import Task, Unscreened
from bot.core.rules.actions import Ban, Delete, Escalate, Flag, Kick, Timeout, Warn
from bot.core.rules.conditions import Past, Score
from bot.core.rules.decision import climbed, decide, only_flagged
from bot.core.rules.ladder import REACHES, USUAL, Ladder
from bot.core.rules.policy import Mode, Policy, Reason, Rule, Watch
from tests.builders import GUARD, TELEGRAM, decision, later, message, verdict

RULE = Rule(
    name="insult", when=(Score(task=Task.PROMPT_HARM, at_least=0.8),), then=(Delete(), Warn()),
    reason=Reason(ko="욕설", en="insult"), strike=2, cooldown=timedelta(minutes=10),
)  # fmt: skip
AGAIN = Past(fired={"insult": later(-60)})


def strike(*rules: Rule, seconds: float = 0, past: Past | None = None, harm: float = 0.9, **more: Any) -> int:
    about = message(author="7", **{key: more.pop(key) for key in ("text",) if key in more})
    about = replace(about, author=more.pop("author", about.author))
    screening = more.pop("screening", verdict(harm))
    return decide(about, screening, Policy(rules=rules, **more), at=later(seconds), past=past).strike


def test_the_heaviest_rule_that_acts_counts() -> None:
    assert strike(RULE) == 2 and strike(RULE, harm=0.1) == 0
    assert strike(replace(RULE, strike=1), replace(RULE, name="other", strike=5)) == 5
    assert strike(replace(RULE, mode=Mode.SHADOW)) == 0


@pytest.mark.parametrize(
    "given_",
    [
        {"mode": Watch.WATCH},
        {"seconds": 3600},
        {"past": AGAIN},
        {"author": Author(id="7", roles=STAFF)},
        {"author": Author(id="7", bot=True)},
        {"author": Author(id="7", no_account=True)},
        {"author": Author(id="7", unmet=True)},
        {"screening": Unscreened(reason="timeout", guard=GUARD)},
    ],
    ids=["watched", "late", "again", "staff", "a bot", "no account", "nobody met", "unjudged"],
)
def test_who_is_not_sanctioned_gets_no_strike(given_: dict[str, Any]) -> None:
    assert strike(RULE, **given_) == 0


def test_a_second_look_counts_nothing() -> None:
    assert only_flagged(replace(decision(message(), Delete()), strike=1)).strike == 0


@given(st.integers(0, 20), st.sampled_from(REACHES), st.sampled_from([(Delete(),), (Delete(), Warn()), (Escalate(),)]))
def test_the_rules_go_as_far_as_they_may_and_the_rest_is_shown(
    strikes: int, reach: str, actions: tuple[Any, ...]
) -> None:
    ladder, before = replace(USUAL, reach=reach), decision(message(), *actions)
    after = climbed(before, strikes, ladder)
    added = set(after.actions) - set(before.actions)
    asked = ladder.action(strikes)
    assert set(before.actions) <= set(after.actions) and after.step == min(strikes, len(ladder.steps))
    if asked is None:
        assert after == before
    elif ladder.takes(after.step):
        assert asked in after.actions and Warn() in after.actions and after.proposed is None
    else:
        assert added <= {Flag()} and after.proposed in (asked, None)
        assert {Flag(), Escalate()} & {*after.actions} or after.proposed is None


def test_a_reach_is_the_last_step_of_its_kind() -> None:
    taken = {reach: [step for step in range(1, 7) if replace(USUAL, reach=reach).takes(step)] for reach in REACHES}
    assert taken == {
        "off": [], "warn": [1], "timeout": [1, 2, 3, 4], "kick": [1, 2, 3, 4, 5], "ban": [1, 2, 3, 4, 5, 6],
    }  # fmt: skip
    assert not Ladder(steps=(Warn(), Kick()), reach="ban").takes(1), "there is no such step"
    assert Ladder(steps=()).action(3) is None


def test_what_is_done_already_is_not_proposed() -> None:
    done = decision(message(), Timeout(timedelta(days=2)), Flag())
    assert climbed(done, 3, USUAL).proposed is None
    assert climbed(done, 6, USUAL).proposed == Ban()


def test_a_rule_about_the_author_is_a_strike_unless_it_says_otherwise() -> None:
    for one in preset("strict"):
        felt = any(isinstance(action, Warn | Timeout | Kick | Ban) for action in one.then)
        assert one.rule().strike == int(felt), one.name
    slur = next(one for one in preset("strict") if one.name == "slur")
    assert slur.model_copy(update={"strike": 0}).rule().strike == 0


def test_a_community_says_how_far_the_rules_go() -> None:
    config = Config.model_validate({"ladder": {"steps": ["warn", "ban"], "reach": "ban", "lasting": "7d"}})
    assert config.policy.ladder == Ladder(steps=(Warn(), Ban()), reach="ban", lasting=timedelta(days=7))
    chosen = config.policy_of(Community(platform=TELEGRAM, id="-5", ladder="off"))
    assert chosen.ladder.reach == "off" and chosen.version != config.policy.version
    assert Config().policy.ladder == USUAL
