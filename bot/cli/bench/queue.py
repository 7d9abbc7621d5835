"""`jikimi bench queue`: a modelled GPU -> how fast messages are judged through the shared queue, beside lanes that wait
for whole batches, computed and not measured."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Annotated

import typer

from bot.cli.bench.simulated_engine import Engine, SimulatedEngine
from bot.cli.bench.virtual_time import VirtualClock, run
from bot.cli.line import Line
from bot.cli.shown import print_json
from bot.core.chat.message import CommunityRef, Platform
from bot.core.guarding.queue import GuardQueue
from bot.core.guarding.verdict import Exchange, Verdict

LANES, BATCH = 4, 64  # what the queue was before
OFFERED = (1_000, 1_500, 4_000)  # messages a second; the last is twice what the card can do
IN_FLIGHT = 2_048

Judge = Callable[[Exchange, CommunityRef], Awaitable[bool]]


def declare(line: Line) -> None:
    say = line.say

    @line.bench.command("queue", help=say["help.bench_queue"])
    def command(
        seconds: Annotated[float, typer.Option("--seconds", min=1, help=say["help.bench_seconds"])] = 5.0,
        as_json: Annotated[bool, line.json] = False,
    ) -> None:
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


async def continuous(rate: int | None, seconds: float) -> dict[str, float]:
    """As shipped."""
    queue = GuardQueue(guard=SimulatedEngine(Engine()), clock=VirtualClock(), capacity=100_000)

    async def judge(exchange: Exchange, community: CommunityRef) -> bool:
        return isinstance(await queue.submit(exchange, community=community), Verdict)

    serving = asyncio.create_task(queue.run())
    try:
        return await _loaded(judge, rate, seconds)
    finally:
        serving.cancel()


async def lanes(rate: int | None, seconds: float) -> dict[str, float]:
    """LANES calls at once of at most BATCH messages, each of which waits for all of them."""
    guard, line = SimulatedEngine(Engine()), asyncio.Queue[tuple[Exchange, "asyncio.Future[bool]"]]()

    async def lane() -> None:
        while True:
            batch = [await line.get()]
            while len(batch) < BATCH and not line.empty():
                batch.append(line.get_nowait())
            await guard.judge([exchange for exchange, _ in batch])
            for _, answer in batch:
                answer.set_result(True)

    async def judge(exchange: Exchange, _: CommunityRef) -> bool:
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        line.put_nowait((exchange, answer))
        return await answer

    serving = [asyncio.create_task(lane()) for _ in range(LANES)]
    try:
        return await _loaded(judge, rate, seconds)
    finally:
        for one in serving:
            one.cancel()


async def _loaded(judge: Judge, rate: int | None, seconds: float) -> dict[str, float]:
    """Messages at random from seven communities; `rate` None: so many wait at any time. The first fifth warms up."""
    loop, dice = asyncio.get_running_loop(), Random(0)
    latencies: list[float] = []
    end, numbers = seconds, iter(range(10**9))

    async def one() -> None:
        number, asked = next(numbers), loop.time()
        judged = await judge(Exchange(prompt=f"글 {number}"), CommunityRef(Platform("bench"), str(number % 7)))
        if judged and seconds / 5 < loop.time() <= end:
            latencies.append(loop.time() - asked)

    async def asker() -> None:
        while loop.time() < end:
            await one()

    if rate is None:
        tasks = {asyncio.create_task(asker()) for _ in range(IN_FLIGHT)}
    else:
        tasks = set()
        while loop.time() < end:
            tasks.add(asyncio.create_task(one()))
            await asyncio.sleep(dice.expovariate(rate))
    await asyncio.sleep(max(0.0, end - loop.time()))
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    ordered = sorted(latencies)
    return {
        "per_second": round(len(ordered) / (0.8 * seconds)),
        "p50_ms": round(1000 * ordered[len(ordered) // 2]),
        "p99_ms": round(1000 * ordered[len(ordered) * 99 // 100]),
    }
