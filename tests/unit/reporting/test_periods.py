"""Periods tile the calendar of every time zone, whatever its clocks do."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.reporting.periods import Period, Span, at_hour, current, day, days, latest, midnight, month, parse, week

ZONES = st.sampled_from(
    [
        "Asia/Seoul", "UTC", "America/New_York", "America/Havana", "America/Sao_Paulo", "Africa/Cairo", "Asia/Beirut",
        "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Chatham", "Pacific/Apia", "Europe/Berlin",
    ]
)  # fmt: skip
DATES = st.dates(date(2005, 1, 3), date(2045, 12, 31))
Maker = Callable[[date, str], Period]
MAKERS: st.SearchStrategy[Maker] = st.sampled_from([day, week, month])


@given(DATES, ZONES, MAKERS)
def test_one_period_ends_where_the_next_begins(of: date, zone: str, maker: Maker) -> None:
    period = maker(of, zone)
    before = period.before()
    assert before.until == period.first and before.end == period.start
    assert before.span is period.span and before.timezone == zone
    assert period.first <= of <= period.last
    assert len(list(period.days())) == (period.until - period.first).days


@given(st.datetimes(datetime(2005, 1, 1), datetime(2045, 1, 1), timezones=st.just(UTC)), ZONES)
def test_a_moment_lies_in_the_day_that_its_calendar_shows(moment: datetime, zone: str) -> None:
    shown = day(moment.astimezone(ZoneInfo(zone)).date(), zone)
    assert shown.start <= moment < shown.end


@given(DATES, ZONES, MAKERS)
def test_a_period_is_found_again_by_its_name(of: date, zone: str, maker: Maker) -> None:
    period = maker(of, zone)
    assert parse(period.name, zone) == period


@given(DATES, st.integers(0, 400), ZONES)
def test_a_range_is_found_again_by_its_name(first: date, more: int, zone: str) -> None:
    period = days(first, first + timedelta(days=more), zone)
    assert parse(period.name, zone) == period
    assert parse(period.name.replace("..", "~"), zone) == period
    assert period.before().until == first and len(list(period.before().days())) == more + 1


@given(st.datetimes(datetime(2005, 1, 1), datetime(2045, 1, 1), timezones=st.just(UTC)), ZONES)
def test_the_latest_period_is_over_and_the_next_one_is_not(now: datetime, zone: str) -> None:
    for span in (Span.DAY, Span.WEEK, Span.MONTH):
        over = latest(span, now, zone)
        following = parse(over.name, zone).until
        assert current(span, now, zone).start <= now < current(span, now, zone).end
        assert over.end <= now < {Span.DAY: day, Span.WEEK: week, Span.MONTH: month}[span](following, zone).end


def test_weeks_are_numbered_as_iso_says() -> None:
    assert week(date(2027, 1, 1), "Asia/Seoul").name == "2026-W53"
    assert week(date(2027, 1, 4), "Asia/Seoul").name == "2027-W01"
    assert parse("2026-W53", "Asia/Seoul").before().name == "2026-W52"


@pytest.mark.parametrize(
    "name",
    [
        "2027-W53", "2026-W00", "2026-13", "2026-02-30", "gestern", "2026-03-02..2026-03-01", "9999-12-31",
        "0001-01-01", "9999-12", "9998-W53", "2000-01-01..2999-12-31", "2026-03-01..",
    ],
)  # fmt: skip
def test_what_is_no_period_is_refused(name: str) -> None:
    with pytest.raises(ValueError):
        parse(name, "Asia/Seoul")


def test_days_are_as_long_as_the_clocks_make_them() -> None:
    hours = {
        ("Asia/Seoul", date(2026, 3, 8)): 24,
        ("America/New_York", date(2026, 3, 8)): 23,
        ("America/New_York", date(2026, 11, 1)): 25,
        ("Pacific/Apia", date(2011, 12, 30)): 0,  # the day that Samoa left out
    }
    for (zone, of), long in hours.items():
        assert midnight(of + timedelta(days=1), zone) - midnight(of, zone) == timedelta(hours=long), (zone, of)


def test_nine_o_clock_is_nine_on_the_wall_and_a_skipped_hour_comes_just_after() -> None:
    assert at_hour(date(2026, 11, 23), 9, "Asia/Seoul") == datetime(2026, 11, 23, tzinfo=UTC)
    assert at_hour(date(2026, 3, 9), 9, "America/New_York") == datetime(2026, 3, 9, 13, tzinfo=UTC)
    assert at_hour(date(2026, 3, 8), 2, "America/New_York") == datetime(2026, 3, 8, 7, tzinfo=UTC)  # 03:00 there


def test_a_changed_time_zone_keeps_the_name() -> None:
    """What was sent under one time zone is not sent again under another."""
    assert week(date(2026, 11, 20), "Asia/Seoul").name == week(date(2026, 11, 20), "America/New_York").name
