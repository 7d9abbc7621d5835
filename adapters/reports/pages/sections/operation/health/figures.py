"""A report's figures -> how fast decisions came, and what a cascade of guards may have missed."""

from bot.core.evaluation.measures import Interval
from bot.core.guarding.verdict import Route
from bot.core.reporting.figures import Figures
from bot.core.reporting.shares import Share


def latency(figures: Figures, quantile: float) -> float | None:
    """Milliseconds within which that share (0..1) of the messages was decided, rounded up to the bucket's edge."""
    left = quantile * sum(figures.latency.values())
    for edge, count in sorted(figures.latency.items()):
        left -= count
        if left <= 0:
            return edge
    return None


def unasked(figures: Figures) -> int:
    """Messages that the second of two guards never saw, because the first found them surely benign."""
    return figures.routes.get(Route.SKIPPED, 0)


def missed(figures: Figures) -> Share:
    """Of the sample of such messages that the second guard was asked about all the same: what it found harmful. A text
    that came again soon is in it once."""
    part = figures.routes.get(Route.MISSED, 0)
    return Share(part=part, whole=part + figures.routes.get(Route.CLEARED, 0))


def missed_unasked(figures: Figures) -> tuple[float, Interval] | None:
    """The estimate from that sample of how many of `unasked` the second guard would have found harmful, with its 95 %
    interval; None where the sample is too small."""
    sample = missed(figures)
    percent, interval = sample.percent, sample.interval
    if percent is None or interval is None:
        return None
    each = unasked(figures) / 100
    return each * percent, Interval(each * interval.low, each * interval.high)
