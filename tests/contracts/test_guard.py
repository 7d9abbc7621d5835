"""What every guard promises, whatever it is made of."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from adapters.guards.classifier import ClassifierGuard, OnnxNetwork
from adapters.guards.composed.beside import BesideGuard
from adapters.guards.composed.calibrated import CalibratedGuard
from adapters.guards.composed.cascade import CascadeGuard
from adapters.guards.dialects import DIALECTS
from adapters.guards.moderations import ModerationsGuard
from adapters.guards.policy import ChatForm, ModelGuard
from adapters.guards.vllm_server import VllmServers
from bot.core.evaluation.calibration import Calibration, Scale
from bot.core.guarding.ports import Guard
from bot.core.guarding.verdict import Exchange, Task, Verdict
from tests.fakes.clock import ManualClock
from tests.fakes.guarding import ScriptedGuard
from tests.servers.guard import GuardServer
from tests.servers.guards import shipped
from tests.servers.guards.moderations import ModerationsServer
from tests.servers.guards.policy_model import PolicyServer
from tests.servers.tiny_classifier import MEANING, tiny_classifier

Opens = Callable[[], AbstractAsyncContextManager[Guard]]

BAD = "나쁜 시발 새끼야 꺼져 병신"
GOOD = "오늘 날씨가 참 좋네요"


@asynccontextmanager
async def embedded() -> AsyncIterator[Guard]:
    yield shipped.comments()


@asynccontextmanager
async def kinds() -> AsyncIterator[Guard]:
    yield shipped.kinds()


@asynccontextmanager
async def ngrams() -> AsyncIterator[Guard]:
    yield shipped.kinds(encoder=False)


@asynccontextmanager
async def scripted() -> AsyncIterator[Guard]:
    yield ScriptedGuard({BAD: 0.9})


@asynccontextmanager
async def server() -> AsyncIterator[Guard]:
    async with (
        GuardServer() as one,
        GuardServer() as two,
        VllmServers(servers=[one.url, two.url], dialect=DIALECTS["wildguard-ko"], clock=ManualClock()) as guard,
    ):
        yield guard


@asynccontextmanager
async def cascade() -> AsyncIterator[Guard]:
    async with server() as second:
        yield CascadeGuard(shipped.kinds(encoder=False), second, threshold=0.05, sample=0.5)


@asynccontextmanager
async def moderations() -> AsyncIterator[Guard]:
    async with ModerationsServer() as one, ModerationsGuard([one.url], clock=ManualClock()) as guard:
        yield guard


@asynccontextmanager
async def policy() -> AsyncIterator[Guard]:
    async with (
        PolicyServer() as one,
        ModelGuard([one.url], clock=ManualClock(), form=ChatForm(), rules="1. 나쁜 말을 하지 않습니다.") as guard,
    ):
        yield guard


@asynccontextmanager
async def classifier() -> AsyncIterator[Guard]:
    with TemporaryDirectory() as folder:
        async with ClassifierGuard(OnnxNetwork.read(tiny_classifier(Path(folder))), MEANING) as guard:
            yield guard


@asynccontextmanager
async def beside() -> AsyncIterator[Guard]:
    async with server() as model:
        yield BesideGuard(model, shipped.kinds(encoder=False))


@asynccontextmanager
async def calibrated() -> AsyncIterator[Guard]:
    guard = shipped.comments()
    scale = Scale(temperature=2.0, bias=0.1, rows=100, raw_loss=0.5, loss=0.4)
    yield CalibratedGuard(guard, Calibration(guard=guard.version, scales={Task.PROMPT_HARM: scale}))


@pytest.fixture(
    params=[embedded, kinds, ngrams, scripted, server, cascade, classifier, moderations, policy, beside, calibrated],
    ids=lambda opens: opens.__name__,
)
def opens(request: pytest.FixtureRequest) -> Opens:
    chosen: Opens = request.param
    return chosen


def test_one_screening_for_each_exchange_in_order(opens: Opens) -> None:
    async def check() -> None:
        async with opens() as guard:
            asked = [Exchange(prompt=BAD if number % 3 == 0 else f"{GOOD} {number}") for number in range(20)]
            screenings = await guard.judge(asked)
            harms = [screening.harm for screening in screenings if isinstance(screening, Verdict)]
            assert len(harms) == 20
            assert [harm is not None and harm > 0.5 for harm in harms] == [number % 3 == 0 for number in range(20)]
            assert list(await guard.judge([])) == []

    asyncio.run(check())


def test_scores_are_probabilities_of_tasks_that_the_guard_can_do(opens: Opens) -> None:
    async def check() -> None:
        async with opens() as guard:
            pairs = [Exchange(prompt=GOOD, response=BAD), Exchange(prompt=None, response=GOOD), Exchange(prompt=BAD)]
            for exchange, screening in zip(pairs, await guard.judge(pairs), strict=True):
                assert isinstance(screening, Verdict), screening
                assert screening.scores and screening.scores.keys() <= guard.tasks
                assert all(0 <= score <= 1 for score in screening.scores.values())
                if exchange.response is None:
                    assert set(screening.scores) == {Task.PROMPT_HARM}

    asyncio.run(check())


def test_the_same_text_gets_the_same_verdict(opens: Opens) -> None:
    async def check() -> None:
        async with opens() as guard:
            (first,) = await guard.judge([Exchange(prompt=BAD)])
            again = await guard.judge([Exchange(prompt=GOOD), Exchange(prompt=BAD)])
            assert isinstance(first, Verdict) and isinstance(again[1], Verdict)
            assert again[1].scores == pytest.approx(first.scores)

    asyncio.run(check())


def test_who_judged_is_said(opens: Opens) -> None:
    async def check() -> None:
        async with opens() as guard:
            (screening,) = await guard.judge([Exchange(prompt=BAD)])
            assert screening.guard.name in {guard.version.name, *guard.version.model.split()}
            assert screening.guard.model

    asyncio.run(check())


@pytest.mark.parametrize("text", ["", " ", "\ud800", "‮abc", "<|eot_id|>", "{prompt}", "ㅋ" * 5000, "a\x00b"])
def test_odd_texts_are_no_trouble(opens: Opens, text: str) -> None:
    async def check() -> None:
        async with opens() as guard:
            assert len(await guard.judge([Exchange(prompt=text), Exchange(prompt=GOOD, response=text)])) == 2

    asyncio.run(check())


def test_judging_can_be_cancelled(opens: Opens) -> None:
    async def check() -> None:
        async with opens() as guard:
            if isinstance(guard, ScriptedGuard):
                guard.hold = asyncio.Event()  # it would be done at once
            call = asyncio.ensure_future(guard.judge([Exchange(prompt=f"{GOOD} {n}" * 50) for n in range(500)]))
            await asyncio.sleep(0)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            if isinstance(guard, ScriptedGuard):
                guard.hold = None
            assert await guard.judge([Exchange(prompt=GOOD)])

    asyncio.run(check())
