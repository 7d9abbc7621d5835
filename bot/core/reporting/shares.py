"""Numbers beside others: how one has changed, how much of another it is, which is in the middle; small numbers make no
percentages."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from bot.core.evaluation.measures import Interval

#: Of fewer cases than this no percentage is made.
MEANINGFUL = 20

_Z = 1.959963984540054  # 97.5 % of the standard normal distribution lies below


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
        return round(100 * self.difference / self.before) if self.before and self.before >= MEANINGFUL else None


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
        """In percent (Wilson 1927, JASA 22:209)."""
        if self.whole < MEANINGFUL:
            return None
        share, weight = self.part / self.whole, _Z**2 / self.whole
        middle = (share + weight / 2) / (1 + weight)
        spread = _Z * math.sqrt(share * (1 - share) / self.whole + weight / (4 * self.whole)) / (1 + weight)
        return Interval(100 * max(0.0, middle - spread), 100 * min(1.0, middle + spread))


def middle(durations: Iterable[timedelta]) -> timedelta:
    """The median; of none there is none, and statistics.StatisticsError says so."""
    return timedelta(seconds=median(duration.total_seconds() for duration in durations))
