"""Numbers beside others: how one has changed, how much of another it is, which is in the middle; small numbers make no
percentages."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from statistics import median

from bot.core.evaluation.measures import Interval, wilson

#: Of fewer cases than this no percentage is made.
MEANINGFUL = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A number beside the one before it and the mean of the earlier ones; None where there is nothing to compare."""

    now: int
    before: int | None = None
    mean: float | None = None

    @property
    def difference(self) -> int:
        return 0 if self.before is None else self.now - self.before

    @property
    def percent(self) -> int | None:
        """None where the number before is too small for it."""
        if not self.before or self.before < MEANINGFUL:
            return None
        return int(half_up(100 * self.difference / self.before))


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """`part` of `whole`; as a percentage, with Wilson's 95 % interval, only where the whole is large enough."""

    part: int
    whole: int

    @property
    def percent(self) -> float | None:
        return 100 * self.part / self.whole if self.whole >= MEANINGFUL else None

    @property
    def interval(self) -> Interval | None:
        """In percent."""
        if self.whole < MEANINGFUL:
            return None
        interval = wilson(self.part, self.whole)
        return Interval(100 * interval.low, 100 * interval.high)


def half_up(value: float, digits: int = 0) -> Decimal:
    """Rounded as people do it: 360.5 is 361."""
    return Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def course(now: Share, before: Share) -> int:
    """1: more of it than before, -1: less, each beyond what chance does to such numbers; 0: neither can be said."""
    if now.interval is None or before.interval is None:
        return 0
    return (now.interval.low > before.interval.high) - (now.interval.high < before.interval.low)


def middle(durations: Iterable[timedelta]) -> timedelta:
    """The median; of none there is none, and statistics.StatisticsError says so."""
    return timedelta(seconds=median(duration.total_seconds() for duration in durations))
