"""What is linear: lessons come in, and the fast half of the guard or another candidate goes out, with one output a kind
over hashed n-grams of characters or of jamo, or over the mean of static embeddings."""

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.guards.embedded.features import hashed
from adapters.guards.embedded.ngrams import Ngrams
from adapters.guards.embedded.reading import reading
from adapters.guards.embedded.training.corpora import HEADS, Lesson, said

#: texts -> (texts, heads) logits
Judge = Callable[[Sequence[str]], NDArray[np.float64]]
INVERSE_PENALTY = 4.0
ON_NEWS = ("kmhas_valid", "beep_train")
RATHER = (
    0.5  # in doubt a text is a comment: what their model knows of rudeness is worth more there than it costs in chat
)
CHUNK = 2_000  # texts whose n-grams are sorted at once
BITS = 18  # log2 of the number of buckets of each table: of 21 no more is known, and the file is small


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
    """A judge that knows nothing of the heads that no lesson, or every one, speaks of."""
    fits = dict(_fits(lessons, look, heads))

    def judge(texts: Sequence[str]) -> NDArray[np.float64]:
        seen, logits = look(texts), np.full((len(texts), len(HEADS)), -10.0)
        for column, fit in fits.items():
            logits[:, column] = fit.decision_function(seen)
        return logits

    return judge


def learned(lessons: Sequence[Lesson], heads: Sequence[str], comments: Sequence[Lesson]) -> Ngrams:
    """The fast half as it ships, each weight one of 255 steps: the heads, and behind them whether a text reads like a
    comment on news rather than like chat, of both of which are in `comments`."""
    from sklearn.linear_model import LogisticRegression

    on_news = [one.source in ON_NEWS for one in comments]
    like_comment = LogisticRegression(C=INVERSE_PENALTY, solver="liblinear", tol=0.01, random_state=0)
    like_comment.fit(jamo([one.text for one in comments]), on_news)
    fits = [*(fit for _, fit in _fits(lessons, jamo, heads)), like_comment]
    exact = np.stack([fit.coef_[0] for fit in fits], axis=1)
    scale, bias = np.abs(exact).max(axis=0) / 127, np.array([fit.intercept_[0] for fit in fits])
    bias[-1] += RATHER
    return Ngrams(np.rint(exact / scale).astype(np.int8), scale, bias)


def _fits(
    lessons: Sequence[Lesson], look: Callable[[Sequence[str]], Any], heads: Sequence[str]
) -> Iterator[tuple[int, Any]]:
    """(column, logistic regression) of each head, over the lessons that say something of it."""
    from sklearn.linear_model import LogisticRegression

    table, wanted = look([one.text for one in lessons]), said(lessons)
    for column, head in enumerate(HEADS):
        known = ~np.isnan(wanted[:, column])
        if head in heads and len(set(wanted[known, column])) == 2:
            fit = LogisticRegression(C=INVERSE_PENALTY, solver="liblinear", tol=0.01, random_state=0)
            yield column, fit.fit(table[np.flatnonzero(known)], wanted[known, column])


def _hashed(texts: Sequence[str]) -> Any:
    from scipy import sparse

    parts = []
    for start in range(0, len(texts), CHUNK):
        row, bucket, size = hashed(texts[start : start + CHUNK], BITS)
        values = (1 / np.sqrt(size))[row]
        starts = np.concatenate([[0], np.cumsum(size)])
        parts.append(sparse.csr_matrix((values, bucket, starts), shape=(len(size), 1 << BITS)))
    return sparse.vstack(parts, "csr")
