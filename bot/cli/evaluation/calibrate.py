"""`jikimi calibrate`: labelled data -> temperature and bias of a guard's scores, task by task, written to a file."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.line import DEFAULT_SCORES, Line
from bot.cli.shown import Tabular, print_json, show
from bot.core.base.errors import Broken
from bot.core.evaluation.calibration import Calibration, CannotFit, Scale, fit
from bot.core.evaluation.measures import calibration_error
from bot.core.evaluation.quality import scored
from bot.core.guarding.verdict import Task
from bot.core.text.catalogue import Texts

if TYPE_CHECKING:
    from bot.config import Config


def declare(line: Line) -> None:
    say = line.say

    @line.app.command("calibrate", help=say["help.calibrate"])
    def command(
        data: Annotated[list[Path] | None, typer.Argument(help=say["help.eval_data"], show_default=False)] = None,
        out: Annotated[Path, typer.Option("--out", help=say["help.calibrate_out"])] = Path("calibration.json"),
        guard: Annotated[str | None, line.guard] = None,
        prevalence: Annotated[
            float | None,
            typer.Option(
                "--prevalence", min=0.0001, max=0.9999, help=say["help.calibrate_prevalence"], show_default=False
            ),
        ] = None,
        community: Annotated[
            str | None, typer.Option("--community", help=say["help.calibrate_community"], show_default=False)
        ] = None,
        platform: Annotated[
            str | None, typer.Option("--platform", help=say["help.keys_platform"], show_default=False)
        ] = None,
        days: Annotated[int, typer.Option("--days", min=1, max=365, help=say["help.policy_days"])] = 90,
        precision: Annotated[
            float, typer.Option("--precision", min=0.5, max=0.999, help=say["help.calibrate_precision"])
        ] = 0.9,
        scores: Annotated[Path, line.scores] = DEFAULT_SCORES,
        config: Annotated[Path | None, line.config] = None,
        as_json: Annotated[bool, line.json] = False,
    ) -> None:
        from bot.cli.evaluation.own_bars import own_bars

        if bool(data) is bool(community):
            raise Broken(say["calibrate.how"])
        chosen = line.settings(config)
        if community:
            lasting = timedelta(days=days)
            asyncio.run(own_bars(community, platform, lasting, precision, chosen, say, as_json=as_json))
            return
        asyncio.run(
            calibrate(data or [], guard, chosen, say, out=out, scores=scores, prevalence=prevalence, as_json=as_json)
        )


async def calibrate(
    data: Sequence[Path],
    guard: str | None,
    config: "Config",
    say: Texts,
    *,
    out: Path,
    scores: Path,
    prevalence: float | None = None,
    as_json: bool,
) -> None:
    """Temperature and bias per task, fitted on raw scores and written to `out`: probabilities where as much is harmful
    as in the data, or the share `prevalence`. Raises `Broken` where no task can be fitted."""
    from bot.app import tools
    from bot.cli.evaluation.judging import judge_rows

    rows = [row for path in data for row in tools.labelled(path)]
    judged = await judge_rows(rows, guard, config, say, scores, raw=True)
    pairs = list(zip(rows, judged.screenings, strict=True))
    scales: dict[Task, Scale] = {}
    errors: dict[Task, tuple[float | None, float | None]] = {}
    refused: dict[Task, CannotFit] = {}
    shares: dict[Task, float] = {}
    for task in Task:
        truth, raw = scored(task, pairs)
        if not truth:
            continue
        match fit(truth, raw):
            case Scale() as scale:
                fitted = sum(truth) / len(truth)
                scales[task] = scale.where(prevalence, fitted=fitted) if prevalence else scale
                shares[task] = fitted
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
    for task, share in shares.items():
        said = "calibrate.stated" if prevalence else "calibrate.as_in_data"
        notes.append(
            say(said, task=say[f"task.{task}"], share=f"{100 * share:.1f}", wanted=f"{100 * (prevalence or 0):g}")
        )
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
