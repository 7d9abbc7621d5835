"""Answers that are written by editing, through the stage that judges: held while claimed, lost by nobody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from bot.core.base.waiting import Wakeup
from bot.core.chat.message import Author, Kind, Message
from bot.core.guarding.queue import GuardQueue
from bot.core.moderation.bots import Bots
from bot.core.moderation.screening import Screener
from bot.core.rules.policy import Policy
from tests.builders import later, message
from tests.fakes.clock import ManualClock
from tests.fakes.guarding import ScriptedGuard
from tests.fakes.store import MemoryStore


def edit(number: int, at: float = 0.0, *, id: str = "m") -> Message:
    said = message(id, f"글 {number}", revision=number, sent_at=later(at), kind=Kind.EDIT if number else Kind.NEW)
    return replace(said, author=Author(id="bot", bot=True))


class Stage:
    def __init__(self, store: MemoryStore, clock: ManualClock, in_flight: int = 1024) -> None:
        self.store, self.clock, self.guard = store, clock, ScriptedGuard()
        self.queue = GuardQueue(guard=self.guard, clock=clock)
        self.screener = Screener(
            inbox=store.inbox, queue=self.queue, policy_of=lambda _: Policy(rules=()), clock=clock, arrived=Wakeup(),
            planned=Wakeup(), bots=Bots(roll=store.bot_roll), poll=0.005, in_flight=in_flight,
        )  # fmt: skip

    @property
    def judged(self) -> list[str | None]:
        return [exchange.response or exchange.prompt for call in self.guard.asked for exchange in call]

    async def keep(self, *messages: Message) -> None:
        await self.store.inbox.keep(messages)
        self.screener.arrived.wake()
        await everybodys_turn()

    async def wait(self, seconds: float) -> None:
        await self.clock.advance(seconds)
        await everybodys_turn()


async def everybodys_turn() -> None:
    """Many of them, however long they take: a screener looks every few milliseconds."""
    for _ in range(25):
        await asyncio.sleep(0.002)


@asynccontextmanager
async def at_work(store: MemoryStore, clock: ManualClock, in_flight: int = 1024) -> AsyncIterator[Stage]:
    stage = Stage(store, clock, in_flight)
    tasks = [asyncio.create_task(stage.queue.run()), asyncio.create_task(stage.screener.run())]
    try:
        yield stage
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


def test_an_edit_is_held_until_it_is_quiet_and_the_others_cost_nothing() -> None:
    async def scenario() -> None:
        store, clock = MemoryStore(), ManualClock()
        async with at_work(store, clock) as stage:
            await stage.keep(edit(0))
            for number in range(1, 4):
                await stage.wait(1)
                await stage.keep(edit(number, number))
            assert stage.judged == ["글 0"] and store.settled == {edit(n).ref for n in (0, 1, 2)}
            await stage.wait(3.5)
            assert stage.judged == ["글 0"], "not yet quiet for long enough"
            await stage.wait(0.5)
            assert stage.judged == ["글 0", "글 3"] and len(store.settled) == 4

    asyncio.run(scenario())


def test_a_process_that_is_killed_loses_no_edit_that_it_held() -> None:
    async def scenario() -> None:
        store, clock = MemoryStore(), ManualClock()
        async with at_work(store, clock) as stage:
            await stage.keep(edit(0), edit(1), edit(2))
            assert stage.judged == ["글 0"]
        assert edit(2).ref not in store.settled
        store.restart()
        async with at_work(store, clock) as stage:
            await stage.keep()
            assert stage.judged == [], "held again"
            await stage.wait(4)
            assert stage.judged == ["글 2"] and len(store.settled) == 3

    asyncio.run(scenario())


def test_what_is_held_takes_nobodys_place() -> None:
    async def scenario() -> None:
        store = MemoryStore()
        async with at_work(store, ManualClock(), in_flight=4) as stage:
            await stage.keep(*(edit(1, id=f"stream {n}") for n in range(20)))
            await stage.keep(message("person", "사람의 글"))
            assert stage.judged == ["사람의 글"]

    asyncio.run(scenario())


def test_at_the_end_everything_is_let_go() -> None:
    async def scenario() -> None:
        store, clock, closing = MemoryStore(), ManualClock(), asyncio.Event()
        stage = Stage(store, clock)
        serving = asyncio.create_task(stage.queue.run())
        await store.inbox.keep([edit(0), edit(1)])
        closing.set()
        await stage.screener.run(closing)
        assert stage.judged == ["글 0", "글 1"] and len(store.settled) == 2
        serving.cancel()

    asyncio.run(scenario())


def test_a_superseded_revision_tells_nothing_of_its_bot() -> None:
    async def scenario() -> None:
        store = MemoryStore()
        async with at_work(store, ManualClock()) as stage:
            await stage.keep(*(edit(n) for n in range(9)))
            ((_, kept),) = await store.bot_roll.all()
            assert kept.messages == 1

    asyncio.run(scenario())
