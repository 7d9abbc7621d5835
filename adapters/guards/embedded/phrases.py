"""The phrases that show what the guard sees through and what it leaves alone: a guard comes in, the rate per trick
goes out."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from adapters.guards.embedded.guard import EmbeddedGuard

_PHRASES = tomllib.loads((Path(__file__).parent / "phrases.toml").read_text("utf-8"))

#: The phrases that may never go wrong: caught, left alone.
MUST_CATCH: tuple[str, ...] = tuple(_PHRASES["must_catch"])
MUST_LEAVE: tuple[str, ...] = tuple(_PHRASES["must_leave"])


@dataclass(frozen=True, slots=True)
class TrickRate:
    """How one group of phrases fared at the guard's flag threshold."""

    kind: Literal["evasive", "innocent"]
    trick: str
    right: int
    total: int
    wrong: tuple[tuple[str, float], ...]  # (phrase, probability), worst first

    @property
    def rate(self) -> float:
        return self.right / self.total


def phrase_rates(guard: EmbeddedGuard) -> list[TrickRate]:
    """The rate of every trick: evasive phrases at or above the flag threshold, innocent ones below it."""
    return [_rate(guard, "evasive", trick, phrases) for trick, phrases in _PHRASES["evasive"].items()] + [
        _rate(guard, "innocent", trick, phrases) for trick, phrases in _PHRASES["innocent"].items()
    ]


def _rate(guard: EmbeddedGuard, kind: Literal["evasive", "innocent"], trick: str, phrases: list[str]) -> TrickRate:
    flag = guard.thresholds["flag"]
    judged = [(p, score.probability) for p, score in zip(phrases, guard.model.score(phrases), strict=True)]
    wrong = [(p, probability) for p, probability in judged if (probability >= flag) != (kind == "evasive")]
    wrong.sort(key=lambda pair: pair[1], reverse=kind == "innocent")
    return TrickRate(kind, trick, len(phrases) - len(wrong), len(phrases), tuple(wrong))
