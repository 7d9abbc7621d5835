"""Incidents by what they have in common (a rule, a channel, an author) -> lines, the longest first."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row of a ranking. `whole` is out of how many messages, where that is known."""

    name: str
    incidents: tuple[int, ...]
    before: int | None = None
    whole: int | None = None

    @property
    def count(self) -> int:
        return len(self.incidents)


def ranking(
    pairs: Iterable[tuple[str, int]], before: Mapping[str, int] | None = None, *, whole: Mapping[str, int] | None = None
) -> tuple[Line, ...]:
    """The longest line first; names that only `before` or `whole` knows come with no incidents."""
    found: dict[str, list[int]] = {name: [] for name in (*(before or ()), *(whole or ()))}
    for name, number in pairs:
        found.setdefault(name, []).append(number)
    lines = (
        Line(
            name=name,
            incidents=tuple(numbers),
            before=None if before is None else before.get(name, 0),
            whole=None if whole is None else whole.get(name, 0),
        )
        for name, numbers in found.items()
    )
    return tuple(sorted(lines, key=lambda line: (-line.count, -(line.before or 0), -(line.whole or 0), line.name)))
