"""Temperature and bias are recovered, what cannot be fitted is said, and another guard's calibration is never used."""

import asyncio
import json
import math
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from adapters.guards.composed.calibrated import CalibratedGuard, read_calibration, write_calibration
from bot.core.base.errors import Broken
from bot.core.evaluation.calibration import Calibration, CannotFit, Mismatch, Scale, fit, log_loss
from bot.core.evaluation.measures import calibration_error
from bot.core.guarding.verdict import Exchange, GuardVersion, Task, Unscreened, Verdict
from tests.fakes.guarding import ScriptedGuard

SCALE = Scale(temperature=2.5, bias=1.5, rows=100, raw_loss=0.7, loss=0.5)
SCRIPTED = replace(ScriptedGuard.version, calibration="")  # what a calibration is fitted to


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def drawn(rows: int, *, temperature: float, bias: float) -> tuple[list[bool], list[float]]:
    """Raw scores, and labels drawn from the probabilities that the scale makes of them."""
    draw = random.Random(7)
    logits = [draw.gauss(0.5, 4) for _ in range(rows)]
    truth = [draw.random() < sigmoid((logit - bias) / temperature) for logit in logits]
    return truth, [sigmoid(logit) for logit in logits]


@pytest.mark.parametrize(("temperature", "bias"), [(1.0, 0.0), (2.5, 1.5), (0.6, -2.0)])
def test_the_scale_that_made_the_labels_is_found(temperature: float, bias: float) -> None:
    truth, scores = drawn(20_000, temperature=temperature, bias=bias)
    scale = fit(truth, scores)
    assert isinstance(scale, Scale)
    assert scale.temperature == pytest.approx(temperature, rel=0.06)
    assert scale.bias == pytest.approx(bias, abs=0.12)
    assert scale.loss <= scale.raw_loss
    assert scale.loss == pytest.approx(log_loss(truth, [scale(score) for score in scores]))
    error = calibration_error(truth, [scale(score) for score in scores])
    assert error is not None and error < 0.015


def test_the_fit_agrees_with_another_implementation() -> None:
    from sklearn.linear_model import LogisticRegression

    truth, scores = drawn(3000, temperature=2.5, bias=1.5)
    other = LogisticRegression(C=1e9, tol=1e-10).fit([[math.log(s / (1 - s))] for s in scores], truth)
    scale = fit(truth, scores)
    assert isinstance(scale, Scale)
    assert 1 / scale.temperature == pytest.approx(other.coef_[0, 0], rel=0.01)
    assert -scale.bias / scale.temperature == pytest.approx(other.intercept_[0], rel=0.01)


def test_where_harm_is_rarer_the_same_score_says_less() -> None:
    """Of a hundred thousand rows as hard as those, 2 % of them harmful, about as many are as the scale says."""
    fitted = fit(*drawn(20_000, temperature=2.5, bias=1.5))
    assert isinstance(fitted, Scale)
    truth, scores = drawn(100_000, temperature=2.5, bias=1.5)
    share = sum(truth) / len(truth)
    harmful = [score for score, label in zip(scores, truth, strict=True) if label]
    harmless = [score for score, label in zip(scores, truth, strict=True) if not label]
    rare = [(True, score) for score in harmful[: len(harmless) // 49]] + [(False, score) for score in harmless]
    stated = fitted.where(0.02, fitted=share)
    said = [stated(score) for _, score in rare]
    assert sum(said) / len(said) == pytest.approx(0.02, abs=0.002)
    assert fitted.where(share, fitted=share)(0.7) == pytest.approx(fitted(0.7))
    assert sorted(scores[:100]) == sorted(scores[:100], key=stated), "and the order stays"


def test_scores_that_separate_the_labels_perfectly_keep_a_sane_scale() -> None:
    scale = fit([True] * 30 + [False] * 30, [1.0] * 30 + [0.0] * 30)
    assert isinstance(scale, Scale)
    assert 0.9 < scale(1.0) < 1 and 0 < scale(0.0) < 0.1


@pytest.mark.parametrize(
    ("truth", "scores", "why"),
    [
        ([True] * 19 + [False] * 500, [0.9] * 19 + [0.1] * 500, CannotFit.TOO_FEW),
        ([], [], CannotFit.TOO_FEW),
        ([True] * 50 + [False] * 50, [0.1] * 50 + [0.9] * 50, CannotFit.UNINFORMATIVE),
        ([True] * 75 + [False] * 25, [0.5] * 100, CannotFit.UNINFORMATIVE),
    ],
)
def test_what_cannot_be_fitted_is_a_value(truth: list[bool], scores: list[float], why: CannotFit) -> None:
    assert fit(truth, scores) is why


@given(
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0.05, 20),
    st.floats(-20, 20),
)
def test_order_is_kept_and_probabilities_stay_probabilities(
    a: float, b: float, temperature: float, bias: float
) -> None:
    scale = replace(SCALE, temperature=temperature, bias=bias)
    assert 0 <= scale(a) <= 1
    if a <= b:
        assert scale(a) <= scale(b)


def calibration(guard: GuardVersion = SCRIPTED) -> Calibration:
    return Calibration(guard=guard, scales={Task.PROMPT_HARM: SCALE})


def test_it_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    write_calibration(calibration(), path)
    again = read_calibration(path)
    assert again == calibration()
    assert again.fingerprint == calibration().fingerprint
    other = replace(calibration(), scales={Task.PROMPT_HARM: replace(SCALE, bias=1.6)})
    assert other.fingerprint != again.fingerprint


@pytest.mark.parametrize(
    "spoilt",
    [
        "",
        "[]",
        "{}",
        json.dumps({"guard": {"name": "x", "model": "", "dialect": ""}, "tasks": {"prompt_harm": {}}}),
        json.dumps(calibration().to_json()).replace("2.5", "0.0"),
        json.dumps(calibration().to_json()).replace("2.5", "NaN"),
        json.dumps(calibration().to_json()).replace("prompt_harm", "wit"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, spoilt: str) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(spoilt)
    with pytest.raises(Broken, match="jikimi calibrate"):
        read_calibration(path)
    with pytest.raises(Broken):
        read_calibration(tmp_path / "nowhere.json")


def test_a_guard_is_calibrated_and_says_so() -> None:
    guard = CalibratedGuard(ScriptedGuard({"나쁜 말": 0.9}), calibration())
    assert guard.version.calibration == calibration().fingerprint
    unscreened = Unscreened("broken answer", SCRIPTED)
    mixed = CalibratedGuard(ScriptedGuard({"나쁜 말": 0.9, "이상한 말": unscreened}), calibration())
    bad, odd, answer = asyncio.run(
        mixed.judge([Exchange(prompt="나쁜 말"), Exchange(prompt="이상한 말"), Exchange(prompt="", response="대답")])
    )
    assert isinstance(bad, Verdict)
    assert bad.scores == {Task.PROMPT_HARM: pytest.approx(sigmoid((math.log(9) - 1.5) / 2.5))}
    assert bad.guard == guard.version
    assert odd == Unscreened("broken answer", guard.version)
    assert isinstance(answer, Verdict)
    assert answer.scores == {Task.RESPONSE_HARM: 0.0}  # no scale for this task: raw


@pytest.mark.parametrize(
    ("other", "mismatch"),
    [
        (replace(SCRIPTED, name="wildguard-ko"), Mismatch.NAME),
        (replace(SCRIPTED, model="2"), Mismatch.MODEL),
        (replace(SCRIPTED, dialect="abc"), Mismatch.DIALECT),
    ],
)
def test_a_calibration_for_another_guard_is_a_warning_and_raw_scores(other: GuardVersion, mismatch: Mismatch) -> None:
    assert calibration(other).mismatch(SCRIPTED) is mismatch
    with capture_logs() as logs:
        guard = CalibratedGuard(ScriptedGuard({"나쁜 말": 0.9}), calibration(other))
    assert [(entry["log_level"], entry["different"]) for entry in logs] == [("warning", str(mismatch))]
    assert "jikimi calibrate" in logs[0]["event"]
    (verdict,) = asyncio.run(guard.judge([Exchange(prompt="나쁜 말")]))
    assert verdict == Verdict.of_scores({Task.PROMPT_HARM: 0.9}, guard=ScriptedGuard.version)
    assert guard.version == ScriptedGuard.version
