"""The embedded guard beside a model: both are heard, and the model's troubles stay what they are."""

import asyncio

import pytest

from adapters.guards.composed.beside import BesideGuard
from adapters.guards.composed.once import OnceGuard
from bot.core.base.errors import Unavailable
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.ports import judge_each
from bot.core.guarding.verdict import Exchange, GuardVersion, Judgement, Part, Screening, Task, Unscreened, Verdict
from tests.fakes.guarding import ScriptedGuard

MODEL = GuardVersion(name="model", dialect="abc")


class Model(ScriptedGuard):
    version = MODEL
    tasks = frozenset(Task)


def found(name: str, kind: HarmKind, score: float) -> Verdict:
    return Verdict(guard=GuardVersion(name=name), found=(Judgement(Part.PROMPT, kind, score, name),), quotes=0.2)


def asked(*texts: str) -> list[Exchange]:
    return [Exchange(prompt=text) for text in texts]


def test_each_is_heard_on_what_it_knows() -> None:
    model = Model({"욕": 0.1, "폭탄": 0.9, "이상한": Unscreened("unparseable", MODEL)})
    embedded = ScriptedGuard({text: found("embedded", HarmKind.ABUSE, 0.98) for text in ("욕", "이상한")})
    abuse, bomb, odd = asyncio.run(BesideGuard(model, embedded).judge(asked("욕", "폭탄", "이상한")))
    assert isinstance(abuse, Verdict) and isinstance(bomb, Verdict)
    assert abuse.kinds[Part.PROMPT] == {HarmKind.UNSPECIFIED: 0.1, HarmKind.ABUSE: 0.98}
    assert (abuse.guard, abuse.quotes) == (MODEL, 0.2)
    assert bomb.harm == 0.9
    assert isinstance(odd, Unscreened), "the model's word is missing, and nobody guesses it"
    assert BesideGuard(model, embedded).tasks == frozenset(Task)


@pytest.mark.parametrize("first", ["model", "embedded"])
def test_answers_come_one_by_one_whoever_is_slower(first: str) -> None:
    async def check() -> None:
        model, embedded = Model(), ScriptedGuard({"욕": found("embedded", HarmKind.ABUSE, 0.98)})
        slow = embedded if first == "model" else model
        slow.hold = asyncio.Event()
        answers: dict[int, Screening] = {}
        judging = asyncio.create_task(judge_each(BesideGuard(model, embedded), asked("욕", "말"), answers.__setitem__))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not answers
        slow.hold.set()
        await judging
        assert sorted(answers) == [0, 1]
        assert isinstance(answers[0], Verdict) and HarmKind.ABUSE in answers[0].kinds[Part.PROMPT]

    asyncio.run(check())


def test_what_was_put_in_order_is_not_judged_again_beside_the_model_and_is_kept_no_longer_than_it_waits() -> None:
    async def check() -> None:
        embedded = ScriptedGuard({"욕": found("embedded", HarmKind.ABUSE, 0.98)})
        stand_in, (abuse, talk) = OnceGuard(embedded), asked("욕", "말")
        (seen,) = await stand_in.judge([abuse])
        one, _, again = await BesideGuard(Model(), stand_in).judge([abuse, talk, abuse])
        assert isinstance(one, Verdict) and isinstance(seen, Verdict) and set(seen.found) < set(one.found)
        assert one == again and embedded.asked == [[abuse], [talk]]
        embedded.asked.clear()
        del abuse
        await stand_in.judge([*asked("욕"), talk])
        assert embedded.asked == [asked("욕")]

    asyncio.run(check())


def test_a_failing_embedded_guard_takes_nothing_from_the_model() -> None:
    model, embedded = Model({"폭탄": 0.9}), ScriptedGuard({"폭탄": ValueError()})
    (one,) = asyncio.run(BesideGuard(model, embedded).judge(asked("폭탄")))
    assert isinstance(one, Verdict) and one.harm == 0.9


def test_where_the_model_is_away_there_is_no_verdict() -> None:
    async def check() -> None:
        model = Model()
        model.trouble = Unavailable("away")
        guard, answers = BesideGuard(model, ScriptedGuard()), dict[int, Screening]()
        with pytest.raises(Unavailable):
            await judge_each(guard, asked("말"), answers.__setitem__)
        with pytest.raises(Unavailable):
            await guard.judge(asked("말"))
        assert not answers

    asyncio.run(check())
