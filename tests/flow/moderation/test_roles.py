"""Processes with parts of the work on one PostgreSQL: one hears and acts, others judge, and others stand by."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from structlog.testing import capture_logs

from bot.app.application import Jikimi, application
from bot.app.parts import Core
from bot.config import Config, StorageSettings
from bot.core.base.errors import Broken
from bot.core.incidents.review import Call
from bot.core.moderators.ports import Desk
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

pytestmark = pytest.mark.course

CHAT, GUARD, ACT, REPORT = (frozenset({role}) for role in (Role.CHAT, Role.GUARD, Role.ACT, Role.REPORT))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.core.operations.division.LOOK", 0.05)


@asynccontextmanager
async def process(
    url: str, *chats: Chat, roles: Collection[Role] = frozenset(Role), desks: list[Desk] | None = None
) -> AsyncIterator[Jikimi]:
    """`desks` is told the one at which its moderators press."""

    def connect(core: Core) -> Sequence[Chat]:
        if desks is not None:
            desks.append(core.desk)
        return chats

    for chat in chats:
        chat.go_on.set()
    config = Config(storage=StorageSettings(url=url))
    async with application(
        config, HarshGuard(), connect, roles=roles, stands_by=True, mode=Watch.LIVE,
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
            assert judges.health.snapshot().flow.settled == 3
            assert set(hears.health.snapshot().works) == {"act/discord"}
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

    with capture_logs() as logs:
        asyncio.run(scenario())
    assert [one["event"] for one in logs].count("connects") == 2, "each says that it is its turn"


def test_whole_communities_are_acted_in_by_one_process_that_has_their_cards(postgres: Postgres) -> None:
    """Whoever is connected does its part, too; who leaves leaves it to the others."""

    async def scenario() -> None:
        url, hears, *acts = postgres.create(), Chat(DISCORD), Chat(DISCORD), Chat(DISCORD)
        desks: list[Desk] = []
        homes = [f"c{number}" for number in range(12)]

        def held(*some: Jikimi) -> list[int]:
            return [one.health.snapshot().works["act/discord"].held for one in some]

        async def settle(names: str, by: Jikimi) -> None:
            said = [
                message(f"{name} {home}", f"{BAD} {name}", community=home, platform=DISCORD)
                for name in names
                for home in homes
            ]
            await by.inbox.keep(said)
            by.screener.arrived.wake()
            done = {one.ref.message_id for one in said}
            await until(lambda: done <= set().union(*(one.done for one in (hears, *acts))), 30.0)

        async with (
            AsyncExitStack() as going,
            process(url, hears, roles=CHAT, desks=desks) as chat,
            process(url, roles=GUARD),
        ):
            one = await going.enter_async_context(process(url, acts[0], roles=ACT))
            async with process(url, acts[1], roles=ACT) as two:
                await until(lambda: sum(held(chat, one, two)) == PARTS and all(held(chat, one, two)), 30.0)
                await settle("ab", chat)
                for shares in held(chat, one, two):
                    assert 0 < shares < PARTS
                whose = [{done.message.community_id for done in some.performed} for some in (hears, *acts)]
                assert all(whose) and sum(map(len, whose)) == len(set().union(*whose)) == len(homes)
                await until(lambda: all(some.changed for some in (hears, *acts)), 30.0)
                incidents = [{done.incident_id for done in some.performed} for some in (hears, *acts)]
                drawn = [set(some.changed) for some in (hears, *acts)]
                assert all(some <= own for some, own in zip(drawn, incidents, strict=True)), "each draws its own cards"
                before = [len(some.changed) for some in (hears, *acts)]
                ours = acts[0].performed[0]
                await desks[0].call(
                    ours.message.community, ours.incident_id, Call.WRONG, moderator_id="9", moderator_name="달"
                )  # pressed where the buttons are
                await until(lambda: len(acts[0].changed) > before[1], 30.0)
                assert len(hears.changed) == before[0]
                await going.aclose()
                await until(lambda: sum(held(chat, two)) == PARTS, 30.0)
                await settle("c", chat)
        assert await states(url) <= {"done", "called_off"}
        did = Counter((done.message.ref, done.action) for some in (hears, *acts) for done in some.performed)
        assert set(did.values()) == {1}

    asyncio.run(scenario())


def test_who_loses_a_network_leaves_what_is_to_be_done_there_to_the_others(postgres: Postgres) -> None:
    async def scenario() -> None:
        url, lost, acts = postgres.create(), Chat(DISCORD), Chat(DISCORD)
        async with process(url, lost, Chat(TELEGRAM), roles=CHAT) as chat, process(url, acts, roles=ACT) as act:

            def held(jikimi: Jikimi) -> int:
                return jikimi.health.snapshot().works["act/discord"].held

            await until(lambda: held(chat) + held(act) == PARTS and bool(held(chat)), 30.0)
            lost.arriving.put_nowait(Broken("the token was revoked"))
            await until(lambda: held(act) == PARTS, 30.0)
            assert connected(chat) == {DISCORD, TELEGRAM}, "it is its turn still"

    asyncio.run(scenario())
