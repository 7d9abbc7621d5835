"""The phrases that show what a guard sees through and what it leaves alone: what scores them comes in, the rate per
trick goes out."""

import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_PHRASES = tomllib.loads((Path(__file__).parent / "phrases.toml").read_text("utf-8"))

#: The phrases that may never go wrong: caught, left alone.
MUST_CATCH: tuple[str, ...] = tuple(_PHRASES["must_catch"])
MUST_LEAVE: tuple[str, ...] = tuple(_PHRASES["must_leave"])


@dataclass(frozen=True, slots=True)
class TrickRate:
    """How one group of phrases fared at a threshold."""

    kind: Literal["evasive", "innocent"]
    trick: str
    right: int
    total: int
    wrong: tuple[tuple[str, float], ...]  # (phrase, probability), worst first

    @property
    def rate(self) -> float:
        return self.right / self.total


def phrase_rates(harm: Callable[[Sequence[str]], Iterable[float]], flag: float) -> list[TrickRate]:
    """The rate of every trick: evasive phrases at or above the probability `flag`, innocent ones below it."""
    kinds: tuple[Literal["evasive", "innocent"], ...] = ("evasive", "innocent")
    rates = []
    for kind in kinds:
        for trick, phrases in _PHRASES[kind].items():
            judged = zip(phrases, harm(phrases), strict=True)
            wrong = [(phrase, found) for phrase, found in judged if (found >= flag) != (kind == "evasive")]
            wrong.sort(key=lambda pair: pair[1], reverse=kind == "innocent")
            rates.append(TrickRate(kind, trick, len(phrases) - len(wrong), len(phrases), tuple(wrong)))
    return rates
