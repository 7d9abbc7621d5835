"""What a report says follows from its figures, and small numbers stay numbers."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.incidents.review import Call
from bot.core.reporting.figures import ActionRecord, Backlog, Entry, Figures, ReviewOutcome, Totals
from bot.core.reporting.headline import headline
from bot.core.reporting.periods import parse
from bot.core.reporting.report import compose
from bot.core.reporting.shares import Change, Share, course
from bot.core.rules.actions import NO_ROOM

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
        actions=(ActionRecord("delete", state, "no right" if state == "refused" else ""),),
        appealed=appealed,
        review=ReviewOutcome(call, "하늘", at + timedelta(minutes=number)) if call else None,
    )


def figures(*entries: Entry, seen: int = 100) -> Figures:
    return Figures(start=PERIOD.start, end=PERIOD.end, seen=seen, entries=entries)


def codes(made: Figures, *earlier: Totals) -> list[str]:
    period, before = PERIOD, []
    for totals in earlier:
        period = period.before()
        before.append((period, totals))
    return [sentence.code for sentence in headline(compose("cafe", PERIOD, made, before))]


def test_the_sentences_follow_the_figures() -> None:
    assert codes(figures(seen=0)) == ["empty", "needs_nothing"]
    assert codes(figures()) == ["quiet", "first", "needs_nothing"]
    assert codes(figures(entry(1)), Totals(seen=9, flagged=3)) == ["happened", "fewer", "needs_nothing"]
    assert codes(figures(entry(1)), Totals(seen=9, flagged=40)) == ["happened", "fewer_percent", "needs_nothing"]
    assert codes(figures(entry(1, state="refused")), Totals(seen=9, flagged=1))[1:] == ["same", "needs_permission"]
    nowhere = replace(entry(1), actions=(ActionRecord("flag", "refused", NO_ROOM),))
    assert codes(figures(nowhere), Totals(seen=9, flagged=1))[1:] == ["same", "needs_room"], "no right is missing"
    assert codes(figures(nowhere, entry(2, state="refused")))[2] == "needs_permission"
    waiting = replace(figures(), backlog=Backlog(count=1, oldest=1, since=PERIOD.start))
    assert codes(waiting)[2] == "needs_review"
    assert codes(figures(entry(1, state="refused")))[0] == "untouched"
    half_way = replace(waiting.backlog, asked_at=PERIOD.start + timedelta(minutes=5))
    assert codes(replace(waiting, backlog=half_way))[2] == "needs_review_new", "the end is still to come"
    fresh = Backlog(count=1, oldest=1, since=PERIOD.end - timedelta(hours=1))
    assert codes(replace(waiting, backlog=fresh))[2] == "needs_review_new", "nothing is nought days old"


def test_what_is_not_over_is_compared_with_nothing_and_what_has_not_come_is_no_quiet_week() -> None:
    early, midst = PERIOD.start - timedelta(days=1), PERIOD.start + timedelta(days=1)
    before = Totals(seen=900, flagged=40)
    unfinished = replace(figures(*map(entry, range(1, 22))), at=midst)
    assert codes(unfinished, before)[1] == "unfinished"
    report = compose("cafe", PERIOD, unfinished, [(PERIOD.before(), before)])
    assert report.change(lambda totals: totals.flagged) == Change(now=21) and report.flagged_before is None
    assert codes(replace(unfinished, at=PERIOD.end), before)[1] == "fewer_percent"
    assert codes(replace(figures(seen=0), at=early), before) == ["ahead"]


def test_weeks_before_the_first_message_are_no_weeks() -> None:
    assert codes(figures(), Totals(), Totals())[1] == "first"
    quiet = compose("cafe", PERIOD, figures(), [(PERIOD, Totals()), (PERIOD, Totals(seen=1)), (PERIOD, Totals())])
    assert len(quiet.earlier) == 2


def test_small_numbers_make_no_percentages() -> None:
    assert Change(now=3, before=1).percent is None and Change(now=30, before=20).percent == 50
    assert Change(now=27, before=24).percent == 13, "12.5, as people round it"
    assert Share(part=1, whole=19).percent is None and Share(part=0, whole=0).interval is None
    share = Share(part=2, whole=20)
    assert share.percent == 10 and share.interval is not None
    assert round(share.interval.low, 1) == 2.8 and round(share.interval.high, 1) == 30.1  # Wilson


def test_better_and_worse_are_told_apart_from_chance() -> None:
    before = Share(part=350, whole=42_000)
    assert course(Share(part=332, whole=41_739), before) == 0
    assert course(Share(part=250, whole=41_739), before) == -1
    assert course(Share(part=450, whole=41_739), before) == 1
    assert course(Share(part=3, whole=19), before) == 0


@pytest.mark.parametrize(("now", "before"), [(1, 40), (40, 1), (0, 0)])
def test_no_rate_is_made_of_a_few_incidents(now: int, before: int) -> None:
    made = figures(*map(entry, range(1, now + 1)), seen=256)
    earlier = [(PERIOD.before(), Totals(seen=396, flagged=before))]
    assert compose("cafe", PERIOD, made, earlier).flagged_before is None


def test_a_threshold_is_advised_where_it_spares_much_and_costs_little() -> None:
    wrong = [entry(number, call=Call.WRONG, score=0.82) for number in range(1, 9)]
    right = [entry(number, call=Call.RIGHT, score=0.95) for number in range(9, 25)]
    (advice,) = compose("cafe", PERIOD, figures(*wrong, *right), []).advice
    assert (advice.proposed, advice.spared, advice.lost) == (0.83, tuple(range(1, 9)), ())
    assert compose("cafe", PERIOD, figures(*wrong, *right[:3]), []).advice == ()


def test_every_line_names_its_incidents() -> None:
    report = compose("cafe", PERIOD, figures(entry(1), entry(2, call=Call.WRONG), entry(3)), [])
    assert [(line.name, line.incidents) for line in report.rules] == [("abuse", (1, 2, 3))]
    assert [(line.name, line.incidents) for line in report.rules] == [("abuse", (1, 2, 3))]
    assert [(line.name, line.incidents) for line in report.kinds] == [("", (1, 2, 3))]  # none is known
