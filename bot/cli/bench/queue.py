"""`jikimi bench queue`: a modelled GPU -> how fast messages are judged through the shared queue, beside lanes that wait
for whole batches, computed and not measured."""

from typing import Annotated

import typer

from bot.cli.line import Line
from bot.cli.shown import Tabular, print_json, show
from bot.core.text.catalogue import Texts

OFFERED = (1_000, 1_500, 4_000)  # messages a second; the last is twice what the card can do


def declare(line: Line) -> None:
    say = line.say

    @line.bench.command("queue", help=say["help.bench_queue"])
    def command(
        seconds: Annotated[float, typer.Option("--seconds", min=1, help=say["help.bench_seconds"])] = 5.0,
        as_json: Annotated[bool, line.json] = False,
    ) -> None:
        bench_queue(seconds, say, as_json=as_json)


def bench_queue(seconds: float, say: Texts, *, as_json: bool) -> None:
    from bot.cli.bench.simulated.engine import IN_TIME, continuous, lanes
    from bot.cli.bench.simulated.virtual_time import run

    ways = (lanes, continuous)
    found = {(way.__name__, rate): run(way(rate, seconds)) for rate in (None, *OFFERED) for way in ways}
    goodput = {
        way.__name__: round(found[way.__name__, OFFERED[-1]]["in_time"] / found[way.__name__, None]["per_second"], 2)
        for way in ways
    }
    if as_json:
        rows = [{"way": way, "offered": rate, **figures} for (way, rate), figures in found.items()]
        print_json({"rows": rows, "goodput_at_twice_the_capacity": goodput})
        return
    lines = [(name, *map(str, (rate or "-", *figures.values()))) for (name, rate), figures in found.items()]
    notes = [say("bench.queue.goodput", way=way, share=share, seconds=IN_TIME) for way, share in goodput.items()]
    columns = ("", *(say[f"bench.queue.{name}"] for name in ("offered", "per_second", "in_time")), "p50 ms", "p99 ms")
    show([Tabular(title=say["bench.queue.title"], columns=columns, rows=lines, notes=notes)])
