"""`jikimi bench queue`: a modelled GPU -> how fast messages are judged through the shared queue, beside lanes that wait
for whole batches, computed and not measured."""

from typing import Annotated

import typer

from bot.cli.line import Line
from bot.cli.shown import print_json

OFFERED = (1_000, 1_500, 4_000)  # messages a second; the last is twice what the card can do


def declare(line: Line) -> None:
    say = line.say

    @line.bench.command("queue", help=say["help.bench_queue"])
    def command(
        seconds: Annotated[float, typer.Option("--seconds", min=1, help=say["help.bench_seconds"])] = 5.0,
        as_json: Annotated[bool, line.json] = False,
    ) -> None:
        bench_queue(seconds, as_json=as_json)


def bench_queue(seconds: float, *, as_json: bool) -> None:
    from bot.cli.bench.simulated_engine import continuous, lanes
    from bot.cli.bench.virtual_time import run

    rows = [
        {"way": way.__name__, "offered": rate, **run(way(rate, seconds))}
        for rate in (None, *OFFERED)
        for way in (lanes, continuous)
    ]
    if as_json:
        print_json({"rows": rows})
        return
    print(f"{'':12}{'offered/s':>10}{'messages/s':>12}{'p50 ms':>8}{'p99 ms':>8}")
    for row in rows:
        offered = row["offered"] or "-"
        print(f"{row['way']:12}{offered:>10}{row['per_second']:>12}{row['p50_ms']:>8}{row['p99_ms']:>8}")
