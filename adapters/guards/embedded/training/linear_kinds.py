"""The candidates that are linear: lessons come in, and a judge of texts goes out, with one output a kind over hashed
n-grams of characters or of jamo, or over the mean of static embeddings."""

import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.guards.embedded.features import BITS, features
from adapters.guards.embedded.reading import reading
from adapters.guards.embedded.training.corpora import HEADS, Lesson, said

#: texts -> (texts, heads) logits
Judge = Callable[[Sequence[str]], NDArray[np.float64]]
INVERSE_PENALTY = 4.0


def ngrams(texts: Sequence[str]) -> Any:
    """(texts, buckets) n-grams of one to four characters."""
    return _hashed([reading(text) for text in texts])


def jamo(texts: Sequence[str]) -> Any:
    """(texts, buckets) n-grams of characters, and beside them those of jamo: two to four letters of a syllable."""
    from scipy import sparse

    read = [reading(text) for text in texts]
    apart = [unicodedata.normalize("NFD", text) for text in read]
    return sparse.hstack([_hashed(read), _hashed(apart)], "csr")


def taught(lessons: Sequence[Lesson], look: Callable[[Sequence[str]], Any], heads: Sequence[str] = HEADS) -> Judge:
    """One logistic regression a head, over the lessons that say something of it."""
    from sklearn.linear_model import LogisticRegression

    table, wanted = look([one.text for one in lessons]), said(lessons)
    fits: dict[int, Any] = {}
    for column, head in enumerate(HEADS):
        known = ~np.isnan(wanted[:, column])
        if head in heads and len(set(wanted[known, column])) == 2:
            fit = LogisticRegression(C=INVERSE_PENALTY, solver="liblinear", tol=0.01, random_state=0)
            fits[column] = fit.fit(table[np.flatnonzero(known)], wanted[known, column])

    def judge(texts: Sequence[str]) -> NDArray[np.float64]:
        seen, logits = look(texts), np.full((len(texts), len(HEADS)), -10.0)
        for column, fit in fits.items():
            logits[:, column] = fit.decision_function(seen)
        return logits

    return judge


def _hashed(texts: Sequence[str]) -> Any:
    from scipy import sparse

    seen = features(texts)
    values = (1 / np.sqrt(np.maximum(seen.size, 1)))[seen.row]
    starts = np.concatenate([[0], np.cumsum(seen.size)])
    return sparse.csr_matrix((values, seen.bucket, starts), shape=(len(texts), 1 << BITS))
