"""What is asked all the time walks over no table that grows, as SQLite says of every statement."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event

from bot.core.incidents.review import Call, Review
from bot.core.operations.retention import Limits
from bot.core.rules.actions import Done, Flag
from storage.database import Database
from storage.flow.inbox import SqlInbox
from storage.flow.leases.freeing import release_the_dead
from storage.flow.outbox import SqlOutbox
from storage.records.deeds import SqlCases
from storage.records.forgetting import SqlForgetting
from storage.records.incidents import SqlIncidents
from storage.records.people import SqlPeople
from storage.records.raids import SqlRaids
from storage.records.reviews import SqlReviews
from storage.records.rolls import SqlMemberRoll
from storage.settings.sharing import SqlSharedBans
from tests.benches.cases import asked, filled
from tests.builders import EVERYWHERE, NOW, TELEGRAM, home, later, message, settlement
from tests.fakes.clock import ManualClock
from tests.servers.databases import sqlite_in

HERE = home("-1", TELEGRAM)
GROWING = "messages|incidents|actions|cases|reviews|sanctions|appeals|looks|strikes|flags|verdicts|raiders"
#: Of what is open alone.
OPEN = "actions_open|cases_waiting|sanctions_ending|raiders_due"
_WALKS = re.compile(rf"SCAN ({GROWING})(_\d+)?(?! USING (COVERING )?INDEX ({OPEN})$)\b")


@contextmanager
def walks(database: Database) -> Iterator[list[str]]:
    """The statements meanwhile that walk over one of those, and how."""
    engine, seen, found = database._engine.sync_engine, set[str](), list[str]()

    def looks(connection: Any, cursor: Any, statement: str, given: Any, context: Any, many: bool) -> None:
        if statement in seen or not re.match(r"\s*(SELECT|UPDATE|DELETE|WITH)", statement):
            return
        seen.add(statement)
        cursor.execute(f"EXPLAIN QUERY PLAN {statement}", given[0] if many else given)
        found.extend(f"{step}: {statement}" for *_, step in cursor.fetchall() if _WALKS.match(step))

    event.listen(engine, "before_cursor_execute", looks)
    yield found
    event.remove(engine, "before_cursor_execute", looks)
    assert seen


def test_nothing_that_is_asked_all_the_time_walks_over_what_grows(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Database.open(sqlite_in(tmp_path), ManualClock()) as database:
            await filled(database, HERE, 3, 3)
            with walks(database) as found:
                await moderated(database)
                for way in asked(database, HERE, 6).values():
                    await way()
                await looked_after(database)
            assert not found, "\n\n".join(found)

    asyncio.run(scenario())


def test_nor_does_a_start_after_a_process_died(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Database.open(sqlite_in(tmp_path), ManualClock()) as database:
            await filled(database, HERE, 3, 3)
            with walks(database) as found:
                async with database.write() as connection:
                    await release_the_dead(connection, NOW)
                await SqlIncidents(database).traces(NOW, each=5, most=100)
                await SqlMemberRoll(database).said_since(NOW)
            assert not found, "\n\n".join(found)

    asyncio.run(scenario())


async def moderated(database: Database) -> None:
    """One message, from being kept to what a moderator says of it."""
    inbox, outbox = SqlInbox(database), SqlOutbox(database)
    said = message("1", community=HERE.id, platform=TELEGRAM)
    await inbox.keep([said])
    (one,) = await inbox.claim(1, fresh_since=NOW)
    await inbox.settle([settlement(one, Flag())])
    for _ in range(2):
        for planned in await outbox.claim(3, now=NOW, platforms=EVERYWHERE):
            await outbox.postpone(planned, later(1))
    for planned in await outbox.claim(3, now=later(60), platforms=EVERYWHERE):
        await outbox.is_repeated(planned, NOW)
        await outbox.record([(planned, Done("7"))])
    (incident,) = await SqlIncidents(database).of([said.ref])
    for call in (Call.TAKE, Call.WRONG):
        review = Review(incident_id=incident.id, call=call, moderator_id="9", moderator_name="지수", at=NOW)
        await SqlReviews(database).record(HERE, review, due=NOW)


async def looked_after(database: Database) -> None:
    """What the minute and the night bring, and what is asked about a member."""
    now = later(60)
    await SqlCases(database).remind(now, 10)
    await SqlRaids(database).renew(now)
    await SqlForgetting(database).forget(Limits(), now + timedelta(days=5000))
    await SqlPeople(database).sent(HERE, "7", "1", most=10)
    await SqlPeople(database).places(TELEGRAM, "7")
    await SqlSharedBans(database).due(HERE, HERE, NOW, most=1, a_day=1)
