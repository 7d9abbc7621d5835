"""Patience with a port: the log has one line when it goes and one when it is back; a cancellation is never lost."""

import asyncio
from functools import partial

import pytest
from structlog.testing import capture_logs

from bot.core.base.errors import Unavailable
from bot.core.base.waiting import patiently
from tests.fakes import ManualClock


class Port:
    away = True

    async def call(self, number: int) -> int:
        if self.away:
            raise Unavailable("the disk is full")
        return number


def test_hundreds_that_wait_for_the_same_make_two_lines() -> None:
    async def scenario() -> list[int]:
        port, clock = Port(), ManualClock()
        waiting = [asyncio.create_task(patiently(partial(port.call, number), clock)) for number in range(256)]
        await clock.advance(100)
        port.away = False
        await clock.advance(100)
        return await asyncio.gather(*waiting)

    with capture_logs() as lines:
        assert asyncio.run(scenario()) == list(range(256))
    assert [(line["event"], line["call"]) for line in lines] == [
        ("waiting for a port", "Port.call"),
        ("port answers again", "Port.call"),
    ]


def test_a_port_that_answers_a_cancellation_with_trouble_does_not_keep_it_away() -> None:
    async def call() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise Unavailable("out of reach") from None

    async def scenario() -> None:
        waiting = asyncio.create_task(patiently(call, ManualClock()))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(scenario())
