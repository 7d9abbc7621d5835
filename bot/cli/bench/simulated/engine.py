"""Exchanges -> verdicts after as long as an engine with continuous batching would have taken, by a fitted model; how
fast they come through the shared queue, and in lanes."""

import asyncio
import random
from bisect import bisect_right
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bot.cli.bench.simulated.virtual_time import VirtualClock
from bot.core.chat.message import CommunityRef, Platform
from bot.core.guarding.ports import Answered
from bot.core.guarding.queue import GuardQueue
from bot.core.guarding.verdict import Exchange, GuardVersion, Screening, Task, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Seconds: of a step, of each token and sequence in it, of the front end for a message on its way in and out. The
    defaults were fitted to vLLM 0.25 on an H100 with the shape of Llama 3.2 3B as a classifier (it answered 1,789
    messages/s, 256 in flight: p50 141 ms, p99 163 ms); they are too kind to it beyond its capacity."""

    step: float = 31.7e-3
    token: float = 6.5e-6
    sequence: float = 6.4e-5
    arrival: float = 1.5e-4
    departure: float = 1.0e-4
    most_tokens: int = 8192
    most_sequences: int = 512


@dataclass(slots=True, eq=False)
class _Request:
    left: int  # tokens
    done: "asyncio.Future[None]"


class SimulatedEngine:
    """The guard. Uncached tokens of a message are drawn: some 38, as in Korean chat."""

    version = GuardVersion(name="simulated", model="H100")
    tasks = frozenset({Task.PROMPT_HARM})
    is_continuous = True

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: deque[_Request] = deque()
        self._stepping: asyncio.Task[None] | None = None
        self._front_free = 0.0
        self.judged = 0  # for somebody who still waited, or not

    def tokens(self, exchange: Exchange) -> int:
        length = random.Random(exchange.prompt).lognormvariate(3.55, 0.45)
        return max(20, int(length))

    async def judge(self, exchanges: Sequence[Exchange]) -> Sequence[Screening]:
        found: dict[int, Screening] = {}
        await self.judge_each(exchanges, found.__setitem__)
        return [found[place] for place in range(len(exchanges))]

    async def judge_each(self, exchanges: Sequence[Exchange], answered: Answered) -> None:
        async with asyncio.TaskGroup() as group:
            for place, exchange in enumerate(exchanges):
                group.create_task(self._judge(place, exchange, answered))

    async def _judge(self, place: int, exchange: Exchange, answered: Answered) -> None:
        await self._front(self._engine.arrival)
        request = _Request(self.tokens(exchange), asyncio.get_running_loop().create_future())
        self._waiting.append(request)
        if self._stepping is None or self._stepping.done():
            self._stepping = asyncio.create_task(self._run())
        await request.done
        await self._front(self._engine.departure)
        answered(place, Verdict.of_scores({Task.PROMPT_HARM: 0.1}, guard=self.version))

    async def _front(self, seconds: float) -> None:
        """One message after another."""
        now = asyncio.get_running_loop().time()
        self._front_free = max(now, self._front_free) + seconds
        await asyncio.sleep(self._front_free - now)

    async def _run(self) -> None:
        while self._waiting:
            room, ended, sequences = self._engine.most_tokens, [], 0
            for request in list(self._waiting)[: self._engine.most_sequences]:
                if request.done.cancelled():
                    self._waiting.remove(request)
                elif room:
                    read = min(request.left, room)
                    request.left, room, sequences = request.left - read, room - read, sequences + 1
                    ended += [request] if not request.left else []
            read = self._engine.most_tokens - room
            await asyncio.sleep(self._engine.step + self._engine.token * read + self._engine.sequence * sequences)
            for request in ended:
                self._waiting.remove(request)
                self.judged += 1
                if not request.done.done():
                    request.done.set_result(None)


# ---- loads ------------------------------------------------------------------------------------------------------

LANES, BATCH = 4, 64  # what the queue was before
IN_FLIGHT = 2_048  # where there is always enough
WARM_UP = 1.0  # seconds, in which the first ones are answered
IN_TIME = 1.0  # seconds

Judge = Callable[[Exchange, CommunityRef], Awaitable[bool]]


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
    """Messages at random from seven communities, for so long after WARM_UP; `rate` None: so many wait at any time."""
    loop, dice = asyncio.get_running_loop(), random.Random(0)
    latencies: list[float] = []
    end, numbers = WARM_UP + seconds, iter(range(10**9))

    async def one() -> None:
        number, asked = next(numbers), loop.time()
        judged = await judge(Exchange(prompt=f"글 {number}"), CommunityRef(Platform("bench"), str(number % 7)))
        if judged and WARM_UP < loop.time() <= end:
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
        "per_second": round(len(ordered) / seconds),
        "in_time": round(bisect_right(ordered, IN_TIME) / seconds),
        "p50_ms": round(1000 * ordered[len(ordered) // 2]),
        "p99_ms": round(1000 * ordered[len(ordered) * 99 // 100]),
    }
