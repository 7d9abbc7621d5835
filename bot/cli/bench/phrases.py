"""`jikimi bench phrases`: the embedded guard -> what it makes of each trick that phrases are hidden with."""

from dataclasses import asdict
from typing import Annotated

from bot.cli.line import Line
from bot.cli.shown import print_json
from bot.core.text.catalogue import Texts


def declare(line: Line) -> None:
    @line.bench.command("phrases", help=line.say["help.bench_phrases"])
    def command(as_json: Annotated[bool, line.json] = False) -> None:
        bench_phrases(line.say, as_json=as_json)


def bench_phrases(say: Texts, *, as_json: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    from bot.app import tools

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
