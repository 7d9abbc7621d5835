"""How the two halves of the guard become one: their logits for lines that neither has learned from come in; the weight
of each half, and what the fast one may settle alone, go out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.guards.embedded.kinds import KindModel
from adapters.guards.embedded.ngrams import Ngrams
from adapters.guards.embedded.training.corpora import KINDS

#: Of the lines that both halves find harmful, the share that the fast one may settle as innocent.
MISSED = 0.005


@dataclass(frozen=True, slots=True)
class Fit:
    both: NDArray[np.float64]  # (3, heads) encoder, n-grams, offset
    alone: NDArray[np.float64]  # (2, heads) n-grams, offset
    sure: float


def fitted(thorough: NDArray[np.float64], quick: NDArray[np.float64], true: NDArray[np.float32]) -> Fit:
    """One logistic regression a head. All three: (lines, heads)"""
    from sklearn.linear_model import LogisticRegression

    heads = quick.shape[1]
    both, alone = np.zeros((3, heads)), np.zeros((2, heads))
    for column, wanted in enumerate(true[:, :heads].T):
        pair = np.stack([thorough[:, column], quick[:, column]], axis=1)
        for into, seen in ((both, pair), (alone, pair[:, 1:])):
            fit = LogisticRegression(C=1e3).fit(seen, wanted)
            into[:, column] = [*fit.coef_[0], fit.intercept_[0]]
    joined = both[0] * thorough + both[1] * quick + both[2]
    harm = true[:, 0] == 1
    caught = harm & (joined[:, 0] > 0)
    alone_harm = (alone[0] * quick + alone[1])[:, : 1 + len(KINDS)].max(axis=1)
    sure = float(np.quantile(alone_harm[caught], MISSED))
    return Fit(both, alone, 1 / (1 + float(np.exp(-sure))))


def save(path: Path, ngrams: Ngrams, fit: Fit, heads: Sequence[str], about: Mapping[str, Any]) -> None:
    """Writes the same bytes for the same numbers."""
    notes = {**about, "heads": list(heads), "kinds": list(KINDS), "sure": fit.sure}
    with path.open("wb") as file:
        np.savez_compressed(
            file,
            weights=ngrams.weights,
            scale=ngrams.scale,
            bias=ngrams.bias,
            both=fit.both,
            alone=fit.alone,
            about=np.array(json.dumps(notes, ensure_ascii=False, sort_keys=True)),
        )
    KindModel.load(path, encoder=False)
