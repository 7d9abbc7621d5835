"""`jikimi calibrate`: labelled data -> temperature and bias of a guard's scores, task by task, written to a file."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.line import DEFAULT_SCORES, Line
from bot.cli.shown import print_json
from bot.core.base.errors import Broken
from bot.core.evaluation.calibration import Calibration, CannotFit, Scale, fit
from bot.core.evaluation.measures import calibration_error
from bot.core.evaluation.quality import scored
from bot.core.guarding.verdict import Task
from bot.core.text.catalogue import Texts

if TYPE_CHECKING:
    from bot.cli.evaluation.tables import Tabular
    from bot.config import Config


def declare(line: Line) -> None:
    say = line.say

    @line.app.command("calibrate", help=say["help.calibrate"])
    def command(
        data: Annotated[list[Path], typer.Argument(help=say["help.eval_data"], show_default=False)],
        out: Annotated[Path, typer.Option("--out", help=say["help.calibrate_out"])] = Path("calibration.json"),
        guard: Annotated[str | None, line.guard] = None,
        scores: Annotated[Path, line.scores] = DEFAULT_SCORES,
        config: Annotated[Path | None, line.config] = None,
        as_json: Annotated[bool, line.json] = False,
    ) -> None:
        asyncio.run(calibrate(data, guard, line.settings(config), say, out=out, scores=scores, as_json=as_json))


async def calibrate(
    data: Sequence[Path], guard: str | None, config: "Config", say: Texts, *, out: Path, scores: Path, as_json: bool
) -> None:
    """Temperature and bias per task, fitted on raw scores and written to `out`. Raises `Broken` where no task can be
    fitted."""
    from bot.app import tools
    from bot.cli.evaluation.judging import judge_rows
    from bot.cli.evaluation.tables import show

    rows = [row for path in data for row in tools.labelled(path)]
    judged = await judge_rows(rows, guard, config, say, scores, raw=True)
    pairs = list(zip(rows, judged.screenings, strict=True))
    scales: dict[Task, Scale] = {}
    errors: dict[Task, tuple[float | None, float | None]] = {}
    refused: dict[Task, CannotFit] = {}
    for task in Task:
        truth, raw = scored(task, pairs)
        if not truth:
            continue
        match fit(truth, raw):
            case Scale() as scale:
                scales[task] = scale
                errors[task] = calibration_error(truth, raw), calibration_error(truth, [scale(score) for score in raw])
            case reason:
                refused[task] = reason
    notes = [f"{say[f'task.{task}']}: {say[f'calibrate.{why}']}" for task, why in refused.items()]
    if not scales:
        raise Broken(say("calibrate.nothing", why="; ".join(notes) or say["calibrate.too_few"]))
    calibration = Calibration(guard=judged.guard, scales=scales)
    tools.write_calibration(calibration, out)
    if as_json:
        reasons = {str(task): str(why) for task, why in refused.items()}
        print_json(calibration.to_json() | {"fingerprint": calibration.fingerprint, "refused": reasons})
        return
    show([_table(calibration, errors, notes, out, say)])


def _table(
    calibration: Calibration,
    errors: Mapping[Task, tuple[float | None, float | None]],
    notes: Sequence[str],
    out: Path,
    say: Texts,
) -> "Tabular":
    """`errors`: of each task's scores, raw and scaled."""
    from bot.cli.evaluation.shown import number
    from bot.cli.evaluation.tables import Tabular

    return Tabular(
        title=say("calibrate.title", guard=calibration.guard.name, model=calibration.guard.model, path=out),
        columns=["", *(say[f"calibrate.{column}"] for column in ("rows", "temperature", "bias", "loss", "error"))],
        rows=[
            [
                say[f"task.{task}"],
                f"{scale.rows:,}",
                f"{scale.temperature:.3f}",
                f"{scale.bias:+.3f}",
                f"{scale.raw_loss:.4f} → {scale.loss:.4f}",
                f"{number(errors[task][0])} → {number(errors[task][1])}",
            ]
            for task, scale in calibration.scales.items()
        ],
        notes=[*notes, say["calibrate.note"]],
    )
