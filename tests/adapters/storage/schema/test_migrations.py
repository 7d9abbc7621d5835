"""A database as any earlier version left it, with data in it: this version finds there what it was."""

import asyncio
import json
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from pydantic import TypeAdapter
from sqlalchemy import Connection, LargeBinary, MetaData, insert, inspect, select, text

from bot.core.answers.bot import Bot
from bot.core.chat.message import CommunityRef
from bot.core.communities.community import Community
from bot.core.communities.journal import Tally
from bot.core.incidents.case import CaseKind, Order, Person
from bot.core.incidents.review import Call
from bot.core.operations.keys import FORMERLY
from bot.core.operations.sealing import Openly
from bot.core.reporting.periods import day
from bot.core.rules.actions import Delete, Done, Warn
from storage import codec, migrations
from storage.columns import microseconds
from storage.database import Database
from storage.flow.inbox import SqlInbox
from storage.migrations import rewriting
from storage.migrations.rewriting import count_on
from storage.migrations.upgrading import upgrade
from storage.opening.engine import engine_of
from storage.opening.place import parsed
from storage.records.deeds import SqlCases
from storage.records.incidents import SqlIncidents
from storage.records.rolls import SqlBotRoll, SqlMemberRoll
from storage.reports.deliveries import SqlDeliveries
from storage.reports.queries import SqlReportQueries
from storage.settings.api_keys import SqlApiKeys
from storage.settings.communities import SqlCommunities
from storage.settings.journal import SqlJournal
from storage.tables import cases, verdicts
from tests.adapters.storage.schema import killed_upgrade
from tests.builders import DISCORD, NOW, TELEGRAM, decision, home, later, message, settlement
from tests.fakes.clock import ManualClock
from tests.servers.forks import Fork

STEPS = sorted(step.revision for step in ScriptDirectory(str(Path(str(migrations.__file__)).parent)).walk_revisions())
#: Whoever updates comes from one of the last; of the others every fourth shows nearly as much.
SOME = {*STEPS[::4], *STEPS[-4:]}
TODAY = day(NOW.date(), "UTC")
QUARTER = microseconds(NOW)
SERVER, GROUP = home("7", DISCORD), home("-100", TELEGRAM)


Rows = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def url(bare_url: str) -> str:
    return bare_url


async def left_by(url: str, step: str, rows: Rows) -> None:
    """What a version whose newest step was this one leaves behind: of each row the columns that it knew, in the shape
    that they had then. Rows are given in that of the step 0015."""

    def write(connection: Connection) -> None:
        upgrade(connection, step)
        known = MetaData()
        known.reflect(connection)
        for name, values in rows if step < "0016" else _keyed(connection, known, rows):
            if (table := known.tables.get(name)) is not None:
                found = {
                    column: Openly().seal(value)
                    if isinstance(table.c[column].type, LargeBinary) and value is not None
                    else value
                    for column, value in values.items()
                    if column in table.c
                }
                connection.execute(insert(table).values(found))
        if "queue" in known.tables:
            count_on(connection, known.tables["queue"], "messages")
            for name in {"incidents", "cases"} & known.tables.keys():
                count_on(connection, known.tables[name])

    engine = engine_of(parsed(url), rewriting=True)
    async with engine.connect() as connection:
        await connection.run_sync(write)
        await connection.commit()
    await engine.dispose()


def _keyed(connection: Connection, known: MetaData, rows: Rows) -> Iterator[tuple[str, dict[str, Any]]]:
    """As of the step 0016: a community is a key, and what waits has a table of its own; as of 0017 an incident is a
    case."""
    places = {(values["platform"], values["community"]) for _, values in rows if "community" in values}
    settings = {(values["platform"], values["id"]): values for name, values in rows if name == "communities"}
    keys = {place: key for key, place in enumerate(sorted(places | settings.keys()), 1)}
    for (platform, id_), key in keys.items():
        one = settings.get((platform, id_), {"settings": None, "version": 0})
        yield "communities", one | {"key": key, "platform": platform, "id": id_, "next_case": len(rows)}
    for name, values in rows:
        if name == "communities":
            continue
        row = dict(values)
        if "community" in row:
            row["community"] = keys[row["platform"], row["community"]]
        if name == "messages" and row["settled_at"] is None:
            name, row["share"] = "queue", row["community"] % 64
        if name == "appeals":
            row["case"] = row["incident"]
        yield name, row
        if name == "incidents":
            yield "cases", {
                "id": row["id"], "community": row["community"], "number": row["id"], "code": str(row["id"]),
                "incident": row["id"], "member": row["author"], "state": "open", "opened_at": row["decided_at"],
            }  # fmt: skip


def revision(number: int, community: CommunityRef, author: str = "minji", **more: Any) -> tuple[str, dict[str, Any]]:
    """A settled one, with its text."""
    about = message(str(number), community=community.id, platform=community.platform, author=author)
    at = microseconds(NOW)
    return "messages", {
        "platform": community.platform, "community": community.id, "id": number, "channel": "general",
        "message": str(number), "revision": 0, "author": author, "kind": "new", "sent_at": at, "kept_at": at,
        "settled_at": at, "score": 0.9, "ms": 1.5, "body": codec.write_body(about),
    } | more  # fmt: skip


def on_record(number: int, community: CommunityRef, author: str = "minji") -> Rows:
    """A settled message with its incident and action."""
    about = message(str(number), community=community.id, platform=community.platform, author=author)
    place = {"platform": community.platform, "community": community.id}
    at = microseconds(NOW)
    return [
        revision(number, community, author),
        ("incidents", place | {
            "id": number, "message": number, "author": author, "rule": "insult", "decided_at": at,
            "decision": codec.write_decision(decision(about, Delete())), "body": codec.write_body(about),
        }),
        ("actions", place | {
            "incident": number, "position": 0, "kind": "delete", "args": codec.write_action(Delete()), "state": "done",
            "attempts": 1, "finished_at": at, "protects": True, "planned_at": at,
        }),
    ]  # fmt: skip


def of_everything_else(community: CommunityRef) -> Rows:
    """One row in every other table."""
    place = {"platform": community.platform, "community": community.id}
    at = microseconds(NOW)
    settings = TypeAdapter(Community).dump_python(replace(Community.blank(community), preset="strict"), mode="json")
    return [
        ("communities", {
            "platform": community.platform, "id": community.id, "version": 3, "settings": json.dumps(settings),
        }),
        ("reviews", {
            "incident": 1, "call": "wrong", "moderator": "9", "moderator_name": "지수", "at": at, "closes": True,
        }),
        ("appeals", {"incident": 1, "words": "억울해요", "at": at}),
        ("bots", place | {"bot": "robot", "name": "로봇", "messages": 3, "answers": 2, "prose": 1}),
        ("members", place | {"member_hash": "달", "messages": 3, "since": at}),
        ("api_keys", place | {"id": "k", "digest": "d", "name": "열쇠", "created_at": at}),
        ("amendments", place | {"at": at, "by": "달", "setting": "preset", "before": "", "after": "strict"}),
        ("deliveries", place | {
            "kind": "week", "period": "2026-W20", "due": at, "size": 0, "state": "planned", "attempts": 0,
            "planned_at": at, "receipt": "", "reason": "",
        }),
    ]  # fmt: skip


def tally(community: CommunityRef, what: str, name: str, number: int) -> tuple[str, dict[str, Any]]:
    place = {"platform": community.platform, "community": community.id}
    return "tallies", place | {"quarter": QUARTER, "what": what, "name": name, "number": number}


@pytest.mark.parametrize(
    "step", [pytest.param(one, marks=() if one in SOME else pytest.mark.long) for one in STEPS[:-1]]
)
def test_every_earlier_schema_with_data_in_it(url: str, step: str) -> None:
    async def scenario() -> None:
        counted = [tally(one, "channel", "general", 1) for one in (SERVER, GROUP)]
        waiting = revision(3, SERVER, settled_at=None, score=None, ms=None)
        there = [*on_record(1, SERVER), *on_record(2, GROUP), waiting, *of_everything_else(SERVER), *counted]
        await left_by(url, step, there)
        async with Database.open(url, ManualClock()) as database:
            incidents, queries = SqlIncidents(database), SqlReportQueries(database)
            assert list(await queries.communities()) == [SERVER, GROUP]
            assert await incidents.whose(TELEGRAM, 2) == GROUP
            for number, one in enumerate((SERVER, GROUP), 1):
                found = await incidents.get(one, number)
                assert found and found.decision.message.community == one
                assert found.outcomes == ((Delete(), Done()),)
                assert (await incidents.history(one, "minji")).incidents == 1
                figures = await queries.figures(one, TODAY.start, TODAY.end)
                assert figures.by_channel == {"general": 1}
                numbered = number if step >= "0017" else 1  # by the update, each community by itself
                assert [entry.id for entry in figures.entries] == [numbered]
            await _reads_everything_else(database, step)
            inbox = SqlInbox(database)
            assert [one.ref.message_id for one in await inbox.claim(9, fresh_since=NOW)] == ["3"]
            again = [message(str(number), platform=DISCORD, community="7") for number in (1, 3, 4)]
            assert list(await inbox.keep(again)) == [False, False, True], "what is on record is not kept again"
            await inbox.settle([settlement(one, Delete()) for one in again])
            assert await inbox.settled([one.ref for one in again]) == [True] * 3
            assert len(await incidents.between(NOW, later(1), SERVER)) == 3, "numbers go on where they were"
            by_hand = Order(kind=CaseKind.WARN, member=Person("7"), moderator=Person("9"), at=NOW, actions=(Warn(),))
            case, _ = await SqlCases(database).open(SERVER, by_hand)
            assert case.number > 3 and case.outcomes == ((Warn(), None),)

    asyncio.run(scenario())


async def _reads_everything_else(database: Database, step: str) -> None:
    """Of each table that there was."""
    if step >= "0002":
        found = await SqlIncidents(database).get(SERVER, 1)
        assert found and found.review and (found.review.call, found.review.moderator_name) == (Call.WRONG, "지수")
        (settings,) = await SqlCommunities(database).all()
        assert (settings.ref, settings.preset) == (SERVER, "strict")
    if step >= "0005":
        assert [one.community for one in await SqlDeliveries(database).latest(9)] == [SERVER]
    if step >= "0006":
        assert await SqlBotRoll(database).all() == [
            (SERVER, Bot(id="robot", name="로봇", messages=3, answers=2, prose=1))
        ]
    if step >= "0020":
        assert await SqlMemberRoll(database).watched_since([SERVER, GROUP]) == {SERVER: NOW}
    if step >= "0007":
        (key,) = await SqlApiKeys(database).all()
        assert (key.community, key.name, key.scope, key.expires_at) == (SERVER, "열쇠", FORMERLY, None)
    if step >= "0008":
        (amended,) = await SqlJournal(database).amendments(SERVER, NOW, later(1))
        assert (amended.by, amended.after) == ("달", "strict")
    if step >= "0009":
        found = await SqlIncidents(database).get(SERVER, 1)
        assert found and found.appeal and found.appeal.words == "억울해요"


@pytest.mark.parametrize("commits", [1, 3, 8, 12, 13, 14, 16])
def test_an_upgrade_that_was_killed_goes_on_where_it_was(url: str, commits: int) -> None:
    async def scenario() -> None:
        there = [row for number in range(1, 6) for row in on_record(number, SERVER)]
        there += [revision(number, GROUP, settled_at=None, score=None, ms=None) for number in range(6, 9)]
        await left_by(url, "0009", there)
        with Fork(killed_upgrade.bring_up_to_date, url, commits) as killed:
            assert await killed.ended() == -signal.SIGKILL, killed.stderr
        async with Database.open(url, ManualClock()) as database:
            assert len(await SqlIncidents(database).between(NOW, later(1), SERVER)) == 5
            inbox = SqlInbox(database)
            assert await inbox.tally(NOW, later(1)) == Tally(kept=8, settled=5)
            assert len(await inbox.claim(9, fresh_since=NOW)) == 3
            async with database.read() as connection:
                numbers = await connection.execute(select(cases.c.number).order_by(cases.c.incident))
                assert list(numbers.scalars()) == [1, 2, 3, 4, 5]
                found = await connection.execute(select(verdicts.c.part, verdicts.c.kind).distinct())
                assert [tuple(row) for row in found] == [("prompt", "unspecified")]

    asyncio.run(scenario())


@pytest.mark.parametrize("step", ["0015", "0032"])
def test_who_said_what_is_on_record_goes_but_for_incidents(
    url: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rewriting, "BATCH", 2)

    async def scenario() -> None:
        fine = [revision(number, SERVER, "haneul") for number in range(2, 7)]
        await left_by(url, step, [*on_record(1, SERVER), *fine])
        async with Database.open(url, ManualClock()) as database:
            async with database.read() as connection:
                columns = await connection.run_sync(lambda known: inspect(known).get_columns("messages"))
                whole = str((await connection.execute(text("SELECT * FROM messages"))).all())
            assert "author" not in {column["name"] for column in columns}
            assert "haneul" not in whole and "minji" not in whole
            found = await SqlIncidents(database).get(SERVER, 1)
            assert found and found.decision.message.author.id == "minji"
            assert await SqlIncidents(database).mine(DISCORD, "minji", found.code) == found
            assert await SqlInbox(database).tally(NOW, later(1)) == Tally(kept=6, settled=6)

    asyncio.run(scenario())


def test_what_was_on_record_before_there_were_tallies_is_counted_once(url: str) -> None:
    """The step 0003 counts the messages that it finds."""

    async def scenario() -> None:
        spans = [(1, 1.5), (2, 1.5), (3, 90000.0)]
        there = [revision(number, SERVER, ms=ms, score=None if number == 2 else 0.1) for number, ms in spans]
        await left_by(url, "0002", there)
        async with Database.open(url, ManualClock()) as database:
            figures = await SqlReportQueries(database).figures(SERVER, TODAY.start, TODAY.end)
        assert (figures.seen, figures.judged, figures.by_channel) == (3, 2, {"general": 3})
        assert figures.latency == {2.0: 2, float("inf"): 1}

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
        tally(here, "channel", "general", 3), tally(here, "ms", "2", 3), tally(here, "judged", "", 3),
        tally(here, "unscreened", "", 4), tally(here, "bot", "robot of discord", 5),
        tally(here, "pair judged", "robot of telegram", 6), tally(GROUP, "unscreened", "", 2),
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
