"""Shares, and an inbox whose communities are shared out: what every implementation must do."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from typing import NamedTuple

import pytest

from bot.core.incidents.incident import PlannedAction, Settlement
from bot.core.moderation.ports import Inbox, Outbox
from bot.core.operations.division import PARTS, Shares
from bot.core.rules.actions import Delete, Done, Flag, Gone
from storage.database import Database
from storage.flow.inbox import SqlInbox
from storage.flow.leases.shares import SqlShares
from storage.flow.outbox import SqlOutbox
from storage.records.incidents import SqlIncidents
from storage.records.rolls import SqlMemberRoll
from tests.builders import DISCORD, EVERYWHERE, NOW, REHEARSAL, home, later, message, settlement
from tests.contracts.moderation.test_inbox import ids
from tests.fakes.clock import ManualClock
from tests.fakes.moderation import MemoryInbox, MemoryOutbox
from tests.fakes.operations import MemoryShares, Work
from tests.fakes.store import MemoryStore
from tests.servers.databases import forget_all_but_the_last

ALL = range(PARTS)


class Process(NamedTuple):
    shares: Shares
    inbox: Inbox
    acting: Shares
    outbox: Outbox

    async def begin(self, some: Sequence[int] = ALL) -> set[int]:
        await self.shares.look()
        taken = await self.shares.take(some)
        self.shares.begin(taken)
        return set(taken)

    async def claim(self) -> list[str]:
        return sorted(ids(await self.inbox.claim(100, fresh_since=NOW)))

    async def act(self, some: Sequence[int] = ALL) -> set[int]:
        await self.acting.look()
        taken = await self.acting.take(some)
        self.acting.begin(taken)
        return set(taken)

    async def to_do(self) -> Sequence[PlannedAction]:
        return await self.outbox.claim(100, now=NOW, platforms=EVERYWHERE)


Starts = Callable[[], AbstractAsyncContextManager[Process]]


@pytest.fixture
def starts(url: str | None) -> Starts:
    """One process after the other, or beside it where there may be several."""
    memory, work, acts, numbers, clock = MemoryStore(), Work(), Work(), count(1), ManualClock()

    @asynccontextmanager
    async def start() -> AsyncIterator[Process]:
        if url is None:
            shares, acting = MemoryShares(work, number := next(numbers)), MemoryShares(acts, number)
            outbox = MemoryOutbox(memory, {REHEARSAL: acting})
            yield Process(shares, MemoryInbox(memory, shares), acting, outbox)
            await shares.leave()
        else:
            async with Database.open(url, clock) as database:
                own, theirs = SqlShares(database, "guard"), SqlShares(database, "act/rehearsal")
                yield Process(own, SqlInbox(database, own), theirs, SqlOutbox(database, {REHEARSAL: theirs}))

    return start


async def settle(process: Process, *some: Settlement) -> list[bool]:
    return list(await process.inbox.settle(some))


def test_messages_are_claimed_of_shares_that_were_begun_and_of_no_others(starts: Starts) -> None:
    async def scenario() -> None:
        async with starts() as here:
            await here.inbox.keep([message(one, community=one) for one in "abc"])  # shares 1, 2 and 3
            assert await here.claim() == []
            assert await here.begin([1, 3]) == {1, 3}
            assert await here.claim() == ["a", "c"] and await here.claim() == []
            assert [here.inbox.under_way([one]) for one in (1, 2, 3)] == [1, 0, 1]
            await here.begin([2])
            here.shares.end([1])
            await here.inbox.keep([message(f"more {one}", community=one) for one in "abc"])
            assert await here.claim() == ["b", "more b", "more c"]
            assert await settle(here, settlement(message("a", community="a"))) == [True], "it is its own still"

    asyncio.run(scenario())


def test_what_was_begun_under_an_epoch_that_is_over_is_not_written_but_given_back(starts: Starts) -> None:
    async def scenario() -> None:
        async with starts() as here:
            await here.begin()
            await here.inbox.keep([message("1"), message("2", community="other")])
            assert await here.claim() == ["1", "2"]
            await here.begin([1])  # it was thought dead meanwhile
            late = [settlement(message("1"), Delete()), settlement(message("2", community="other"), Delete())]
            assert await settle(here, *late) == [False, True] and here.shares.refused == 1
            assert list(await here.inbox.settled([message("1").ref])) == [False]
            assert await settle(here, settlement(message("1"), Delete())) == [False], "nor is what was never claimed"
            assert await here.claim() == ["1"]
            assert await settle(here, settlement(message("1"), Flag())) == [True]

    asyncio.run(scenario())


def test_what_is_in_hand_can_be_given_back_undone(starts: Starts) -> None:
    async def scenario() -> None:
        async with starts() as here:
            await here.begin()
            await here.inbox.keep([message("1"), message("2", community="other")])
            await here.claim()
            await here.inbox.give_back([1])
            assert (here.inbox.under_way([1]), here.inbox.under_way(ALL)) == (0, 1)
            assert await settle(here, settlement(message("1"))) == [False]
            assert await here.claim() == ["1"]

    asyncio.run(scenario())


def test_a_share_is_one_processs_at_a_time(starts: Starts, url: str | None) -> None:
    if url and url.startswith("sqlite"):
        pytest.skip("a file is one process's")

    async def scenario() -> None:
        async with starts() as one, starts() as two:
            await one.shares.look()
            await two.shares.look()
            assert await one.begin([1, 2]) == {1, 2} and await two.begin([2, 3]) == {3}
            found = await one.shares.look()
            assert len(found.part) == 2 and {found.held[1], found.held[2]} == {found.me} != {found.held[3]}
            await one.inbox.keep([message(name, community=name) for name in "abc"])
            assert (await one.claim(), await two.claim()) == (["a", "b"], ["c"])
            await one.inbox.give_back([2])
            await one.shares.give_back([2, 3])
            assert await two.begin([1, 2, 3]) == {2, 3}, "nobody gives back what is another's"
            assert await two.claim() == ["b"]
            await one.shares.leave()
            found = await two.shares.look()
            assert (set(found.part), set(found.held)) == ({found.me}, {2, 3})

    asyncio.run(scenario())


def test_actions_are_claimed_of_shares_that_were_begun_and_of_no_others(starts: Starts) -> None:
    async def scenario() -> None:
        async with starts() as here:
            await here.begin()
            said = [message(f"{one} {number}", community=one) for one in "abc" for number in range(3)]
            await here.inbox.keep(said)
            await here.claim()
            await settle(here, *(settlement(one, Delete(), Flag()) for one in said))
            assert await here.to_do() == [] and not await here.outbox.is_ours(home("a"))
            assert await here.act([1, 3]) == {1, 3}  # of a and c
            claimed = await here.to_do()
            assert {one.message.community_id for one in claimed} == {"a", "c"} and len(claimed) == 12
            in_hand = [here.outbox.under_way(REHEARSAL, [one]) for one in (1, 2, 3)]
            assert in_hand == [6, 0, 6] and not here.outbox.under_way(DISCORD, ALL)
            assert [await here.outbox.is_ours(home(one)) for one in "abc"] == [True, False, True]
            here.acting.end([1, 3])
            assert await here.act([2]) == {2}
            await here.outbox.record([(one, Done()) for one in claimed])
            assert {one.message.community_id for one in await here.to_do()} == {"b"}
            assert here.outbox.under_way(REHEARSAL, ALL) == 6

    asyncio.run(scenario())


def test_what_came_of_an_action_counts_until_somebody_else_tries_it_and_no_longer(
    starts: Starts, url: str | None
) -> None:
    """Who was stopped while others took over has done what it has done. An epoch of its share would refuse that as
    well where nobody has tried it since, so that it would be done twice; an attempt is the action's own epoch."""
    if url is None or url.startswith("sqlite"):
        pytest.skip("a file is one process's")

    async def scenario() -> None:
        async with starts() as one:
            await one.begin()
            said = [message(name, community="a") for name in "12"]
            await one.inbox.keep(said)
            await one.claim()
            await settle(one, *(settlement(about, Delete()) for about in said))
            await one.act()
            first, second = await one.to_do()
            async with starts() as two:
                await forget_all_but_the_last(url)
                assert await two.act() == set(ALL)
                await one.outbox.record([(first, Done())])
                (again,) = await two.to_do()
                assert (again.id, again.attempts) == (second.id, 2)
                await one.outbox.record([(second, Done())])
                await two.outbox.record([(again, Gone())])
                async with Database.visit(url, ManualClock()) as database:
                    (seen, other) = await SqlIncidents(database).between(NOW, later(1))
                assert [seen.outcomes[0][1], other.outcomes[0][1]] == [Done(), Gone()]

    asyncio.run(scenario())


def test_what_belongs_to_a_share_is_found(url: str | None) -> None:
    if url is None:
        pytest.skip("asked of the record alone")

    async def scenario() -> None:
        async with Database.open(url, ManualClock()) as database:
            inbox = SqlInbox(database)
            said = [message(one, "같은 말", community=one) for one in "ab"]
            await inbox.keep(said)
            await inbox.settle([settlement(one, Flag()) for one in said])
            assert await SqlShares(database, "guard").communities([2, 5]) == {home("b")}
            traces = await SqlIncidents(database).traces(NOW, each=9, most=9, shares=[1])
            assert [one.community for one in traces] == [home("a")]
            before = await SqlMemberRoll(database).said_since(NOW, [1])
            assert [(len(before.same(one)), len(before.posted(one))) for one in said] == [(1, 1), (0, 0)]

    asyncio.run(scenario())
