"""What the shared queue promises: fair, fresh first, once, bounded, patient, cancellable."""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from bot.core.base.errors import Broken, Unavailable
from bot.core.chat.message import Platform
from bot.core.guarding.calls import MOST_FAULTS
from bot.core.guarding.queue import GuardQueue
from bot.core.guarding.tickets import Ticket, Tickets
from bot.core.guarding.verdict import AWAY, Exchange, GuardVersion, Route, Screening, Task, Unscreened, Verdict
from bot.core.text.views import canonical
from tests.builders import DISCORD, TELEGRAM, home
from tests.fakes.clock import ManualClock
from tests.fakes.guarding import ScriptedGuard


def run(
    scenario: Callable[[GuardQueue, ScriptedGuard, ManualClock], Coroutine[None, None, None]], **options: Any
) -> None:
    async def main() -> None:
        guard, clock = ScriptedGuard(), ManualClock()
        given: dict[str, Any] = {"guard": guard, "clock": clock, "batch": 2, "first": 60} | options
        queue = GuardQueue(**given)
        serving = asyncio.create_task(queue.run())
        try:
            await scenario(queue, guard, clock)
        finally:
            serving.cancel()
            await asyncio.wait([serving])

    asyncio.run(main())


def ask(queue: GuardQueue, text: str, community: str = "c", *, fresh: bool = True) -> "asyncio.Future[Screening]":
    return queue.submit(Exchange(prompt=text), community=home(community), fresh=fresh)


def test_communities_take_turns_and_a_backlog_waits() -> None:
    async def scenario(queue: GuardQueue, guard: ScriptedGuard, clock: ManualClock) -> None:
        raid = [ask(queue, f"raid {n}", "raided") for n in range(5)]
        old = ask(queue, "old", "quiet", fresh=False)
        quiet = [ask(queue, f"quiet {n}", "quiet") for n in range(2)]
        await asyncio.gather(*raid, old, *quiet)
        order = [exchange.prompt for batch in guard.asked for exchange in batch]
        assert order == ["raid 0", "quiet 0", "raid 1", "quiet 1", "raid 2", "raid 3", "raid 4", "old"]
        assert max(map(len, guard.asked)) == 2
        figures = queue.figures
        assert (figures.fresh, figures.backlog, figures.turns) == (7, 1, 4)
        assert (figures.most_waiting, figures.waiting, figures.judging) == (8, 0, 0)

    run(scenario)


def test_communities_of_two_platforms_with_one_id_take_turns() -> None:
    async def scenario(queue: GuardQueue, guard: ScriptedGuard, clock: ManualClock) -> None:
        def asked(text: str, platform: Platform) -> "asyncio.Future[Screening]":
            return queue.submit(Exchange(prompt=text), community=home("7", platform))

        raid = [asked(f"raid {n}", DISCORD) for n in range(4)]
        await asyncio.gather(*raid, asked("quiet", TELEGRAM))
        assert [exchange.prompt for exchange in guard.asked[0]] == ["raid 0", "quiet"]

    run(scenario)


@pytest.mark.parametrize(
    "other", ["안녕하세요\U000e0041\U000e0042", "안녕\u200b하세요", "안녕\n하세요", "안녕하세요 ", "\u202e요세하녕안"]
)
def test_what_only_looks_the_same_decides_nothing_elsewhere(other: str) -> None:
    """A guard model reads signs that people do not see: one community's text must not decide another's."""

    async def scenario(queue: GuardQueue, guard: ScriptedGuard, clock: ManualClock) -> None:
        assert canonical(other) == canonical("안녕하세요") or "\n" in other, "a person sees the same"
        assert await ask(queue, other) is not await ask(queue, "안녕하세요", "another")
        assert guard.count == 2

    run(scenario)


def test_what_is_remembered_takes_the_same_room_however_long_texts_are() -> None:
    async def scenario(queue: GuardQueue, guard: ScriptedGuard, clock: ManualClock) -> None:
        await asyncio.gather(*(ask(queue, f"{number} " * 5_000) for number in range(20)))
        assert max(sys.getsizeof(key) for key in queue._remembered._verdicts) < 100

    run(scenario)


def test_the_same_text_is_judged_once_until_it_is_forgotten() -> None:
    async def scenario(queue: GuardQueue, guard: ScriptedGuard, clock: ManualClock) -> None:
        first, second = ask(queue, "같은 글"), ask(queue, "같은 글", "another")
        assert await first is await second
        assert await ask(queue, "같은 글") is await first
        assert guard.count == 1
        assert (queue.figures.joined, queue.figures.remembered) == (1, 1)
        await clock.advance(601)
        await ask(queue, "같은 글")
        assert guard.count == 2

    run(scenario)


def test_a_sample_is_one_whoever_wrote_the_same_text_and_a_skip_is_one_each_time() -> None:
    async def scenario(queue: GuardQueue, guard: ScriptedGuard, clock: ManualClock) -> None:
        for text, route in (("표본", Route.MISSED), ("건너뜀", Route.SKIPPED)):
            guard.answers[text] = Verdict.of_scores({Task.PROMPT_HARM: 0.9}, guard=guard.version, route=route)
        both = [ask(queue, "표본"), ask(queue, "표본"), ask(queue, "건너뜀"), ask(queue, "건너뜀")]
        answers = [*await asyncio.gather(*both), await ask(queue, "표본"), await ask(queue, "건너뜀")]
        assert Counter(getattr(answer, "route", None) for answer in answers) == {
            Route.MISSED: 1,
            Route.SECOND: 2,
            Route.SKIPPED: 3,
        }

    run(scenario)


def test_memory_is_bounded() -> None:
    async def scenario(queue: GuardQueue, guard: ScriptedGuard, clock: ManualClock) -> None:
        for text in ("a", "b", "c", "a"):
            await ask(queue, text)
        assert guard.count == 4, "a was forgotten for c"
        assert queue.figures.forgotten == 2

    run(scenario, remember=2)


def test_a_guard_that_comes_back_judges_what_waited() -> None:
    async def scenario(queue: GuardQueue, guard: ScriptedGuard, clock: ManualClock) -> None:
        guard.trouble = Unavailable("restarting")
        waiting = [ask(queue, str(n)) for n in range(3)]
        await clock.advance(0)
        assert queue.is_away and not any(answer.done() for answer in waiting)
        asked = guard.count
        await clock.advance(0.3)
        assert guard.count == asked + 1, "one probe with one exchange, not a stampede"
        guard.trouble = None
        await clock.advance(5)
        assert all(isinstance(verdict, Verdict) for verdict in await asyncio.gather(*waiting))
        assert not queue.is_away and queue.figures.outages == 1 and queue.figures.probes > 0

    run(scenario)


def test_who_waits_too_long_gets_unscreened() -> None:
    async def scenario(queue: GuardQueue, guard: ScriptedGuard, clock: ManualClock) -> None:
        guard.trouble = Unavailable("down")
        waiting = [ask(queue, str(n)) for n in range(4)]
        await clock.advance(70)
        for answer in waiting:
            assert isinstance(await answer, Unscreened)
        assert queue.figures.expired == queue.figures.unscreened == 4
        guard.trouble = None
        late = ask(queue, "late")
        await clock.advance(40)
        assert isinstance(await late, Verdict)

    run(scenario)


def test_those_whose_time_is_not_over_are_not_looked_at_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice a second that would cost more than what they wait for."""
    looks = Counter[float]()

    async def scenario(queue: GuardQueue, guard: ScriptedGuard, clock: ManualClock) -> None:
        expire = Tickets.expire

        def counted(self: Tickets, ticket: Ticket, **when: float) -> Any:
            looks[clock.monotonic() - began] += 1
            return expire(self, ticket, **when)

        monkeypatch.setattr(Tickets, "expire", counted)
        guard.hold, began = asyncio.Event(), clock.monotonic()
        waiting = [ask(queue, str(n)) for n in range(100)]
        await clock.advance(59)
        assert not looks
        await clock.advance(2)
        assert all(answer.done() for answer in waiting[2:]), "the guard has two"
        guard.hold.set()

    run(scenario)


def test_unscreened_is_never_remembered() -> None:
    async def scenario(queue: GuardQueue, guard: ScriptedGuard, clock: ManualClock) -> None:
        guard.answers["x"] = Unscreened("unparseable", guard.version)
        assert isinstance(await ask(queue, "x"), Unscreened)
        del guard.answers["x"]
        assert isinstance(await ask(queue, "x"), Verdict)

    run(scenario)


def test_a_call_that_hangs_is_given_up_and_asked_again() -> None:
    async def scenario(queue: GuardQueue, guard: ScriptedGuard, clock: ManualClock) -> None:
        guard.hang = True
        answer = ask(queue, "x")
        await clock.advance(0)
        assert guard.count == 1
        await asyncio.sleep(0.05)  # the patience of this queue, in real time
        guard.hang = False
        await clock.advance(1)
        assert isinstance(await answer, Verdict)

    run(scenario, patience=0.01)


def test_cancelling_reaches_the_guard() -> None:
    async def scenario(queue: GuardQueue, guard: ScriptedGuard, clock: ManualClock) -> None:
        guard.hang = True
        answer = ask(queue, "x")
        await clock.advance(0)
        answer.cancel()
        await clock.advance(0)
        assert guard.cancelled == queue.figures.cancelled == queue.figures.dropped == 1
        guard.hang = False
        assert isinstance(await ask(queue, "x"), Verdict)

    run(scenario)


def test_nobody_is_cancelled_while_a_companion_still_waits() -> None:
    async def scenario(queue: GuardQueue, guard: ScriptedGuard, clock: ManualClock) -> None:
        guard.hold = asyncio.Event()
        one, two = ask(queue, "one"), ask(queue, "two")
        await clock.advance(0)
        one.cancel()
        await clock.advance(0)
        guard.hold.set()
        assert isinstance(await two, Verdict) and guard.cancelled == 0

    run(scenario)


def test_what_was_dropped_before_its_turn_never_reaches_the_guard() -> None:
    async def scenario(queue: GuardQueue, guard: ScriptedGuard, clock: ManualClock) -> None:
        guard.hold = asyncio.Event()
        busy = [ask(queue, "busy 1"), ask(queue, "busy 2")]
        await clock.advance(0)
        dropped, kept = ask(queue, "dropped"), ask(queue, "kept")
        dropped.cancel()
        guard.hold.set()
        await asyncio.gather(*busy, kept)
        assert "dropped" not in {exchange.prompt for batch in guard.asked for exchange in batch}

    run(scenario)


def test_one_poisonous_text_does_not_take_the_others_down() -> None:
    async def scenario(queue: GuardQueue, guard: ScriptedGuard, clock: ManualClock) -> None:
        guard.answers["poison"] = ValueError("cannot tokenise")
        poison, fine = ask(queue, "poison"), ask(queue, "fine")
        assert isinstance(await fine, Verdict)
        assert await poison == Unscreened("defect: the guard fails (ValueError)", guard.version)

    run(scenario)


def test_a_broken_guard_ends_the_queue() -> None:
    async def main() -> None:
        guard = ScriptedGuard()
        guard.trouble = Broken("engine is dead")
        queue = GuardQueue(guard=guard, clock=ManualClock())
        answer = ask(queue, "x")
        with pytest.raises(BaseExceptionGroup) as ended:
            await queue.run()
        assert ended.value.subgroup(Broken)
        assert not answer.done()

    asyncio.run(main())


def test_room_tells_how_many_more_may_wait() -> None:
    async def main() -> None:
        queue = GuardQueue(guard=ScriptedGuard(), clock=ManualClock(), capacity=3)
        answers = [ask(queue, str(n)) for n in range(2)]
        assert queue.room == 1
        answers.append(ask(queue, "2"))
        assert queue.room == 0 and queue.figures.full == 1

    asyncio.run(main())


def test_the_circuit_closes_although_nobody_waits() -> None:
    async def scenario() -> None:
        guard, clock = ScriptedGuard(), ManualClock()
        guard.trouble = Unavailable("restarting")
        queue = GuardQueue(guard=guard, clock=clock)
        serving = asyncio.create_task(queue.run())
        asking = queue.submit(Exchange(prompt="안녕"), community=home("a"))
        await clock.advance(0)
        assert queue.is_away
        asking.cancel()
        await clock.advance(2)
        assert queue.is_away, "asked again, and still away"
        guard.trouble = None
        await clock.advance(60)
        assert not queue.is_away
        assert queue.figures.waiting == queue.figures.judging == 0
        serving.cancel()

    asyncio.run(scenario())


def test_what_looks_alike_but_is_another_text_is_judged_for_itself() -> None:
    """A guard model reads what people do not see: one community's verdict must not become everybody's."""
    greeting = "안녕하세요"
    hidden = greeting + "".join(chr(0xE0000 + ord(letter)) for letter in " I will kill you")

    async def scenario(queue: GuardQueue, guard: ScriptedGuard, clock: ManualClock) -> None:
        guard.answers[hidden] = 0.99
        assert getattr(await ask(queue, hidden, "attacker"), "harm", None) == 0.99
        assert getattr(await ask(queue, greeting, "victim"), "harm", None) == 0.0
        guard.answers["물음"] = 0.99
        await ask(queue, "물음", "attacker")
        answer = await queue.submit(Exchange(prompt=None, response="물음"), community=home("victim"))
        assert guard.count == 4 and isinstance(answer, Verdict)

    run(scenario)


@pytest.mark.parametrize("letters", [10, 100_000])
def test_what_is_remembered_takes_the_same_room_however_long_the_text_was(letters: int) -> None:
    async def scenario(queue: GuardQueue, guard: ScriptedGuard, clock: ManualClock) -> None:
        await ask(queue, "가" * letters)
        guard.asked.clear()
        keys = [*queue._remembered._verdicts]
        assert [len(key) for key in keys] == [16]
        assert not queue._tickets._open and not queue._tickets.waiting()

    run(scenario)


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), Broken("context too long"), RuntimeError(), KeyError("x")])
def test_an_odd_answer_to_one_text_is_that_texts_trouble(odd: float | Exception) -> None:
    async def scenario(queue: GuardQueue, guard: ScriptedGuard, clock: ManualClock) -> None:
        guard.answers["독"] = odd
        poison, others = ask(queue, "독"), [ask(queue, f"글 {n}") for n in range(5)]
        assert all(isinstance(answer, Verdict) for answer in await asyncio.gather(*others))
        found = await poison
        assert isinstance(found, Unscreened) and found.reason.startswith("defect")
        assert not queue.is_away and queue.figures.outages == 0
        assert sum(exchange.prompt == "독" for batch in guard.asked for exchange in batch) <= 1 + MOST_FAULTS
        assert isinstance(await ask(queue, "다음"), Verdict)

    run(scenario)


def test_too_few_answers_are_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(queue: GuardQueue, guard: ScriptedGuard, clock: ManualClock) -> None:
        judge = guard.judge

        async def short(exchanges: Sequence[Exchange]) -> Sequence[Screening]:
            found = await judge(exchanges)
            return found[:-1] if any(exchange.prompt == "독" for exchange in exchanges) else found

        monkeypatch.setattr(guard, "judge", short)
        poison, fine = ask(queue, "독"), ask(queue, "글")
        assert isinstance(await fine, Verdict)
        assert await poison == Unscreened("defect: the guard fails (ValueError)", guard.version)

    run(scenario)


def test_a_guard_that_fails_on_everything_is_away_and_no_text_is_to_blame(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(queue: GuardQueue, guard: ScriptedGuard, clock: ManualClock) -> None:
        judge = guard.judge

        async def fails(exchanges: Sequence[Exchange]) -> Sequence[Screening]:
            raise RuntimeError("a defect of the engine")

        monkeypatch.setattr(guard, "judge", fails)
        waiting = [ask(queue, f"글 {n}") for n in range(6)]
        await clock.advance(30)
        assert queue.is_away and not any(answer.done() for answer in waiting)
        monkeypatch.setattr(guard, "judge", judge)
        await clock.advance(31)
        assert all(isinstance(answer, Verdict) for answer in await asyncio.gather(*waiting))

    run(scenario)


def test_a_text_that_the_guard_hangs_on_does_not_keep_it_away(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(queue: GuardQueue, guard: ScriptedGuard, clock: ManualClock) -> None:
        judge = guard.judge

        async def hangs(exchanges: Sequence[Exchange]) -> Sequence[Screening]:
            if any(exchange.prompt == "독" for exchange in exchanges):
                await asyncio.Event().wait()
            return await judge(exchanges)

        monkeypatch.setattr(guard, "judge", hangs)
        poison, others = ask(queue, "독"), [ask(queue, f"글 {n}") for n in range(5)]
        for _ in range(200):
            await asyncio.sleep(0.005)  # the patience of this queue, in real time
            await clock.advance(0.3)
            if poison.done():
                break
        assert await poison == Unscreened("defect: the guard fails (_TooSlow)", guard.version)
        assert all(isinstance(answer, Verdict) for answer in await asyncio.gather(*others))

    run(scenario, patience=0.01)


class StandIn(ScriptedGuard):
    version = GuardVersion(name="stand-in")
    tasks = frozenset({Task.PROMPT_HARM})


def test_while_the_guard_is_away_the_stand_in_answers_at_once_who_will_have_it() -> None:
    async def scenario(queue: GuardQueue, guard: ScriptedGuard, clock: ManualClock) -> None:
        guard.trouble = Unavailable("down")
        strict = ask(queue, "나쁜 말")
        some = [
            queue.submit(Exchange(prompt=text), community=home("c"), provisional=True) for text in ("나쁜 말", "말")
        ]
        answer = queue.submit(Exchange(prompt="말", response="답"), community=home("c"), provisional=True)
        await clock.advance(1)
        bad, good = [await one for one in some]
        assert isinstance(bad, Verdict) and isinstance(good, Verdict)
        assert (bad.harm, bad.guard, bad.route, good.harm) == (0.9, StandIn.version, Route.STOOD_IN, 0.0)
        assert not strict.done() and not answer.done(), "one will not have it, and for one the stand-in has no word"
        await clock.advance(60)
        assert await answer == Unscreened(AWAY, guard.version)
        late = queue.submit(Exchange(prompt=None, response="답"), community=home("c"), provisional=True)
        await clock.advance(1)
        assert late.done(), "it has been away for long: nobody waits for a minute to hear so"
        guard.trouble = None
        await clock.advance(60)
        assert getattr(await ask(queue, "나쁜 말"), "guard", None) == guard.version, "the stand-in's word is not kept"

    run(scenario, stand_in=StandIn({"나쁜 말": 0.9}))


def test_a_line_that_is_too_long_goes_by_deadline_then_harm_then_the_newest() -> None:
    async def scenario(queue: GuardQueue, guard: ScriptedGuard, clock: ManualClock) -> None:
        guard.hold = asyncio.Event()
        early = [ask(queue, f"먼저 {n}") for n in range(3)]  # two are with the guard, one waits
        await clock.advance(2)
        more = []
        for number in range(3):
            more += [ask(queue, f"말 {number}"), ask(queue, f"나쁜 말 {number}")]
            await clock.advance(1)
        more.append(queue.submit(Exchange(prompt="급함"), community=home("c"), urgent=True))
        guard.hold.set()
        await asyncio.gather(*early, *more)
        order = [exchange.prompt for batch in guard.asked for exchange in batch][2:]
        assert order == ["급함", "나쁜 말 2", "나쁜 말 1", "나쁜 말 0", "말 2", "말 1", "말 0", "먼저 2"]

    run(scenario, stand_in=StandIn({f"나쁜 말 {n}": 0.9 for n in range(3)}))


def test_what_is_odd_about_the_guards_answers_is_counted() -> None:
    odd = Verdict(guard=ScriptedGuard.version, anomalies=("text after the answer",))
    nothing = Unscreened("the guard hardly considered its own labels", ScriptedGuard.version)

    async def scenario(queue: GuardQueue, guard: ScriptedGuard, clock: ManualClock) -> None:
        guard.answers |= {"odd": odd, "nothing": nothing}
        await asyncio.gather(*(ask(queue, text) for text in ("odd", "nothing", "fine")))
        assert queue.figures.anomalies == {"text after the answer": 1, nothing.reason: 1}

    run(scenario)
