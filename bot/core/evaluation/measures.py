"""How good a guard is: true labels and its scores in; precision, recall, AUROC, calibration and intervals out.

Plain Python, fast enough for tens of thousands of rows. Rates have Wilson's interval, which is no point at 0 of 160;
the AUROC has DeLong's (DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44:837). The others come from the Bayesian
bootstrap (Rubin 1981, Annals of Statistics 9:130), which resamples cells with equal rows, not rows; F1 with a third of
a row more in each. Rows that share a prompt are no independent witnesses: where there are such, an interval is the
wider one of that and of a bootstrap that resamples prompts. All are at 95 %.
"""

import math
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
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

    def precision_at(self, prevalence: float) -> Measure:
        """Where that share of what is judged is harmful, the rest being as hard as here. The interval takes the worst
        and the best of recall and of false alarms together, and is wide."""

        def of(recall: float, alarms: float) -> float | None:
            return _ratio(recall * prevalence, recall * prevalence + alarms * (1 - prevalence))

        recall, alarms = self.recall, self.false_positive_rate
        if recall.value is None or alarms.value is None or not recall.interval or not alarms.interval:
            return Measure(value=None, interval=None)
        low, high = (
            of(recall.interval.low, alarms.interval.high),
            of(recall.interval.high, alarms.interval.low),
        )
        value = of(recall.value, alarms.value)
        if value is None or low is None or high is None:
            return Measure(value=value, interval=None)
        return Measure(value=value, interval=Interval(low, high))


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two guards on the same rows: which was right where the other was wrong, and the difference a minus b in F1.
    `left_out`: labelled rows that not both of them scored."""

    only_a_right: int
    only_b_right: int
    mcnemar_p: float
    f1_difference: Measure
    left_out: int = 0


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
    prompts: Sequence[Hashable] | None = None,
    threshold: float = 0.5,
    bins: int = 15,
    resamples: int = 1000,
    seed: int = 0,
) -> Measures:
    """All measures of one guard, `scores` being probabilities (0..1); `prompts`: what each row is about, where rows may
    be about the same. The same seed gives the same intervals."""
    outcomes = list(zip(map(bool, truth), (score >= threshold for score in scores), strict=True))
    counts = _confusion(Counter(outcomes))
    weighed = _by_prompt(outcomes, prompts, resamples=resamples, seed=seed)

    def of_counts(rate: Callable[[Confusion], float | None], part: float, whole: float) -> Measure:
        return Measure(value=rate(counts), interval=_wider(wilson(part, whole) if whole else None, weighed, rate))

    hits, alarms = counts.true_positives, counts.false_positives
    smoothed = [counts.true_positives + 1 / 3, counts.false_positives + 1 / 3, counts.false_negatives + 1 / 3]
    f1 = _bootstrap(smoothed, lambda w: 2 * w[0] / (2 * w[0] + w[1] + w[2]), resamples=resamples, seed=seed)
    return Measures(
        counts=counts,
        threshold=threshold,
        precision=of_counts(lambda one: one.precision, hits, hits + alarms),
        recall=of_counts(lambda one: one.recall, hits, hits + counts.false_negatives),
        false_positive_rate=of_counts(lambda one: one.false_positive_rate, alarms, alarms + counts.true_negatives),
        f1=Measure(
            value=counts.f1,
            interval=None if counts.f1 is None else _wider(f1, weighed, lambda one: one.f1),
        ),
        auroc=auroc(truth, scores),
        calibration_error=_debiased(_calibration_cells(truth, scores, bins), resamples=resamples, seed=seed),
    )


def _by_prompt(
    outcomes: Sequence[tuple[bool, bool]], prompts: Sequence[Hashable] | None, *, resamples: int, seed: int
) -> list[Confusion]:
    """Resampled by prompt; nothing where no two rows share one."""
    about: dict[Hashable, list[tuple[bool, bool]]] = {}
    for prompt, outcome in zip(prompts or (), outcomes, strict=prompts is not None):
        about.setdefault(prompt, []).append(outcome)
    if len(about) == len(prompts or ()):
        return []
    draw, found = random.Random(seed).expovariate, []
    for _ in range(resamples):
        cells: dict[tuple[bool, bool], float] = {}
        for some in about.values():
            weight = draw(1)
            for outcome in some:
                cells[outcome] = cells.get(outcome, 0.0) + weight
        found.append(_confusion(cells))
    return found


def _wider(
    interval: Interval | None, weighed: Sequence[Confusion], rate: Callable[[Confusion], float | None]
) -> Interval | None:
    values = sorted(value for one in weighed if (value := rate(one)) is not None)
    if not values or interval is None:
        return interval
    middle = _middle(values)
    return Interval(min(interval.low, middle.low), max(interval.high, middle.high))


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


def wilson(part: float, whole: float) -> Interval:
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
    return _middle(values)


def _middle(values: Sequence[float]) -> Interval:
    """95 % of what is sorted."""
    outside = 0.025 * (len(values) - 1)
    return Interval(values[math.floor(outside)], values[math.ceil(len(values) - 1 - outside)])


@dataclass(frozen=True, slots=True)
class _CalibrationCell:
    """Rows of one label whose scores lie in one tenth of one bin; `gap` is the mean of label minus score."""

    bin: int
    label: bool
    rows: int
    gap: float


def _calibration_cells(truth: Sequence[bool], scores: Sequence[float], bins: int) -> list[_CalibrationCell]:
    rows: Counter[tuple[int, bool]] = Counter()
    sums: dict[tuple[int, bool], float] = {}
    for label, score in zip(truth, scores, strict=True):
        cell = (min(int(score * bins * 10), bins * 10 - 1), bool(label))
        rows[cell] += 1
        sums[cell] = sums.get(cell, 0.0) + bool(label) - score
    return [_CalibrationCell(cell[0] // 10, cell[1], count, sums[cell] / count) for cell, count in rows.items()]


def _calibration_error(cells: Sequence[_CalibrationCell], weights: Sequence[float] | None) -> float | None:
    gaps: dict[int, float] = {}
    weights = [float(cell.rows) for cell in cells] if weights is None else weights
    for cell, weight in zip(cells, weights, strict=True):
        gaps[cell.bin] = gaps.get(cell.bin, 0.0) + weight * cell.gap
    total = math.fsum(weights)
    return math.fsum(abs(gap) for gap in gaps.values()) / total if total else None


def _debiased(cells: Sequence[_CalibrationCell], *, resamples: int, seed: int) -> Measure:
    """The root mean square distance between what was claimed and what was so, less what chance alone adds to it
    (Kumar, Liang and Ma 2019, arXiv 1909.10155): 0 for a guard that is calibrated, however few the rows. What is
    resampled has had chance twice."""

    def squared(weights: Sequence[float], chances: int) -> float:
        rows, gaps, said = (defaultdict[int, float](float) for _ in range(3))
        for cell, weight in zip(cells, weights, strict=True):
            rows[cell.bin] += weight
            gaps[cell.bin] += weight * cell.gap
            said[cell.bin] += weight * cell.label
        total = math.fsum(weights)
        return math.fsum(
            count / total * ((gaps[one] / count) ** 2 - chances * share * (1 - share) / max(1.0, count - 1))
            for one, count in rows.items()
            if count
            for share in [said[one] / count]
        )

    if not cells:
        return Measure(value=None, interval=None)
    counts = [float(cell.rows) for cell in cells]
    interval = _bootstrap(counts, lambda weights: squared(weights, 2), resamples=resamples, seed=seed)
    value = math.sqrt(max(0.0, squared(counts, 1)))
    if interval is None:
        return Measure(value=value, interval=None)
    low, high = (math.sqrt(max(0.0, edge)) for edge in (interval.low, interval.high))
    return Measure(value=value, interval=Interval(min(low, value), max(high, value)))
