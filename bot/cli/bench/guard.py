"""How fast the guard model answers: beside what its card tells one to write and beside the bare engine, in one run.

Also runs by itself where little is installed: python -m bot.cli.bench.guard --model FOLDER [--json]
"""

import argparse
import asyncio
import gzip
import json
import random
import shutil
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args

from bot.app.engines import CardSnippet, RawEngine, SystemClock, device
from bot.core.chat.message import CommunityRef, Platform
from bot.core.guarding.queue import GuardQueue
from bot.core.guarding.verdict import Exchange, Unscreened

Mode = Literal["generate", "classify"]
MODES: tuple[Mode, ...] = get_args(Mode)

#: What can be measured, in this order. An engine serves one mode, so there are up to three starts.
SECTIONS = ("snippet", "bulk-chat", "raw-generate", "queue-generate", "raw-classify", "queue-classify")

#: As a model name: random weights in the shape of Llama 3.2 3B. Right for speed, useless for answers.
DUMMY_3B = "3b-dummy"

_WARM_UP = 256  # messages before each measurement
_BULK = 2000  # messages of one call in bulk
_ROUNDS = 4  # closed loops take turns, so that a machine with other work is as unfair to one as to the other


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How the guard is loaded. `in_flight`: messages out at once in a closed loop; `rates`: messages a second offered
    in open loops, arrivals at random; `batch` and `lanes` of the shared queue."""

    seconds: float = 10.0
    in_flight: int = 512
    rates: tuple[float, ...] = ()
    batch: int = 64
    lanes: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
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
class _Watch:
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

    def row(self, section: str, offered: float | None = None) -> Measured:
        ordered = sorted(self.latencies)
        row = Measured(
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


def bench_guard(
    model: str,
    *,
    dialect: str = "wildguard-ko",
    load_format: str = "auto",
    tokenizer: Path | None = None,
    texts: Path | None = None,
    only: Sequence[str] = SECTIONS,
    load: Load | None = None,
    engine_options: dict[str, Any] | None = None,
    as_json: bool = False,
) -> None:
    """Measures and prints. `tokenizer`: the folder of a Llama 3 tokenizer, for "3b-dummy"; `texts`: a .jsonl or
    .jsonl.gz file with a `text` in each row, by default the shipped transcript; no text is asked twice."""
    load = load or Load()
    options = dict(engine_options or {})
    rows: list[Measured] = []
    with TemporaryDirectory(prefix="jikimi-bench-") as folder:
        if model == DUMMY_3B:
            if tokenizer is None:
                raise SystemExit(f"{DUMMY_3B} needs --tokenizer FOLDER with the tokenizer.json of Llama 3")
            model, load_format = _dummy_3b(Path(folder), tokenizer), "dummy"
        messages = _messages(texts)
        if {"snippet", "bulk-chat"} & set(only):
            rows += _card(model, load_format, options, messages, only, load)
        for mode in MODES:
            if {f"raw-{mode}", f"queue-{mode}"} & set(only):
                rows += asyncio.run(_mode(mode, model, dialect, load_format, options, messages, only, load))
    if not as_json:
        print(_table(rows), flush=True)
        return
    result = {
        "device": device(),
        "engine_options": options,
        "load": asdict(load),
        "rows": [asdict(row) for row in rows],
        "ratios": _ratios(rows),
    }
    print(json.dumps(result, ensure_ascii=False), flush=True)


# ---- what is measured -------------------------------------------------------------------------------------------


def _card(
    model: str,
    load_format: str,
    options: dict[str, Any],
    messages: Iterator[str],
    only: Sequence[str],
    load: Load,
) -> list[Measured]:
    """The snippet of the model's card, one call after another, and in bulk."""
    card = CardSnippet(model, load_format=load_format, **options)
    card.chat([next(messages) for _ in range(_WARM_UP)])
    rows = []
    if "snippet" in only:
        watch = _Watch()
        with watch.round() as began:
            while (asked := time.perf_counter()) - began < load.seconds:
                card.chat([next(messages)])
                watch.answered(asked)
        rows.append(watch.row("snippet"))
    if "bulk-chat" in only:
        watch = _Watch()
        with watch.round() as began:
            while (asked := time.perf_counter()) - began < load.seconds / 2:
                card.chat([next(messages) for _ in range(_BULK)])
                for _ in range(_BULK):
                    watch.answered(asked)
        rows.append(watch.row("bulk-chat"))
    card.close()
    return rows


async def _mode(
    mode: Mode,
    model: str,
    dialect: str,
    load_format: str,
    options: dict[str, Any],
    messages: Iterator[str],
    only: Sequence[str],
    load: Load,
) -> list[Measured]:
    """One engine, asked directly and through the shared queue."""
    engine = RawEngine(model, dialect=dialect, mode=mode, load_format=load_format, **options)

    async def screen(text: str) -> None:
        screening = await queue.submit(
            Exchange(prompt=text), community=CommunityRef(Platform.REHEARSAL, str(hash(text) % 7))
        )
        if isinstance(screening, Unscreened) and load_format != "dummy":
            raise RuntimeError(screening.reason)

    queue = GuardQueue(guard=engine.guard, clock=SystemClock(), batch=load.batch, lanes=load.lanes)
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


async def _measured(ways: Mapping[str, Ask], messages: Iterator[str], load: Load) -> list[Measured]:
    for ask in ways.values():
        await asyncio.gather(*(ask(next(messages)) for _ in range(_WARM_UP)))
    closed = {section: _Watch() for section in ways}
    for _ in range(_ROUNDS):
        for section, ask in ways.items():
            await _closed(ask, messages, load, closed[section])
    rows = [watch.row(section) for section, watch in closed.items()]
    for rate in load.rates:
        for section, ask in ways.items():
            rows.append((await _open(ask, messages, rate, load.seconds)).row(section, rate))
    return rows


async def _closed(ask: Ask, messages: Iterator[str], load: Load, watch: _Watch) -> None:
    """One round: so many askers, each with its next message as soon as it has its answer."""
    with watch.round() as began:

        async def asker() -> None:
            while (asked := time.perf_counter()) - began < load.seconds / _ROUNDS:
                await ask(next(messages))
                watch.answered(asked)

        await asyncio.gather(*(asker() for _ in range(load.in_flight)))


async def _open(ask: Ask, messages: Iterator[str], rate: float, seconds: float) -> _Watch:
    """Messages arrive at random, whether or not earlier ones are answered; latency counts from the arrival."""
    draw = random.Random(0)
    watch = _Watch()
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


# ---- what is asked ----------------------------------------------------------------------------------------------


def _messages(path: Path | None) -> Iterator[str]:
    """Messages for ever; from the second round on a number makes them differ."""
    if path is None:
        lines = files("bot.cli.rehearsal").joinpath("transcript.jsonl").read_text("utf-8").splitlines()
    else:
        content = path.read_bytes()
        lines = (gzip.decompress(content) if path.suffix == ".gz" else content).decode().splitlines()
    texts = list(dict.fromkeys(row["text"] for row in map(json.loads, lines) if row.get("text")))
    yield from texts
    for number in count(1):
        yield from (f"{text} {number}" for text in texts)


def _dummy_3b(folder: Path, tokenizer: Path) -> str:
    for file in tokenizer.iterdir():
        shutil.copy(file, folder)
    shape = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "dtype": "bfloat16",
        "hidden_size": 3072,
        "intermediate_size": 8192,
        "num_hidden_layers": 28,
        "num_attention_heads": 24,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "vocab_size": 128256,
        "tie_word_embeddings": True,
        "max_position_embeddings": 131072,
        "rope_theta": 500000.0,
        "rope_scaling": {
            "rope_type": "llama3",
            "factor": 32.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        },
        "bos_token_id": 128000,
        "eos_token_id": 128009,
    }
    folder.joinpath("config.json").write_text(json.dumps(shape), encoding="utf-8")
    return str(folder)


# ---- what is printed --------------------------------------------------------------------------------------------


def _ratios(rows: Sequence[Measured]) -> dict[str, float]:
    """Of the closed loops, where both sides were measured."""
    rate = {row.section: row.per_second for row in rows if row.offered is None}
    pairs = (
        ("queue-classify", "raw-classify"),
        ("queue-generate", "raw-generate"),
        ("queue-classify", "bulk-chat"),
        ("queue-classify", "snippet"),
        ("queue-generate", "snippet"),
    )
    return {
        f"{ours}/{theirs}": round(rate[ours] / rate[theirs], 2) for ours, theirs in pairs if {ours, theirs} <= {*rate}
    }


def _table(rows: Sequence[Measured]) -> str:
    lines = [f"{'':16}{'offered/s':>10}{'messages/s':>12}{'p50 ms':>10}{'p99 ms':>10}{'front us':>10}"]
    for row in rows:
        offered = "-" if row.offered is None else f"{row.offered:g}"
        lines.append(
            f"{row.section:16}{offered:>10}{row.per_second:>12}{row.p50_ms:>10}{row.p99_ms:>10}{row.front_us:>10}"
        )
    return "\n".join([*lines, *(f"{name} = {ratio}" for name, ratio in _ratios(rows).items())])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help=f'a folder, a Hugging Face id, or "{DUMMY_3B}"')
    parser.add_argument("--dialect", default="wildguard-ko")
    parser.add_argument("--load-format", default="auto")
    parser.add_argument("--tokenizer", type=Path)
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--only", default=",".join(SECTIONS))
    parser.add_argument("--seconds", type=float, default=Load().seconds)
    parser.add_argument("--rates", default="", help="1000,1500")
    parser.add_argument("--in-flight", type=int, default=Load().in_flight)
    parser.add_argument("--batch", type=int, default=Load().batch)
    parser.add_argument("--lanes", type=int, default=Load().lanes)
    parser.add_argument("--engine-options", type=json.loads, default={}, help="JSON, for vLLM")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    bench_guard(
        given.model,
        dialect=given.dialect,
        load_format=given.load_format,
        tokenizer=given.tokenizer,
        texts=given.texts,
        only=given.only.split(","),
        load=Load(
            seconds=given.seconds,
            in_flight=given.in_flight,
            rates=tuple(float(rate) for rate in given.rates.split(",") if rate),
            batch=given.batch,
            lanes=given.lanes,
        ),
        engine_options=given.engine_options,
        as_json=given.json,
    )


if __name__ == "__main__":
    main()
