"""What platforms are said to do and nobody has confirmed -> what was seen when it was tried, in figures."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

#: Somebody is asked to do something (selftest.ask.…) -> what they type when it is done; None: they will not.
Ask = Callable[[str], Awaitable[str | None]]


class Outcome(StrEnum):
    AS_WRITTEN = "as_written"
    OTHERWISE = "otherwise"
    NOT_TRIED = "not_tried"


@dataclass(frozen=True, slots=True)
class Tried:
    """`fact`: its number; selftest.fact.NUMBER says what it is. `seen`: counts, seconds, statuses, by name."""

    fact: str
    outcome: Outcome
    seen: Mapping[str, float | bool] = field(default_factory=dict)

    @classmethod
    def found(cls, fact: str, as_written: bool, **seen: float | bool) -> "Tried":
        return cls(fact, Outcome.AS_WRITTEN if as_written else Outcome.OTHERWISE, seen)
