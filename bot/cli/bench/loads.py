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

from bot.app.engines import UNPARSEABLE, CardSnippet, RawEngine, SystemClock, judges
from bot.cli.bench.cores import of_its_own
from bot.core.chat.message import CommunityRef, Platform
from bot.core.guarding.figures import QueueFigures
from bot.core.guarding.ports import Guard
from bot.core.guarding.queue import GuardQueue
from bot.core.guarding.verdict import Exchange, Unscreened, is_provisional

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
    """How the guard is loaded. `in_flight`: out at once in a closed loop, about what `texts` names; `shares`: what is
    offered in open loops, chat that comes at random, of what the queue did in the closed one, or of `capacity` (a
    second): then only open loops are run. `cores`: the model's own."""

    seconds: float = 10.0
    in_flight: int = 512
    texts: tuple[str, ...] = ("chat", "pairs", "long")
    shares: tuple[float, ...] = (0.5, 0.8, 0.95, 2.0)
    capacity: float = 0.0
    cores: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`offered` a second, None in a closed loop. `per_second` is the median of the rounds, or of the parts of an open
    loop, `slowest` and `fastest` of them; of an open loop those that the guard answered within IN_TIME. Its latencies
    in milliseconds; processor time of this process and of those that it started, in microseconds for each exchange.
    `settled` a second, on the stand-in's word; `outages`: times that the guard was taken to be away."""

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
    settled: float
    outages: int


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
    """Counts what is answered in the steady part of each round, or of each of a round's `parts`: neither while askers
    come nor while they leave."""

    latencies: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    settled: list[float] = field(default_factory=list)
    processors: Processors = field(default_factory=Processors)
    _open: tuple[float, float] = (0.0, 0.0)
    _answered: list[int] = field(default_factory=list)
    _settled: list[int] = field(default_factory=list)

    def begin(self, seconds: float, ramp: float, parts: int = 1) -> float:
        """When askers stop."""
        began = time.perf_counter()
        self._open, self._answered, self._settled = (began + ramp, began + ramp + seconds), [0] * parts, [0] * parts
        self.processors.begin()
        return self._open[1]

    def answered(self, asked_at: float, *, within: float = float("inf"), by_the_guard: bool = True) -> None:
        now = time.perf_counter()
        self.processors.exchanges += 1
        began, end = self._open
        if not began <= now < end:
            return
        part = int((now - began) / (end - began) * len(self._answered))
        self._settled[part] += not by_the_guard
        if by_the_guard:
            self._answered[part] += now - asked_at <= within
            self.latencies.append(now - asked_at)

    def end(self) -> None:
        self.processors.end()
        seconds = (self._open[1] - self._open[0]) / len(self._answered)
        self.rates += [number / seconds for number in self._answered]
        self.settled += [number / seconds for number in self._settled]

    def row(self, section: str, texts: str, offered: float | None = None, outages: int = 0) -> Row:
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
            settled=round(median(self.settled), 1),
            outages=outages,
        )
        # Told at once: a run that is cut short has said what it found.
        print(json.dumps(asdict(row)), file=sys.stderr, flush=True)
        return row


Exchanges = Mapping[str, Iterator[Exchange]]  # by what they are: "chat", "pairs", "long"


def card(
    model: str, load_format: str, options: dict[str, Any], exchanges: Exchanges, only: Sequence[str], load: Load
) -> list[Row]:
    """The snippet of the model's card, one call after another, and in bulk."""
    writes = WRITTEN if load_format == "dummy" else None
    with of_its_own(load.cores):
        snippet = CardSnippet(model, load_format=load_format, writes=writes, **options)
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
    """`ask` takes what `prepare` made of an exchange, and gives whether the guard itself answered."""

    prepare: Callable[[Exchange], Any]
    ask: Callable[[Any], Awaitable[bool]]
    figures: QueueFigures = field(default_factory=QueueFigures)


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
    """One engine, asked directly and through the shared queue; then as an application asks, with the embedded guard
    beside it, which stands in where there is no time."""
    with of_its_own(load.cores):
        engine = RawEngine(model, clock=SystemClock(), dialect=dialect, mode=mode, load_format=load_format, **options)
    strict, rows = load_format != "dummy", list[Row]()

    async def raw(asked: Any) -> bool:
        await engine.ask(asked)
        return True

    ways = {f"raw-{mode}": Way(engine.prepared, raw)} if f"raw-{mode}" in only else {}
    try:
        if ways or f"queue-{mode}" in only:
            rows += await queued(f"queue-{mode}", engine.guard, exchanges, only, load, beside=ways, strict=strict)
        if f"flow-{mode}" in only:
            guard, stand_in = judges(engine.guard)
            rows += await queued(
                f"flow-{mode}", guard, exchanges, only, load, beside={}, strict=strict, stand_in=stand_in
            )
    finally:
        await engine.close()
    return rows


async def queued(
    section: str,
    guard: Guard,
    exchanges: Exchanges,
    only: Sequence[str],
    load: Load,
    *,
    beside: Mapping[str, Way],
    strict: bool,
    stand_in: Guard | None = None,
) -> list[Row]:
    """A guard behind the queue as it is shipped, in turns with other ways. `strict`: the guard has to answer each time;
    what a small one writes may make no sense all the same, and costs as much. Where there is a `stand_in`, its word
    will do."""

    async def screen(exchange: Exchange) -> bool:
        home = CommunityRef(Platform("bench"), str(hash(exchange) % 7))
        screening = await queue.submit(exchange, community=home, provisional=stand_in is not None)
        if isinstance(screening, Unscreened) and strict and screening.reason != UNPARSEABLE:
            raise RuntimeError(screening.reason)
        return not is_provisional(screening)

    queue = GuardQueue(guard=guard, clock=SystemClock(), stand_in=stand_in, capacity=1_000_000)
    serving = asyncio.ensure_future(queue.run())
    way = Way(lambda exchange: exchange, screen, queue.figures)
    ways = {**beside, **({section: way} if section in only else {})}
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
    for way in ways.values():
        await _warm(way, exchanges["chat"], load)
    for texts in () if load.capacity else load.texts:
        some = exchanges[texts]
        for way in ways.values():
            await _warm(way, some, load)
        closed = {section: Stopwatch() for section in ways}
        for _ in range(ROUNDS):
            for section, way in ways.items():
                await _closed(way, some, load, closed[section])
        rows += [watch.row(section, texts) for section, watch in closed.items()]
    capacity = load.capacity or next((row.per_second for row in rows[::-1] if row.texts == "chat"), 0.0)
    for share in load.shares if capacity else ():
        for section, way in ways.items():
            outages = way.figures.outages
            watch = await _open(way, exchanges["chat"], share * capacity, load.seconds)
            rows.append(watch.row(section, "chat", share * capacity, way.figures.outages - outages))
    return rows


async def _warm(way: Way, exchanges: Iterator[Exchange], load: Load) -> None:
    await asyncio.gather(*(way.ask(way.prepare(next(exchanges))) for _ in range(min(WARM_UP, load.in_flight))))


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
        watch.answered(arrival, within=IN_TIME, by_the_guard=await way.ask(asked))

    end, arrival = watch.begin(seconds, ramp=seconds / 5, parts=ROUNDS), time.perf_counter()
    while arrival < end:
        await asyncio.sleep(max(0.0, arrival - time.perf_counter()))
        now = time.perf_counter()
        while arrival <= now:  # all that have come meanwhile: a turn of the loop is long where many are answered in it
            tasks.add(asyncio.ensure_future(one(way.prepare(next(exchanges)), arrival)))
            arrival += draw.expovariate(rate)
    for task in tasks:  # beyond capacity some would never be answered
        if not task.done() and rate:
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    watch.end()
    return watch
