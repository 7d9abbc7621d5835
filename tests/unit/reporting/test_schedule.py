"""When reports are due: in every time zone, over every change of its clocks."""

import itertools
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.core.reporting.delivery.schedule import Burst, Due, Kind, Schedule
from bot.core.reporting.periods import at_hour

NEVER = Burst(incidents=0, within=timedelta(minutes=10), apart=timedelta(hours=1))
ZONES = sorted(available_timezones() - {"localtime"})
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC))


def schedule(timezone: str = "Asia/Seoul", weekday: int | None = 0, hour: int = 9, *, daily: bool = False) -> Schedule:
    return Schedule(timezone=timezone, weekday=weekday, hour=hour, daily=daily, burst=NEVER)


SCHEDULES = st.builds(
    schedule, st.sampled_from(ZONES), st.one_of(st.none(), st.integers(0, 6)), st.integers(0, 23), daily=st.booleans()
)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_weekly_report_of_korea_is_due_on_monday_at_nine() -> None:
    weekly = schedule()
    assert weekly.next(utc("2026-11-24T12:00")) == utc("2026-11-30T00:00")
    assert weekly.next(utc("2026-11-30T00:00")) == utc("2026-12-07T00:00")
    (due,) = weekly.overdue(utc("2026-11-29T23:59"), utc("2026-11-30T00:00"))
    assert (due.kind, due.period.name, due.at) == (Kind.WEEK, "2026-W48", utc("2026-11-30T00:00"))
    assert weekly.overdue(utc("2026-11-30T00:01"), utc("2026-12-06T23:59")) == []


def test_week_53_has_its_report() -> None:
    names = []
    now = utc("2026-12-25T00:00")
    for _ in range(4):
        now = schedule().next(now) or now
        names += [due.period.name for due in schedule().overdue(now, now)]
    assert names == ["2026-W52", "2026-W53", "2027-W01", "2027-W02"]


def test_several_that_were_missed_count_as_one_of_each_kind() -> None:
    missed = schedule(daily=True).overdue(utc("2026-11-02T00:00"), utc("2026-11-24T12:00"))
    assert [(due.kind, due.period.name) for due in missed] == [(Kind.WEEK, "2026-W47"), (Kind.DAY, "2026-11-23")]


def test_nothing_is_due_where_everything_is_off() -> None:
    assert schedule(weekday=None).next(utc("2026-11-24T12:00")) is None
    assert schedule(weekday=None).overdue(utc("2000-01-01T00:00"), utc("2026-11-24T12:00")) == []


@pytest.mark.parametrize(
    ("timezone", "day", "hour", "instant"),
    [
        ("America/New_York", "2026-03-08", 2, "2026-03-08T07:00"),  # the hour is skipped: 3 o'clock, summer time
        ("America/New_York", "2026-11-01", 1, "2026-11-01T05:00"),  # the hour comes twice: the first, summer time
        ("Europe/Berlin", "2026-03-29", 2, "2026-03-29T01:00"),
        ("Africa/Cairo", "2026-04-24", 0, "2026-04-23T22:00"),  # midnight is skipped
        ("Australia/Lord_Howe", "2026-10-04", 2, "2026-10-03T15:30"),  # half an hour is
    ],
)
def test_hours_that_are_skipped_or_come_twice(timezone: str, day: str, hour: int, instant: str) -> None:
    daily = schedule(timezone, None, hour, daily=True)
    due = daily.next(at_hour(date.fromisoformat(day), 0, timezone) - timedelta(hours=2))
    while due and due.astimezone(ZoneInfo(timezone)).date() < date.fromisoformat(day):
        due = daily.next(due)
    assert due == utc(instant)


def test_a_day_that_was_left_out_has_no_digest_and_costs_none() -> None:
    """Samoa went from Thursday, 29 December 2011, to Saturday."""
    daily, now, names = schedule("Pacific/Apia", None, 9, daily=True), utc("2011-12-28T00:00"), []
    for _ in range(5):
        now = daily.next(now) or now
        names += [due.period.name for due in daily.overdue(now, now)]
    assert names == ["2011-12-27", "2011-12-28", "2011-12-29", "2011-12-31", "2012-01-01"]


def test_a_time_zone_that_changes_neither_repeats_nor_loses_a_week() -> None:
    """What was sent is known by the week's name, whichever zone it was counted in."""
    sent: dict[str, datetime] = {}
    now = utc("2026-11-01T00:00")
    for zone in ("Asia/Seoul", "America/Los_Angeles", "Pacific/Kiritimati", "Asia/Seoul", "Pacific/Niue", "UTC"):
        set_at, now = now, schedule(zone).next(now) or now
        for due in schedule(zone).overdue(set_at + timedelta(microseconds=1), now):
            sent.setdefault(due.period.name, due.at)
    assert list(sent) == ["2026-W44", "2026-W45", "2026-W46"]


@given(SCHEDULES, MOMENTS)
@example(schedule("Pacific/Apia", 4, 9, daily=True), utc("2011-12-29T12:00"))
@example(schedule("Pacific/Kwajalein", 5, 0, daily=True), utc("1993-08-20T00:00"))
def test_every_period_is_due_once_after_it_is_over_at_its_hour(of: Schedule, begin: datetime) -> None:
    now, found = begin, list[Due]()
    for _ in range(12):
        following = of.next(now)
        if following is None:
            assert of.weekday is None and not of.daily
            return
        assert now < following
        assert of.overdue(now + timedelta(microseconds=1), following - timedelta(microseconds=1)) == []
        dues = of.overdue(following, following)
        assert dues and all(due.at == following for due in dues)
        found += dues
        now = following
    assert of.overdue(begin + timedelta(microseconds=1), now) == [
        last for kind in Kind if (last := next((due for due in reversed(found) if due.kind is kind), None))
    ]
    for kind in (Kind.WEEK, Kind.DAY):
        some = [due for due in found if due.kind is kind]
        for due in some:
            assert due.period.end <= due.at
            zone = ZoneInfo(of.timezone)
            local = due.at.astimezone(zone)
            on = due.period.until + timedelta(days=(of.weekday or 0) if kind is Kind.WEEK else 0)
            wall = datetime.combine(on, time(of.hour))
            if wall.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) == wall:
                assert (local.replace(tzinfo=None), local.fold) == (wall, 0)
            else:  # the clocks skipped it
                assert wall < local.replace(tzinfo=None) <= wall + timedelta(days=1)
        for before, after in itertools.pairwise(some):
            skipped = after.period.start - before.period.end
            assert skipped == timedelta(0), "no period is left out, and none comes twice"
