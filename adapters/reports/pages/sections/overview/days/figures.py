"""A report -> its incidents by day."""

from collections.abc import Mapping
from datetime import date

from bot.core.reporting.report import Report


def incidents_by_day(report: Report) -> Mapping[date, tuple[int, ...]]:
    """By the day of the decision, for every day of the period."""
    found: dict[date, list[int]] = {of: [] for of in report.period.days()}
    for entry in report.live:
        found[report.local(entry.decided_at).date()].append(entry.id)
    return {of: tuple(numbers) for of, numbers in found.items()}
