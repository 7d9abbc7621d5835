"""An engine that dies is started again; a message that kills it is found out, and its neighbours are not blamed."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from adapters.guards.vllm_restarts import RestartingEngine
from bot.core.base.errors import Broken, Unavailable
from bot.core.guarding.verdict import Exchange
from tests.fakes.clock import ImpatientClock
from tests.servers.waiting import until

POISON, *FINE = (Exchange(prompt=f"{number}") for number in range(5))


class Engine:
    """Dies of POISON, and takes with it what else it has."""

    def __init__(self) -> None:
        self.dead, self.shut_down = asyncio.Event(), False

    async def ask(self, exchange: Exchange) -> None:
        if exchange == POISON:
            self.dead.set()
        await asyncio.sleep(0)
        if self.dead.is_set():
            raise ConnectionError

    def shutdown(self) -> None:
        self.shut_down = True


class Engines:
    """Starts them; the starts whose number stands in `fails` do not succeed."""

    def __init__(self, *fails: int) -> None:
        self.started: list[Engine] = []
        self._fails, self._tries = fails, 0

    def __call__(self) -> Engine:
        self._tries += 1
        if self._tries in self._fails:
            raise Broken("no memory")
        self.started.append(Engine())
        return self.started[-1]


async def ask(running: RestartingEngine, exchange: Exchange) -> str:
    if running.is_deadly(exchange):
        return "given up"
    try:
        async with running.asked(exchange):
            engine = running.engine
            try:
                await engine.ask(exchange)
            except ConnectionError:
                raise running.died(engine) from None
    except Unavailable:
        return "away"
    return "answered"


async def back(running: RestartingEngine) -> None:
    while True:
        try:
            _ = running.engine
            return
        except Unavailable:
            await asyncio.sleep(0.001)


def test_it_is_away_while_it_starts_and_comes_back_after_starts_that_fail() -> None:
    async def check() -> None:
        engines = Engines(2, 3)
        running = RestartingEngine(engines, ImpatientClock())
        first = running.engine
        assert await ask(running, FINE[0]) == "answered"
        first.dead.set()
        assert [await ask(running, FINE[0]), await ask(running, FINE[1])] == ["away", "away"]
        await back(running)
        assert first.shut_down and len(engines.started) == 2
        assert await ask(running, FINE[0]) == "answered"
        await running.close()
        assert engines.started[1].shut_down

    asyncio.run(check())


def test_one_that_does_not_start_at_first_is_told_to_whoever_starts_it() -> None:
    with pytest.raises(Broken, match="no memory"):
        RestartingEngine(Engines(1), ImpatientClock())


def test_one_that_is_still_starting_when_all_ends_does_not_go_on_alone() -> None:
    async def check() -> None:
        engines, starting, may_start = Engines(), threading.Event(), threading.Event()

        def start() -> Engine:
            if engines.started:
                starting.set()
                may_start.wait()
            return engines()

        running = RestartingEngine(start, ImpatientClock())
        running.died(running.engine)
        await until(starting.is_set)
        await running.close()
        may_start.set()
        await until(lambda: len(engines.started) == 2 and engines.started[1].shut_down)

    asyncio.run(check())


def test_what_it_dies_of_is_given_up_and_what_was_beside_it_is_answered() -> None:
    async def check() -> None:
        engines = Engines()
        running = RestartingEngine(engines, ImpatientClock())
        every: Callable[[], asyncio.Future[list[str]]] = lambda: asyncio.gather(  # noqa: E731
            *(ask(running, one) for one in (*FINE, POISON))
        )
        left = 10
        while (found := await every()) != ["answered"] * len(FINE) + ["given up"]:
            await back(running)
            left -= 1
            assert left, found
        assert len(engines.started) <= 4
        assert not any(running.is_deadly(one) for one in FINE)
        await running.close()

    asyncio.run(check())
