import random

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from bot.core.evaluation.measures import Confusion, auroc, calibration_error, compare, confusion, mcnemar, measure


def made_up(rows: int, seed: int) -> tuple[list[bool], list[float]]:
    """Labels and overlapping scores with ties."""
    draw = random.Random(seed)
    truth = [draw.random() < 0.35 for _ in range(rows)]
    scores = [round(min(1.0, max(0.0, draw.gauss(0.6 if label else 0.4, 0.2))), 2) for label in truth]
    return truth, scores


def test_rates_agree_with_scikit_learn() -> None:
    truth, scores = made_up(3000, 1)
    said = [score >= 0.5 for score in scores]
    counts = confusion(truth, said)
    negatives, false_positives, false_negatives, positives = metrics.confusion_matrix(truth, said).ravel()
    assert counts == Confusion(
        true_positives=positives,
        false_positives=false_positives,
        false_negatives=false_negatives,
        true_negatives=negatives,
    )
    assert counts.precision == pytest.approx(metrics.precision_score(truth, said))
    assert counts.recall == pytest.approx(metrics.recall_score(truth, said))
    assert counts.f1 == pytest.approx(metrics.f1_score(truth, said))
    assert counts.accuracy == pytest.approx(metrics.accuracy_score(truth, said))
    assert counts.false_positive_rate == pytest.approx(1 - metrics.recall_score(truth, said, pos_label=False))


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.5, 0.7, 1.0])), min_size=2))
def test_auroc_agrees_with_scikit_learn(rows: list[tuple[bool, float]]) -> None:
    truth, scores = [label for label, _ in rows], [score for _, score in rows]
    found = auroc(truth, scores)
    if len(set(truth)) < 2:
        assert found.value is None
    else:
        assert found.value == pytest.approx(metrics.roc_auc_score(truth, scores))


def test_delongs_interval_is_about_the_bootstraps() -> None:
    truth, scores = made_up(800, 2)
    labels, values, draw = numpy.array(truth), numpy.array(scores), numpy.random.default_rng(0)
    resampled = []
    for _ in range(800):
        rows = draw.integers(0, len(labels), len(labels))
        resampled.append(metrics.roc_auc_score(labels[rows], values[rows]))
    found = auroc(truth, scores).interval
    assert found is not None
    assert [found.low, found.high] == pytest.approx(numpy.percentile(resampled, [2.5, 97.5]), abs=0.006)


def test_bootstrap_intervals_agree_with_resampling_rows() -> None:
    truth, scores = made_up(900, 3)
    said = [score >= 0.5 for score in scores]
    found = measure(truth, scores, seed=4)
    labels, guesses, draw = numpy.array(truth), numpy.array(said), numpy.random.default_rng(0)
    f1, precision = [], []
    for _ in range(1000):
        rows = draw.integers(0, len(labels), len(labels))
        right, called, harmful = (labels & guesses)[rows].sum(), guesses[rows].sum(), labels[rows].sum()
        f1.append(2 * right / (called + harmful))
        precision.append(right / called)
    for measured, resampled in ((found.f1, f1), (found.precision, precision)):
        assert measured.interval is not None
        interval = [measured.interval.low, measured.interval.high]
        assert interval == pytest.approx(numpy.percentile(resampled, [2.5, 97.5]), abs=0.01)
        assert measured.value is not None
        assert measured.interval.low < measured.value < measured.interval.high


def test_the_seed_decides_the_intervals() -> None:
    truth, scores = made_up(200, 5)
    assert measure(truth, scores, seed=1) == measure(truth, scores, seed=1)
    assert measure(truth, scores, seed=1) != measure(truth, scores, seed=2)


def test_calibration_error() -> None:
    truth, scores = made_up(2000, 6)
    bins = numpy.minimum((numpy.array(scores) * 15).astype(int), 14)
    gaps = numpy.array(truth, dtype=float) - numpy.array(scores)
    expected = sum(abs(gaps[bins == each].sum()) for each in range(15)) / len(truth)
    assert calibration_error(truth, scores) == pytest.approx(expected)
    assert calibration_error([True, False], [1.0, 0.0]) == 0.0
    assert calibration_error([True, False], [0.0, 1.0]) == 1.0
    assert calibration_error([], []) is None


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 0), (5, 5), (3, 12), (40, 61), (0, 30), (900, 1010)])
def test_mcnemar_is_the_exact_binomial_test(only_a: int, only_b: int) -> None:
    expected = stats.binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    assert mcnemar(only_a, only_b) == pytest.approx(expected)


def test_comparing_two_guards() -> None:
    truth = [True] * 100 + [False] * 100
    good = [True] * 90 + [False] * 105 + [True] * 5
    poor = [True] * 60 + [False] * 130 + [True] * 10
    found = compare(truth, good, poor)
    assert (found.only_a_right, found.only_b_right) == (35, 0)
    assert found.mcnemar_p < 1e-9
    assert found.f1_difference.value == pytest.approx(metrics.f1_score(truth, good) - metrics.f1_score(truth, poor))
    assert found.f1_difference.interval is not None
    assert found.f1_difference.interval.low > 0
    same = compare(truth, good, good)
    assert same.mcnemar_p == 1.0
    assert same.f1_difference.value == 0.0


def test_what_is_not_defined_is_none() -> None:
    nothing = measure([], [])
    assert nothing.f1.value is None and nothing.f1.interval is None
    assert nothing.auroc.value is None and nothing.calibration_error.value is None
    harmless_only = measure([False, False], [0.1, 0.2])
    assert harmless_only.recall.value is None
    assert harmless_only.recall.interval is None
    assert harmless_only.false_positive_rate.value == 0.0
    one_of_each = auroc([True, False], [0.9, 0.1])
    assert (one_of_each.value, one_of_each.interval) == (1.0, None)
    with pytest.raises(ValueError, match="argument 2"):
        confusion([True], [])


def test_none_of_few_is_not_never() -> None:
    found = measure([True] * 17 + [False] * 160, [1.0] * 17 + [0.0] * 160)
    assert found.f1.value == found.precision.value == found.auroc.value == 1.0
    assert found.false_positive_rate.value == 0.0
    assert found.false_positive_rate.interval is not None and found.false_positive_rate.interval.high > 0.02
    assert found.precision.interval is not None and found.precision.interval.low < 0.85
    assert found.f1.interval is not None and 0.85 < found.f1.interval.low < 0.99


def test_a_calibrated_guard_has_no_calibration_error_beyond_chance() -> None:
    found = []
    for seed in range(30):
        draw = numpy.random.default_rng(seed)
        scores = draw.random(1000)
        found.append(measure((draw.random(1000) < scores).tolist(), scores.tolist(), resamples=200).calibration_error)
    assert sum(one.interval is not None and one.interval.low == 0.0 for one in found) >= 25
    assert sum(one.value or 0.0 for one in found) / len(found) < 0.015
    off = measure([True, False] * 500, [0.9] * 1000, resamples=200).calibration_error
    assert off.value == pytest.approx(0.4, abs=0.01)


def test_rows_that_share_a_prompt_are_no_independent_witnesses() -> None:
    truth, scores = made_up(60, 7)
    alone = measure(truth, scores, prompts=range(60)).recall.interval
    together = measure(truth * 10, scores * 10, prompts=[*range(60)] * 10).recall.interval
    naive = measure(truth * 10, scores * 10).recall.interval
    assert alone is not None and together is not None and naive is not None
    width = alone.high - alone.low
    assert naive.high - naive.low < 0.5 * width < 0.7 * width < together.high - together.low


def test_precision_falls_with_the_prevalence() -> None:
    truth = [True] * 460 + [False] * 540
    scores = [0.9] * 170 + [0.1] * 290 + [0.9] * 2 + [0.1] * 538
    found = measure(truth, scores)
    precision = [found.precision_at(share).value or 0.0 for share in (0.46, 0.05, 0.02, 0.01)]
    assert precision[0] == pytest.approx(found.precision.value)
    assert precision == sorted(precision, reverse=True) and precision[-1] == pytest.approx(0.502, abs=0.001)
    edges = found.precision_at(0.02).interval
    assert edges and edges.low < precision[2] < edges.high
    assert measure([True], [0.9]).precision_at(0.1).value is None, "no false alarm was possible here"
