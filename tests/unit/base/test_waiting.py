"""Pauses double up to a bound and are never all alike; the log has one line when a port goes and one when it is back; a
cancellation is never lost."""

import asyncio
from dataclasses import replace
from functools import partial

import pytest
from structlog.testing import capture_logs

from bot.core.base.errors import Unavailable
from bot.core.base.waiting import Backoff, patiently, seconds_asked
from tests.fakes.clock import ManualClock


class Port:
    away = True

    async def call(self, number: int) -> int:
        if self.away:
            raise Unavailable("the disk is full")
        return number


def test_a_pause_doubles_up_to_the_longest_and_what_was_asked_for_goes_before() -> None:
    longest = Backoff(first=0.5, longest=3.0, chance=lambda: 1.0)
    shortest = replace(longest, chance=lambda: 0.0)
    assert [longest.after(failures) for failures in (1, 2, 3, 4, 10_000)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    assert [shortest.after(failures) for failures in (1, 2, 3, 4, 10_000)] == [0.25, 0.5, 1.0, 1.5, 1.5]
    assert longest.after(4, asked=70.0) == 70.0 and longest.after(4, asked=0.0) == 3.0


def test_what_is_no_time_is_not_waited_for() -> None:
    assert [seconds_asked(one) for one in ("7", 0.5, 0, " 2 ")] == [7.0, 0.5, 0.0, 2.0]
    assert seconds_asked("1e300") == 86_400.0 and seconds_asked(90, 60.0) == 60.0
    odd: list[object] = ["nan", "inf", "1e400", "-1", -0.5, float("nan"), 10**400, None, "", "Wed, 21 Oct", [], {}]
    assert [seconds_asked(one) for one in odd] == [None] * len(odd)


def test_those_who_wait_for_the_same_do_not_come_back_together() -> None:
    async def scenario() -> set[float]:
        port, clock, tries = Port(), ManualClock(), set[float]()

        async def call() -> int:
            tries.add(clock.monotonic())
            return await port.call(1)

        waiting = [asyncio.create_task(patiently(call, clock)) for _ in range(50)]
        await clock.advance(60)
        port.away = False
        await clock.advance(60)
        await asyncio.gather(*waiting)
        return tries

    assert len(asyncio.run(scenario())) > 100


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


@pytest.mark.parametrize("others", [0, 1])
def test_who_breaks_off_waits_no_more_and_the_next_outage_is_told_again(others: int) -> None:
    """As long as somebody else waits for the same, it is the same outage."""

    async def scenario() -> None:
        port, clock = Port(), ManualClock()

        def wait() -> "asyncio.Task[int]":
            return asyncio.create_task(patiently(partial(port.call, 1), clock))

        staying = [wait() for _ in range(others)]
        leaving = wait()
        await clock.advance(10)
        leaving.cancel()
        await asyncio.wait([leaving])
        staying.append(wait())
        await clock.advance(10)
        port.away = False
        await clock.advance(60)
        await asyncio.gather(*staying)

    with capture_logs() as lines:
        asyncio.run(scenario())
    begun, over = "waiting for a port", "port answers again"
    assert [line["event"] for line in lines] == ([begun, over] if others else [begun, begun, over])
