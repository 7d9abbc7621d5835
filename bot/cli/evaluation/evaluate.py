"""One guard, or two beside each other, on labelled rows."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from bot.app import tools
from bot.cli.evaluation.judging import Study, judge_rows, sampled
from bot.cli.evaluation.shown import comparison_table, evaluation_json, tables_of
from bot.cli.evaluation.tables import Outlet
from bot.config import Config
from bot.core.evaluation.quality import compare_guards, evaluate, scored
from bot.core.guarding.verdict import Task
from bot.core.text.catalogue import Texts


async def evaluation(data: Sequence[Path], study: Study, config: Config, say: Texts, outlet: Outlet) -> None:
    """One guard, or two beside each other, on the same rows."""
    rows = sampled([row for path in data for row in tools.labelled(path)], study.limit)
    judged = [await judge_rows(rows, guard, config, say, study.scores) for guard in study.guards]
    results = [evaluate(one.guard, rows, one.screenings, threshold=study.threshold) for one in judged]
    reports = [evaluation_json(result, one.cascade) for result, one in zip(results, judged, strict=True)]
    tables = [
        table for result, one in zip(results, judged, strict=True) for table in tables_of(result, one.cascade, say)
    ]
    content = reports[0]
    if len(judged) == 2:
        comparison = compare_guards(rows, judged[0].screenings, judged[1].screenings, threshold=study.threshold)
        tables.append(comparison_table(results, comparison, say))
        content = {
            "a": reports[0],
            "b": reports[1],
            "comparison": {str(task): asdict(found) for task, found in comparison.items()},
        }
    outlet.take(content, tables)
    if outlet.picture:
        curves = {
            f"{one.guard.name}: {say[f'task.{task}']}": found
            for one in judged
            for task in Task
            if (found := scored(task, list(zip(rows, one.screenings, strict=True))))[0]
        }
        tools.evaluation_picture(outlet.picture, curves, say)
