"""`jikimi bench flow`: how fast messages travel the whole way, beside a naive bot and with nothing sealed in the same
run."""

import asyncio
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.line import Line
from bot.cli.shown import print_json
from bot.core.text.catalogue import Texts

if TYPE_CHECKING:
    from bot.cli.bench.journeys import Journey
    from bot.core.guarding.ports import Guard

ROUNDS = 3
LONG_ONES = 200  # messages of the run that has long texts in it
SHARE = 10  # the naive bot gets one message in SHARE: it is slow, and its rate does not depend on how many


def declare(line: Line) -> None:
    say = line.say

    @line.bench.command("flow", help=say["help.bench_flow"])
    def command(
        messages: Annotated[int, typer.Option("--messages", min=100, help=say["help.bench_messages"])] = 20_000,
        as_json: Annotated[bool, line.json] = False,
    ) -> None:
        asyncio.run(bench_flow(messages, say, as_json=as_json))


async def bench_flow(messages: int, say: Texts, *, as_json: bool) -> None:
    """With the n-grams of the shipped guard alone, then with all of it."""
    from bot.app import guards
    from bot.config import Config
    from bot.config.guards import GuardSettings

    rows = {}
    for name, encoder in (("ngrams", False), ("shipped", True)):
        async with guards.guard(Config(guard=GuardSettings(encoder=encoder)), say) as guard:
            rows[name] = await _row(messages, guard)
        if not as_json:
            print(say(f"bench.flow_{name}"))
            print(say("bench.flow", messages=messages, **rows[name]))
    if as_json:
        print_json({"messages": messages, **rows["ngrams"], "shipped": rows["shipped"]})


async def _row(messages: int, guard: "Guard") -> dict[str, object]:
    """ROUNDS times in turn, so that what else the machine does hits both; the middle ratio counts."""
    from bot.cli.bench import journeys
    from bot.config import Config
    from bot.core.rules.policy import Watch

    policy = Config().policy.in_mode(Watch.LIVE)
    ours: list[journeys.Journey] = []
    openly: list[journeys.Journey] = []
    naive: list[journeys.Journey] = []
    await journeys.queue(journeys.ARRIVING, guard)  # warm up
    queue = await journeys.queue(messages // SHARE, guard)
    with TemporaryDirectory(prefix="jikimi-bench-", dir=".") as folder:
        for number in range(ROUNDS):
            path = Path(folder) / str(number)
            naive.append(
                await journeys.naive(messages // ROUNDS // SHARE, guard, policy, path.with_suffix(".naive.db"))
            )
            for is_open in (number % 2 == 1, number % 2 == 0):  # now one goes first, now the other
                database = path.with_suffix(".open.db" if is_open else ".db")
                (openly if is_open else ours).append(
                    await journeys.ours(messages // ROUNDS, guard, database, openly=is_open)
                )
        long = await journeys.ours(
            LONG_ONES, guard, Path(folder) / "long.db", source=iter(journeys.long_ones(LONG_ONES))
        )
    return {
        "rounds": ROUNDS,
        "queue_per_second": round(queue, 1),
        "jikimi_per_second": round(median(one.rate for one in ours), 1),
        "naive_per_second": round(median(one.rate for one in naive), 1),
        "ratio": round(median(our.rate / their.rate for our, their in zip(ours, naive, strict=True)), 2),
        "openly_per_second": round(median(one.rate for one in openly), 1),
        "sealing_percent": round(100 * (median(_dearer(*pair) for pair in zip(ours, openly, strict=True)) - 1), 1),
        "incidents": sum(one.incidents for one in ours),
        "longest_hold_ms": round(max(one.hold for one in ours) * 1000, 1),
        "longest_hold_by_long_texts_ms": round(long.hold * 1000, 1),
        "memory_mib": [round(one.memory, 1) for one in ours],
    }


def _dearer(sealed: "Journey", openly: "Journey") -> float:
    """By processor time: what else the machine does counts less there."""
    return sealed.work / openly.work
