"""`jikimi eval`: one guard, or two beside each other, on labelled rows; the model card's table; recorded outputs."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.line import DEFAULT_SCORES, Line
from bot.cli.shown import Outlet
from bot.core.base.errors import Broken
from bot.core.text.catalogue import Texts

if TYPE_CHECKING:
    from bot.cli.evaluation.judging import Study
    from bot.config import Config


def declare(line: Line) -> None:
    say = line.say

    @line.app.command("eval", help=say["help.eval"])
    def command(
        data: Annotated[list[Path] | None, typer.Argument(help=say["help.eval_data"], show_default=False)] = None,
        guard: Annotated[str | None, line.guard] = None,
        compare: Annotated[
            tuple[str, str] | None, typer.Option("--compare", help=say["help.eval_compare"], show_default=False)
        ] = None,
        card: Annotated[
            list[str] | None, typer.Option("--card", help=say["help.eval_card"], show_default=False)
        ] = None,
        outputs: Annotated[
            Path | None, typer.Option("--outputs", help=say["help.eval_outputs"], show_default=False)
        ] = None,
        columns: Annotated[
            list[str] | None, typer.Option("--column", help=say["help.eval_column"], show_default=False)
        ] = None,
        as_card: Annotated[bool, typer.Option("--as-card", help=say["help.eval_as_card"])] = False,
        prevalence: Annotated[
            float | None,
            typer.Option("--prevalence", min=0.0001, max=1, help=say["help.eval_prevalence"], show_default=False),
        ] = None,
        threshold: Annotated[float, typer.Option("--threshold", min=0, max=1, help=say["help.eval_threshold"])] = 0.5,
        limit: Annotated[
            int | None, typer.Option("--limit", min=1, help=say["help.eval_limit"], show_default=False)
        ] = None,
        scores: Annotated[Path, line.scores] = DEFAULT_SCORES,
        config: Annotated[Path | None, line.config] = None,
        as_json: Annotated[bool, line.json] = False,
        markdown: Annotated[
            Path | None, typer.Option("--markdown", help=say["help.eval_markdown"], show_default=False)
        ] = None,
        picture: Annotated[
            Path | None, typer.Option("--picture", help=say["help.eval_picture"], show_default=False)
        ] = None,
    ) -> None:
        from bot.cli.evaluation import card as cards
        from bot.cli.evaluation.judging import Study
        from bot.cli.evaluation.recorded import recorded

        if sum(map(bool, (data, card, outputs))) != 1:
            raise Broken(say["eval.how"])
        if outputs:
            return recorded(outputs, say, as_json=as_json)
        outlet, chosen = Outlet(as_json=as_json, markdown=markdown, picture=picture), line.settings(config)
        study = Study(
            guards=compare or (guard,),
            threshold=threshold,
            limit=limit,
            scores=scores,
            columns=_names(columns or (), say),
            as_card=as_card,
            prevalence=prevalence,
        )
        if card:
            return asyncio.run(cards.card(cards.card_files(card, say), study, chosen, say, outlet))
        return asyncio.run(evaluation(data or [], study, chosen, say, outlet))


def _names(columns: Sequence[str], say: Texts) -> dict[str, str]:
    names = dict(entry.partition("=")[::2] for entry in columns)
    if not all(names.values()):
        raise Broken(say["eval.bad_column"])
    return names


async def evaluation(data: Sequence[Path], study: "Study", config: "Config", say: Texts, outlet: "Outlet") -> None:
    """One guard, or two beside each other, on the same rows."""
    from bot.app import tools
    from bot.cli.evaluation.judging import judge_rows, sampled
    from bot.cli.evaluation.shown import comparison_table, evaluation_json, tables_of
    from bot.core.evaluation.quality import compare_guards, evaluate, scored
    from bot.core.guarding.verdict import Task

    rows = sampled([row for path in data for row in tools.labelled(path, study.columns)], study.limit)
    judged = [await judge_rows(rows, guard, config, say, study.scores, as_card=study.as_card) for guard in study.guards]
    results = [evaluate(one.guard, rows, one.screenings, threshold=study.threshold) for one in judged]
    pairs = list(zip(results, judged, strict=True))
    reports = [evaluation_json(result, one.cascade, study.prevalence) for result, one in pairs]
    tables = [table for result, one in pairs for table in tables_of(result, one.cascade, say, study.prevalence)]
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
