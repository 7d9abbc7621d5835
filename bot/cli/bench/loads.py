"""Exchanges and a guard's engine -> how fast it answers: by its card's snippet, asked directly, through our queue."""

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Literal, get_args

from bot.app.engines import UNPARSEABLE, CardSnippet, RawEngine, SystemClock
from bot.core.chat.message import CommunityRef, Platform
from bot.core.guarding.ports import Guard
from bot.core.guarding.queue import GuardQueue
from bot.core.guarding.verdict import Exchange, Unscreened

Mode = Literal["generate", "classify"]
MODES: tuple[Mode, ...] = get_args(Mode)

WARM_UP = 256  # exchanges before anything is measured
BULK = 2000  # of one call in bulk
ROUNDS = 5  # ways take turns, so that a machine with other work is as unfair to one as to the other
IN_TIME = 1.0  # seconds within which an answer is worth something where more is offered than can be done
_TICKS = os.sysconf("SC_CLK_TCK")  # of /proc, a second

WRITTEN = 6  # tokens of the card's answer to a prompt, for random weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How the guard is loaded. `in_flight`: out at once in a closed loop; `shares`: what is offered in open loops,
    arrivals at random, of what the queue did in the closed one."""

    seconds: float = 10.0
    in_flight: int = 512
    shares: tuple[float, ...] = (0.5, 0.8, 0.95, 2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`offered` a second, None in a closed loop. `per_second` is the median of the rounds, `slowest` and `fastest` of
    them; of an open loop those answered within IN_TIME. Latencies in milliseconds; processor time of this process and
    of those that it started, in microseconds for each exchange."""

    section: str
    texts: str
    offered: float | None
    exchanges: int
    per_second: float
    slowest: float
    fastest: float
    p50_ms: float
    p99_ms: float
    front_us: float
    engine_us: float


@dataclass(slots=True)
class Processors:
    """Over one or several rounds. Of other processes nothing is known where there is no /proc."""

    exchanges: int = 0
    _own: float = 0.0
    _others: float = 0.0

    @property
    def own(self) -> float:
        """Microseconds for each."""
        return 1e6 * self._own / max(1, self.exchanges)

    @property
    def others(self) -> float:
        return 1e6 * self._others / max(1, self.exchanges)

    def begin(self) -> None:
        self._own -= time.process_time()
        self._others -= _spent_below(os.getpid())

    def end(self) -> None:
        self._own += time.process_time()
        self._others += _spent_below(os.getpid())


def _spent_below(parent: int) -> float:
    """Seconds, of all processes that descend from it."""
    return sum(seconds + _spent_below(child) for child, seconds in _children(parent))


def _children(parent: int) -> Iterator[tuple[int, float]]:
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            values = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(values[1]) == parent:
            yield int(status.parent.name), (int(values[11]) + int(values[12])) / _TICKS


@dataclass(slots=True)
class Stopwatch:
    """Counts what is answered in the steady part of each round: neither while askers come nor while they leave."""

    latencies: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    processors: Processors = field(default_factory=Processors)
    _open: tuple[float, float] = (0.0, 0.0)
    _answered: int = 0

    def begin(self, seconds: float, ramp: float) -> float:
        """When askers stop."""
        began = time.perf_counter()
        self._open, self._answered = (began + ramp, began + ramp + seconds), 0
        self.processors.begin()
        return self._open[1]

    def answered(self, asked_at: float, *, within: float = float("inf")) -> None:
        now = time.perf_counter()
        self.processors.exchanges += 1
        if self._open[0] <= now <= self._open[1]:
            self._answered += now - asked_at <= within
            self.latencies.append(now - asked_at)

    def end(self) -> None:
        self.processors.end()
        self.rates.append(self._answered / (self._open[1] - self._open[0]))

    def row(self, section: str, texts: str, offered: float | None = None) -> Row:
        ordered = sorted(self.latencies) or [float("nan")]
        row = Row(
            section=section,
            texts=texts,
            offered=offered and round(offered, 1),
            exchanges=len(self.latencies),
            per_second=round(median(self.rates), 1),
            slowest=round(min(self.rates), 1),
            fastest=round(max(self.rates), 1),
            p50_ms=round(1000 * ordered[len(ordered) // 2], 1),
            p99_ms=round(1000 * ordered[len(ordered) * 99 // 100], 1),
            front_us=round(self.processors.own, 1),
            engine_us=round(self.processors.others, 1),
        )
        # Told at once: a run that is cut short has said what it found.
        print(json.dumps(asdict(row)), file=sys.stderr, flush=True)
        return row


Exchanges = Mapping[str, Iterator[Exchange]]  # by what they are: "chat", "pairs", "long"


def card(
    model: str, load_format: str, options: dict[str, Any], exchanges: Exchanges, only: Sequence[str], load: Load
) -> list[Row]:
    """The snippet of the model's card, one call after another, and in bulk."""
    snippet = CardSnippet(model, load_format=load_format, writes=WRITTEN if load_format == "dummy" else None, **options)
    rows = []
    for texts in ("chat", "pairs"):
        snippet.chat([next(exchanges[texts]) for _ in range(WARM_UP)])
        for section, together in (("snippet", 1), ("bulk-chat", BULK)):
            if section in only and (texts == "chat" or together == 1):
                watch = Stopwatch()
                end = watch.begin(load.seconds / 2, ramp=0.0)
                while (asked := time.perf_counter()) < end:
                    snippet.chat([next(exchanges[texts]) for _ in range(together)])
                    for _ in range(together):
                        watch.answered(asked)
                watch.end()
                rows.append(watch.row(section, texts))
    snippet.close()
    return rows


@dataclass(frozen=True, slots=True)
class Way:
    """`ask` takes what `prepare` made of an exchange."""

    prepare: Callable[[Exchange], Any]
    ask: Callable[[Any], Awaitable[None]]


async def served(
    mode: Mode,
    model: str,
    dialect: str,
    load_format: str,
    options: dict[str, Any],
    exchanges: Exchanges,
    only: Sequence[str],
    load: Load,
) -> list[Row]:
    """One engine, asked directly and through the shared queue."""
    engine = RawEngine(model, clock=SystemClock(), dialect=dialect, mode=mode, load_format=load_format, **options)
    ways = {f"raw-{mode}": Way(engine.prepared, engine.ask)} if f"raw-{mode}" in only else {}
    try:
        return await queued(
            f"queue-{mode}", engine.guard, exchanges, only, load, beside=ways, strict=load_format != "dummy"
        )
    finally:
        await engine.close()


async def queued(
    section: str,
    guard: Guard,
    exchanges: Exchanges,
    only: Sequence[str],
    load: Load,
    *,
    beside: Mapping[str, Way],
    strict: bool,
) -> list[Row]:
    """A guard behind the queue as it is shipped, in turns with other ways. `strict`: the guard has to answer each time;
    what a small one writes may make no sense all the same, and costs as much."""

    async def screen(exchange: Exchange) -> None:
        home = CommunityRef(Platform("bench"), str(hash(exchange) % 7))
        screening = await queue.submit(exchange, community=home)
        if isinstance(screening, Unscreened) and strict and screening.reason != UNPARSEABLE:
            raise RuntimeError(screening.reason)

    queue = GuardQueue(guard=guard, clock=SystemClock(), capacity=1_000_000)
    serving = asyncio.ensure_future(queue.run())
    ways = {**beside, **({section: Way(lambda exchange: exchange, screen)} if section in only else {})}
    measuring = asyncio.ensure_future(_measured(ways, exchanges, load))
    try:
        await asyncio.wait([measuring, serving], return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()  # raises: it only ends when the engine is dead
        return measuring.result()
    finally:
        measuring.cancel()
        serving.cancel()
        await asyncio.wait([measuring, serving])


async def _measured(ways: Mapping[str, Way], exchanges: Exchanges, load: Load) -> list[Row]:
    rows = []
    for texts, some in exchanges.items():
        for way in ways.values():
            await asyncio.gather(*(way.ask(way.prepare(next(some))) for _ in range(min(WARM_UP, load.in_flight))))
        closed = {section: Stopwatch() for section in ways}
        for _ in range(ROUNDS):
            for section, way in ways.items():
                await _closed(way, some, load, closed[section])
        rows += [watch.row(section, texts) for section, watch in closed.items()]
    capacity = next((row.per_second for row in rows[len(ways) - 1 :: -1] if row.texts == "chat"), 0.0)
    for share in load.shares if capacity else ():
        for section, way in ways.items():
            watch = await _open(way, exchanges["chat"], share * capacity, load.seconds)
            rows.append(watch.row(section, "chat", share * capacity))
    return rows


async def _closed(way: Way, exchanges: Iterator[Exchange], load: Load, watch: Stopwatch) -> None:
    """One round: so many askers, each with its next exchange as soon as it has its answer."""
    seconds = load.seconds / ROUNDS
    ready = [way.prepare(next(exchanges)) for _ in range(load.in_flight)]
    end = watch.begin(seconds, ramp=seconds / 2)

    async def asker(asked: Any) -> None:
        while (began := time.perf_counter()) < end:
            await way.ask(asked)
            watch.answered(began)
            asked = way.prepare(next(exchanges))

    await asyncio.gather(*map(asker, ready))
    watch.end()


async def _open(way: Way, exchanges: Iterator[Exchange], rate: float, seconds: float) -> Stopwatch:
    """They arrive at random, whether or not earlier ones are answered; latency counts from the arrival."""
    draw, watch, tasks = random.Random(0), Stopwatch(), set[asyncio.Future[None]]()

    async def one(asked: Any, arrival: float) -> None:
        await way.ask(asked)
        watch.answered(arrival, within=IN_TIME)

    end, arrival = watch.begin(seconds, ramp=seconds / 5), time.perf_counter()
    while arrival < end:
        await asyncio.sleep(max(0.0, arrival - time.perf_counter()))  # who is late gives way, too
        tasks.add(asyncio.ensure_future(one(way.prepare(next(exchanges)), arrival)))
        arrival += draw.expovariate(rate)
    for task in tasks:  # beyond capacity some would never be answered
        if not task.done() and rate:
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    watch.end()
    return watch
