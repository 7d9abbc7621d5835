"""Very many communities have settings: what a process has in mind of them, and while it goes through them."""

import asyncio
import tracemalloc
from dataclasses import replace

import pytest
from sqlalchemy import update

from bot.core.chat.message import CommunityRef
from bot.core.communities.community import Community
from bot.core.operations.retention import Limits
from storage.columns import SaidIn
from storage.database import Database
from storage.flow.compared.crowd import settle_in
from storage.reports import coarsening
from storage.settings.communities import SqlCommunities
from storage.tables import communities
from tests.builders import DISCORD, NOW
from tests.fakes.clock import ManualClock


def crowd(number: int) -> list[Community]:
    return [
        Community(
            platform=DISCORD, id=str(one), version=1, name=f"모임 {one}", preset="strict", moderators_channel=f"9{one}"
        )
        for one in range(number)
    ]  # fmt: skip


def test_while_they_are_read_their_rows_are_not_in_mind_as_well(url: str) -> None:
    """Issue 17: memory of 100,000."""
    number = 2_000

    async def scenario() -> None:
        async with Database.open(url, ManualClock()) as database:
            await settle_in(database, crowd(number))
            stored = SqlCommunities(database)
            await stored.all()  # what is remembered of the statement
            tracemalloc.start()
            try:
                known = await stored.all()
                taken, most = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            assert {one.ref: one for one in known} == {one.ref: one for one in crowd(number)}
            assert len({id(one.platform) for one in known}) == 1
            assert most < taken + 200 * number

    asyncio.run(scenario())


def test_who_moves_reads_the_settings_of_those_that_name_it_alone(url: str) -> None:
    """All were read, twice, in the transaction that every other change waits for."""
    moves, names_it, other = (Community(platform=DISCORD, id=id_, version=1, preset="strict") for id_ in "123")
    names_it = replace(names_it, report_channel="1")

    async def scenario() -> None:
        async with Database.open(url, ManualClock()) as database:
            await settle_in(database, [moves, names_it, other])
            key = await database.keys.of(other.ref)
            of_a_newer_version = update(communities).where(communities.c.key == key)
            async with database.write() as connection:
                await connection.execute(of_a_newer_version.values(settings=SaidIn(key, '{"v": 9}')))
            stored = SqlCommunities(database)
            await stored.move(moves.ref, "-7")
            changed = (await stored.since(1)).communities
            assert {one.id: one.report_channel for one in changed} == {"-7": None, "2": "-7"}

    asyncio.run(scenario())


def test_counts_of_long_ago_are_looked_for_in_every_one_a_few_at_a_time(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coarsening, "AT_A_TIME", 7)

    async def scenario() -> None:
        async with Database.open(url, ManualClock()) as database:
            await settle_in(database, crowd(20))
            asked = list[CommunityRef]()

            def timezone(of: CommunityRef) -> str:
                asked.append(of)
                return "Asia/Seoul"

            assert await coarsening.SqlCoarsening(database).coarsen(Limits(), NOW, timezone) == 0
            assert sorted(asked) == sorted(one.ref for one in crowd(20))

    asyncio.run(scenario())
