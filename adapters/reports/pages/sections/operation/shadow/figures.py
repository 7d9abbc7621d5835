"""Incidents -> what rules in shadow mode would have caught."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from bot.core.reporting.figures import Entry
from bot.core.reporting.rankings import Line, ranking


def shadow(entries: Sequence[Entry]) -> tuple[Line, ...]:
    """`whole`: how many of it no live rule did."""
    lines = ranking((name, entry.id) for entry in entries for name in entry.shadow)
    alone = Counter(name for entry in entries if not entry.rule for name in entry.shadow)
    return tuple(replace(line, whole=alone[line.name]) for line in lines)
