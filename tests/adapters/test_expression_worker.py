"""A real process searches for what the linear engine does not understand, and is killed when it takes long."""

import asyncio
import signal

import pytest

from adapters.expression_worker import ExpressionWorker
from bot.core.rules.conditions import Group, Text

POLITE = Text(
    any_of=("/(?<![가-힣])니/", "바보"), unless=("/바보(?=상자)/",), group=Group(name="g", any_of=("/ㅅ(?=ㅂ)/",))
)
ENDLESS = Text(any_of=("/(?=((가나|가|나)+)+다)가/",))


def test_it_finds_what_is_there() -> None:
    async def scenario() -> None:
        async with ExpressionWorker(patience=30, in_line=30) as worker:
            assert not POLITE.is_linear
            assert await worker.find(POLITE, "야 니가") == {"found": "니", "view": "plain"}
            assert await worker.find(POLITE, "우리언니") is None
            assert await worker.find(POLITE, "바보상자를 본다") is None
            assert await worker.find(POLITE, "바.보\ud800") == {"found": "바보", "view": "opened"}
            assert await worker.find(POLITE, "ㅅㅂ") == {"found": "ㅅ", "view": "plain"}

    asyncio.run(scenario())


def test_a_search_without_end_is_given_up_and_the_next_one_is_answered() -> None:
    async def scenario() -> None:
        async with ExpressionWorker(patience=30, in_line=30) as worker:
            assert await worker.find(POLITE, "니") is not None
            first = worker._process
            worker.patience = 0.2
            with pytest.raises(TimeoutError):
                await worker.find(ENDLESS, "가나" * 40 + "라")
            assert worker.killed == 1 and first is not None and first.returncode is not None
            worker.patience = 30
            assert await worker.find(POLITE, "니") is not None
            assert worker._process is not first

    asyncio.run(scenario())


def test_what_others_do_with_the_processor_meanwhile_is_not_its_time() -> None:
    async def scenario() -> None:
        async with ExpressionWorker(patience=30, in_line=30) as worker:
            assert await worker.find(POLITE, "니") is not None
            assert worker._process
            worker.patience = 0.2
            worker._process.send_signal(signal.SIGSTOP)
            searching = asyncio.create_task(worker.find(POLITE, "니"))
            await asyncio.sleep(2 * worker.patience)
            worker._process.send_signal(signal.SIGCONT)
            assert await searching is not None and worker.killed == 0

    asyncio.run(scenario())


def test_it_comes_back_after_it_was_killed_by_somebody_else() -> None:
    async def scenario() -> None:
        async with ExpressionWorker(patience=30, in_line=30) as worker:
            assert await worker.find(POLITE, "니") is not None
            assert worker._process
            worker._process.kill()
            await worker._process.wait()
            assert await worker.find(POLITE, "니") is not None

    asyncio.run(scenario())
