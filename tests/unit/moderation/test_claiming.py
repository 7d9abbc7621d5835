"""How much is claimed at once, where the guard is slower than what comes; and what is left of it afterwards."""

import asyncio
import gc
from collections.abc import Sequence

from bot.core.base.clock import Clock
from bot.core.base.waiting import Wakeup
from bot.core.chat.message import Message
from bot.core.guarding.queue import GuardQueue
from bot.core.guarding.tickets import Ticket
from bot.core.guarding.verdict import Exchange, Screening
from bot.core.moderation.bots import Bots
from bot.core.moderation.screening import Screener
from bot.core.rules.conditions import Past
from bot.core.rules.policy import Policy
from tests.builders import later, message
from tests.fakes.guarding import ScriptedGuard
from tests.fakes.store import MemoryStore

SECONDS, EACH = 15, 50  # longer than anything may wait; a guard that can do two of those in a second


class Slow(ScriptedGuard):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock, self._one = clock, asyncio.Lock()

    async def judge(self, exchanges: Sequence[Exchange]) -> Sequence[Screening]:
        async with self._one:
            await self._clock.sleep(0.5)
        return await super().judge(exchanges)


def screening(store: MemoryStore, queue: GuardQueue) -> Screener:
    return Screener(
        inbox=store.inbox, queue=queue, policy_of=lambda _: Policy(rules=()), clock=store.clock, arrived=Wakeup(),
        planned=Wakeup(), bots=Bots(roll=store.bot_roll), poll=0.01, in_flight=100,
    )  # fmt: skip


def test_what_there_is_no_time_for_does_not_wait_in_the_inbox_either() -> None:
    """Guard review, goodput: of twice what a guard can do one half waited where nothing has a deadline."""

    async def scenario() -> None:
        store = MemoryStore()
        queue = GuardQueue(guard=Slow(store.clock), clock=store.clock, stand_in=ScriptedGuard(), batch=1)
        screener = screening(store, queue)
        async with asyncio.TaskGroup() as stages:
            working = [stages.create_task(queue.run()), stages.create_task(screener.run())]
            for second in range(2 * SECONDS):
                at = later(second)
                await store.inbox.keep([message(f"{second} {n}", f"글 {second} {n}", sent_at=at) for n in range(EACH)])
                await store.clock.advance(1)
                await asyncio.sleep(0.01)
            for task in working:
                task.cancel()
        assert queue.figures.hurried + queue.figures.judged >= EACH * SECONDS
        assert queue.figures.judged >= SECONDS and not queue.figures.outages

    asyncio.run(scenario())


def test_what_is_settled_leaves_nothing_to_the_garbage_collector() -> None:
    """With a hundred thousand communities in mind it comes so seldom that 25 MiB waited for it."""

    async def scenario() -> list[object]:
        store = MemoryStore()
        queue = GuardQueue(guard=ScriptedGuard(), clock=store.clock)
        async with asyncio.TaskGroup() as stages:
            working = [stages.create_task(queue.run()), stages.create_task(screening(store, queue).run())]
            gc.collect()
            gc.set_debug(gc.DEBUG_SAVEALL)
            await store.inbox.keep([message(f"{n}", f"글 {n}") for n in range(EACH)])
            while queue.figures.judged < EACH:
                await asyncio.sleep(0.01)
            gc.collect()
            for task in working:
                task.cancel()
        return [one for one in gc.garbage if isinstance(one, Message | Past | Exchange | Ticket)]

    gc.disable()
    try:
        assert asyncio.run(scenario()) == []
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
