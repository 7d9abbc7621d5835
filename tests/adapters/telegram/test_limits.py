"""Lanes of what is written on Telegram: what is kept for one cannot be used up by the others."""

import asyncio

import pytest

from adapters.chat.telegram.limits import KEPT_IN_ROOM, Lane, Limiter
from bot.core.base.errors import Unavailable
from bot.core.text.catalogue import texts
from tests.fakes.clock import ManualClock

ROOM = -1002


def used_up(limiter: Limiter, lane: Lane, chats: list[int]) -> int:
    """How many calls of a lane go at once."""

    async def run() -> int:
        gone = 0
        while True:
            try:
                async with limiter.turn(chats[gone % len(chats)], lane, patience=0):
                    gone += 1
            except Unavailable:
                return gone

    return asyncio.run(run())


@pytest.mark.parametrize("greedy", [Lane.NOTICE, Lane.REPORT, Lane.ANSWER, Lane.CARD])
def test_no_lane_uses_up_what_is_kept_for_another(greedy: Lane) -> None:
    limiter = Limiter(clock=ManualClock(), say=texts("ko"), is_room=lambda _: True)
    assert used_up(limiter, greedy, [ROOM]) == 20 - sum(KEPT_IN_ROOM.values()) + KEPT_IN_ROOM.get(greedy, 0)
    for lane, kept in KEPT_IN_ROOM.items():
        if lane is not greedy:
            assert used_up(limiter, lane, [ROOM]) == kept
    assert used_up(limiter, Lane.NOTICE, [ROOM]) == 0, "20 a minute are 20"


def test_where_no_cards_are_shown_only_answers_have_room_of_their_own() -> None:
    limiter = Limiter(clock=ManualClock(), say=texts("ko"), is_room=lambda _: False)
    assert used_up(limiter, Lane.NOTICE, [ROOM]) == 16
    assert used_up(limiter, Lane.ANSWER, [ROOM]) == 4


def test_urgent_cards_go_also_where_everything_else_is_written_everywhere() -> None:
    limiter = Limiter(clock=ManualClock(), say=texts("ko"), is_room=lambda _: True)
    assert used_up(limiter, Lane.NOTICE, list(range(-2000, -1900))) == 25
    assert used_up(limiter, Lane.URGENT, [ROOM]) == 2


def test_room_comes_back_after_a_minute() -> None:
    clock = ManualClock()
    limiter = Limiter(clock=clock, say=texts("ko"), is_room=lambda _: True)
    first = used_up(limiter, Lane.CARD, [ROOM])
    assert limiter.wait(ROOM, Lane.CARD) == pytest.approx(60)
    assert limiter.wait(ROOM, Lane.URGENT) == 0
    assert limiter.wait(ROOM, Lane.CARD, count=99) == pytest.approx(60), "what is too much for a minute waits for all"
    asyncio.run(clock.advance(60))
    assert used_up(limiter, Lane.CARD, [ROOM]) == first


@pytest.mark.parametrize("among", [2, 3, 7])
def test_all_who_write_in_the_bots_name_stay_below_its_limits_together(among: int) -> None:
    limiters = [
        Limiter(clock=ManualClock(), say=texts("ko"), is_room=lambda _: True, among=lambda: among) for _ in range(among)
    ]
    everywhere = [used_up(one, lane, list(range(-2000, -1900))) for one in limiters for lane in KEPT_IN_ROOM]
    assert 15 < sum(everywhere) <= 30 and all(everywhere[:1])


@pytest.mark.parametrize("among", [2, 3, 7])
@pytest.mark.parametrize("is_room", [True, False])
def test_what_a_chat_takes_is_divided_by_who_does_what_there(among: int, is_room: bool) -> None:
    """Who acts there, who hears there and who reports there: others write elsewhere, and leave nothing unused here."""
    acts, hears, reports = [
        Limiter(clock=ManualClock(), say=texts("ko"), is_room=lambda _: is_room, per_second=1000, among=lambda: among)
        for _ in range(3)
    ]
    assert acts.wait(ROOM, Lane.CARD, spare=6) == 0, "cards are written anew all the same"
    shown = sum(used_up(acts, lane, [ROOM]) for lane in (Lane.NOTICE, Lane.CARD, Lane.URGENT))
    answered = sum(used_up(hears, lane, [ROOM]) for lane in (Lane.NOTICE, Lane.REPORT, Lane.ANSWER))
    assert (
        shown + answered + used_up(reports, Lane.ANSWER, [ROOM]) == 20 - is_room
    )  # one is kept for what members report
    assert shown == (10 if is_room else 6)
