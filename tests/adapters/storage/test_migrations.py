"""A database as any earlier version left it, with data in it: this version finds there what it was."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, insert
from sqlalchemy.ext.asyncio import create_async_engine

from bot.core.chat.message import CommunityRef
from bot.core.reporting.periods import day
from bot.core.rules.actions import Delete
from storage import codec, migrations
from storage.database import Database, parsed
from storage.records.incidents import SqlIncidents
from storage.reports.queries import SqlReportQueries
from storage.tables import microseconds
from tests.builders import DISCORD, NOW, TELEGRAM, decision, home, message
from tests.fakes.clock import ManualClock

STEPS = sorted(step.revision for step in ScriptDirectory(str(Path(str(migrations.__file__)).parent)).walk_revisions())
TODAY = day(NOW.date(), "UTC")
QUARTER = microseconds(NOW)
SERVER, GROUP = home("7", DISCORD), home("-100", TELEGRAM)


async def left_by(url: str, step: str, rows: list[tuple[str, dict[str, Any]]]) -> None:
    """What a version whose newest step was this one leaves behind: of each row the columns that it knew."""

    def write(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", "storage:migrations")
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, step)
        known = MetaData()
        known.reflect(connection)
        for name, values in rows:
            if (table := known.tables.get(name)) is not None:
                connection.execute(insert(table).values({k: v for k, v in values.items() if k in table.c}))

    engine = create_async_engine(parsed(url))
    async with engine.begin() as connection:
        await connection.run_sync(write)
    await engine.dispose()


def on_record(number: int, community: CommunityRef, author: str = "minji") -> list[tuple[str, dict[str, Any]]]:
    """A settled message with its incident and action."""
    about = message(str(number), community=community.id, platform=community.platform, author=author)
    place = {"platform": community.platform, "community": community.id}
    at = microseconds(NOW)
    return [
        ("messages", place | {
            "id": number, "channel": "general", "message": str(number), "revision": 0, "author": author, "kind": "new",
            "sent_at": at, "kept_at": at, "settled_at": at, "score": 0.9, "ms": 1.5, "body": codec.write_body(about),
        }),
        ("incidents", place | {
            "id": number, "message": number, "author": author, "rule": "insult", "decided_at": at,
            "decision": codec.write_decision(decision(about, Delete())),
        }),
        ("actions", place | {
            "incident": number, "position": 0, "kind": "delete", "args": codec.write_action(Delete()), "state": "done",
            "attempts": 1, "finished_at": at, "protects": True, "planned_at": at,
        }),
    ]  # fmt: skip


def tally(community: str, what: str, name: str, number: int) -> tuple[str, dict[str, Any]]:
    return "tallies", {"community": community, "quarter": QUARTER, "what": what, "name": name, "number": number}


@pytest.mark.parametrize("step", STEPS[:-1])
def test_every_earlier_schema_with_data_in_it(url: str, step: str) -> None:
    async def scenario() -> None:
        counted = [tally(one.id, "channel", "general", 1) for one in (SERVER, GROUP)]
        await left_by(url, step, [*on_record(1, SERVER), *on_record(2, GROUP), *counted])
        async with Database.open(url, ManualClock()) as database:
            incidents, queries = SqlIncidents(database), SqlReportQueries(database)
            assert list(await queries.communities()) == [SERVER, GROUP]
            assert await incidents.whose(TELEGRAM, 2) == GROUP
            for number, one in enumerate((SERVER, GROUP), 1):
                found = await incidents.get(one, number)
                assert found and found.decision.message.community == one
                assert (await incidents.history(one, "minji")).incidents == 1
                figures = await queries.figures(one, TODAY.start, TODAY.end)
                assert figures.by_channel == {"general": 1}
                assert [entry.id for entry in figures.entries] == [number]

    asyncio.run(scenario())


def test_what_two_platforms_had_counted_together_is_told_apart_as_far_as_it_is_known(url: str) -> None:
    """Before the step 0015, tallies named communities by their id alone."""
    here, there = home("7", DISCORD), home("7", TELEGRAM)
    robots = [
        ("bots", {
            "platform": one.platform, "community": "7", "bot": f"robot of {one.platform}", "name": "",
            "messages": 5, "answers": 5, "prose": 5,
        })
        for one in (here, there)
    ]  # fmt: skip
    together = [
        tally("7", "channel", "general", 3), tally("7", "ms", "2", 3), tally("7", "judged", "", 3),
        tally("7", "unscreened", "", 4), tally("7", "bot", "robot of discord", 5),
        tally("7", "pair judged", "robot of telegram", 6), tally("-100", "unscreened", "", 2),
    ]  # fmt: skip

    async def scenario() -> None:
        rows = [*on_record(1, here), *on_record(2, there), *on_record(3, there), *on_record(4, GROUP)]
        await left_by(url, "0014", [*rows, *robots, *together])
        async with Database.open(url, ManualClock()) as database:
            queries = SqlReportQueries(database)
            ours, theirs, other = [await queries.figures(one, TODAY.start, TODAY.end) for one in (here, there, GROUP)]
        assert (ours.seen, ours.judged, ours.latency) == (1, 1, {2.0: 1})
        assert (theirs.seen, theirs.judged, theirs.latency) == (2, 2, {2.0: 2})
        assert (ours.by_bot, theirs.by_bot) == ({"robot of discord": 5}, {})
        assert list(ours.pairs) == [] and theirs.pairs["robot of telegram"].judged == 6
        assert (ours.unscreened, theirs.unscreened, other.unscreened) == (0, 0, 2)

    asyncio.run(scenario())
