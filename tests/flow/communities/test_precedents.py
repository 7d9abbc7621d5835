"""What moderators call wrong or right is known when the same is said again, in the next process, too."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from bot.core.base.waiting import Wakeup
from bot.core.incidents.review import Call
from bot.core.incidents.reviewing import Reviewer
from bot.core.moderation.rulings import Rulings
from bot.core.rules.actions import Flag
from bot.core.rules.precedent import Ruling
from storage.database import Database
from storage.flow.inbox import SqlInbox
from storage.records.incidents import SqlIncidents
from storage.records.precedents import SqlPrecedents
from storage.records.reviews import SqlReviews
from storage.settings.communities import SqlCommunities
from tests.builders import home, message, settlement
from tests.fakes.clock import ManualClock
from tests.servers.databases import sqlite_in

SAID = "이번 보스 진짜 죽여버리자 다들 모여"


@asynccontextmanager
async def opened(tmp_path: Path, clock: ManualClock) -> AsyncIterator[tuple[Database, Reviewer]]:
    async with Database.open(sqlite_in(tmp_path), clock) as database:
        yield database, Reviewer(
            incidents=SqlIncidents(database), reviews=SqlReviews(database), clock=clock, planned=Wakeup(),
            mark=database.sealing.text_hash,
        )  # fmt: skip


def rulings(database: Database, clock: ManualClock) -> Rulings:
    return Rulings(store=SqlPrecedents(database), mark=database.sealing.text_hash, clock=clock)


def test_a_call_speaks_for_the_same_text_until_it_is_changed(tmp_path: Path) -> None:
    async def scenario() -> None:
        clock = ManualClock()
        async with opened(tmp_path, clock) as (database, reviewer):
            about, elsewhere = message("1", text=SAID), message("2", text=SAID, community="other")
            inbox, known = SqlInbox(database), rulings(database, clock)
            await inbox.keep([about])
            await inbox.settle([settlement(about, Flag())])
            await known.load()
            again = message("3", text="이번보스 진짜 죽여버리자!! 다들 모여")
            assert known.of(again) is None

            async def call(what: Call) -> None:
                await clock.advance(60)
                await reviewer.call(home(), 1, what, moderator_id="m", moderator_name="달")
                await known.load()

            await call(Call.WRONG)
            found = known.of(again)
            assert found and (found.incident_id, found.ruling) == (1, Ruling.WRONG) and found.rules
            assert known.of(elsewhere) is None, "another community has not said so"
            assert known.of(message("4", text=f"{SAID} 010-1234-5678")) is None
            await call(Call.RIGHT)
            found = known.of(again)
            assert found and found.ruling is Ruling.RIGHT
        async with opened(tmp_path, clock) as (database, _):
            known = rulings(database, clock)
            await known.load()
            assert known.of(again), "the next process knows it, too"
            await SqlCommunities(database).move(home(), "lounge")
            await known.load(anew=True)
            moved = replace(again, community_id="lounge")
            assert known.of(moved) and known.of(again) is None, "it goes along where a group becomes another"
            assert await SqlPrecedents(database).withdraw(home("lounge"), 1)
            await known.load()
            assert known.of(moved) is None

    asyncio.run(scenario())
