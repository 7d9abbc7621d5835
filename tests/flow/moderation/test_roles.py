"""Processes with parts of the work on one PostgreSQL: one hears and acts, others judge, and others stand by."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from bot.app.application import Jikimi, application
from bot.config import Config, StorageSettings
from bot.core.operations.division import PARTS
from bot.core.operations.outside.role import Role
from bot.core.rules.policy import Watch
from storage.database import Database
from storage.reports.standing import SqlStandings
from tests.builders import DISCORD, TELEGRAM, message
from tests.fakes.clock import ManualClock
from tests.flow.moderation.test_stopping import BAD, Chat, HarshGuard, states
from tests.servers.postgres import Postgres
from tests.servers.waiting import until

CHAT, GUARD = frozenset({Role.CHAT}), frozenset({Role.GUARD})


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.core.operations.division.LOOK", 0.05)


@asynccontextmanager
async def process(url: str, *chats: Chat, roles: Collection[Role] = frozenset(Role)) -> AsyncIterator[Jikimi]:
    for chat in chats:
        chat.go_on.set()
    config = Config(storage=StorageSettings(url=url))
    async with application(
        config, HarshGuard(), lambda core: chats, roles=roles, stands_by=True, mode=Watch.LIVE,
        moment=lambda message: message.sent_at,
    ) as jikimi:  # fmt: skip
        stopping = asyncio.Event()
        working = asyncio.create_task(jikimi.run(stopping=stopping))
        try:
            yield jikimi
        finally:
            stopping.set()
            await working


def connected(jikimi: Jikimi) -> set[str]:
    return set(jikimi.health.snapshot().connections)


def test_one_process_hears_and_acts_and_another_judges(postgres: Postgres) -> None:
    async def scenario() -> None:
        url, discord, telegram = postgres.create(), Chat(DISCORD), Chat(TELEGRAM)
        async with (
            process(url, discord, roles=CHAT) as hears,
            process(url, telegram, roles=CHAT),
            process(url, roles=GUARD) as judges,
        ):
            await until(lambda: judges.health.snapshot().works["guard"].held == PARTS, 30.0)
            discord.hear("1", "2")
            telegram.hear("3")
            await until(lambda: (discord.done, telegram.done) == ({"1", "2"}, {"3"}), 30.0)
            assert judges.health.snapshot().flow.settled == 3 and not hears.health.snapshot().works
            assert (connected(hears), connected(judges)) == ({DISCORD}, set())
            assert not hears.health.snapshot().judges and judges.health.snapshot().judges
        assert await states(url) == {"done"}, "nobody refuses what another can do"

    asyncio.run(scenario())


def test_one_process_is_connected_and_the_next_goes_on_with_all_that_it_leaves(postgres: Postgres) -> None:
    async def scenario() -> None:
        url, first, second = postgres.create(), Chat(DISCORD), Chat(DISCORD)
        async with AsyncExitStack() as going, process(url, first) as one:
            await until(lambda: connected(one) == {DISCORD}, 30.0)
            two = await going.enter_async_context(process(url, second))
            first.hear("1")
            await until(lambda: first.done == {"1"}, 30.0)
            assert connected(two) == set() and not second.done
            async with Database.visit(url, ManualClock()) as database:
                works = (await SqlStandings(database).standing()).works
            assert list(works["chat/discord"]) == [1, 0] and sum(works["guard"]) == PARTS
            many = {str(number) for number in range(100, 130)}
            said = [message(one, f"{BAD} {one}", author=one, community=one, platform=DISCORD) for one in many]
            await two.inbox.keep(said)
            one.screener.arrived.wake()
            await asyncio.sleep(0.05)
            staying = going.pop_all()
        async with staying:
            await until(lambda: connected(two) == {DISCORD}, 30.0)
            assert not first.connected
            second.hear("2")
            await until(lambda: first.done | second.done == {"1", "2", *many}, 30.0)
        assert await states(url) == {"done"}
        did = Counter((done.message.ref, done.action) for chat in (first, second) for done in chat.performed)
        assert set(did.values()) == {1}, "a restart doubles nothing"

    asyncio.run(scenario())
