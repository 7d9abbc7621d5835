"""A guard and a number of messages -> how fast they travel: through Jikimi, through its queue alone, through a naive
bot."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from random import Random

from bot.app import tools
from bot.app.application import application
from bot.cli.bench.shipped import shipped_messages
from bot.config import Config, StorageSettings
from bot.core.chat.message import MOST_READ, Author, CommunityRef, Message, MessageRef, Platform
from bot.core.chat.ports import Connection
from bot.core.chat.post import Post
from bot.core.guarding.ports import Guard
from bot.core.guarding.queue import GuardQueue
from bot.core.guarding.verdict import Exchange
from bot.core.incidents.incident import PlannedAction, Settlement
from bot.core.moderation.screening import exchange_of
from bot.core.rules.actions import Done, Outcome
from bot.core.rules.decision import decide
from bot.core.rules.policy import Policy, Watch

BENCH = Platform("bench")
APART = 3  # seconds between two messages
ARRIVING = 256  # messages that a platform hands over at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """`rate` in messages a second, resident `memory` in MiB at the end; `hold`: the longest that one piece of work held
    the event loop, `work`: the processor time that a message took, in seconds."""

    rate: float
    incidents: int
    memory: float
    hold: float = 0.0
    work: float = 0.0


class _LoopWatch:
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
    """The shipped transcript's messages for ever, no two texts alike, and a quarter of an hour between two that nearly
    are: it is no campaign."""
    rows = shipped_messages()
    start = datetime.now(UTC)
    number = 0
    while True:
        for row in rows:
            number += 1
            yield Message(
                ref=MessageRef(BENCH, f"{row['community']}/{row['channel']}", str(number)),
                community_id=row["community"],
                author=Author(id=f"{row['author']}{number % 997}", name=row["author"], bot=row.get("bot", False)),
                sent_at=start + timedelta(seconds=APART * number),
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

    platform = BENCH
    connection = Connection(is_up=True)

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

    def forget(self, community: CommunityRef, is_theirs: Callable[[str], bool]) -> None: ...

    async def owner(self, community: CommunityRef) -> str | None:
        return None

    def incident_changed(self, community: CommunityRef, incident_id: int, *, emptied: bool = False) -> None: ...

    def taken_over(self) -> None: ...

    async def announce(self, channel_id: str, text: str) -> None: ...

    async def publish(self, channel_id: str, post: Post, *, mark: str) -> Outcome:
        return Done()


async def ours(
    messages: int, guard: Guard, path: Path, source: Iterator[Message] | None = None, *, openly: bool = False
) -> Journey:
    """`openly`: nothing is sealed."""
    settled = incidents = 0

    def count(settlements: Sequence[Settlement]) -> None:
        nonlocal settled, incidents
        settled += len(settlements)
        incidents += sum(settlement.decision.is_incident for settlement in settlements)

    config = Config(storage=StorageSettings(url=f"sqlite:///{path}", keys="" if openly else f"{path}-keys"))
    if not openly:
        tools.throwaway_key(Path(f"{path}-keys"))
    async with application(
        config,
        guard,
        lambda core: [Firehose(messages, source or chat())],
        mode=Watch.LIVE,
        moment=lambda m: m.sent_at,
        on_settled=count,
    ) as jikimi:
        watch = _LoopWatch()
        watching = asyncio.create_task(watch.run())
        began, worked = time.perf_counter(), time.process_time()
        await jikimi.run()
        took, worked = time.perf_counter() - began, time.process_time() - worked
        watching.cancel()
    work = worked / settled if settled else 0.0
    return Journey(rate=settled / took, incidents=incidents, memory=_memory(), hold=watch.longest, work=work)


async def queue(messages: int, guard: Guard) -> float:
    """Messages a second through the shared queue and the guard alone."""
    shared, asked = GuardQueue(guard=guard, clock=tools.clock()), chat()
    began = time.perf_counter()
    serving = asyncio.create_task(shared.run())
    for start in range(0, messages, ARRIVING):
        some = islice(asked, min(ARRIVING, messages - start))
        await asyncio.gather(*(shared.submit(Exchange(prompt=m.text), community=m.community) for m in some))
    took = time.perf_counter() - began
    serving.cancel()
    return messages / took


async def naive(messages: int, guard: Guard, policy: Policy, path: Path) -> Journey:
    """What one writes first: on each message ask the guard, decide, write, commit; the same database and library."""
    incidents = 0
    async with tools.one_by_one(Config(storage=StorageSettings(url=f"sqlite:///{path}"))) as book:
        began = time.perf_counter()
        for message in islice(chat(), messages):
            exchange = exchange_of(message, policy)
            assert exchange
            (screening,) = await guard.judge([exchange])
            decision = decide(message, screening, policy, at=message.sent_at)
            await book.record(Settlement(decision=decision, decided_at=message.sent_at))
            incidents += decision.is_incident
        took = time.perf_counter() - began
    return Journey(rate=messages / took, incidents=incidents, memory=_memory())


def _memory() -> float:
    """Resident memory of this process in MiB; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * 4096 / 2**20
