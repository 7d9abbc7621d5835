"""Labelled data -> temperature and bias of a guard's scores, task by task, written to a file."""

from collections.abc import Sequence
from pathlib import Path

from bot.app import tools
from bot.cli.evaluation.judging import judge_rows
from bot.cli.evaluation.shown import number
from bot.cli.evaluation.tables import Tabular, show
from bot.cli.shown import print_json
from bot.config import Config
from bot.core.base.errors import Broken
from bot.core.evaluation.calibration import Calibration, CannotFit, Scale, fit
from bot.core.evaluation.measures import calibration_error
from bot.core.evaluation.quality import scored
from bot.core.guarding.verdict import Task
from bot.core.text.catalogue import Texts


async def calibrate(
    data: Sequence[Path], guard: str | None, config: Config, say: Texts, *, out: Path, scores: Path, as_json: bool
) -> None:
    """Temperature and bias per task, fitted on raw scores and written to `out`. Raises `Broken` where no task can be
    fitted."""
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
    table = Tabular(
        title=say("calibrate.title", guard=judged.guard.name, model=judged.guard.model, path=out),
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
            for task, scale in scales.items()
        ],
        notes=[*notes, say["calibrate.note"]],
    )
    show([table])
