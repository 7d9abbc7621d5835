"""Incidents are told to communities' own servers: at least once each, whoever dies, and none holds up another."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from sqlalchemy import select, text

from bot.core.chat.message import CommunityRef
from bot.core.incidents.webhooks.telling import GIVEN_UP, Teller
from bot.core.incidents.webhooks.webhook import MOST, Declined, Heard, Notice, Reception, Unheard, Webhook
from bot.core.rules.actions import Delete, Flag
from storage.database import Database
from storage.flow.inbox import SqlInbox
from storage.records.erasing import SqlErasing
from storage.settings import webhooks as stored
from storage.settings.communities import SqlCommunities
from storage.settings.webhooks import SqlWebhooks
from storage.tables import notices
from tests.builders import NOW, home, later, message, settlement
from tests.fakes.clock import ManualClock
from tests.servers.databases import sqlite_in
from tests.servers.postgres import Postgres
from tests.servers.waiting import until

HERE, ELSEWHERE = home(), home("other")


def webhook(url: str = "https://a.example/", community: CommunityRef = HERE) -> Webhook:
    return Webhook(community=community, url=url, secret="whsec_c2VjcmV0", created_at=NOW)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return sqlite_in(tmp_path)
    created: str = request.getfixturevalue("postgres").create()
    return created


async def opened(database: Database, *names: str, community: str = "cafe", live: bool = True) -> None:
    said = [message(name, community=community) for name in names]
    await SqlInbox(database).keep(said)
    actions = (Delete(), Flag()) if live else ()
    await SqlInbox(database).settle([settlement(one, *actions, incident=True) for one in said])


async def waiting(database: Database) -> int:
    async with database.read() as connection:
        return len((await connection.execute(select(notices.c.id))).all())


@dataclass
class Servers:
    """What is said to the servers of a test, by address."""

    answers: dict[str, Callable[[Notice], Awaitable[Reception]]] = field(default_factory=dict)
    heard: list[tuple[str, str]] = field(default_factory=list)

    async def tell(self, webhook: Webhook, notice: Notice) -> Reception:
        answer = self.answers.get(webhook.url)
        reception = await answer(notice) if answer else Heard()
        if isinstance(reception, Heard):
            self.heard.append((webhook.url, notice.message))
        return reception


@asynccontextmanager
async def telling(database: Database, servers: Servers, at_once: int = 8) -> AsyncIterator[list[tuple[Webhook, int]]]:
    stopped: list[tuple[Webhook, int]] = []

    async def stop(webhook: Webhook, lost: int) -> None:
        stopped.append((webhook, lost))

    teller = Teller(
        webhooks=SqlWebhooks(database), receiver=servers, clock=database.clock, stopped=stop, poll=0.01, at_once=at_once
    )
    running = asyncio.create_task(teller.run())
    yield stopped
    running.cancel()
    await asyncio.wait([running])


def test_a_community_has_a_few_webhooks_and_no_say_over_anothers(url: str) -> None:
    async def scenario() -> None:
        async with Database.open(url, ManualClock()) as database:
            store = SqlWebhooks(database)
            ids = [await store.add(webhook(f"https://{number}.example/")) for number in range(MOST)]
            assert None not in ids and await store.add(webhook("https://more.example/")) is None
            assert await store.add(replace(webhook("https://0.example/"), secret="whsec_bmV3")) == ids[0]
            assert await store.add(webhook("https://more.example/", ELSEWHERE))
            first, *_ = await store.all()
            assert (first.secret, first.community, first.url) == ("whsec_bmV3", HERE, "https://0.example/")
            assert not await store.remove(ELSEWHERE, first.id)
            assert await store.remove(HERE, first.id) and not await store.remove(HERE, first.id)
            assert await store.add(webhook("https://more.example/"))

    asyncio.run(scenario())


def test_several_that_are_added_at_once_are_no_more_than_a_few(postgres: Postgres) -> None:
    async def scenario() -> None:
        async with Database.open(postgres.create(), ManualClock()) as database:
            store = SqlWebhooks(database)
            added = [store.add(webhook(f"https://{number}.example/")) for number in range(3 * MOST)]
            ids = await asyncio.gather(*added)
            assert len([one for one in ids if one]) == MOST == len(await store.all())

    asyncio.run(scenario())


def test_what_is_opened_is_told_once_with_ids_alone_and_only_at_home(url: str) -> None:
    async def scenario() -> None:
        async with Database.open(url, ManualClock()) as database:
            await opened(database, "before")
            store, servers = SqlWebhooks(database), Servers()
            await store.add(webhook())
            await store.add(webhook("https://b.example/"))
            await opened(database, "1", "2")
            await opened(database, "3", community="other")
            await opened(database, "4", live=False)
            ((first, told), _) = await store.claim(2, now=NOW)
            assert await store.claim(2, now=NOW) == (), "both are leased"
            assert [one.message for one in told] == ["1", "2"] and told[0].actions == ("delete", "flag")
            assert "안녕" not in str(told[0].body) and "minji" not in str(told[0].body)
            await store.heard(first.id, [one.id for one in told])
        async with Database.open(url, ManualClock()) as database, telling(database, servers):
            await until(lambda: len(servers.heard) == 2)
            assert servers.heard == [("https://b.example/", "1"), ("https://b.example/", "2")], (
                "the other's lease is over"
            )
            await until_none(database)

    asyncio.run(scenario())


async def until_none(database: Database) -> None:
    while await waiting(database):
        await asyncio.sleep(0.01)


def test_a_process_that_dies_with_a_webhook_in_hand_leaves_it_to_the_next(url: str) -> None:
    async def scenario() -> None:
        clock = ManualClock()
        async with Database.open(url, clock) as database:
            await SqlWebhooks(database).add(webhook())
            await opened(database, "1")
            ((_, (first,)),) = await SqlWebhooks(database).claim(1, now=NOW)
            async with database.write() as connection:  # as kill -9 leaves it: in the hand of nobody who lives
                await connection.execute(text("UPDATE webhooks SET holder = -1"))
        async with Database.open(url, clock) as database:
            ((_, (again,)),) = await SqlWebhooks(database).claim(1, now=NOW)
            assert again.name == first.name, "whoever has heard it knows it again"

    asyncio.run(scenario())


def test_two_processes_tell_each_incident_once(postgres: Postgres) -> None:
    async def scenario() -> None:
        url, servers = postgres.create(), Servers()
        async with Database.open(url, ManualClock()) as one, Database.open(url, ManualClock()) as other:
            for number in range(MOST):
                await SqlWebhooks(one).add(webhook(f"https://{number}.example/"))
            async with telling(one, servers), telling(other, servers):
                for number in range(10):
                    await opened(one if number % 2 else other, *(f"{number}-{of}" for of in range(10)))
                await until(lambda: len(servers.heard) >= 100 * MOST)
                await until_none(one)
            assert set(Counter(servers.heard).values()) == {1} and len(servers.heard) == 100 * MOST

    asyncio.run(scenario())


def test_a_dead_server_waits_for_itself_alone_and_is_told_later_in_order(tmp_path: Path) -> None:
    async def scenario() -> None:
        clock, servers = ManualClock(), Servers()
        dead = True

        async def away(notice: Notice) -> Reception:
            return Unheard("503") if dead else Heard()

        async def hangs(notice: Notice) -> Reception:
            await asyncio.sleep(3600)
            return Heard()

        async def bursts(notice: Notice) -> Reception:
            raise RuntimeError("비밀")

        servers.answers = {
            "https://dead.example/": away, "https://hangs.example/": hangs, "https://bursts.example/": bursts
        }  # fmt: skip
        async with Database.open(sqlite_in(tmp_path), clock) as database:
            store = SqlWebhooks(database)
            for name in servers.answers:
                await store.add(webhook(name))
            await store.add(webhook("https://fine.example/", ELSEWHERE))
            await opened(database, "1", "2")
            await opened(database, "3", community="other")
            async with telling(database, servers, at_once=2) as stopped:
                await until(lambda: ("https://fine.example/", "3") in servers.heard)
                dead = False
                await clock.advance(30)
                await until(lambda: len(servers.heard) == 3)
                assert servers.heard[1:] == [("https://dead.example/", "1"), ("https://dead.example/", "2")]
                assert not stopped
            reasons = {one.url: one.reason for one in await store.all()}
            assert reasons["https://bursts.example/"] == "defect"

    asyncio.run(scenario())


def test_a_server_that_is_away_for_a_day_is_given_up_and_somebody_hears_of_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        clock, servers = ManualClock(), Servers()

        async def away(notice: Notice) -> Reception:
            return Unheard("not public")

        servers.answers["https://a.example/"] = away
        async with Database.open(sqlite_in(tmp_path), clock) as database:
            store = SqlWebhooks(database)
            await store.add(webhook())
            await opened(database, "1", "2")
            async with telling(database, servers) as stopped:
                while not stopped:
                    await clock.advance(1800)
                    await asyncio.sleep(0.02)
                assert clock.now() - NOW >= GIVEN_UP and [lost for _, lost in stopped] == [2]
                await opened(database, "3")
                assert await waiting(database) == 0, "nothing is planned for one that is stopped"
                (one,) = await store.all()
                assert one.stopped_at and one.reason == "not public" and one.failures > 5
                servers.answers.clear()
                await store.add(webhook())
                await opened(database, "4")
                await until(lambda: servers.heard == [("https://a.example/", "4")])

    asyncio.run(scenario())


def test_a_server_that_wants_no_more_is_told_no_more(tmp_path: Path) -> None:
    async def scenario() -> None:
        servers = Servers()

        async def declines(notice: Notice) -> Reception:
            return Declined() if notice.message == "2" else Heard()

        servers.answers["https://a.example/"] = declines
        async with Database.open(sqlite_in(tmp_path), ManualClock()) as database:
            await SqlWebhooks(database).add(webhook())
            await opened(database, "1", "2", "3")
            async with telling(database, servers) as stopped:
                await until(lambda: bool(stopped))
            assert servers.heard == [("https://a.example/", "1")] and stopped[0][1] == 2

    asyncio.run(scenario())


def test_what_waits_for_a_dead_server_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "MOST_WAITING", 5)

    async def scenario() -> None:
        async with Database.open(sqlite_in(tmp_path), ManualClock()) as database:
            store = SqlWebhooks(database)
            await store.add(webhook())
            await opened(database, *(f"{number:02}" for number in range(12)))
            ((one, told),) = await store.claim(1, now=NOW)
            assert len(told) == 12
            await store.postpone(one.id, [told[0].id], until=later(60), reason="503")
            assert await waiting(database) == 5 and await store.claim(1, now=later(59)) == ()
            ((one, told),) = await store.claim(1, now=later(60))
            assert [notice.message for notice in told] == ["07", "08", "09", "10", "11"] and one.failures == 1

    asyncio.run(scenario())


def test_what_is_erased_is_told_to_nobody_and_a_group_that_moves_takes_its_webhooks_along(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Database.open(sqlite_in(tmp_path), ManualClock()) as database:
            store = SqlWebhooks(database)
            await store.add(webhook())
            await opened(database, "1")
            await SqlCommunities(database).move(HERE, "lounge")
            moved = home("lounge")
            assert [one.community for one in await store.all()] == [moved]
            assert await SqlErasing(database).erase_community(moved)
            assert await store.all() == [] and await waiting(database) == 0

    asyncio.run(scenario())
