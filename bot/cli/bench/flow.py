"""How fast messages travel the whole way, beside a naive bot in the same run: messages a second and the ratio."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import islice
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory

from bot.app import guards, tools
from bot.app.application import application
from bot.cli.shown import print_json
from bot.config import Config, Storage
from bot.core.chat.message import MOST_READ, Author, Message, MessageRef, Platform
from bot.core.chat.post import Edition
from bot.core.guarding.ports import Guard
from bot.core.guarding.queue import GuardQueue
from bot.core.guarding.verdict import Exchange
from bot.core.incidents.incident import PlannedAction, Settlement
from bot.core.moderation.screening import exchange_of
from bot.core.rules.actions import Done, Outcome
from bot.core.rules.policy import Policy, Watch, decide
from bot.core.text.catalogue import Texts

ROUNDS = 3
ARRIVING = 256  # messages that a platform hands over at once
LONG_ONES = 200  # messages of the run that has long texts in it
SHARE = 10  # the naive bot gets one message in SHARE: it is slow, and its rate does not depend on how many


async def bench_flow(messages: int, say: Texts, *, as_json: bool) -> None:
    """ROUNDS times in turn, so that what else the machine does hits both; the middle ratio counts."""
    policy = Config().policy.in_mode(Watch.LIVE)
    ours: list[Measured] = []
    naive: list[Measured] = []
    async with guards.guard(Config(), say) as guard:
        await _queue(ARRIVING, guard)  # warm up
        queue = await _queue(messages // SHARE, guard)
        with TemporaryDirectory(prefix="jikimi-bench-", dir=".") as folder:
            for number in range(ROUNDS):
                path = Path(folder) / str(number)
                naive.append(await _naive(messages // ROUNDS // SHARE, guard, policy, path.with_suffix(".naive.db")))
                ours.append(await _ours(messages // ROUNDS, guard, path.with_suffix(".db")))
            long = await _ours(LONG_ONES, guard, Path(folder) / "long.db", source=iter(long_ones(LONG_ONES)))
    result = {
        "messages": messages,
        "queue_per_second": round(queue, 1),
        "jikimi_per_second": round(median(one.rate for one in ours), 1),
        "naive_per_second": round(median(one.rate for one in naive), 1),
        "ratio": round(median(our.rate / their.rate for our, their in zip(ours, naive, strict=True)), 2),
        "incidents": sum(one.incidents for one in ours),
        "longest_hold_ms": round(max(one.hold for one in ours) * 1000, 1),
        "longest_hold_by_long_texts_ms": round(long.hold * 1000, 1),
        "memory_mib": [round(one.memory, 1) for one in ours],
    }
    print_json(result) if as_json else print(say("bench.flow", **result))


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """`rate` in messages a second, resident `memory` in MiB at the end; `hold`: the longest that one piece of work held
    the event loop, in seconds."""

    rate: float
    incidents: int
    memory: float
    hold: float = 0.0


class _Watch:
    """Comes back as often as the event loop lets it, and remembers the longest that it had to wait."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def run(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0)
            self.longest = max(self.longest, time.perf_counter() - before)
            await asyncio.sleep(0.001)


def chat() -> Iterator[Message]:
    """The shipped transcript's messages for ever, no two texts alike."""
    lines = files("bot.cli.rehearsal").joinpath("transcript.jsonl").read_text("utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row.get("text")]
    start = datetime.now(UTC)
    number = 0
    while True:
        for row in rows:
            number += 1
            yield Message(
                ref=MessageRef(Platform.REHEARSAL, f"{row['community']}/{row['channel']}", str(number)),
                community_id=row["community"],
                author=Author(id=f"{row['author']}{number % 997}", name=row["author"], bot=row.get("bot", False)),
                sent_at=start + timedelta(milliseconds=number),
                text=f"{row['text']} {number}",
            )


def long_ones(messages: int) -> list[Message]:
    """Every tenth message as long as only an attached text is, no two alike."""
    dice = Random(1)
    made = list(islice(chat(), messages))
    for place in range(0, messages, 10):
        syllables = (chr(dice.randrange(0xAC00, 0xD7A4)) if dice.random() > 0.2 else " " for _ in range(2 * MOST_READ))
        made[place] = replace(made[place], text="".join(syllables))
    return made


class Firehose:
    """A chat platform that always has the next messages ready and does what it is told at once."""

    platform = Platform.REHEARSAL

    def __init__(self, messages: int, source: Iterator[Message]) -> None:
        self._left, self._source = messages, source

    async def messages(self) -> AsyncGenerator[Sequence[Message], None]:
        while batch := list(islice(self._source, min(ARRIVING, self._left))):
            self._left -= len(batch)
            yield batch

    async def perform(self, planned: PlannedAction) -> Outcome:
        return Done()

    async def meet(self, message: Message) -> Author:
        return message.author

    async def announce(self, channel_id: str, text: str) -> None: ...

    async def publish(self, channel_id: str, edition: Edition, *, mark: str) -> Outcome:
        return Done()


async def _ours(messages: int, guard: Guard, path: Path, source: Iterator[Message] | None = None) -> Measured:
    settled = incidents = 0

    def count(settlements: Sequence[Settlement]) -> None:
        nonlocal settled, incidents
        settled += len(settlements)
        incidents += sum(settlement.decision.is_incident for settlement in settlements)

    config = Config(storage=Storage(url=f"sqlite:///{path}"))
    async with application(
        config,
        guard,
        lambda core: [Firehose(messages, source or chat())],
        mode=Watch.LIVE,
        moment=lambda m: m.sent_at,
        on_settled=count,
    ) as jikimi:
        watch = _Watch()
        watching = asyncio.create_task(watch.run())
        began = time.perf_counter()
        await jikimi.run()
        took = time.perf_counter() - began
        watching.cancel()
    return Measured(rate=settled / took, incidents=incidents, memory=_memory(), hold=watch.longest)


async def _queue(messages: int, guard: Guard) -> float:
    """Messages a second through the shared queue and the guard alone."""
    queue, asked = GuardQueue(guard=guard, clock=tools.clock()), chat()
    began = time.perf_counter()
    serving = asyncio.create_task(queue.run())
    for start in range(0, messages, ARRIVING):
        some = islice(asked, min(ARRIVING, messages - start))
        await asyncio.gather(*(queue.submit(Exchange(prompt=m.text), community_id=m.community_id) for m in some))
    took = time.perf_counter() - began
    serving.cancel()
    return messages / took


async def _naive(messages: int, guard: Guard, policy: Policy, path: Path) -> Measured:
    """What one writes first: on each message ask the guard, decide, write, commit; the same database and library."""
    incidents = 0
    async with tools.one_by_one(Config(storage=Storage(url=f"sqlite:///{path}"))) as book:
        began = time.perf_counter()
        for message in islice(chat(), messages):
            exchange = exchange_of(message, policy)
            assert exchange
            (screening,) = await guard.judge([exchange])
            decision = decide(message, screening, policy, at=message.sent_at)
            await book.record(Settlement(decision=decision, decided_at=message.sent_at))
            incidents += decision.is_incident
        took = time.perf_counter() - began
    return Measured(rate=messages / took, incidents=incidents, memory=_memory())


def _memory() -> float:
    """Resident memory of this process in MiB; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * 4096 / 2**20
