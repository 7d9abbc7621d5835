"""Several processes on one PostgreSQL: they decide as one would, and who was stopped writes nothing that others did."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from bot.app.application import Jikimi, application
from bot.config import Config, StorageSettings
from bot.core.chat.message import Message
from bot.core.communities.community import Community
from bot.core.moderation.ports import Inbox
from bot.core.operations.division import PARTS
from bot.core.rules.policy import Watch
from storage.database import Database
from tests.builders import home, message, put_settings
from tests.fakes.clock import ManualClock
from tests.fakes.guarding import ScriptedGuard
from tests.servers.databases import forget_all_but_the_last
from tests.servers.postgres import Postgres
from tests.servers.waiting import until

pytestmark = pytest.mark.course

HOMES = [f"c{number}" for number in range(12)]
BAD = "나쁜 말"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.core.operations.division.LOOK", 0.05)


@asynccontextmanager
async def guarding(url: str, guard: ScriptedGuard) -> AsyncIterator[Jikimi]:
    """A process that is at work."""
    config = Config(storage=StorageSettings(url=url))
    async with application(config, guard, lambda core: (), mode=Watch.LIVE) as jikimi:
        stopping = asyncio.Event()
        working = asyncio.create_task(jikimi.run(stopping=stopping))
        try:
            yield jikimi
        finally:
            stopping.set()
            await working


async def done(inbox: Inbox) -> None:
    async with asyncio.timeout(30):
        while await inbox.waiting():
            await asyncio.sleep(0.02)


async def shared(*some: Jikimi) -> None:
    await until(lambda: sum(map(held, some)) == PARTS and all(map(held, some)), 30.0)


def held(jikimi: Jikimi) -> int:
    return jikimi.health.snapshot().works["guard"].held


def in_hand(jikimi: Jikimi) -> int:
    return jikimi.inbox.under_way(range(PARTS))


def round_of(number: int, said: str = "안녕") -> Sequence[Message]:
    """One message of the same member in each community, always the same."""
    at = datetime.now(UTC) + timedelta(milliseconds=number)
    return [message(f"{number}", said, community=one, channel=one, sent_at=at) for one in HOMES]


async def rules(url: str) -> list[tuple[str, int]]:
    counted = "SELECT rule, count(*) FROM incidents GROUP BY community, rule ORDER BY rule, count"
    async with Database.visit(url, ManualClock()) as database, database.read() as connection:
        return [(rule, number) for rule, number in await connection.execute(text(counted))]


async def rounds(url: str, processes: int) -> list[tuple[str, int]]:
    """Each says the same six times while processes come and go."""
    async with AsyncExitStack() as first, AsyncExitStack() as others:
        here = [await first.enter_async_context(guarding(url, ScriptedGuard()))]
        for number in range(6):
            if number in (1, 3) and len(here) < processes:
                here.append(await others.enter_async_context(guarding(url, ScriptedGuard())))
                await shared(*here)
            if number == 5:
                await others.aclose()
                await shared(here[0])
            await here[0].inbox.keep(round_of(number))
            await done(here[0].inbox)
    return await rules(url)


def test_floods_are_the_same_to_three_processes_that_come_and_go_as_to_one(postgres: Postgres) -> None:
    async def scenario() -> None:
        alone = await rounds(postgres.create(), 1)
        assert alone and {rule for rule, _ in alone} == {"flood"}
        assert await rounds(postgres.create(), 3) == alone

    asyncio.run(scenario())


def test_what_a_stopped_process_comes_back_with_is_refused_and_nothing_is_judged_twice(postgres: Postgres) -> None:
    async def scenario() -> None:
        url, stopped = postgres.create(), ScriptedGuard()
        stopped.hold = asyncio.Event()
        async with guarding(url, stopped) as one:
            await one.inbox.keep(round_of(0, BAD))
            await until(lambda: in_hand(one) == len(HOMES) and bool(stopped.count), 30.0)
            as_if_stopped = one.health.works["guard"].shares
            as_if_stopped.look = asyncio.Event().wait  # type: ignore[method-assign,assignment]
            async with guarding(url, ScriptedGuard({BAD: 0.99})) as two:
                assert await two.inbox.waiting() == len(HOMES) and not two.health.snapshot().flow.settled
                await forget_all_but_the_last(url)
                await done(two.inbox)
                stopped.hold.set()
                await until(lambda: not in_hand(one), 30.0)
                assert one.health.snapshot().works["guard"].refused == len(HOMES)
                settled = [some.health.snapshot().flow.settled for some in (one, two)]
                assert settled == [0, len(HOMES)]
        assert sum(number for _, number in await rules(url)) == len(HOMES)

    asyncio.run(scenario())


def test_what_one_process_keeps_and_sets_is_heard_in_the_others_at_once(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody looks by itself."""
    monkeypatch.setattr("bot.core.communities.policies.FOLLOW", 3600.0)

    async def scenario() -> None:
        url = postgres.create()
        async with guarding(url, ScriptedGuard()) as one, guarding(url, ScriptedGuard()) as two:
            await shared(one, two)
            one.screener.poll = two.screener.poll = 3600.0
            while not two.policies.community(home("c1")).preset:  # the line may not stand yet
                await put_settings(one.policies, Community.blank(home("c1")))
                await put_settings(one.policies, replace(Community.blank(home("c1")), preset="strict"))
                await asyncio.sleep(0.1)
            await asyncio.sleep(1.1)  # the last look of either by itself
            await one.inbox.keep(round_of(0))
            one.screener.arrived.wake()
            await done(one.inbox)
            assert [bool(some.health.snapshot().flow.settled) for some in (one, two)] == [True, True]

    asyncio.run(scenario())


def test_a_stop_hands_over_at_once(postgres: Postgres) -> None:
    """What is in hand is free before the process has ended: it may take seconds to finish what it does elsewhere."""

    async def scenario() -> None:
        url, slow = postgres.create(), ScriptedGuard()
        slow.hold = asyncio.Event()
        async with guarding(url, ScriptedGuard()) as two:
            async with guarding(url, slow) as one:
                await shared(one, two)
                await two.inbox.keep(round_of(0))
                await until(lambda: bool(slow.count) and not in_hand(two), 30.0)
            await done(two.inbox)
            assert two.health.snapshot().flow.settled == len(HOMES)

    asyncio.run(scenario())
