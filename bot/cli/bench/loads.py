"""Messages and a guard's engine -> how fast it answers: by its card's snippet, asked directly, through our queue."""

import asyncio
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from bot.app.engines import CardSnippet, RawEngine, SystemClock
from bot.core.chat.message import CommunityRef, Platform
from bot.core.guarding.queue import GuardQueue
from bot.core.guarding.verdict import Exchange, Unscreened

Mode = Literal["generate", "classify"]
MODES: tuple[Mode, ...] = get_args(Mode)

_WARM_UP = 256  # messages before each measurement
_BULK = 2000  # messages of one call in bulk
_ROUNDS = 4  # closed loops take turns, so that a machine with other work is as unfair to one as to the other


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How the guard is loaded. `in_flight`: messages out at once in a closed loop; `rates`: messages a second offered
    in open loops, arrivals at random."""

    seconds: float = 10.0
    in_flight: int = 512
    rates: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row: `offered` messages a second, None in a closed loop; latencies in milliseconds; `front_us`: microseconds
    of processor time that this process, the front end, spent on a message."""

    section: str
    offered: float | None
    messages: int
    per_second: float
    p50_ms: float
    p99_ms: float
    front_us: float


@dataclass(slots=True)
class Stopwatch:
    """Counts answers and their latencies over one or several rounds."""

    latencies: list[float] = field(default_factory=list)
    took: float = 0.0
    processor: float = 0.0

    @contextmanager
    def round(self) -> Iterator[float]:
        began, processor = time.perf_counter(), time.process_time()
        yield began
        self.took += time.perf_counter() - began
        self.processor += time.process_time() - processor

    def answered(self, asked_at: float) -> None:
        self.latencies.append(time.perf_counter() - asked_at)

    def row(self, section: str, offered: float | None = None) -> Row:
        ordered = sorted(self.latencies)
        row = Row(
            section=section,
            offered=offered,
            messages=len(ordered),
            per_second=round(len(ordered) / self.took, 1),
            p50_ms=round(1000 * ordered[len(ordered) // 2], 1),
            p99_ms=round(1000 * ordered[len(ordered) * 99 // 100], 1),
            front_us=round(1e6 * self.processor / len(ordered), 1),
        )
        # Told at once: a run that is cut short has said what it found.
        print(json.dumps(asdict(row)), file=sys.stderr, flush=True)
        return row


def card(
    model: str,
    load_format: str,
    options: dict[str, Any],
    messages: Iterator[str],
    only: Sequence[str],
    load: Load,
) -> list[Row]:
    """The snippet of the model's card, one call after another, and in bulk."""
    snippet = CardSnippet(model, load_format=load_format, **options)
    snippet.chat([next(messages) for _ in range(_WARM_UP)])
    rows = []
    if "snippet" in only:
        watch = Stopwatch()
        with watch.round() as began:
            while (asked := time.perf_counter()) - began < load.seconds:
                snippet.chat([next(messages)])
                watch.answered(asked)
        rows.append(watch.row("snippet"))
    if "bulk-chat" in only:
        watch = Stopwatch()
        with watch.round() as began:
            while (asked := time.perf_counter()) - began < load.seconds / 2:
                snippet.chat([next(messages) for _ in range(_BULK)])
                for _ in range(_BULK):
                    watch.answered(asked)
        rows.append(watch.row("bulk-chat"))
    snippet.close()
    return rows


async def served(
    mode: Mode,
    model: str,
    dialect: str,
    load_format: str,
    options: dict[str, Any],
    messages: Iterator[str],
    only: Sequence[str],
    load: Load,
) -> list[Row]:
    """One engine, asked directly and through the shared queue."""
    engine = RawEngine(model, clock=SystemClock(), dialect=dialect, mode=mode, load_format=load_format, **options)

    async def screen(text: str) -> None:
        home = CommunityRef(Platform("bench"), str(hash(text) % 7))
        screening = await queue.submit(Exchange(prompt=text), community=home)
        if isinstance(screening, Unscreened) and load_format != "dummy":
            raise RuntimeError(screening.reason)

    queue = GuardQueue(guard=engine.guard, clock=SystemClock())
    serving = asyncio.ensure_future(queue.run())
    ways = {name: way for name, way in ((f"raw-{mode}", engine.ask), (f"queue-{mode}", screen)) if name in only}
    measuring = asyncio.ensure_future(_measured(ways, messages, load))
    try:
        await asyncio.wait([measuring, serving], return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()  # raises: it only ends when the engine is dead
        return measuring.result()
    finally:
        measuring.cancel()
        serving.cancel()
        await asyncio.wait([measuring, serving])
        await engine.close()


Ask = Callable[[str], Awaitable[None]]


async def _measured(ways: Mapping[str, Ask], messages: Iterator[str], load: Load) -> list[Row]:
    for ask in ways.values():
        await asyncio.gather(*(ask(next(messages)) for _ in range(_WARM_UP)))
    closed = {section: Stopwatch() for section in ways}
    for _ in range(_ROUNDS):
        for section, ask in ways.items():
            await _closed(ask, messages, load, closed[section])
    rows = [watch.row(section) for section, watch in closed.items()]
    for rate in load.rates:
        for section, ask in ways.items():
            rows.append((await _open(ask, messages, rate, load.seconds)).row(section, rate))
    return rows


async def _closed(ask: Ask, messages: Iterator[str], load: Load, watch: Stopwatch) -> None:
    """One round: so many askers, each with its next message as soon as it has its answer."""
    with watch.round() as began:

        async def asker() -> None:
            while (asked := time.perf_counter()) - began < load.seconds / _ROUNDS:
                await ask(next(messages))
                watch.answered(asked)

        await asyncio.gather(*(asker() for _ in range(load.in_flight)))


async def _open(ask: Ask, messages: Iterator[str], rate: float, seconds: float) -> Stopwatch:
    """Messages arrive at random, whether or not earlier ones are answered; latency counts from the arrival."""
    draw = random.Random(0)
    watch = Stopwatch()
    tasks = set()

    async def one(arrival: float) -> None:
        await ask(next(messages))
        watch.answered(arrival)

    with watch.round() as arrival:
        end = arrival + seconds
        while arrival < end:
            if (early := arrival - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            tasks.add(asyncio.ensure_future(one(arrival)))
            arrival += draw.expovariate(rate)
        await asyncio.gather(*tasks)
    return watch
