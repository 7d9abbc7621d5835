"""`jikimi train-embedded`: public corpora -> the embedded guard's model file, and how good it is."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.line import Line
from bot.cli.shown import print_json
from bot.core.base.errors import Broken
from bot.core.text.catalogue import Texts


def declare(line: Line) -> None:
    say = line.say

    @line.app.command("train-embedded", help=say["help.train_embedded"])
    def command(
        data: Annotated[Path, typer.Option("--data", help=say["help.train_data"])],
        out: Annotated[Path, typer.Option("--out", help=say["help.train_out"])] = Path("model.npz"),
        as_json: Annotated[bool, line.json] = False,
    ) -> None:
        train_embedded(data, out, say, as_json=as_json)


def train_embedded(data: Path, out: Path, say: Texts, *, as_json: bool) -> None:
    """Raises `Broken` where a corpus or scikit-learn is missing."""
    from rich.console import Console
    from rich.table import Table

    from bot.app import tools

    try:
        report = tools.train_embedded(data, out, lambda line: print(line, file=sys.stderr))
    except FileNotFoundError as error:
        raise Broken(say("train.no_corpus", path=error.filename or data)) from None
    except ModuleNotFoundError as error:
        raise Broken(say("train.no_library", name=error.name)) from None
    if as_json:
        print_json(asdict(report))
        return
    table = Table(title=str(out), title_justify="left")
    for column in ("", "n", "AUROC", "F1", "precision", "recall"):
        table.add_column(column, justify="right")
    for name, quality in {say["train.folds"]: report.folds, **report.tests}.items():
        numbers = (quality.auroc, quality.f1, quality.precision, quality.recall)
        table.add_row(name, str(quality.texts), *(f"{number:.3f}" for number in numbers))
    console = Console(highlight=False, markup=False)
    console.print(table)
    console.print(say("train.thresholds", **report.thresholds, bytes=report.file_bytes))
