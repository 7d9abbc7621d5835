"""`jikimi guards`: what each guard can judge, in which forms, and what of it was never checked."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from bot.cli.line import Line
from bot.cli.shown import print_json
from bot.core.base.errors import Broken
from bot.core.guarding.verdict import Task
from bot.core.text.catalogue import Texts


def declare(line: Line) -> None:
    @line.app.command("guards", help=line.say["help.guards"])
    def command(
        name: Annotated[str | None, typer.Argument(help=line.say["help.guards_name"], show_default=False)] = None,
        as_json: Annotated[bool, line.json] = False,
    ) -> None:
        guards(line.say, name, as_json=as_json)


def guards(say: Texts, name: str | None = None, *, as_json: bool) -> None:
    """All of them, or one with everything that is known of its weights."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from bot.app.guards import capabilities

    rows = capabilities()
    if name is not None:
        one = next((row for row in rows if row["name"] == name), None)
        if one is None:
            raise Broken(say("guards.unknown", name=name, names=", ".join(row["name"] for row in rows)))
        if as_json:
            print_json(one)
        else:
            print("\n".join(_about(one, say)))
        return
    if as_json:
        print_json(rows)
        return
    table = Table(title=say["guards.title"], title_justify="left", box=SIMPLE_HEAD, padding=0)
    table.add_column(say["guards.name"], no_wrap=True)
    for task in Task:
        table.add_column(say[f"guards.{task}"], justify="center")
    table.add_column(say["guards.categories"], justify="right")
    table.add_column(say["guards.context"], justify="right")
    table.add_column(say["guards.parameters"], justify="right")
    table.add_column(say["guards.korean"], justify="center")
    for row in rows:
        table.add_row(
            row["name"],
            *(_mark(task in row["tasks"]) for task in Task),
            str(len(row["categories"]) or "-"),
            f"{row['context'] // 1024}k" if row["context"] else "-",
            row["parameters"] or "-",
            _mark(row["korean"]),
        )
    console = Console(highlight=False, markup=False)
    console.print(table)
    console.print(say["guards.note"])


def _about(row: Mapping[str, Any], say: Texts) -> Iterator[str]:
    yield f"{row['name']}: {row['model']}"
    if row["parameters"]:
        yield say("guards.size", parameters=row["parameters"], weights=row["weights_gb"], memory=row["memory_gb"])
    gated = {True: "guards.gated", False: "guards.open", None: "guards.maybe_gated"}[row["gated"]]
    yield say("guards.licence", licence=say.why(row["licence"]), access=say[gated])
    if row["serve"]:
        yield say("check.serve", command=row["serve"])
    yield from (say("guards.unverified", what=say.why(what)) for what in row["unverified"])


def _mark(able: bool) -> str:
    return "✓" if able else "-"
