"""The embedded model as numbers: the shipped file comes in, and texts become calibrated probabilities of harm."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from math import exp
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.guards.embedded.features import BITS, ORDERS, STEMS, Row, features, heaviest, rows

SHIPPED = Path(__file__).parent / "model.npz"

#: Characters scored in one go, every view of a text counted: about what keeps an event loop busy for ten milliseconds.
SLICE = 2_500


@dataclass(slots=True)
class Score:
    """What the model makes of one text so far: the logit of its worst row, and which row that is."""

    logit: float = -np.inf
    worst: Row | None = None
    windows: int = 0

    @property
    def probability(self) -> float:
        return 1 / (1 + exp(-self.logit)) if self.logit > -700 else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A linear model over hashed character n-grams and the groups of the lexicon.

    logit(row) = scale * sum of weights[bucket] / sqrt(distinct n-grams) + sum of stems[group found] + bias,
    already on the calibrated scale (Platt, fitted on predictions for texts that the model was not trained on).
    """

    weights: NDArray[np.int8]  # (2 ** BITS,)
    scale: float
    stems: NDArray[np.float32]  # (groups of the lexicon,)
    bias: float
    thresholds: dict[str, float]  # "flag", "delete": probabilities, chosen on the same predictions
    about: dict[str, Any]  # sources, licence, attribution
    revision: str = ""  # hash of the file

    @classmethod
    def load(cls, path: Path = SHIPPED) -> "Model":
        """Reads a model file. Raises OSError or ValueError for a file that is not one; never unpickles."""
        content = path.read_bytes()
        with np.load(BytesIO(content), allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            if about.get("bits") != BITS or about.get("orders") != ORDERS or about.get("stems") != list(STEMS):
                raise ValueError("the model file was trained for other features")
            return cls(
                weights=file["weights"],
                scale=float(file["scale"]),
                stems=file["stems"],
                bias=float(file["bias"]),
                thresholds=about["thresholds"],
                about=about,
                revision=sha256(content).hexdigest()[:12],
            )

    def save(self, path: Path) -> None:
        """Writes the same bytes for the same numbers."""
        about = self.about | {"bits": BITS, "orders": ORDERS, "stems": list(STEMS), "thresholds": self.thresholds}
        with path.open("wb") as file:
            np.savez_compressed(
                file,
                weights=self.weights,
                scale=np.float64(self.scale),
                stems=self.stems,
                bias=np.float64(self.bias),
                about=np.array(json.dumps(about, ensure_ascii=False, sort_keys=True)),
            )

    def logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """(n,) logits of n rows."""
        seen = features(texts)
        sums = np.bincount(seen.row, self.weights[seen.bucket], minlength=len(texts))
        stems = (seen.stems * self.stems).sum(axis=1, dtype=np.float64)
        return np.asarray(self.scale * sums / np.sqrt(np.maximum(seen.size, 1)) + stems + self.bias)

    def steps(self, texts: Sequence[str], scores: list[Score]) -> Iterator[None]:
        """Appends one score a text to `scores`, and stops for breath after every slice of work."""
        scores += (Score() for _ in texts)
        waiting: list[tuple[int, Row]] = []
        size = 0
        for index, row in ((index, row) for index, text in enumerate(texts) for row in rows(text)):
            waiting.append((index, row))
            size += len(row.text)
            if size >= SLICE or len(waiting) >= SLICE // 20:
                self._settle(waiting, scores)
                waiting, size = [], 0
                yield
        self._settle(waiting, scores)

    def _settle(self, waiting: Sequence[tuple[int, Row]], scores: list[Score]) -> None:
        logits = self.logits([row.text for _, row in waiting])
        for (index, row), logit in zip(waiting, logits.tolist(), strict=True):
            score = scores[index]
            score.windows = max(score.windows, row.window + 1)
            if score.worst is None or logit > score.logit:
                score.logit, score.worst = logit, row

    def score(self, texts: Sequence[str]) -> list[Score]:
        """One score a text, in order, without a break."""
        scores: list[Score] = []
        for _ in self.steps(texts, scores):
            pass
        return scores

    def evidence(self, row: Row, most: int = 3) -> tuple[str, ...]:
        """The pieces of a row that weighed most, each with the view it was read in: "시발 (opened)"."""
        stems = ((group, stem.search(row.text)) for group, stem in STEMS.items())
        pieces = [f"{match[0]} ({group}, {row.view})" for group, match in stems if match]
        pieces += [f"{gram} ({row.view})" for gram in heaviest(row.text, self.weights, most - len(pieces))]
        return tuple(dict.fromkeys(pieces))[:most]
