"""A report -> its incidents by weekday and hour."""

from collections.abc import Sequence

from bot.core.reporting.report import Report


def incidents_by_hour(report: Report) -> Sequence[Sequence[tuple[int, ...]]]:
    """7 rows from Monday, 24 hours each: which incidents were decided then."""
    grid: list[list[list[int]]] = [[[] for _ in range(24)] for _ in range(7)]
    for entry in report.live:
        moment = report.local(entry.decided_at)
        grid[moment.weekday()][moment.hour].append(entry.id)
    return [[tuple(numbers) for numbers in row] for row in grid]
