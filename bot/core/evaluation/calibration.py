"""Raw guard scores -> calibrated probabilities: temperature and bias for each task, fitted on labelled scores.

p = sigmoid((logit(score) - bias) / temperature): Platt scaling on the log-odds (Platt 1999), which for a guard that is
asked yes or no is temperature scaling with a bias (Guo and others 2017, arXiv 1706.04599). The order of the scores, and
so the AUROC, stays as it is.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Self

from bot.core.guarding.verdict import GuardVersion, Screening, Task, Verdict

#: Rows of each label below which nothing is fitted.
FEWEST = 20
_EDGE = 1e-6  # scores are kept this far from 0 and 1: a guard that only writes words scores exactly there
_FLATTEST = 0.02  # 1 / temperature, below which the scores say nothing


class CannotFit(StrEnum):
    """Why no scale can be fitted to these scores."""

    TOO_FEW = "too_few"  # rows of one of the labels
    UNINFORMATIVE = "uninformative"  # all scores are equal, or higher ones mean less


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """One task's temperature and bias, and what they were fitted on. Losses are mean log losses in nats."""

    temperature: float
    bias: float
    rows: int
    raw_loss: float
    loss: float

    def __call__(self, score: float) -> float:
        return _sigmoid((_logit(score) - self.bias) / self.temperature)

    def where(self, prevalence: float, *, fitted: float) -> Self:
        """The same where that share of what is judged is harmful, as hard as what it was fitted on, of which `fitted`
        was; both above 0 and below 1. Only the odds beforehand are others."""
        return replace(self, bias=self.bias - self.temperature * (_logit(prevalence) - _logit(fitted)))


class Mismatch(StrEnum):
    """What of a guard is not what the calibration was fitted for."""

    NAME = "name"
    MODEL = "model"
    DIALECT = "dialect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The scales of one guard, and exactly which guard that is. Tasks without a scale keep their raw scores."""

    guard: GuardVersion
    scales: Mapping[Task, Scale]

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits over the guard and its temperatures and biases."""
        scales = {task: [scale.temperature, scale.bias] for task, scale in sorted(self.scales.items())}
        content = [self.guard.name, self.guard.model, self.guard.dialect, scales]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]

    def mismatch(self, guard: GuardVersion) -> Mismatch | None:
        """The first thing in which this guard differs from the calibrated one."""
        for part in Mismatch:
            if getattr(guard, part) != getattr(self.guard, part):
                return part
        return None

    def apply(self, screening: Screening) -> Screening:
        """The verdict with calibrated scores, marked with the fingerprint; what is not a verdict as it is."""
        if not isinstance(screening, Verdict):
            return replace(screening, guard=self.mark(screening.guard))
        calibrated = screening.scaled(lambda task, score: self.scales[task](score) if task in self.scales else score)
        return replace(calibrated, guard=self.mark(screening.guard))

    def mark(self, guard: GuardVersion) -> GuardVersion:
        return replace(guard, calibration=self.fingerprint)

    def to_json(self) -> dict[str, Any]:
        return {
            "guard": {"name": self.guard.name, "model": self.guard.model, "dialect": self.guard.dialect},
            "tasks": {
                str(task): {
                    "temperature": scale.temperature,
                    "bias": scale.bias,
                    "rows": scale.rows,
                    "raw_loss": scale.raw_loss,
                    "loss": scale.loss,
                }
                for task, scale in self.scales.items()
            },
        }

    @classmethod
    def from_json(cls, content: Any) -> Self:
        """Raises ValueError where the content is not what `to_json` gives."""
        try:
            guard = content["guard"]
            scales = {
                Task(task): Scale(
                    temperature=_number(scale["temperature"]),
                    bias=_number(scale["bias"]),
                    rows=int(scale["rows"]),
                    raw_loss=_number(scale["raw_loss"]),
                    loss=_number(scale["loss"]),
                )
                for task, scale in content["tasks"].items()
            }
            if any(scale.temperature <= 0 for scale in scales.values()):
                raise ValueError("a temperature must be above 0")
            version = GuardVersion(name=str(guard["name"]), model=str(guard["model"]), dialect=str(guard["dialect"]))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("not a calibration") from error
        return cls(guard=version, scales=scales)


def fit(truth: Sequence[bool], scores: Sequence[float]) -> Scale | CannotFit:
    """The temperature and bias with the least log loss, by Newton's method with halved steps (Lin, Lin and Weng 2007,
    Machine Learning 68:267). The targets are drawn in a little from 0 and 1, as by Platt, so that labels which the
    scores separate perfectly do not make the temperature 0."""
    positives = sum(map(bool, truth))
    negatives = len(truth) - positives
    if min(positives, negatives) < FEWEST:
        return CannotFit.TOO_FEW
    high, low = (positives + 1) / (positives + 2), 1 / (negatives + 2)
    points = [(_logit(score), high if label else low) for label, score in zip(truth, scores, strict=True)]

    def loss(slope: float, offset: float) -> float:
        return math.fsum(_cross_entropy(slope * logit + offset, target) for logit, target in points)

    slope, offset = 1.0, 0.0
    current = loss(slope, offset)
    for _ in range(100):
        g1 = g2 = 0.0
        h11 = h12 = h22 = 1e-9
        for logit, target in points:
            p = _sigmoid(slope * logit + offset)
            g1 += (p - target) * logit
            g2 += p - target
            weight = p * (1 - p)
            h11 += weight * logit * logit
            h12 += weight * logit
            h22 += weight
        if abs(g1) + abs(g2) < 1e-7 * len(points):
            break
        determinant = h11 * h22 - h12 * h12
        if determinant <= 0:  # all scores are equal
            break
        step1, step2 = (h22 * g1 - h12 * g2) / determinant, (h11 * g2 - h12 * g1) / determinant
        size = 1.0
        while size > 1e-6 and (tried := loss(slope - size * step1, offset - size * step2)) > current:
            size /= 2
        if size <= 1e-6:
            break
        slope, offset, current = slope - size * step1, offset - size * step2, tried
    if slope < _FLATTEST or len({logit for logit, _ in points}) == 1:
        return CannotFit.UNINFORMATIVE
    return Scale(
        temperature=1 / slope,
        bias=-offset / slope,
        rows=len(points),
        raw_loss=log_loss(truth, scores),
        loss=log_loss(truth, [_sigmoid(slope * logit + offset) for logit, _ in points]),
    )


def log_loss(truth: Sequence[bool], scores: Sequence[float]) -> float:
    """Mean negative log probability of the truth, in nats; scores are kept a millionth away from 0 and 1."""
    losses = (_cross_entropy(_logit(score), float(label)) for label, score in zip(truth, scores, strict=True))
    return math.fsum(losses) / len(truth)


def _cross_entropy(logit: float, target: float) -> float:
    return max(logit, 0.0) - logit * target + math.log1p(math.exp(-abs(logit)))


def _sigmoid(logit: float) -> float:
    if logit >= 0:
        return 1 / (1 + math.exp(-logit))
    return math.exp(logit) / (1 + math.exp(logit)) if logit > -700 else 0.0


def _logit(score: float) -> float:
    kept = min(max(score, _EDGE), 1 - _EDGE)
    return math.log(kept / (1 - kept))


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError("not a number")
    return float(value)
