"""What the first guard is sure of never reaches the second, except for the sample that says what was missed."""

import asyncio
from collections import Counter
from itertools import cycle

import pytest

from adapters.guards.composed.cascade import CascadeGuard
from bot.core.base.errors import Unavailable
from bot.core.evaluation.quality import CascadeFigures
from bot.core.guarding.verdict import Exchange, GuardVersion, Route, Task, Unscreened, Verdict
from tests.fakes.guarding import ScriptedGuard

FIRST = GuardVersion(name="first")


class First(ScriptedGuard):
    version = FIRST


class Second(ScriptedGuard):
    tasks = frozenset(Task)


def ask(*texts: str) -> list[Exchange]:
    return [Exchange(prompt=text, is_chat=True) for text in texts]


def texts(guard: ScriptedGuard) -> list[str | None]:
    return [exchange.prompt for asked in guard.asked for exchange in asked]


def test_only_what_may_be_harmful_reaches_the_second_guard() -> None:
    first, second = First({"나쁜 말": 0.9, "애매한 말": 0.05}), Second({"나쁜 말": 0.8, "애매한 말": 0.3})
    cascade = CascadeGuard(first, second, threshold=0.05, sample=0.0)
    screenings = asyncio.run(cascade.judge(ask("착한 말", "나쁜 말", "애매한 말", "고운 말")))
    assert texts(second) == ["나쁜 말", "애매한 말"]
    assert [screening.guard.name for screening in screenings] == ["first", "scripted", "scripted", "first"]
    assert [s.harm for s in screenings if isinstance(s, Verdict)] == [0.0, 0.8, 0.3, 0.0]
    figures = CascadeFigures.of(screenings)
    assert figures == CascadeFigures(first=4, second=2, skipped=2, sampled=0, sampled_missed=0)
    assert figures and figures.missed_share is None
    assert CascadeFigures.of([Unscreened("away", FIRST), Verdict(guard=FIRST)]) is None


def test_the_sample_counts_what_would_have_been_missed() -> None:
    second = Second({f"말 {n}": 0.9 for n in range(0, 40, 10)})
    draw = cycle([0.1, 0.9]).__next__  # every other one is below the sample's share
    cascade = CascadeGuard(First(), second, threshold=0.5, sample=0.5, draw=draw)
    screenings = asyncio.run(cascade.judge(ask(*(f"말 {n}" for n in range(40)))))
    assert texts(second) == [f"말 {n}" for n in range(0, 40, 2)]
    routes = Counter(screening.route for screening in screenings if isinstance(screening, Verdict))
    assert routes == {Route.SKIPPED: 20, Route.CLEARED: 16, Route.MISSED: 4}
    figures = CascadeFigures.of(screenings)
    assert figures and (figures.skipped, figures.sampled, figures.missed_share) == (40, 20, 0.2)
    assert [s.harm for s in screenings[:3] if isinstance(s, Verdict)] == [0.9, 0.0, 0.0]  # the second opinion counts


def test_what_the_first_guard_could_not_judge_is_never_skipped() -> None:
    nothing = Verdict.of_scores({Task.RESPONSE_REFUSAL: 0.0}, guard=FIRST)
    first = First({"이상한 말": Unscreened("nothing to judge", FIRST), "거절": nothing})
    second = Second({"이상한 말": 0.7})
    (odd, other) = asyncio.run(CascadeGuard(first, second, threshold=0.5, sample=0.0).judge(ask("이상한 말", "거절")))
    assert isinstance(odd, Verdict) and odd.harm == 0.7
    assert other.guard.name == "scripted"


def test_refusal_comes_only_from_a_guard_that_can_tell() -> None:
    answer = Verdict.of_scores({Task.RESPONSE_REFUSAL: 0.9, Task.RESPONSE_HARM: 0.1}, guard=ScriptedGuard.version)
    first, second = First({"나쁜 대답": 0.6}), Second({"나쁜 대답": answer})
    cascade = CascadeGuard(first, second, threshold=0.5, sample=0.0)
    assert cascade.tasks == frozenset(Task)
    skipped, judged = asyncio.run(
        cascade.judge([Exchange(prompt="좋은 말", is_chat=True), Exchange(prompt="", response="나쁜 대답")])
    )
    assert isinstance(skipped, Verdict) and Task.RESPONSE_REFUSAL not in skipped.scores
    assert isinstance(judged, Verdict) and judged.scores[Task.RESPONSE_REFUSAL] == 0.9


def test_an_outage_of_the_second_guard_is_one_outage() -> None:
    first, second = First({"나쁜 말": 0.9}), Second({"나쁜 말": 0.8})
    cascade = CascadeGuard(first, second, threshold=0.5, sample=0.0)

    async def check() -> None:
        assert await cascade.judge(ask("착한 말"))  # nothing needs the second guard
        second.trouble = Unavailable("restarting", retry_after=3)
        assert await cascade.judge(ask("착한 말"))
        with pytest.raises(Unavailable) as away:
            await cascade.judge(ask("착한 말", "나쁜 말"))
        assert away.value.retry_after == 3
        with pytest.raises(Unavailable):
            await cascade.judge(ask("착한 말"))  # would be skipped, but must not look like a recovery
        second.trouble = None
        (asked,) = await cascade.judge(ask("착한 말"))
        assert (
            isinstance(asked, Verdict) and asked.route is Route.SECOND
        )  # not drawn at random, so no part of the sample
        before = second.count
        assert await cascade.judge(ask("고운 말"))
        assert second.count == before

    asyncio.run(check())


def test_its_version_names_both_guards() -> None:
    version = CascadeGuard(First(), Second(), threshold=0.05, sample=0.02).version
    assert version.name == "cascade"
    assert version.model == "first  < 0.05, else scripted 1"


def test_what_is_asked_of_an_llm_and_what_it_answers_is_never_skipped() -> None:
    second = Second()
    asked = [*ask("안녕"), Exchange(prompt="안녕"), Exchange(prompt="안녕", response="네")]
    screenings = asyncio.run(CascadeGuard(First(), second, threshold=0.5, sample=0.0).judge(asked))
    assert second.asked == [asked[1:]]
    routes = [screening.route for screening in screenings if isinstance(screening, Verdict)]
    assert routes == [Route.SKIPPED, Route.SECOND, Route.SECOND]
