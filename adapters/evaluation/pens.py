"""A file of corpus/ (JSON Lines, corpus/README.md) -> the lines that pens wrote."""

import json
from collections.abc import Sequence
from pathlib import Path

from bot.core.base.errors import Broken, reason
from bot.core.evaluation.fresh import FreshLine
from bot.core.guarding.kinds import HarmKind


def read_pens(path: Path) -> Sequence[FreshLine]:
    """Raises Broken where the file is missing, or a line is not one of a pen's."""
    try:
        written = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise Broken("{path}: {why}", path=path, why=reason(error)) from error
    except UnicodeDecodeError as error:
        raise Broken("{path}: {why}", path=path, why="not UTF-8") from error
    lines = []
    for number, line in enumerate(written, 1):
        try:
            row = json.loads(line)
            kind = None if row["kind"] == "none" else HarmKind(row["kind"])
            lines.append(FreshLine(text=str(row["text"]), kind=kind, like=str(row["like"]), quotes=bool(row["quotes"])))
        except (ValueError, KeyError, TypeError) as error:
            raise Broken(
                "{path}: line {number} is not a line of a pen (corpus/README.md)", path=path, number=number
            ) from error
    if not lines:
        raise Broken("{path}: no lines", path=path)
    return lines
