"""Labels and scores -> a picture (PNG): how well each guard separates (ROC), and how far its scores can be believed."""

from collections.abc import Mapping, Sequence
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any

from adapters import typeface
from bot.core.base.errors import Broken, reason
from bot.core.text.catalogue import Texts

BINS = 10


def draw(path: Path, scored: Mapping[str, tuple[Sequence[bool], Sequence[float]]], say: Texts) -> None:
    """`scored`: name of a curve -> labels and scores (0..1), equally long. Raises Broken where the file cannot be
    written."""
    from matplotlib.figure import Figure

    with _font(say.language):
        figure = Figure(figsize=(10, 4.6), dpi=150, layout="constrained")
        separation, belief = figure.subplots(1, 2)
        separation.plot([0, 1], [0, 1], color="0.8", linewidth=1)
        belief.plot([0, 1], [0, 1], color="0.8", linewidth=1)
        for name, (truth, scores) in scored.items():
            separation.plot(*_roc(truth, scores), label=name)
            belief.plot(*_reliability(truth, scores), marker="o", label=name)
        labels = (("roc", "false_positive_rate", "recall"), ("reliability", "mean_score", "share_positive"))
        for axes, (title, x, y) in zip((separation, belief), labels, strict=True):
            axes.set(title=say[f"eval.{title}"], xlabel=say[f"eval.{x}"], ylabel=say[f"eval.{y}"])
            axes.set(xlim=(0, 1), ylim=(0, 1.01), aspect="equal")
            axes.legend(loc="lower right")
        try:
            figure.savefig(path, format="png")
        except OSError as error:
            raise Broken("{path}: {why}", path=path, why=reason(error)) from error


def _font(language: str) -> Any:
    """Settings under which the language's letters can be drawn."""
    from matplotlib import font_manager, rc_context

    if language != "ko":
        return rc_context()
    font_manager.fontManager.addfont(typeface.FILE)
    name = font_manager.FontProperties(fname=typeface.FILE).get_name()
    return rc_context({"font.family": [name, "DejaVu Sans"], "axes.unicode_minus": False})


def _roc(truth: Sequence[bool], scores: Sequence[float]) -> tuple[list[float], list[float]]:
    """False-positive rate and recall at every threshold, from the strictest on."""
    ranked = sorted(zip(scores, truth, strict=True), reverse=True)
    steps = [[label for _, label in group] for _, group in groupby(ranked, key=lambda pair: pair[0])]
    positives, negatives = sum(truth), len(truth) - sum(truth)
    found = [0, *accumulate(sum(labels) for labels in steps)]
    false = [0, *accumulate(len(labels) - sum(labels) for labels in steps)]
    return [count / (negatives or 1) for count in false], [count / (positives or 1) for count in found]


def _reliability(truth: Sequence[bool], scores: Sequence[float]) -> tuple[list[float], list[float]]:
    """Mean score and share of positives in each tenth of the scale that has rows."""
    bins: dict[int, list[tuple[float, bool]]] = {}
    for label, score in zip(truth, scores, strict=True):
        bins.setdefault(min(int(score * BINS), BINS - 1), []).append((score, label))
    filled = [bins[place] for place in sorted(bins)]
    return (
        [sum(score for score, _ in rows) / len(rows) for rows in filled],
        [sum(label for _, label in rows) / len(rows) for rows in filled],
    )
