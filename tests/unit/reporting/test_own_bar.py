"""Incidents that a community's moderators have called are the labels for its own thresholds."""

from bot.core.reporting.advice import own_bar
from bot.core.reporting.what_if import Scored


def called(*rows: tuple[float, int, int]) -> list[Scored]:
    """At a score so many that were right and wrong."""
    made = [(score, wrong) for score, right, amiss in rows for wrong in [False] * right + [True] * amiss]
    return [Scored(id_, "likely-abuse", score, wrong) for id_, (score, wrong) in enumerate(made)]


def test_the_lowest_threshold_from_which_enough_is_surely_right() -> None:
    found = own_bar(0.8, called((0.82, 10, 30), (0.9, 200, 2)), 0.9)
    assert (found.right, found.wrong, found.proposed) == (210, 32, 0.83)
    assert (found.spared, found.lost, found.more) == (30, 10, 0)


def test_it_may_be_lower_where_what_other_rules_have_found_was_right_but_not_where_nobody_knows() -> None:
    found = own_bar(0.97, called((0.6, 100, 0), (0.98, 40, 0)), 0.9)
    assert found.proposed == 0.59 and found.more == 100 and found.share is not None and found.share.high == 1


def test_few_calls_and_none_that_help_propose_nothing() -> None:
    assert own_bar(0.8, called((0.9, 19, 0)), 0.5).proposed is None
    assert own_bar(0.8, called((0.9, 50, 50)), 0.9).proposed is None
    nothing = own_bar(0.8, [Scored(1, "likely-abuse", None, True), Scored(2, "likely-abuse", 0.9, None)], 0.9)
    assert nothing.share is None and nothing.proposed is None
