"""Where the inputs of each parser lie, a line of JSON each: those it began with, and those that went somewhere new."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.courses.fuzzing.changing import Value

FOLDER = Path(__file__).parent / "corpus"


def read(parser: str, folder: Path = FOLDER) -> Sequence[Value]:
    return [json.loads(line) for line in (folder / f"{parser}.jsonl").read_text("utf-8").splitlines()]


def add(parser: str, values: Iterable[Value], folder: Path = FOLDER) -> None:
    """Halves of surrogate pairs are written as what they are, escaped."""
    with (folder / f"{parser}.jsonl").open("a", encoding="utf-8") as file:
        file.writelines(f"{json.dumps(value)}\n" for value in values)
