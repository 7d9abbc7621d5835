"""The embedded guard, made and looked at: corpora -> model file, model -> what it does with each trick."""

import sys
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bot.app import tools
from bot.cli.shown import print_json
from bot.core.base.errors import Broken
from bot.core.text.catalogue import Texts


def train_embedded(data: Path, out: Path, say: Texts, *, as_json: bool) -> None:
    """Raises `Broken` where a corpus or scikit-learn is missing."""
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


def bench_phrases(say: Texts, *, as_json: bool) -> None:
    rates = tools.phrase_rates()
    if as_json:
        print_json([asdict(rate) | {"rate": rate.rate} for rate in rates])
        return
    table = Table(title=say["phrases.title"], title_justify="left")
    for column in ("kind", "trick", "right", "wrong"):
        table.add_column(say[f"phrases.{column}"])
    for rate in rates:
        wrong = ", ".join(f"{phrase} {probability:.2f}" for phrase, probability in rate.wrong[:5])
        table.add_row(say[f"phrases.{rate.kind}"], rate.trick, f"{rate.right}/{rate.total}", wrong)
    Console(highlight=False, markup=False).print(table)
