"""What the embedded model looks at: a text comes in, the rows to be judged go out, and a batch of rows becomes hashed
character n-grams and a count per group of the lexicon. Training and judging share this file."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.core.text.views import canonical, readings, views

BITS = 21  # log2 of the number of buckets
ORDERS = 4  # n-grams of 1..ORDERS characters
WINDOW, STRIDE = 200, 150  # characters; the training texts are comments of 35 on average, 300 at most

LONGEST = 12  # characters of a word, or a part of one, that is shown as a reason
FAINT = 0.33

_WORD = re.compile(r"\S{2,}")  # one syllable alone tells nobody anything
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_FINALISER = np.uint64(0xBF58476D1CE4E5B9)

_LEXICON = tomllib.loads((Path(__file__).parent / "lexicon.toml").read_text("utf-8"))


def _any_of(words: Sequence[str]) -> re.Pattern[str]:
    longest_first = sorted(set(words), key=lambda word: (-len(word), word))
    return re.compile("|".join(re.escape(word).replace(r"\ ", " ?") for word in longest_first))


STEMS = {group: _any_of(words) for group, words in _LEXICON["stems"].items()}
_ANY_STEM = _any_of([word for words in _LEXICON["stems"].values() for word in words])
_INNOCENT = _any_of(_LEXICON["innocent"]["words"])
_UNREAD = "□"  # stands where an innocent word stood


def lessons() -> Iterator[tuple[str, bool]]:
    """What the lexicon teaches, as (text, harmful): stems that occur in no corpus, people who are only named."""
    for group in ("profanity", "insult"):
        yield from ((word, True) for word in _LEXICON["stems"][group])
    mentions = _LEXICON["mentions"]
    yield from ((sentence.format(name), False) for name in mentions["names"] for sentence in mentions["sentences"])


@dataclass(frozen=True, slots=True)
class Row:
    """One reading of one window of a text: what the model scores."""

    window: int
    view: str
    text: str


def rows(text: str) -> Iterator[Row]:
    """Every view of every window of every reading of `text`; the worst row speaks for the text."""
    for window, piece in windows(text, WINDOW, STRIDE):
        for view, reading in views(piece):
            yield Row(window, view, read(reading))


def windows(text: str, size: int, stride: int) -> Iterator[tuple[int, str]]:
    """(place, piece) of every reading of `text`: overlapping pieces of at most `size` characters, all of it."""
    for one in map(canonical, readings(text)):
        last = max(len(one) - size, 0)
        for place, start in enumerate(range(0, last + stride, stride) if last else (0,)):
            yield place, one[start : start + size]


def read(reading: str) -> str:
    """A reading without the ordinary words that only look bad."""
    return _INNOCENT.sub(_UNREAD, reading)


@dataclass(frozen=True, slots=True)
class Features:
    """Distinct n-grams of n rows: `row[i]` holds the n-gram of bucket `bucket[i]`; ordered by row, then bucket."""

    row: NDArray[np.int64]
    bucket: NDArray[np.int64]
    size: NDArray[np.int64]  # (n,) distinct n-grams of each row
    stems: NDArray[np.float32]  # (n, groups) 1 where the row holds a stem of the group


def features(texts: Sequence[str]) -> Features:
    row, bucket, size = hashed(texts, BITS)
    return Features(row, bucket, size, _stems(texts))


def hashed(texts: Sequence[str], bits: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The distinct n-grams of n rows in 2 ** bits buckets: row, bucket, and (n,) how many there are of each row."""
    keys = np.sort(
        np.concatenate([np.zeros(0, np.int64), *(row << bits | at for row, at, _, _ in _grams(texts, bits))])
    )
    distinct = keys[np.diff(keys, prepend=-1) > 0]  # numpy's own `unique` hashes first, and takes four times as long
    row = distinct >> bits
    return row, distinct & (1 << bits) - 1, np.bincount(row, minlength=len(texts))


def heaviest(text: str, weights: NDArray[Any], most: int, bits: int = BITS) -> list[str]:
    """The words of one row that speak for harm, the loudest first; of one longer than LONGEST the part that does.
    `weights`: (buckets,). An n-gram's weight is that of its characters, each its part; what says less than a FAINT part
    of the loudest word is left out."""
    padded = f" {text} "
    loud = np.zeros(len(padded))
    for _, bucket, start, order in _grams([text], bits):
        for nth in range(order):
            np.add.at(loud, start + nth, weights[bucket] / order)
    said = []
    for word in _WORD.finditer(padded):
        begin, end = word.span() if len(word[0]) <= LONGEST else _loudest(loud, *word.span())
        before, after = "…" * (begin > word.start()), "…" * (end < word.end())
        said.append((float(loud[begin:end].sum()), f"{before}{padded[begin:end]}{after}"))
    said.sort(key=lambda one: -one[0])
    return [word for weight, word in said[:most] if weight > FAINT * said[0][0] > 0]


def _loudest(loud: NDArray[np.float64], begin: int, end: int) -> tuple[int, int]:
    """The run of at most LONGEST characters between two places that weighs most."""
    sums = np.convolve(loud[begin:end], np.ones(LONGEST), "valid")
    begin += int(sums.argmax())
    return begin, begin + LONGEST


def _grams(
    texts: Sequence[str], bits: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], int]]:
    """(row, bucket, start, order) of every n-gram, order by order; a row is padded with one space on both sides."""
    if not texts:
        return
    padded = [f" {text} " for text in texts]
    lengths = np.array([len(text) for text in padded])
    codes = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    row = np.repeat(np.arange(len(texts)), lengths)
    left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(codes))  # characters to the end of the row
    state = np.zeros(len(codes), np.uint64)
    for order in range(1, ORDERS + 1):
        state = (state[: len(codes) - order + 1] ^ codes[order - 1 :]) * _MULTIPLIER
        state ^= state >> np.uint64(29)
        starts = np.flatnonzero(left[: len(state)] >= order)
        bucket = (state[starts] * _FINALISER >> np.uint64(64 - bits)).astype(np.int64)
        yield row[starts], bucket, starts, order


def _stems(texts: Sequence[str]) -> NDArray[np.float32]:
    found = np.zeros((len(texts), len(STEMS)), np.float32)
    for index, text in enumerate(texts):
        if _ANY_STEM.search(text):
            found[index] = [pattern.search(text) is not None for pattern in STEMS.values()]
    return found
