"""What another threshold would have meant, from counts of messages and from incidents that moderators have called."""

from datetime import timedelta

from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import Part
from bot.core.reporting.what_if import Probabilities, Scored, kinds_of, what_if
from bot.core.rules.actions import Delete
from bot.core.rules.conditions import ByBot, Kind, Score
from bot.core.rules.policy import Reason, Rule

REASON = Reason(ko="욕설", en="insult")
ABUSE = Kind(any_of=frozenset({HarmKind.ABUSE}), at_least=0.9, part=Part.PROMPT)
SURE = Rule(name="sure", when=(ABUSE,), then=(Delete(),), reason=REASON, cooldown=timedelta(0))
FOUND = Probabilities(
    messages={14: 100, 15: 20, 16: 8, 17: 5, 18: 4, 19: 3},
    incidents=(
        Scored(1, "sure", 0.99, None),
        Scored(2, "sure", 0.93, True),
        Scored(3, "sure", 0.91, False),
        Scored(4, "likely", 0.86, True),
        Scored(5, "likely", 0.82, None),
        Scored(6, "other", None, True),
    ),
)


def test_a_lower_threshold_finds_what_was_counted_and_no_more() -> None:
    found = what_if(SURE, 0.8, FOUND)
    assert found and (found.before, found.more, found.known, found.known_wrong) == (0.9, 13, 2, 1)


def test_of_a_step_that_is_half_in_what_is_found_already_is_not_counted_again() -> None:
    found = what_if(SURE, 0.88, FOUND)
    assert found and (found.more, found.known) == (5 - 1, 0), "the one at 0.86 would not be found even then"


def test_a_higher_threshold_loses_what_was_called_wrong_and_what_was_called_right() -> None:
    found = what_if(SURE, 0.95, FOUND)
    assert found and (found.fewer, found.fewer_wrong, found.fewer_right) == (2, 1, 1)
    same = what_if(SURE, 0.9, FOUND)
    assert same and (same.more, same.fewer) == (0, 0)


def test_what_nobody_counts_is_said_so_and_what_asks_for_no_score_has_no_threshold() -> None:
    scored = Rule(name="score", when=(Score(at_least=0.9),), then=(Delete(),), reason=REASON)
    found = what_if(scored, 0.5, FOUND)
    assert found and found.more is None and kinds_of(scored) == frozenset()
    assert what_if(Rule(name="bots", when=(ByBot(bot=True),), then=(Delete(),), reason=REASON), 0.5, FOUND) is None
