"""How fast messages travel the whole way, beside a naive bot in the same run: messages a second and the ratio."""

import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from bot import wiring
from bot.commands.shown import print_json
from bot.config import Config, Storage
from bot.domain.actions import Done, Outcome
from bot.domain.incident import PlannedAction, Settlement
from bot.domain.message import Author, Message, MessageRef, Platform
from bot.domain.rules import Policy, Watch, decide
from bot.pipeline.screening import exchange_of
from bot.ports import Guard
from bot.texts import Texts

ARRIVING = 256  # messages that a platform hands over at once
SHARE = 10  # the naive bot gets one message in SHARE: it is slow, and its rate does not depend on how many


async def bench_flow(messages: int, say: Texts, *, as_json: bool) -> None:
    policy = Config().policy.in_mode(Watch.LIVE)
    async with wiring.guard(Config(), say) as guard:
        await guard.judge([exchange for message in islice(chat(), 256) if (exchange := exchange_of(message))])  # warm up
        with TemporaryDirectory(prefix="jikimi-bench-", dir=".") as folder:
            naive = await _naive(messages // SHARE, guard, policy, Path(folder) / "naive.db")
            ours = await _ours(messages, guard, Path(folder) / "jikimi.db")
    result = {
        "messages": messages,
        "jikimi_per_second": round(ours.rate, 1),
        "naive_per_second": round(naive.rate, 1),
        "ratio": round(ours.rate / naive.rate, 2),
        "jikimi_incidents": ours.incidents,
        "naive_incidents": naive.incidents,
        "memory_mib": [round(ours.memory_early, 1), round(ours.memory_late, 1)],
    }
    print_json(result) if as_json else print(say("bench.flow", **result))


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """`rate` in messages a second; resident memory in MiB after a tenth of the messages and at the end."""

    rate: float
    incidents: int
    memory_early: float = 0.0
    memory_late: float = 0.0


def chat() -> Iterator[Message]:
    """The shipped transcript's messages for ever, no two texts alike."""
    lines = files("bot.rehearsal").joinpath("transcript.jsonl").read_text("utf-8").splitlines()
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


class Firehose:
    """A chat platform that always has the next messages ready and does what it is told at once."""

    platform = Platform.REHEARSAL

    def __init__(self, messages: int) -> None:
        self._left = messages

    async def messages(self) -> AsyncIterator[Sequence[Message]]:
        source = chat()
        while batch := list(islice(source, min(ARRIVING, self._left))):
            self._left -= len(batch)
            yield batch

    async def perform(self, planned: PlannedAction) -> Outcome:
        return Done()


async def _ours(messages: int, guard: Guard, path: Path) -> Measured:
    settled = incidents = 0
    early = 0.0

    def count(settlements: Sequence[Settlement]) -> None:
        nonlocal settled, incidents, early
        settled += len(settlements)
        incidents += sum(settlement.decision.is_incident for settlement in settlements)
        if not early and settled >= messages // 10:
            early = _memory()

    began = time.perf_counter()
    config = Config(storage=Storage(url=f"sqlite:///{path}"))
    async with wiring.application(
        config, guard, lambda core: [Firehose(messages)], mode=Watch.LIVE, moment=lambda m: m.sent_at, on_settled=count
    ) as jikimi:
        await jikimi.run()
        took = time.perf_counter() - began
        incidents = len(
            await jikimi.incidents.between(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
        )
    return Measured(rate=settled / took, incidents=incidents, memory_early=early, memory_late=_memory())


async def _naive(messages: int, guard: Guard, policy: Policy, path: Path) -> Measured:
    """What one writes first: on each message ask the guard, decide, write, commit; the same database and library."""
    incidents = 0
    async with wiring.one_by_one(Config(storage=Storage(url=f"sqlite:///{path}"))) as book:
        began = time.perf_counter()
        for message in islice(chat(), messages):
            exchange = exchange_of(message)
            assert exchange
            (screening,) = await guard.judge([exchange])
            decision = decide(message, screening, policy, at=message.sent_at)
            await book.record(Settlement(decision=decision, decided_at=message.sent_at))
            incidents += decision.is_incident
        took = time.perf_counter() - began
    return Measured(rate=messages / took, incidents=incidents)


def _memory() -> float:
    """Resident memory of this process in MiB; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * 4096 / 2**20
