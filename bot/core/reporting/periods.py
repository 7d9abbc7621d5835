"""A day, week, month or range of a community's own calendar -> the two instants that bound it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
_LONGEST = timedelta(days=3660)  # that anybody asks for: more would be all work and no news
_DATE = r"2\d{3}-\d{2}-\d{2}"


class Span(StrEnum):
    DAY = "day"
    WEEK = "week"  # Monday to Sunday, numbered as ISO 8601 does
    MONTH = "month"
    RANGE = "range"


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Whole calendar days, `first` <= day < `until`, as they begin in `timezone` (an IANA name). `name` says which
    days they are, whatever the time zone: "2026-11-23", "2026-W48", "2026-11", "2026-11-01..2026-11-15"."""

    span: Span
    first: date
    until: date
    timezone: str

    def __post_init__(self) -> None:
        if self.first >= self.until:
            raise ValueError("A period has at least one day.")

    @property
    def name(self) -> str:
        match self.span:
            case Span.DAY:
                return self.first.isoformat()
            case Span.WEEK:
                year, week, _ = self.first.isocalendar()
                return f"{year}-W{week:02}"
            case Span.MONTH:
                return f"{self.first:%Y-%m}"
            case Span.RANGE:
                return f"{self.first}..{self.until - _DAY}"

    @property
    def start(self) -> datetime:
        """UTC; the period is start <= t < end."""
        return midnight(self.first, self.timezone)

    @property
    def end(self) -> datetime:
        return midnight(self.until, self.timezone)

    @property
    def last(self) -> date:
        return self.until - _DAY

    def days(self) -> Iterator[date]:
        return (self.first + index * _DAY for index in range((self.until - self.first).days))

    def before(self) -> "Period":
        """The period of the same kind that ends where this one begins."""
        last = self.first - _DAY
        match self.span:
            case Span.DAY:
                return day(last, self.timezone)
            case Span.WEEK:
                return week(last, self.timezone)
            case Span.MONTH:
                return month(last, self.timezone)
            case Span.RANGE:
                return days(self.first - (self.until - self.first), last, self.timezone)


def day(of: date, timezone: str) -> Period:
    return Period(span=Span.DAY, first=of, until=of + _DAY, timezone=timezone)


def week(of: date, timezone: str) -> Period:
    """The ISO week that holds a day."""
    monday = of - of.weekday() * _DAY
    return Period(span=Span.WEEK, first=monday, until=monday + 7 * _DAY, timezone=timezone)


def month(of: date, timezone: str) -> Period:
    first = of.replace(day=1)
    return Period(span=Span.MONTH, first=first, until=(first + 31 * _DAY).replace(day=1), timezone=timezone)


def days(first: date, last: date, timezone: str) -> Period:
    """Both days included."""
    return Period(span=Span.RANGE, first=first, until=last + _DAY, timezone=timezone)


def parse(name: str, timezone: str) -> Period:
    """The period of a `Period.name`, in the years 2000 to 2999; a range may have a ~ for its dots. Raises ValueError
    where there is none (2027-W53, 2026-02-30)."""
    if match := re.fullmatch(r"(2\d{3})-W(\d{2})", name):
        return week(date.fromisocalendar(int(match[1]), int(match[2]), 1), timezone)
    if re.fullmatch(r"2\d{3}-\d{2}", name):
        return month(date.fromisoformat(f"{name}-01"), timezone)
    if re.fullmatch(_DATE, name):
        return day(date.fromisoformat(name), timezone)
    match = re.fullmatch(rf"({_DATE})(?:\.\.|~)({_DATE})", name)
    first, last = map(date.fromisoformat, match.groups()) if match else (date.max, date.min)
    if not timedelta(0) <= last - first < _LONGEST:
        raise ValueError(f"not a period: {name!r}")
    return days(first, last, timezone)


def latest(span: Span, now: datetime, timezone: str) -> Period:
    """The last day, week or month that is over at `now`."""
    return current(span, now, timezone).before()


def current(span: Span, now: datetime, timezone: str) -> Period:
    """The day, week or month that it is at `now`."""
    today = now.astimezone(ZoneInfo(timezone)).date()
    match span:
        case Span.DAY:
            return day(today, timezone)
        case Span.WEEK:
            return week(today, timezone)
        case Span.MONTH:
            return month(today, timezone)
        case Span.RANGE:
            raise ValueError("A range has no latest one.")


@lru_cache(maxsize=4096)
@lru_cache(maxsize=4096)
def at_hour(of: date, hour: int, timezone: str) -> datetime:
    """When a clock on the wall there shows `hour` for the first time that day, as UTC. An hour that the clocks skip
    counts as far from UTC as the hour before (PEP 495, fold=0), so it comes out just after the change."""
    return datetime.combine(of, time(hour), ZoneInfo(timezone)).astimezone(UTC)


def midnight(of: date, timezone: str) -> datetime:
    """When a day begins there, as UTC: also where the clocks change at midnight, or a whole day is left out."""
    return at_hour(of, 0, timezone)
