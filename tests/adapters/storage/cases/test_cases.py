"""Every incident is a case with a number of its community, and what guards found stands in rows."""

import asyncio
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import GuardVersion, Judgement, Part, Verdict
from bot.core.incidents.incident import Settlement
from bot.core.incidents.review import Appeal, Call, Review
from bot.core.rules.actions import Delete, Flag
from storage.columns import AnyRow
from storage.database import Database
from storage.tables import cases, communities, verdicts
from tests.builders import NOW, TELEGRAM, decision, home, message, settlement
from tests.contracts.stores import Store, store
from tests.fakes.clock import ManualClock
from tests.servers.postgres import Postgres


async def decided(store: Store, *names: str, community: str = "-5") -> None:
    said = [message(f"{community} {name}", community=community, platform=TELEGRAM) for name in names]
    await store.inbox.keep(said)
    await store.inbox.settle([settlement(one, Delete()) for one in said])


async def stored(database: Database, *columns: Any) -> Sequence[AnyRow]:
    async with database.read() as connection:
        found = await connection.execute(select(*columns).select_from(cases.join(communities)).order_by(*columns))
        return found.all()


def test_cases_are_numbered_by_community_without_a_gap(url: str) -> None:
    async def scenario() -> None:
        async with Database.open(url, ManualClock()) as database:
            here = store(database, ManualClock())
            await asyncio.gather(
                *(decided(here, *"abc", community=one) for one in ("-5", "-7")), decided(here, "d", "e")
            )
            numbers = [tuple(row) for row in await stored(database, communities.c.id, cases.c.number)]
            assert numbers == [*(("-5", number) for number in range(1, 6)), *(("-7", number) for number in range(1, 4))]
            assert len({row.code for row in await stored(database, cases.c.code)}) == 8

    asyncio.run(scenario())


def test_two_processes_give_no_number_twice(postgres: Postgres) -> None:
    url = postgres.create()

    async def scenario() -> None:
        async with Database.open(url, ManualClock()) as one, Database.open(url, ManualClock()) as two:
            here, there = store(one, ManualClock()), store(two, ManualClock())
            for turn in range(10):
                await asyncio.gather(
                    *(decided(here, f"a{turn}", community=community) for community in ("-5", "-7")),
                    *(decided(there, f"b{turn}", community=community) for community in ("-7", "-5")),
                )
            for community in ("-5", "-7"):
                found = await stored(one, communities.c.id, cases.c.number)
                assert [row.number for row in found if row.id == community] == list(range(1, 21))

    asyncio.run(scenario())


def test_groups_that_become_one_are_numbered_on(url: str) -> None:
    async def scenario() -> None:
        async with Database.open(url, ManualClock()) as database:
            here = store(database, ManualClock())
            await decided(here, *"ab")
            await decided(here, *"cd", community="-1005")
            await here.communities.move(home("-5", TELEGRAM), "-1005")
            await decided(here, "e", community="-1005")
            found = await stored(database, communities.c.id, cases.c.number)
            assert [tuple(row) for row in found] == [("-1005", number) for number in range(1, 6)]

    asyncio.run(scenario())


def test_a_case_is_open_then_appealed_then_resolved(url: str) -> None:
    async def scenario() -> None:
        async with Database.open(url, ManualClock()) as database:
            here, community = store(database, ManualClock()), home("-5", TELEGRAM)
            await decided(here, "a")
            states = [(await stored(database, cases.c.state, cases.c.closed_at))[0]]
            appeal = Appeal(incident_id=1, words="억울해요", at=NOW)
            assert await here.reviews.appeal(community, appeal, [Flag()], due=NOW)
            states.append((await stored(database, cases.c.state, cases.c.closed_at))[0])
            review = Review(incident_id=1, call=Call.WRONG, moderator_id="9", moderator_name="지수", at=NOW)
            assert await here.reviews.record(community, review, due=NOW) is None
            states.append((await stored(database, cases.c.state, cases.c.closed_at))[0])
            assert [tuple(row) for row in states] == [("open", None), ("appealed", None), ("resolved", NOW)]

    asyncio.run(scenario())


def test_what_guards_found_stands_in_rows(url: str) -> None:
    found = (
        Judgement(Part.PROMPT, HarmKind.ABUSE, 0.9, "one"),
        Judgement(Part.PROMPT, HarmKind.ABUSE, 0.4, "other"),
        Judgement(Part.RESPONSE, HarmKind.UNSPECIFIED, 0.2, "one"),
    )
    screening = Verdict(guard=GuardVersion(name="one"), found=found, refusal=0.7, quotes=0.1)

    async def scenario() -> None:
        async with Database.open(url, ManualClock()) as database:
            here, about = store(database, ManualClock()), message("1")
            await here.inbox.keep([about])
            judged = decision(about, Flag(), screening=screening)
            await here.inbox.settle([Settlement(decision=judged, decided_at=NOW)])
            async with database.read() as connection:
                rows = await connection.execute(select(verdicts).order_by(*verdicts.primary_key))
                assert [tuple(row) for row in rows] == [
                    (1, "prompt", "abuse", "one", 0.9, 0.1),
                    (1, "prompt", "abuse", "other", 0.4, 0.1),
                    (1, "response", "refusal", "one", 0.7, 0.1),
                    (1, "response", "unspecified", "one", 0.2, 0.1),
                ]

    asyncio.run(scenario())
