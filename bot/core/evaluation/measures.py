"""How good a guard is: true labels and its scores in; precision, recall, AUROC, calibration and intervals out.

Plain Python, fast enough for tens of thousands of rows: every bootstrap resamples cells with equal rows, not rows.
Cell weights are drawn from a Dirichlet distribution over the cell counts, the Bayesian bootstrap (Rubin 1981, Annals of
Statistics 9:130), whose intervals agree with the ordinary bootstrap's; the AUROC has DeLong's interval (DeLong,
DeLong and Clarke-Pearson 1988, Biometrics 44:837). All intervals are at 95 %.
"""

import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

_Z = 1.959963984540054  # 97.5 % of the standard normal distribution lies below


@dataclass(frozen=True, slots=True)
class Interval:
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """Counts (or weights) of the four outcomes. A rate without any row under it is None."""

    true_positives: float
    false_positives: float
    false_negatives: float
    true_negatives: float

    @property
    def rows(self) -> float:
        return self.true_positives + self.false_positives + self.false_negatives + self.true_negatives

    @property
    def accuracy(self) -> float | None:
        return _ratio(self.true_positives + self.true_negatives, self.rows)

    @property
    def precision(self) -> float | None:
        return _ratio(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float | None:
        return _ratio(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def false_positive_rate(self) -> float | None:
        return _ratio(self.false_positives, self.false_positives + self.true_negatives)

    @property
    def f1(self) -> float | None:
        return _ratio(2 * self.true_positives, 2 * self.true_positives + self.false_positives + self.false_negatives)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A value and its 95 % interval; None where it is not defined on these rows."""

    value: float | None
    interval: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """Everything measured for one task of one guard on one set of rows."""

    counts: Confusion
    threshold: float
    precision: Measure
    recall: Measure
    false_positive_rate: Measure
    f1: Measure
    auroc: Measure
    calibration_error: Measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two guards on the same rows: which was right where the other was wrong, and the difference a minus b in F1."""

    only_a_right: int
    only_b_right: int
    mcnemar_p: float
    f1_difference: Measure


def confusion(truth: Iterable[bool], predicted: Iterable[bool]) -> Confusion:
    """Outcome counts of two equally long rows of labels. Raises ValueError where their lengths differ."""
    return _confusion(Counter(zip(map(bool, truth), map(bool, predicted), strict=True)))


def _confusion(cells: Mapping[tuple[bool, bool], float]) -> Confusion:
    return Confusion(
        true_positives=cells.get((True, True), 0),
        false_positives=cells.get((False, True), 0),
        false_negatives=cells.get((True, False), 0),
        true_negatives=cells.get((False, False), 0),
    )


def auroc(truth: Sequence[bool], scores: Sequence[float]) -> Measure:
    """The chance that a positive row scores above a negative one, ties counting half; DeLong's interval, cut to 0..1.
    Undefined without rows of both kinds; without an interval where one kind has a single row."""
    positives = sorted(score for label, score in zip(truth, scores, strict=True) if label)
    negatives = sorted(score for label, score in zip(truth, scores, strict=True) if not label)
    if not positives or not negatives:
        return Measure(value=None, interval=None)
    above = _share_below(positives, negatives)
    below = [1 - share for share in _share_below(negatives, positives)]
    value = math.fsum(above) / len(above)
    if len(positives) < 2 or len(negatives) < 2:
        return Measure(value=value, interval=None)
    spread = _Z * math.sqrt(_variance(above) / len(above) + _variance(below) / len(below))
    return Measure(value=value, interval=Interval(max(0.0, value - spread), min(1.0, value + spread)))


def calibration_error(truth: Sequence[bool], scores: Sequence[float], bins: int = 15) -> float | None:
    """Expected calibration error over equally wide bins of the score: the mean distance between what was claimed and
    what was so, weighted by rows (Guo and others 2017, arXiv 1706.04599). None without rows."""
    return _calibration_error(_calibration_cells(truth, scores, bins), None)


def measure(
    truth: Sequence[bool],
    scores: Sequence[float],
    *,
    threshold: float = 0.5,
    bins: int = 15,
    resamples: int = 1000,
    seed: int = 0,
) -> Measures:
    """All measures of one guard, `scores` being probabilities (0..1). The same seed gives the same intervals."""
    cells = Counter(zip(map(bool, truth), (score >= threshold for score in scores), strict=True))
    keys, counts = list(cells), list(cells.values())

    def of_counts(rate: Callable[[Confusion], float | None]) -> Measure:
        interval = _bootstrap(
            counts,
            lambda weights: rate(_confusion(dict(zip(keys, weights, strict=True)))),
            resamples=resamples,
            seed=seed,
        )
        return Measure(value=rate(_confusion(cells)), interval=interval)

    calibration = _calibration_cells(truth, scores, bins)
    return Measures(
        counts=_confusion(cells),
        threshold=threshold,
        precision=of_counts(lambda counts: counts.precision),
        recall=of_counts(lambda counts: counts.recall),
        false_positive_rate=of_counts(lambda counts: counts.false_positive_rate),
        f1=of_counts(lambda counts: counts.f1),
        auroc=auroc(truth, scores),
        calibration_error=Measure(
            value=_calibration_error(calibration, None),
            interval=_bootstrap(
                [cell.rows for cell in calibration],
                lambda weights: _calibration_error(calibration, weights),
                resamples=resamples,
                seed=seed,
            ),
        ),
    )


def compare(
    truth: Sequence[bool], a: Sequence[bool], b: Sequence[bool], *, resamples: int = 1000, seed: int = 0
) -> Comparison:
    """Two guards' predictions on the same rows: McNemar's exact test and a paired bootstrap of the F1 difference."""
    cells = Counter(zip(map(bool, truth), map(bool, a), map(bool, b), strict=True))
    keys, counts = list(cells), list(cells.values())

    def difference(weights: Sequence[float]) -> float | None:
        of_a: dict[tuple[bool, bool], float] = {}
        of_b: dict[tuple[bool, bool], float] = {}
        for (label, said_a, said_b), weight in zip(keys, weights, strict=True):
            of_a[label, said_a] = of_a.get((label, said_a), 0) + weight
            of_b[label, said_b] = of_b.get((label, said_b), 0) + weight
        f1_a, f1_b = _confusion(of_a).f1, _confusion(of_b).f1
        return None if f1_a is None or f1_b is None else f1_a - f1_b

    only_a = sum(count for (label, said_a, said_b), count in cells.items() if said_a == label != said_b)
    only_b = sum(count for (label, said_a, said_b), count in cells.items() if said_b == label != said_a)
    return Comparison(
        only_a_right=only_a,
        only_b_right=only_b,
        mcnemar_p=mcnemar(only_a, only_b),
        f1_difference=Measure(
            value=difference(counts), interval=_bootstrap(counts, difference, resamples=resamples, seed=seed)
        ),
    )


def mcnemar(only_a: int, only_b: int) -> float:
    """Two-sided exact p-value that two guards are equally often right, from the rows where just one of them is."""
    rows = only_a + only_b
    outcomes: int = 2**rows
    term = tail = 1
    for k in range(min(only_a, only_b)):
        term = term * (rows - k) // (k + 1)
        tail += term
    return min(1.0, 2 * tail / outcomes)


def wilson(part: int, whole: int) -> Interval:
    """Of a share, 0..1 (Wilson 1927, JASA 22:209)."""
    share, weight = part / whole, _Z**2 / whole
    middle = (share + weight / 2) / (1 + weight)
    spread = _Z * math.sqrt(share * (1 - share) / whole + weight / (4 * whole)) / (1 + weight)
    return Interval(max(0.0, middle - spread), min(1.0, middle + spread))


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _variance(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def _share_below(values: Sequence[float], others: Sequence[float]) -> list[float]:
    """For each value the share of the others below it, equal ones counting half. Both are sorted."""
    shares: list[float] = []
    below = not_above = 0
    for value in values:
        while below < len(others) and others[below] < value:
            below += 1
        while not_above < len(others) and others[not_above] <= value:
            not_above += 1
        shares.append((below + not_above) / (2 * len(others)))
    return shares


def _bootstrap(
    counts: Sequence[float], statistic: Callable[[Sequence[float]], float | None], *, resamples: int, seed: int
) -> Interval | None:
    """The middle 95 % of the statistic over resampled cell weights (they sum to the rows); None where it is never
    defined."""
    draw = random.Random(seed).gammavariate
    rows = math.fsum(counts)
    values = []
    for _ in range(resamples):
        weights = [draw(count, 1) if count else 0.0 for count in counts]
        scale = rows / (math.fsum(weights) or 1.0)
        if (value := statistic([weight * scale for weight in weights])) is not None:
            values.append(value)
    if not values:
        return None
    values.sort()
    outside = 0.025 * (len(values) - 1)
    return Interval(values[math.floor(outside)], values[math.ceil(len(values) - 1 - outside)])


@dataclass(frozen=True, slots=True)
class _CalibrationCell:
    """Rows of one label whose scores lie in one tenth of one bin; `gap` is the mean of label minus score."""

    bin: int
    rows: int
    gap: float


def _calibration_cells(truth: Sequence[bool], scores: Sequence[float], bins: int) -> list[_CalibrationCell]:
    rows: Counter[tuple[int, bool]] = Counter()
    sums: dict[tuple[int, bool], float] = {}
    for label, score in zip(truth, scores, strict=True):
        cell = (min(int(score * bins * 10), bins * 10 - 1), bool(label))
        rows[cell] += 1
        sums[cell] = sums.get(cell, 0.0) + bool(label) - score
    return [_CalibrationCell(cell[0] // 10, count, sums[cell] / count) for cell, count in rows.items()]


def _calibration_error(cells: Sequence[_CalibrationCell], weights: Sequence[float] | None) -> float | None:
    gaps: dict[int, float] = {}
    weights = [float(cell.rows) for cell in cells] if weights is None else weights
    for cell, weight in zip(cells, weights, strict=True):
        gaps[cell.bin] = gaps.get(cell.bin, 0.0) + weight * cell.gap
    total = math.fsum(weights)
    return math.fsum(abs(gap) for gap in gaps.values()) / total if total else None
