"""What the shared queue promises where answers take time: nobody pays for another's flood, and nothing collapses."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bot.cli.bench.simulated.engine import Engine, SimulatedEngine, continuous, lanes
from bot.cli.bench.simulated.virtual_time import VirtualClock, run
from bot.core.base.errors import Unavailable
from bot.core.guarding.ports import PRIORITY, Answered, Guard
from bot.core.guarding.queue import GuardQueue
from bot.core.guarding.verdict import Exchange, Route, Screening, Unscreened, Verdict
from tests.builders import home
from tests.fakes.guarding import ScriptedGuard

#: One exchange after another, 6 a second: ShieldGemma 9B on a small card, or any guard on a processor.
SLOW = Engine(step=1 / 6, token=0, sequence=0, arrival=0, departure=0, most_sequences=1)
H100 = Engine()


@asynccontextmanager
async def serving(guard: Guard, **options: Any) -> AsyncIterator[GuardQueue]:
    queue = GuardQueue(guard=guard, clock=VirtualClock(), **options)
    task = asyncio.create_task(queue.run())
    try:
        yield queue
    finally:
        task.cancel()
        await asyncio.wait([task])


class Asked:
    """One question and when it was answered."""

    def __init__(self, queue: GuardQueue, text: str, community: str = "c", **how: Any) -> None:
        self.text = text
        self._loop = asyncio.get_running_loop()
        began = self._loop.time()
        self.took: float | None = None
        self.answer = queue.submit(Exchange(prompt=text), community=home(community), **how)
        self.answer.add_done_callback(lambda _: setattr(self, "took", self._loop.time() - began))

    def __await__(self) -> Any:
        return self.answer.__await__()

    @property
    def by_the_guard(self) -> bool:
        found = self.found if self.answer.done() else None
        return isinstance(found, Verdict) and found.route is not Route.HURRIED

    @property
    def found(self) -> Screening:
        return self.answer.result()


def test_what_a_raid_says_too_is_answered_as_soon_as_anything_else() -> None:
    async def scenario() -> None:
        async with serving(SimulatedEngine(SLOW)) as queue:
            raid = [Asked(queue, f"레이드 {n}", "raided") for n in range(200)]
            raid.append(Asked(queue, "안녕하세요", "raided"))
            await asyncio.sleep(0.1)
            other, same = Asked(queue, "반가워요", "quiet"), Asked(queue, "안녕하세요", "quiet")
            await asyncio.gather(other.answer, same.answer)
            assert other.took and same.took
            assert same.took <= other.took + 3 * SLOW.step, "one turn of each community later, not the raid"
            assert sum(one.answer.done() for one in raid) < 20

    run(scenario())


def test_what_is_fresh_does_not_wait_with_a_backlog_that_says_the_same() -> None:
    async def scenario() -> None:
        async with serving(SimulatedEngine(SLOW)) as queue:
            old = [Asked(queue, f"밀린 글 {n}", "c", fresh=False) for n in range(50)]
            last = Asked(queue, "늦은 글", "c", fresh=False)
            many = [Asked(queue, f"새 글 {n}", "d") for n in range(30)]
            same = Asked(queue, "늦은 글", "e")
            await same
            assert same.took == last.took
            assert sum(one.answer.done() for one in old) < 20 and sum(one.answer.done() for one in many) < 20

    run(scenario())


def test_who_joins_late_waits_for_as_long_as_anybody() -> None:
    async def scenario() -> None:
        guard = ScriptedGuard()
        guard.trouble = Unavailable("x", retry_after=0.2)
        async with serving(guard, grace=2.0) as queue:
            early = Asked(queue, "같은 글", "a")
            await asyncio.sleep(1.7)
            late = Asked(queue, "같은 글", "b")
            await asyncio.sleep(1.0)
            assert isinstance(early.found, Unscreened) and not late.answer.done()
            guard.trouble = None
            assert isinstance(await late, Verdict)

    run(scenario())


async def _offered(queue: GuardQueue, rate: float, seconds: float, **how: Any) -> list[Asked]:
    asked = []
    for number in range(int(rate * seconds)):
        asked.append(Asked(queue, f"글 {number}", str(number % 5), **how))
        await asyncio.sleep(1 / rate)
    return asked


@pytest.mark.parametrize(("engine", "capacity", "seconds"), [(SLOW, 6, 200), (H100, 2000, 3)], ids=["slow", "h100"])
def test_twice_the_capacity_costs_no_capacity(engine: Engine, capacity: int, seconds: int) -> None:
    async def scenario() -> None:
        guard = SimulatedEngine(engine)
        async with serving(guard) as queue:
            asked = await _offered(queue, 2 * capacity, seconds)
            judged = sum(one.answer.done() and isinstance(one.found, Verdict) for one in asked)
            assert judged >= 0.9 * capacity * seconds
            assert judged >= 0.95 * guard.judged, "what the engine did was for somebody"
            assert queue.figures.outages == 0

    run(scenario())


def test_slots_that_go_on_answer_more_and_sooner_than_lanes_that_wait_for_whole_batches() -> None:
    for rate in (None, 1000):
        slots, waiting = run(continuous(rate, 1.0)), run(lanes(rate, 1.0))
        assert slots["per_second"] >= waiting["per_second"] * (1.1 if rate is None else 0.95)
        assert rate is None or slots["p99_ms"] < 0.8 * waiting["p99_ms"]


class Pondering(ScriptedGuard):
    """So many seconds for each text, one after another."""

    def __init__(self, answers: dict[str, float], seconds: float) -> None:
        super().__init__(answers)
        self._seconds, self._one = seconds, asyncio.Lock()

    async def judge(self, exchanges: Sequence[Exchange]) -> Sequence[Screening]:
        async with self._one:
            await asyncio.sleep(self._seconds * len(exchanges))
            return await super().judge(exchanges)


@pytest.mark.parametrize("seconds", [0.0, 0.0005], ids=["at once", "half of what comes"])
def test_at_twice_the_capacity_the_guard_answers_as_much_as_it_can_within_a_second(seconds: float) -> None:
    """From the first one that comes on, and however slow the stand-in is to say what looks harmful."""

    async def scenario() -> None:
        stand_in = Pondering({f"글 {n}": 0.9 for n in range(0, 12_000, 9)}, seconds)
        async with serving(SimulatedEngine(H100), stand_in=stand_in) as queue:
            asked = await _offered(queue, 4000, 3, provisional=True)
            prompt = sum(one.by_the_guard and (one.took or 0.0) <= 1.0 for one in asked)
            assert prompt >= 0.9 * 2000 * 3
            assert queue.figures.outages == queue.figures.unscreened == 0

    run(scenario())


def test_what_there_is_no_time_for_settles_on_the_stand_ins_word_and_says_so() -> None:
    async def scenario() -> None:
        stand_in = ScriptedGuard({f"글 {n}": 0.9 for n in range(0, 3000, 11)})
        async with serving(SimulatedEngine(SLOW), stand_in=stand_in) as queue:
            asked = await _offered(queue, 12, 120, provisional=True)
            await asyncio.sleep(11)
            assert all(isinstance(one.found, Verdict) for one in asked)
            hurried = [one for one in asked if isinstance(one.found, Verdict) and one.found.route is Route.HURRIED]
            assert queue.figures.hurried == len(hurried) and 0.3 < len(hurried) / len(asked) < 0.6
            assert max(one.took or 0 for one in asked) < 15, "ten seconds, and what was with the guard then"
            assert not any(isinstance(one.found, Verdict) and one.found.harm == 0.9 for one in hurried), "harm first"
            assert queue.figures.unscreened == queue.figures.outages == 0

    run(scenario())


def test_a_deadline_goes_first_whoever_else_waits() -> None:
    async def scenario() -> None:
        async with serving(SimulatedEngine(SLOW)) as queue:
            raid = [Asked(queue, f"레이드 {n}", str(n % 7)) for n in range(200)]
            await asyncio.sleep(20)
            urgent = Asked(queue, "급함", "3", urgent=True)
            await urgent
            assert urgent.took and urgent.took < 1.5
            assert not all(one.answer.done() for one in raid)

    run(scenario())


def test_the_guard_is_told_what_goes_first_in_its_engine() -> None:
    class Told(ScriptedGuard):
        async def judge(self, exchanges: Sequence[Exchange]) -> Sequence[Screening]:
            told.append((PRIORITY.get(), [exchange.prompt or "" for exchange in exchanges]))
            return await super().judge(exchanges)

    told: list[tuple[int, list[str]]] = []

    async def scenario() -> None:
        async with serving(Told()) as queue:
            one = Asked(queue, "밀린 글", fresh=False), Asked(queue, "새 글"), Asked(queue, "급함", urgent=True)
            both = Asked(queue, "같은 글", fresh=False), Asked(queue, "같은 글", urgent=True)
            await asyncio.gather(*(asked.answer for asked in (*one, *both)))
            assert told == [(0, ["급함", "같은 글"]), (1, ["새 글"]), (2, ["밀린 글"])]

    run(scenario())


def test_communities_take_turns_by_tokens() -> None:
    async def scenario() -> None:
        guard = ScriptedGuard()
        guard.hold = asyncio.Event()
        async with serving(guard, first=1) as queue:
            Asked(queue, "first")
            await asyncio.sleep(0.1)
            long = [Asked(queue, f"{n} " + "긴 글 " * 250, "long") for n in range(20)]
            short = [Asked(queue, f"짧은 글 {n}", "short") for n in range(400)]
            guard.hold.set()
            await asyncio.gather(*(one.answer for one in long), *(one.answer for one in short))
            order = [exchange.prompt or "" for batch in guard.asked for exchange in batch][1:]
            half = order[: order.index(long[9].text)]
            of_long = sum(len(text) for text in half if "긴 글" in text)
            of_short = sum(48 + len(text) for text in half if "짧은 글" in text)
            assert of_long == pytest.approx(of_short, rel=0.2)

    run(scenario())


def test_a_slow_guard_is_given_little_at_a_time_and_a_quick_one_much() -> None:
    async def scenario(engine: Engine, rate: int, seconds: int) -> float:
        guard = SimulatedEngine(engine)
        async with serving(guard, capacity=100_000) as queue:
            await _offered(queue, rate, seconds)
            return queue.figures.judging

    assert 1 <= run(scenario(SLOW, 20, 60)) <= 8
    assert run(scenario(H100, 4000, 1)) >= 500


def test_a_guard_that_takes_long_and_gets_there_is_never_away() -> None:
    """Windows of a long text on a processor: 40 s for one, beyond the least patience for one call."""

    async def scenario() -> None:
        engine = Engine(step=10.0, token=0, sequence=0, arrival=0, departure=0, most_sequences=1)
        async with serving(SimulatedEngine(engine), grace=600.0) as queue:
            asked = [Asked(queue, f"글 {n}") for n in range(12)]
            await asyncio.gather(*(one.answer for one in asked))
            assert all(isinstance(one.found, Verdict) for one in asked)
            assert queue.figures.outages == 0

    run(scenario())


def test_what_a_guard_forgets_to_answer_is_not_left_waiting() -> None:
    class Forgetful(ScriptedGuard):
        is_continuous = True

        async def judge_each(self, exchanges: Sequence[Exchange], answered: Answered) -> None:
            for place, exchange in enumerate(exchanges):
                if exchange.prompt != "독":
                    answered(place, (await self.judge([exchange]))[0])

    async def scenario() -> None:
        async with serving(Forgetful()) as queue:
            poison, others = Asked(queue, "독"), [Asked(queue, f"글 {n}") for n in range(5)]
            assert all(isinstance(found, Verdict) for found in [await one for one in others])
            assert await poison == Unscreened("defect: the guard fails (ValueError)", ScriptedGuard.version)
            assert queue.figures.outages == queue.figures.judging == 0

    run(scenario())
