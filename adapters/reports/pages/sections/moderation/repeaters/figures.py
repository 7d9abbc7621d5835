"""Incidents -> the members who had several."""

from collections.abc import Iterable

from bot.core.reporting.figures import Entry
from bot.core.reporting.rankings import Line, ranking


def repeaters(entries: Iterable[Entry]) -> tuple[Line, ...]:
    """Members with more than one incident that no moderator called wrong."""
    theirs = ((entry.author, entry.id) for entry in entries if not entry.bot and not entry.is_overturned)
    return tuple(line for line in ranking(theirs) if line.count > 1)
