"""How much came in."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many message revisions were kept and settled in a period."""

    kept: int
    settled: int
