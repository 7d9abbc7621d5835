"""A value -> the line of JSON that programs read; tables of ready-made cells -> the terminal, or Markdown."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.core.base.errors import Broken, reason


def print_json(value: object) -> None:
    """One line, readable Korean; escaped only where the text cannot be printed as it is (lone surrogates)."""
    line = json.dumps(value, ensure_ascii=False, allow_nan=False)
    try:
        line.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        line = json.dumps(value, allow_nan=False)
    print(line, flush=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tabular:
    """The first column holds names, the others numbers. `notes` stand below."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlet:
    """Where a result goes: the screen, as tables or JSON, and the files that were asked for."""

    as_json: bool = False
    markdown: Path | None = None
    picture: Path | None = None

    def take(self, content: Any, tables: Sequence[Tabular]) -> None:
        if self.markdown:
            try:
                self.markdown.write_text(markdown(tables), "utf-8")
            except OSError as error:
                raise Broken("{path}: {why}", path=self.markdown, why=reason(error)) from error
        print_json(content) if self.as_json else show(tables)


def show(tables: Sequence[Tabular]) -> None:
    from rich.box import SIMPLE_HEAD  # takes long to load: not for `--help`
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False)
    for tabular in tables:
        console.print(tabular.title)
        table = Table(box=SIMPLE_HEAD, padding=0)
        for place, column in enumerate(tabular.columns):
            table.add_column(column, justify="right" if place else "left")
        for row in tabular.rows:
            table.add_row(*row)
        console.print(table)
        for note in tabular.notes:
            console.print(note)


def markdown(tables: Sequence[Tabular]) -> str:
    return "\n".join(_markdown(table) for table in tables)


def _markdown(table: Tabular) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") or " " for cell in cells) + " |\n"

    head = line(table.columns) + line([":--", *["--:"] * (len(table.columns) - 1)])
    notes = "".join(f"\n{note}\n" for note in table.notes)
    return f"## {table.title}\n\n{head}{''.join(map(line, table.rows))}{notes}"
