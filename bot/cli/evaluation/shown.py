"""Evaluations and comparisons -> JSON for programs and tables for people; rates in the tables are in %."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bot.cli.shown import Tabular
from bot.core.evaluation.measures import Comparison, Measure
from bot.core.evaluation.quality import CascadeFigures, Evaluation, TaskQuality
from bot.core.guarding.verdict import Task
from bot.core.text.catalogue import Texts

RATES = ("f1", "precision", "recall", "false_positive_rate", "auroc", "calibration_error")
CELLS = ("true_positives", "false_positives", "false_negatives", "true_negatives")


def evaluation_json(
    result: Evaluation, cascade: CascadeFigures | None, prevalence: float | None = None
) -> dict[str, Any]:
    return {
        "guard": asdict(result.guard),
        "rows": result.rows,
        "threshold": result.threshold,
        "unscreened": {"rows": sum(result.unscreened.values()), "reasons": dict(result.unscreened)},
        "tasks": {str(task): quality_json(quality, prevalence) for task, quality in result.tasks.items()},
        "sources": {
            source: {str(task): quality_json(quality, prevalence) for task, quality in tasks.items()}
            for source, tasks in result.sources.items()
        },
        "cascade": asdict(cascade) | {"missed_share": cascade.missed_share} if cascade else None,
    }


def quality_json(quality: TaskQuality, prevalence: float | None = None) -> dict[str, Any]:
    content: dict[str, Any] = {
        "labelled": quality.labelled,
        "unscreened": quality.unscreened,
        "not_judged": quality.not_judged,
    }
    if quality.measures:
        content |= {rate: asdict(getattr(quality.measures, rate)) for rate in RATES}
        if prevalence:
            content["precision_at"] = {"prevalence": prevalence} | asdict(quality.measures.precision_at(prevalence))
        content["confusion"] = {cell: int(getattr(quality.measures.counts, cell)) for cell in CELLS}
    return content


def tables_of(
    result: Evaluation, cascade: CascadeFigures | None, say: Texts, prevalence: float | None = None
) -> list[Tabular]:
    """The measures task beside task; where there are several sources, also source by source."""
    unscreened = sum(result.unscreened.values())
    rows = [[say[f"eval.{rate}"], *(_rate(quality, rate) for quality in result.tasks.values())] for rate in RATES]
    if prevalence:
        in_earnest = [one.measures.precision_at(prevalence) if one.measures else None for one in result.tasks.values()]
        named = say("eval.precision_at", share=f"{100 * prevalence:g}")
        rows.append([named, *(_interval(one) if one else "-" for one in in_earnest)])
    rows += [[say[f"eval.{cell}"], *(_cell(quality, cell) for quality in result.tasks.values())] for cell in CELLS]
    rows += [
        [say[f"eval.{count}"], *(f"{getattr(quality, count):,}" for quality in result.tasks.values())]
        for count in ("unscreened", "not_judged")
    ]
    whole = Tabular(
        title=say(
            "eval.title",
            guard=f"{result.guard.name} ({result.guard.model})",
            rows=result.rows,
            unscreened=unscreened,
            threshold=result.threshold,
        ),
        columns=["", *(say[f"task.{task}"] for task in result.tasks)],
        rows=rows,
        notes=[
            *(say("eval.reason", count=count, reason=say.why(reason)) for reason, count in result.unscreened.items()),
            *([say("eval.cascade", **asdict(cascade))] if cascade else []),
        ],
    )
    if len(result.sources) == 1:
        return [whole]
    by_source = Tabular(
        title=say["eval.by_source"],
        columns=["", say["eval.rows"], *(say[f"eval.{rate}"] for rate in RATES)],
        rows=[
            [
                source if len(result.tasks) == 1 else f"{source}: {say[f'task.{task}']}",
                f"{quality.labelled:,}",
                *(_value(quality, rate) for rate in RATES),
            ]
            for source, tasks in result.sources.items()
            for task, quality in tasks.items()
        ],
    )
    return [whole, by_source]


def comparison_table(results: Sequence[Evaluation], found: Mapping[Task, Comparison], say: Texts) -> Tabular:
    a, b = (result.guard.name for result in results)
    return Tabular(
        title=say("eval.comparison", a=a, b=b),
        columns=["", *(say(f"eval.{column}", a=a, b=b) for column in ("difference", "only_a", "only_b", "p"))],
        rows=[
            [
                say[f"task.{task}"],
                _interval(comparison.f1_difference, signed=True),
                f"{comparison.only_a_right:,}",
                f"{comparison.only_b_right:,}",
                f"{comparison.mcnemar_p:.2g}",
            ]
            for task, comparison in found.items()
        ],
        notes=[
            say["eval.comparison_note"],
            *(
                say("eval.left_out", task=say[f"task.{task}"], rows=comparison.left_out)
                for task, comparison in found.items()
                if comparison.left_out
            ),
        ],
    )


def _rate(quality: TaskQuality, rate: str) -> str:
    return _interval(getattr(quality.measures, rate)) if quality.measures else "-"


def _value(quality: TaskQuality, rate: str) -> str:
    return number(getattr(quality.measures, rate).value) if quality.measures else "-"


def _interval(measured: Measure, *, signed: bool = False) -> str:
    sign = "+" if signed else ""
    value = number(measured.value, sign)
    if measured.interval is None:
        return value
    between = "…" if signed else "–"
    return f"{value} ({number(measured.interval.low, sign)}{between}{number(measured.interval.high, sign)})"


def number(value: float | None, sign: str = "") -> str:
    return "-" if value is None else f"{100 * value:{sign}.1f}"


def _cell(quality: TaskQuality, cell: str) -> str:
    return f"{getattr(quality.measures.counts, cell):,.0f}" if quality.measures else "-"
