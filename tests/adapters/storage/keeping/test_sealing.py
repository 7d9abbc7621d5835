"""What people say lies sealed in every table: what can be found without the keys, after them, and while they change."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import LargeBinary, String, select, type_coerce

from adapters.keyring import Keyring, master_key
from bot.core.base.errors import Broken
from bot.core.chat.message import Author, Message
from bot.core.communities.community import Community
from bot.core.incidents.review import Appeal, Call, Review
from bot.core.operations.keys import ApiKey
from bot.core.operations.rotation import Rotation
from bot.core.operations.sealing import Openly
from bot.core.rules.actions import Delete, Warn
from storage.columns import Sealed
from storage.database import Database
from storage.records import resealing
from storage.records.resealing import SqlResealing
from storage.settings.bookmarks import SqlBookmarks
from storage.tables import metadata
from tests.adapters.storage.schema.test_migrations import (
    SERVER,
    STEPS,
    left_by,
    of_everything_else,
    on_record,
    revision,
)
from tests.builders import NOW, home, later, message, put_settings, settlement
from tests.contracts.stores import Store, store
from tests.fakes.clock import ImpatientClock, ManualClock
from tests.servers.databases import sqlite_in

SOME = (STEPS[0], STEPS[8], STEPS[-2])  # of the schemas of earlier versions; a long test has all of them
PLANTED = ("심어둔말", "심어둔이름", "심어둔이의", "심어둔물음", "심어둔방이름")


@asynccontextmanager
async def opened(url: str, keys: Path, clock: ManualClock | None = None) -> AsyncIterator[tuple[Database, Store]]:
    clock = clock or ManualClock()
    async with Database.open(url, clock, Keyring(keys, master_key(keys, {}), clock)) as database:
        yield database, store(database, clock)


def said(id: str = "1") -> Message:
    text, name, _, prompt, channel = PLANTED
    about = message(id, text, prompt=prompt, channel_name=channel)
    return replace(about, author=replace(about.author, name=name))


async def plant(here: Store) -> None:
    """Words of every kind in every table, one message that waits among them."""
    name, words = PLANTED[1], PLANTED[2]
    await here.inbox.keep([said("1"), said("2"), said("3")])
    await here.inbox.settle([settlement(said("1"), Delete(), Warn()), settlement(said("2"))])
    incident = (await here.incidents.of([said("1").ref]))[0].id
    await here.reviews.record(
        home(), Review(incident_id=incident, call=Call.UPHOLD, moderator_id="9", moderator_name=name, at=NOW), due=NOW
    )
    await here.reviews.appeal(home(), Appeal(incident_id=incident, words=words, at=NOW), (), due=NOW)
    await put_settings(here.communities, replace(Community.blank(home()), name=name, preset="strict"), by=name)
    await here.keys.add(ApiKey(id="k", digest="d", community=home(), name=name, created_at=NOW))
    robot = message("4", "네", author="robot", reply_to="1", prompt="?")
    robot = replace(robot, author=Author(id="robot", name=name, bot=True))
    await here.inbox.keep([robot])
    await here.inbox.settle([settlement(robot)])


def files(folder: Path) -> list[Path]:
    """Of a SQLite database, its log among them."""
    return list(folder.glob("jikimi.db*"))


async def stored_bytes(database: Database) -> bytes:
    """Every column of every row."""
    found = bytearray()
    async with database.read() as connection:
        for table in metadata.sorted_tables:
            raw = [
                type_coerce(column, LargeBinary) if isinstance(column.type, Sealed) else column for column in table.c
            ]
            for row in await connection.execute(select(*raw)):
                for value in row:
                    found += value if isinstance(value, bytes) else str(value).encode()
    return bytes(found)


def rotation(database: Database) -> Rotation:
    stored, bookmarks = SqlResealing(database), SqlBookmarks(database)
    return Rotation(sealing=database.sealing, stored=stored, bookmarks=bookmarks, clock=ImpatientClock())


def test_nothing_planted_is_found_without_the_keys(url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with opened(url, tmp_path / "keys") as (database, here):
            await plant(here)
            found = await stored_bytes(database)
            if not database.is_postgresql:
                found += b"".join(map(Path.read_bytes, files(tmp_path)))
            assert not [word for word in PLANTED if word.encode() in found]
            assert [one.text for one in await here.inbox.claim(9, fresh_since=NOW)] == [PLANTED[0]]
            (incident,) = await here.incidents.between(NOW, later(1))
            assert incident.decision.message == said("1") and incident.appeal and incident.appeal.words == PLANTED[2]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "step", [step if step in SOME else pytest.param(step, marks=pytest.mark.long) for step in STEPS[:-1]]
)
def test_what_earlier_versions_stored_is_sealed_in_place(bare_url: str, tmp_path: Path, step: str) -> None:
    async def scenario() -> None:
        waiting = revision(3, SERVER, settled_at=None, score=None, ms=None)
        await left_by(
            bare_url, step, [*on_record(1, SERVER), *on_record(2, SERVER), waiting, *of_everything_else(SERVER)]
        )
        async with opened(bare_url, tmp_path / "keys") as (database, here):
            before = await here.incidents.between(NOW, later(1))
            assert "안녕하세요".encode() in await stored_bytes(database)
            await rotation(database).seal_the_open()
            found = await stored_bytes(database)
            assert not [
                word for word in ("안녕하세요", "지수", "억울해요", "로봇", "열쇠", "strict") if word.encode() in found
            ]
            assert await here.incidents.between(NOW, later(1)) == before
            assert await SqlResealing(database).reseal((), openly=True) == 0

    asyncio.run(scenario())


def test_what_was_broken_off_goes_on_where_it_was(
    bare_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resealing, "BATCH", 1)

    async def scenario() -> None:
        await left_by(bare_url, STEPS[-1], [row for number in range(1, 9) for row in on_record(number, SERVER)])
        async with opened(bare_url, tmp_path / "keys") as (database, here):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(resealing.PAUSE * 3):
                    await SqlResealing(database).reseal((), openly=True)
        async with opened(bare_url, tmp_path / "keys") as (database, here):
            rest = await SqlResealing(database).reseal((), openly=True)
            assert rest > 0 and "안녕하세요".encode() not in await stored_bytes(database)
            assert len(await here.incidents.between(NOW, later(1))) == 8

    asyncio.run(scenario())


def test_an_old_copy_and_todays_keys_give_no_expired_text(tmp_path: Path) -> None:
    clock, url, keys = ManualClock(), sqlite_in(tmp_path), tmp_path / "keys"

    async def scenario() -> None:
        async with opened(url, keys, clock) as (_, here):
            await plant(here)
        for file in files(tmp_path):
            shutil.copy(file, tmp_path / file.name.replace("jikimi", "copy"))
        async with opened(url, keys, clock) as (database, here):
            for _ in range(100):
                clock.jump(timedelta(days=1))
                await put_settings(here.communities, replace(Community.blank(home()), name=f"day {clock.now()}"))
                await rotation(database).throw_away()
            (incident,) = await here.incidents.between(NOW, later(1))
            assert incident.appeal and incident.appeal.words == PLANTED[2], "what is still kept is sealed anew"
            assert [one.text for one in await here.inbox.claim(9, fresh_since=NOW)] == [PLANTED[0]]
        async with opened(f"sqlite:///{tmp_path / 'copy.db'}", keys, clock) as (_, here):
            (incident,) = await here.incidents.between(NOW, later(1))
            assert incident.appeal and (incident.decision.message.text, incident.appeal.words) == ("", "")
            assert list(await here.inbox.claim(9, fresh_since=NOW)) == []

    asyncio.run(scenario())


def test_rewrapping_while_moderating_loses_nothing(url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with opened(url, tmp_path / "keys") as (database, here):
            await plant(here)
            database.sealing.rotate()

            async def moderate() -> None:
                for number in range(10, 40):
                    await here.inbox.keep([said(str(number))])
                    await here.inbox.settle([settlement(said(str(number)), Delete())])

            await asyncio.gather(moderate(), rotation(database).rewrap())
            assert not database.sealing.earlier()
            found = await here.incidents.between(NOW, later(1))
            assert [one.decision.message.text for one in found] == [PLANTED[0]] * 31

    asyncio.run(scenario())


def test_a_lost_key_stops_nothing(url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with opened(url, tmp_path / "keys") as (database, here):
            await plant(here)
            database.sealing.rotate()
            database.sealing.throw_away(database.sealing.earlier())
            await here.inbox.keep([said("5")])
            assert [one.ref.message_id for one in await here.inbox.claim(9, fresh_since=NOW)] == ["5"]
            (lost,) = await here.inbox.given_up(9)
            assert (lost.ref.message_id, lost.text) == ("3", "")
            planned = await here.outbox.claim(9, now=later(60), platforms=[home().platform])
            assert {one.defect for one in planned} <= {"unreadable"}
            (incident,) = await here.incidents.between(NOW, later(1))
            assert incident.decision.message.text == "" and incident.review and incident.review.moderator_name == ""
            assert await here.communities.all() is not None and await here.bots.all() and await here.keys.all()

    asyncio.run(scenario())


def test_other_keys_are_refused_until_they_are_adopted(url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with opened(url, tmp_path / "keys") as (_, here):
            await plant(here)
        with pytest.raises(Broken, match="adopt"):
            async with opened(url, tmp_path / "others"):
                pass
        async with opened(url, tmp_path / "keys") as (_, here):
            assert len(await here.incidents.between(NOW, later(1))) == 1, "nothing is lost by that"
        async with Database.visit(url, ManualClock(), Openly()) as database:
            await database.adopt(Keyring(tmp_path / "others", master_key(tmp_path / "others", {}), ManualClock()).name)
        async with opened(url, tmp_path / "others") as (_, here):
            await here.inbox.keep([said("6")])

    asyncio.run(scenario())


#: Columns of text that is not people's, and what it is. Whoever adds one says so here, or makes it `Sealed`.
NOT_SAID = {
    "remedy": "of bot.core.incidents.raids.raid.Remedy",
    "id": "ids of platforms", "platform": "a word of ours", "channel": "ids", "message": "ids", "author": "ids",
    "kind": "a word of ours", "rule": "the name that the configuration gives", "state": "a word of ours",
    "trial": "words of ours, and the name of a guard",
    "reason": "why a platform refused, or a receipt: ids", "call": "a word of ours", "moderator": "ids",
    "part": "a word of ours", "guard": "names of guards", "code": "random", "deed": "a word of ours", "member": "ids",
    "taken_by": "ids", "what": "a word of ours", "name": "of a tally: ids of channels and bots, words of ours; of a "
    "bookmark: a word of ours", "digest": "a hash", "period": "a date", "receipt": "ids", "place": "a platform's word "
    "for how far it was read", "word": "a word of ours", "setting": "a word of ours", "bot": "ids",
    "imposed_by": "ids", "verdict": "a word of ours", "begun": "ids",
    "rules": "names that the configuration gives", "scope": "words of ours",
    "key": "ids of keys", "work": "a word of ours",
}  # fmt: skip


def test_no_other_column_can_hold_what_people_say() -> None:
    texts = {column.name for table in metadata.sorted_tables for column in table.c if isinstance(column.type, String)}
    texts |= {
        column.name for table in metadata.sorted_tables for column in table.c if type(column.type).__name__ == "Words"
    }
    assert texts - NOT_SAID.keys() == set()


def test_a_database_that_others_could_read_is_its_owners_alone(tmp_path: Path) -> None:
    url = sqlite_in(tmp_path)
    (tmp_path / "jikimi.db").chmod(0o644)

    async def scenario() -> set[int]:
        async with opened(url, tmp_path / "keys") as (_, here):
            await here.inbox.keep([said()])
            return {path.stat().st_mode & 0o777 for path in files(tmp_path)}

    assert asyncio.run(scenario()) == {0o600}
