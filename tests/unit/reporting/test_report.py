"""What a report says follows from its figures, and small numbers stay numbers."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.guarding.verdict import Route
from bot.core.incidents.review import Call
from bot.core.reporting.figures import Backlog, Deed, Entry, Figures, Ruling, Totals
from bot.core.reporting.periods import parse
from bot.core.reporting.report import compose
from bot.core.reporting.shares import Change, Share

PERIOD = parse("2026-W47", "Asia/Seoul")


def entry(
    number: int, *, call: Call | None = None, score: float = 0.9, state: str = "done", appealed: bool = False
) -> Entry:
    at = PERIOD.start + timedelta(hours=number)
    return Entry(
        id=number,
        decided_at=at,
        sent_at=at,
        channel="자유",
        author="민지",
        rule="abuse",
        score=score,
        bar=0.8,
        deeds=(Deed("delete", state, "no right" if state == "refused" else ""),),
        appealed=appealed,
        ruling=Ruling(call, "하늘", at + timedelta(minutes=number)) if call else None,
    )


def figures(*entries: Entry, seen: int = 100) -> Figures:
    return Figures(start=PERIOD.start, end=PERIOD.end, seen=seen, entries=entries)


def codes(made: Figures, *earlier: Totals) -> list[str]:
    period, before = PERIOD, []
    for totals in earlier:
        period = period.before()
        before.append((period, totals))
    return [sentence.code for sentence in compose("cafe", PERIOD, made, before).headline]


def test_the_sentences_follow_the_figures() -> None:
    assert codes(figures(seen=0)) == ["empty", "first", "needs_nothing"]
    assert codes(figures()) == ["quiet", "first", "needs_nothing"]
    assert codes(figures(entry(1)), Totals(seen=9, flagged=3)) == ["happened", "fewer", "needs_nothing"]
    assert codes(figures(entry(1)), Totals(seen=9, flagged=40)) == ["happened", "fewer_percent", "needs_nothing"]
    assert codes(figures(entry(1, state="refused")), Totals(seen=9, flagged=1))[1:] == ["same", "needs_permission"]
    waiting = replace(figures(), backlog=Backlog(count=1, oldest=1, since=PERIOD.start))
    assert codes(waiting)[2] == "needs_review"


def test_weeks_before_the_first_message_are_no_weeks() -> None:
    assert codes(figures(), Totals(), Totals())[1] == "first"
    quiet = compose("cafe", PERIOD, figures(), [(PERIOD, Totals()), (PERIOD, Totals(seen=1)), (PERIOD, Totals())])
    assert len(quiet.earlier) == 2


def test_what_two_guards_missed_is_estimated_from_the_sample() -> None:
    routes = {Route.SECOND: 900, Route.SKIPPED: 5000, Route.CLEARED: 97, Route.MISSED: 3}
    report = compose("cafe", PERIOD, replace(figures(), routes=routes), [])
    assert (report.unasked, report.missed.part, report.missed.whole) == (5000, 3, 100)
    assert report.missed_unasked and report.missed.interval
    number, interval = report.missed_unasked
    assert number == pytest.approx(150)
    assert (interval.low, interval.high) == pytest.approx((51.28, 422.62), abs=0.5)  # Wilson, 1.03 to 8.45 %
    few = compose("cafe", PERIOD, replace(figures(), routes={Route.SKIPPED: 5000, Route.CLEARED: 19}), [])
    assert few.missed_unasked is None


def test_small_numbers_make_no_percentages() -> None:
    assert Change(now=3, before=1).percent is None and Change(now=30, before=20).percent == 50
    assert Share(part=1, whole=19).percent is None and Share(part=0, whole=0).interval is None
    share = Share(part=2, whole=20)
    assert share.percent == 10 and share.interval is not None
    assert round(share.interval.low, 1) == 2.8 and round(share.interval.high, 1) == 30.1  # Wilson


def test_a_threshold_is_advised_where_it_spares_much_and_costs_little() -> None:
    wrong = [entry(number, call=Call.WRONG, score=0.82) for number in range(1, 9)]
    right = [entry(number, call=Call.RIGHT, score=0.95) for number in range(9, 25)]
    (advice,) = compose("cafe", PERIOD, figures(*wrong, *right), []).advice
    assert (advice.proposed, advice.spared, advice.lost) == (0.83, tuple(range(1, 9)), ())
    assert compose("cafe", PERIOD, figures(*wrong, *right[:3]), []).advice == ()


def test_every_line_names_its_incidents() -> None:
    report = compose("cafe", PERIOD, figures(entry(1), entry(2, call=Call.WRONG), entry(3)), [])
    assert [(line.name, line.incidents) for line in report.rules] == [("abuse", (1, 2, 3))]
    assert [line.incidents for line in report.repeaters] == [(1, 3)]
    assert report.overturned == (2,) and report.time_to_review == timedelta(minutes=2)


def test_appeals_are_upheld_where_moderators_called_it_wrong() -> None:
    calls = {1: Call.WRONG, 2: Call.RIGHT, 3: Call.DELETE, 4: None}
    objected = [entry(number, call=call, appealed=True) for number, call in calls.items()]
    shadowed = replace(entry(6, call=Call.WRONG, appealed=True), rule=None)
    report = compose("cafe", PERIOD, figures(*objected, entry(5, call=Call.WRONG), shadowed), [])
    assert report.appealed == (1, 2, 3, 4) and report.appellants == 1 and report.upheld_appeals == (1,)
    assert report.appeals == Share(part=1, whole=3)  # the fourth is not looked at yet
    assert compose("cafe", PERIOD, figures(entry(5)), []).appeals == Share(part=0, whole=0)
