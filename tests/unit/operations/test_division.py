"""Who comes takes an equal part, who goes leaves one, and nobody works on what is another's."""

import asyncio
from collections.abc import Collection
from functools import partial
from itertools import pairwise

import pytest

from bot.core.base.errors import Unavailable
from bot.core.operations.division import DRAINING, PARTS, Crew, Division, Post, is_for
from tests.fakes.clock import ManualClock
from tests.fakes.operations import MemoryShares, Work


class Process:
    def __init__(self, work: Work, me: int, clock: ManualClock) -> None:
        self.begun: list[set[int]] = []
        self.ended: list[set[int]] = []
        self.busy: set[int] = set()
        self.shares = MemoryShares(work, me)
        self.division = Division(
            shares=self.shares, clock=clock, begin=self._begin, end=self._end, under_way=self._under_way
        )

    async def _begin(self, taken: Collection[int]) -> None:
        assert not self.shares.begun.intersection(taken), "nothing is claimed before it is remembered"
        self.begun.append(set(taken))

    async def _end(self, over: Collection[int]) -> None:
        assert not self.shares.begun.intersection(over), "nothing is claimed any more once it is forgotten"
        self.ended.append(set(over))

    def _under_way(self, shares: Collection[int]) -> int:
        return len(self.busy.intersection(shares))

    @property
    def mine(self) -> set[int]:
        assert self.division.mine == self.shares.begun
        return self.division.mine


def test_shares_go_to_whoever_is_there_and_no_more_of_them_than_must() -> None:
    holders = [range(1, number) for number in range(2, 7)]
    placed = [[is_for(share, some) for share in range(PARTS)] for some in holders]
    for (before, after), some in zip(pairwise(placed), holders[1:], strict=True):
        moved = [new for old, new in zip(before, after, strict=True) if old != new]
        assert set(moved) == {some[-1]} and len(moved) < 2 * PARTS / len(some)
    assert is_for(0, ()) is None


def test_who_comes_is_given_a_part_once_it_is_drained_and_who_goes_leaves_all() -> None:
    async def scenario() -> None:
        work, clock = Work(), ManualClock()
        one, two = Process(work, 1, clock), Process(work, 2, clock)
        await one.division.follow()
        assert one.mine == set(range(PARTS))
        await two.division.follow()
        assert two.mine == set(), "nothing is free yet"
        leaves = {share for share in range(PARTS) if is_for(share, (1, 2)) == 2}
        one.busy = {min(leaves)}
        following = asyncio.create_task(one.division.follow())
        await clock.advance(1)
        assert not following.done() and not one.ended and not one.shares.begun & leaves
        one.busy = set()
        await clock.advance(1)
        assert following.done() and one.ended == [leaves]
        await two.division.follow()
        assert two.mine == leaves and one.mine == set(range(PARTS)) - leaves
        running = asyncio.create_task(two.division.run())
        await clock.advance(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert two.ended == [leaves]
        await one.division.follow()
        assert one.mine == set(range(PARTS)) and one.begun[-1] == leaves
        assert (one.division.taken, two.division.taken) == (PARTS + len(leaves), len(leaves))

    asyncio.run(scenario())


def test_those_who_take_part_are_counted_and_who_only_looks_is_not() -> None:
    async def scenario() -> None:
        work, clock = Work(), ManualClock()
        crews = [Crew(MemoryShares(work, me), clock, joins=me < 3) for me in (1, 2, 3)]
        running = [asyncio.create_task(one.run()) for one in crews]
        await clock.advance(1)
        assert [one.number for one in crews] == [2, 2, 2]
        running[0].cancel()
        await asyncio.wait(running[:1])
        await clock.advance(1)
        assert [one.number for one in crews[1:]] == [1, 1]
        for one in running:
            one.cancel()
        await asyncio.wait(running)

    asyncio.run(scenario())


def test_what_hangs_holds_no_share_for_longer_than_draining() -> None:
    async def scenario() -> None:
        work, clock = Work(), ManualClock()
        one, two = Process(work, 1, clock), Process(work, 2, clock)
        await one.division.follow()
        await two.division.follow()
        one.busy = set(range(PARTS))
        following = asyncio.create_task(one.division.follow())
        await clock.advance(DRAINING + 1)
        assert following.done() and len(one.mine) < PARTS

    asyncio.run(scenario())


def test_who_was_thought_dead_forgets_what_others_have_taken_and_takes_part_again() -> None:
    async def scenario() -> None:
        work, clock = Work(), ManualClock()
        one, two = Process(work, 1, clock), Process(work, 2, clock)
        await one.division.follow()
        work.part.discard(1)
        await two.division.follow()
        assert two.mine == set(range(PARTS))
        one.busy = set(range(PARTS))
        await one.division.follow()
        assert one.ended == [set(range(PARTS))] and not one.mine, "at once: nothing of it would be written"
        await two.division.follow()
        await one.division.follow()
        assert one.mine and one.mine | two.mine == set(range(PARTS)) and not one.mine & two.mine

    asyncio.run(scenario())


def test_a_post_is_held_until_its_holder_is_gone_and_who_was_thought_dead_ends() -> None:
    async def scenario() -> None:
        work, clock = Work(), ManualClock()
        told: list[int] = []
        one, two = (
            Post(shares=MemoryShares(work, me), clock=clock, stands_by=partial(told.append, me)) for me in (1, 2)
        )
        for _ in range(2):
            assert not await one.look()
            assert not await two.look()
            assert (one.taken.is_set(), two.taken.is_set()) == (True, False)
            assert told == [2], "said once, and only by who waits for another"
        work.part.discard(1)
        await two.look()
        assert two.taken.is_set()
        with pytest.raises(Unavailable):  # by which a service that is started again after it is, and stands by
            await one.run()

    asyncio.run(scenario())
