"""What single sections of a report compute."""

from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.reports.pages.sections.bots.pairs.figures import pairs, worst_answers
from adapters.reports.pages.sections.incidents.heat.figures import incidents_by_hour
from adapters.reports.pages.sections.moderation.funnel.figures import steps
from adapters.reports.pages.sections.moderation.moderators.figures import loads
from adapters.reports.pages.sections.moderation.quality.figures import opinions
from adapters.reports.pages.sections.moderation.repeaters.figures import repeaters
from adapters.reports.pages.sections.operation.changes.figures import guards, policies
from adapters.reports.pages.sections.operation.health.figures import latency, missed, missed_unasked, unasked
from adapters.reports.pages.sections.operation.shadow.figures import shadow
from bot.core.answers.counting import PairCounts
from bot.core.guarding.verdict import GuardVersion, Route
from bot.core.incidents.review import Call
from bot.core.reporting.figures import Answer, Totals
from bot.core.reporting.report import compose
from bot.core.reporting.shares import Share
from tests.unit.reporting.test_report import PERIOD, entry, figures


def test_what_two_guards_missed_is_estimated_from_the_sample() -> None:
    routes = {Route.SECOND: 900, Route.SKIPPED: 5000, Route.CLEARED: 97, Route.MISSED: 3}
    made = replace(figures(), routes=routes)
    sample, estimate = missed(made), missed_unasked(made)
    assert (unasked(made), sample.part, sample.whole) == (5000, 3, 100)
    assert estimate and sample.interval
    number, interval = estimate
    assert number == pytest.approx(150)
    assert (interval.low, interval.high) == pytest.approx((51.28, 422.62), abs=0.5)  # Wilson, 1.03 to 8.45 %
    assert missed_unasked(replace(figures(), routes={Route.SKIPPED: 5000, Route.CLEARED: 19})) is None


def test_half_of_the_messages_are_decided_within_the_median() -> None:
    made = replace(figures(), latency={50: 4, 100: 5, float("inf"): 1})
    assert (latency(made, 0.4), latency(made, 0.5), latency(made, 0.95)) == (50, 100, float("inf"))
    assert latency(figures(), 0.5) is None


def test_policies_stand_in_the_order_in_which_they_first_decided() -> None:
    entries = [replace(entry(number), policy=version) for number, version in enumerate("aabab", 1)]
    assert [(version, number) for version, _, number in policies(entries)] == [("a", 1), ("b", 3)]


def test_each_guard_that_judged_is_told_once_with_its_first_incident() -> None:
    old, new = GuardVersion(name="embedded", model="1", calibration="platt"), GuardVersion(name="embedded", model="2")
    entries = [replace(entry(number), guard=one) for number, one in enumerate((old, new, old, None), 1)]
    assert [(one.guard, one.since, one.incidents) for one in guards(entries)] == [
        (old, entry(1).decided_at, 2), (new, entry(2).decided_at, 1)
    ]  # fmt: skip


def test_who_has_several_incidents_that_nobody_called_wrong_is_a_repeater() -> None:
    made = (entry(1), entry(2, call=Call.WRONG), entry(3), replace(entry(4), author="준호"))
    assert [(line.name, line.incidents) for line in repeaters(made)] == [("민지", (1, 3))]
    assert not repeaters([replace(one, bot=True) for one in made])


def test_reviews_are_told_by_what_they_called_wrong_and_how_long_they_took() -> None:
    made = (entry(1), entry(2, call=Call.WRONG), entry(3, call=Call.RIGHT))
    found = opinions(made)
    assert found.overturned == (2,) and found.time_to_review == timedelta(minutes=2.5)
    assert found.agreement == Share(part=1, whole=2) == found.false_positives
    (load,) = loads(made)
    assert (load.incidents, load.overturned, load.wait) == ((2, 3), (2,), timedelta(minutes=2.5))
    assert opinions(made[:1]).time_to_review is None


def test_appeals_are_upheld_where_moderators_called_it_wrong() -> None:
    calls = {1: Call.WRONG, 2: Call.RIGHT, 3: Call.DELETE, 4: None}
    objected = [entry(number, call=call, appealed=True) for number, call in calls.items()]
    shadowed = replace(entry(6, call=Call.WRONG, appealed=True), rule=None)
    found = opinions(compose("cafe", PERIOD, figures(*objected, entry(5, call=Call.WRONG), shadowed), []).live)
    assert found.appealed == (1, 2, 3, 4) and found.appellants == 1 and found.upheld_appeals == (1,)
    assert found.appeals == Share(part=1, whole=3)  # the fourth is not looked at yet
    assert opinions([entry(5)]).appeals == Share(part=0, whole=0)


def test_a_rule_on_trial_tells_what_no_live_rule_caught() -> None:
    made = (replace(entry(1), shadow=("spam",)), replace(entry(2), rule=None, shadow=("spam",)))
    assert [(line.incidents, line.whole) for line in shadow(made)] == [((1, 2), 1)]


def test_several_bots_have_a_sum_and_their_worst_answers_come_first() -> None:
    one, other = PairCounts(judged=3, unsafe=1), PairCounts(judged=5)
    assert [name for name, _ in pairs({"a": one, "b": other})] == ["", "b", "a"] and len(pairs({"a": one})) == 1
    answers = [replace(entry(n), answer=Answer(harm=n / 10, prompt=None, text="")) for n in range(1, 9)]
    assert [one.id for one in worst_answers([*answers, entry(9)])] == [8, 7, 6, 5, 4]


def test_an_incident_stands_in_the_hour_of_its_community() -> None:
    grid = incidents_by_hour(compose("cafe", PERIOD, figures(entry(30)), []))
    found = {(day, hour): numbers for day, row in enumerate(grid) for hour, numbers in enumerate(row) if numbers}
    assert found == {(1, 6): (30,)}  # thirty hours after Monday began in Seoul


def test_no_bar_of_the_funnel_is_longer_than_full() -> None:
    bars = {step.name: step.filled for step in steps(Totals(seen=200, judged=100, flagged=10, acted=5, reviewed=12))}
    assert bars == {"seen": 100, "judged": 50, "flagged": 100, "acted": 50, "reviewed": 100}
    assert all(step.filled == 0 for step in steps(Totals()))
