"""The fast half of the guard: texts as they read come in, one logit a head goes out, from hashed n-grams of their
characters and of their jamo."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adapters.guards.embedded.features import hashed, heaviest

TOGETHER = 256  # readings: a text as long as a book is no reason for hundreds of megabytes


@dataclass(frozen=True, slots=True, eq=False)
class Ngrams:
    """logit(text, head) = scale * (the sum of the text's weights over the root of how many there are, characters and
    jamo each by themselves) + bias."""

    weights: NDArray[np.int8]  # (2 * 2 ** bits, heads): of characters, then of jamo
    scale: NDArray[np.float64]  # (heads,)
    bias: NDArray[np.float64]  # (heads,)

    @property
    def bits(self) -> int:
        return len(self.weights).bit_length() - 2

    def logits(self, read: Sequence[str]) -> NDArray[np.float64]:
        """(texts, heads)"""
        logits = np.zeros((len(read), len(self.bias)))
        for start in range(0, len(read), TOGETHER):
            some = read[start : start + TOGETHER]
            apart = [unicodedata.normalize("NFD", text) for text in some]
            logits[start : start + TOGETHER] = self._sums(some, 0) + self._sums(apart, 1)
        return logits * self.scale + self.bias

    def _sums(self, texts: Sequence[str], table: int) -> NDArray[np.float64]:
        row, bucket, size = hashed(texts, self.bits)
        first = np.searchsorted(row, np.arange(len(texts)))  # a row has at least the space around it
        sums = np.add.reduceat(self.weights[bucket + (table << self.bits)], first, axis=0, dtype=np.int32)
        return np.asarray(sums / np.sqrt(size)[:, None])

    def evidence(self, read: str, head: int, most: int = 3) -> tuple[str, ...]:
        """The pieces of a text that weighed most for a head."""
        return tuple(dict.fromkeys(heaviest(read, self.weights[:, head], most, self.bits)))
