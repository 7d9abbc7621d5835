"""When a community wants which report -> the instants at which they are due, whatever the clocks there do."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from zoneinfo import ZoneInfo

from bot.core.reporting.periods import Period, at_hour, day, week

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_DAY = timedelta(days=1)
_LOOK_BACK = timedelta(days=21)  # further back than the longest way from a week to the day of its report


class Kind(StrEnum):
    WEEK = "week"
    DAY = "day"
    ALERT = "alert"  # not by the clock: a burst of incidents asks for it
    WAITING = "waiting"  # no report, but a word: cases wait for a call


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """The report on `period` is due at `at` (UTC), once its last day is over."""

    kind: Kind
    period: Period
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """So many `incidents` within `within` are news, and the next burst is again, `apart` later at the earliest.
    0 incidents: no burst is."""

    incidents: int
    within: timedelta
    apart: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """`weekday` counts from Monday, 0; None: no weekly report. An hour that the clocks skip counts as the hour after,
    one that comes twice as the first."""

    timezone: str
    weekday: int | None
    hour: int
    daily: bool
    burst: Burst

    def next(self, after: datetime) -> datetime | None:
        """The first instant after `after` at which anything is due; None: nothing ever is."""
        firsts = (next(due.at for due in self._dues(kind, after) if due.at > after) for kind in self._kinds)
        return min(firsts, default=None)

    def overdue(self, since: datetime, now: datetime) -> list[Due]:
        """What has come due in since <= t <= now. Of each kind the last: several that were missed count as one."""
        found = []
        for kind in self._kinds:
            for due, following in pairwise(self._dues(kind, now)):
                if following.at > now:
                    found += [due] if since <= due.at <= now else []
                    break
        return found

    @property
    def _kinds(self) -> tuple[Kind, ...]:
        weekly = () if self.weekday is None else (Kind.WEEK,)
        return (*weekly, Kind.DAY) if self.daily else weekly

    def _dues(self, kind: Kind, around: datetime) -> Iterator[Due]:
        """In order, from some time before `around` on, without end."""
        first = (around - _LOOK_BACK).astimezone(ZoneInfo(self.timezone)).date()
        period = week(first, self.timezone) if kind is Kind.WEEK else day(first, self.timezone)
        while True:
            if period.start < period.end:  # a day that was left out of the calendar has no report
                on = period.until + (self.weekday or 0) * _DAY if kind is Kind.WEEK else period.until
                yield Due(kind=kind, period=period, at=at_hour(on, self.hour, self.timezone))
            period = week(period.until, self.timezone) if kind is Kind.WEEK else day(period.until, self.timezone)
