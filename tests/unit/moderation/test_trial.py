"""A guard on trial judges what the one in office has judged, and nobody ever waits for it, however it behaves."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from bot.core.base.errors import Broken, Unavailable
from bot.core.chat.message import Message
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.queue import GuardQueue
from bot.core.guarding.verdict import AWAY, Exchange, Route, Unscreened
from bot.core.moderation.ports import Tried
from bot.core.moderation.trial import WRITTEN, Trial
from bot.core.rules.actions import Delete, Flag
from bot.core.rules.conditions import NOTHING_BEFORE, Past, Score
from bot.core.rules.decider import Decider
from bot.core.rules.decision import decide
from bot.core.rules.difference import Difference
from bot.core.rules.policy import Policy, Reason, Rule
from bot.core.rules.precedent import Likeness, Precedent, Ruling
from tests.builders import NOW, home, later, message, verdict
from tests.fakes.clock import ManualClock
from tests.fakes.guarding import ScriptedGuard

REASON = Reason(ko="욕설", en="abuse")
POLICY = Policy(
    rules=(
        Rule(name="sure", when=(Score(at_least=0.9),), then=(Delete(), Flag()), reason=REASON, kind=HarmKind.ABUSE),
        Rule(name="likely", when=(Score(at_least=0.5),), then=(Flag(),), reason=REASON, kind=HarmKind.ABUSE),
    )
)


class Books:
    """What was written down, or the database is away."""

    def __init__(self) -> None:
        self.tried: list[Tried] = []
        self.trouble: Exception | None = None

    async def record(self, tried: Sequence[Tried]) -> None:
        if self.trouble:
            raise self.trouble
        self.tried += tried


class Bench:
    """One guard in office, one on trial."""

    def __init__(self, guard: ScriptedGuard) -> None:
        self.clock, self.books, self.guard = ManualClock(), Books(), guard
        self.present = GuardQueue(guard=ScriptedGuard(), clock=self.clock)
        queue = GuardQueue(guard=guard, clock=self.clock, grace=60.0)
        self.trial = Trial(
            queue=queue, present=self.present, decider=Decider(), trials=self.books, clock=self.clock, each=4
        )

    def decided(self, about: Message, score: float = 0.0, past: Past = NOTHING_BEFORE) -> None:
        judged = decide(about, verdict(score), POLICY, at=NOW, past=past)
        self.trial.watch(Exchange(prompt=about.read, is_chat=True), judged, POLICY, at=NOW, past=past)

    async def written(self) -> list[tuple[str, bool, Difference | None]]:
        await self.clock.advance(WRITTEN + 1)
        return [(one.ref.message_id, one.judged, one.difference) for one in self.books.tried]


def held(guard: ScriptedGuard, course: Callable[[Bench], Awaitable[None]]) -> None:
    async def scenario() -> None:
        bench = Bench(guard)
        running = asyncio.create_task(bench.trial.run())
        await course(bench)
        assert not running.done()  # whatever happened
        running.cancel()

    asyncio.run(scenario())


def test_what_it_would_have_changed_is_counted_by_kind_and_nothing_is_done() -> None:
    async def course(bench: Bench) -> None:
        for id_, text, score in (
            ("1", "새것만", 0.0),
            ("2", "옛것만", 0.95),
            ("3", "둘 다", 0.6),
            ("4", "아무것도", 0.0),
        ):
            bench.decided(message(id_, text), score)
        assert await bench.written() == [
            ("1", True, Difference.MORE), ("2", True, Difference.FEWER), ("3", True, Difference.HARDER),
            ("4", True, None),
        ]  # fmt: skip
        assert [one.kind for one in bench.books.tried] == [HarmKind.ABUSE] * 3 + [None]
        assert [one.is_incident for one in bench.books.tried] == [False, True, True, False]
        assert {one.guard for one in bench.books.tried} == {"scripted 1"}
        assert "새것만" not in repr(bench.books.tried)

    held(ScriptedGuard({"새것만": 0.7, "둘 다": 0.97}), course)


def test_what_moderators_have_called_wrong_is_no_news_of_it() -> None:
    wrong = Precedent(
        incident_id=1, ruling=Ruling.WRONG, rules=frozenset({"sure", "likely"}),
        likeness=Likeness(letters=b"", carries=b""), until=later(60),
    )  # fmt: skip

    async def course(bench: Bench) -> None:
        bench.decided(message("1", "새것만"), past=Past(precedent=wrong))
        assert await bench.written() == [("1", True, None)]

    held(ScriptedGuard({"새것만": 0.97}), course)


def test_what_the_guard_in_office_has_not_judged_is_not_tried() -> None:
    async def course(bench: Bench) -> None:
        for screening in (Unscreened(AWAY, bench.guard.version), verdict(0.99)):
            if not isinstance(screening, Unscreened):
                screening = type(screening)(guard=screening.guard, found=screening.found, route=Route.STOOD_IN)
            judged = decide(message(), screening, POLICY, at=NOW)
            bench.trial.watch(Exchange(prompt="글"), judged, POLICY, at=NOW, past=NOTHING_BEFORE)
        assert await bench.written() == [] and not bench.guard.asked

    held(ScriptedGuard(), course)


def test_while_anybody_waits_for_the_guard_in_office_it_is_passed_over() -> None:
    async def course(bench: Bench) -> None:
        bench.present.submit(Exchange(prompt="급한 글"), community=home())
        bench.decided(message("1"))
        serving = asyncio.create_task(bench.present.run())
        await bench.clock.advance(1)
        bench.decided(message("2"))
        serving.cancel()
        assert await bench.written() == [("1", False, None), ("2", True, None)]

    held(ScriptedGuard(), course)


def test_one_community_fills_its_own_places_and_nobody_elses() -> None:
    async def course(bench: Bench) -> None:
        for number in range(200):
            bench.decided(message(str(number), f"습격 {number}"))
        bench.decided(message("calm", "다른 곳", community="elsewhere"))
        assert bench.trial.queue.figures.asked == 0  # not even that has happened before whoever decides goes on
        await bench.clock.advance(0)
        assert bench.trial.queue.figures.asked == 5
        assert bench.guard.hold
        bench.guard.hold.set()
        found = await bench.written()
        assert (len(found), sum(judged for _, judged, _ in found)) == (201, 5)
        assert ("calm", True, None) in found

    guard = ScriptedGuard()
    guard.hold = asyncio.Event()
    held(guard, course)


@pytest.mark.parametrize("trouble", [Unavailable("away"), Broken("dead"), None])
def test_a_guard_that_is_away_broken_or_silent_stops_nobody(trouble: Unavailable | Broken | None) -> None:
    async def course(bench: Bench) -> None:
        for number in range(9):
            bench.decided(message(str(number), f"글 {number}"))
            await bench.clock.advance(30)
        if isinstance(trouble, Broken):
            assert not bench.trial._tasks  # the trial is over
        else:
            assert len(bench.trial._tasks) <= 4
            found = await bench.written()
            assert found and not any(judged for _, judged, _ in found)

    guard = ScriptedGuard()
    guard.trouble, guard.hang = trouble, trouble is None
    held(guard, course)


def test_one_that_raises_on_a_text_fails_on_that_alone() -> None:
    async def course(bench: Bench) -> None:
        bench.decided(message("1", "독"))
        await bench.clock.advance(90)
        bench.decided(message("2", "새것만"))
        assert ("2", True, Difference.MORE) in await bench.written()

    held(ScriptedGuard({"독": ValueError("독"), "새것만": 0.97}), course)


def test_what_is_counted_waits_for_the_database_and_is_not_counted_twice() -> None:
    async def course(bench: Bench) -> None:
        bench.books.trouble = Unavailable("away")
        bench.decided(message("1"))
        assert await bench.written() == []
        bench.books.trouble = None
        bench.decided(message("2"))
        assert [id_ for id_, _, _ in await bench.written()] == ["1", "2"]
        bench.books.trouble = TypeError("ours")
        bench.decided(message("3"))
        await bench.written()
        bench.books.trouble = None
        assert [id_ for id_, _, _ in await bench.written()] == ["1", "2"]

    held(ScriptedGuard(), course)


def test_whoever_is_forgotten_is_not_tried() -> None:
    async def course(bench: Bench) -> None:
        bench.decided(message("1", "내 글", author="minji"))
        bench.decided(message("2", "다른 글", author="jisu"))
        bench.trial.forget(home(), lambda author: author == "minji")
        assert [id_ for id_, _, _ in await bench.written()] == ["2"]

    held(ScriptedGuard(), course)
