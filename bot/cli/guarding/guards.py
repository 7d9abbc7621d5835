"""`jikimi guards`: what each guard can judge, in which forms, and what of it was never checked."""

from typing import Annotated

from bot.cli.line import Line
from bot.cli.shown import print_json
from bot.core.guarding.verdict import Task
from bot.core.text.catalogue import Texts


def declare(line: Line) -> None:
    @line.app.command("guards", help=line.say["help.guards"])
    def command(as_json: Annotated[bool, line.json] = False) -> None:
        guards(line.say, as_json=as_json)


def guards(say: Texts, *, as_json: bool) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from bot.app.guards import capabilities

    rows = capabilities()
    if as_json:
        print_json(rows)
        return
    table = Table(title=say["guards.title"], title_justify="left", box=SIMPLE_HEAD, padding=0)
    table.add_column(say["guards.name"], no_wrap=True)
    for task in Task:
        table.add_column(say[f"guards.{task}"], justify="center")
    table.add_column(say["guards.categories"], justify="right")
    table.add_column(say["guards.context"], justify="right")
    table.add_column(say["guards.korean"], justify="center")
    for row in rows:
        table.add_row(
            row["name"],
            *(_mark(task in row["tasks"]) for task in Task),
            str(len(row["categories"]) or "-"),
            f"{row['context'] // 1024}k" if row["context"] else "-",
            _mark(row["korean"]),
        )
    console = Console(highlight=False, markup=False)
    console.print(table)
    console.print(say["guards.note"])


def _mark(able: bool) -> str:
    return "✓" if able else "-"
