"""Back-ups: made while the database is written to, put back whole or not at all, and forgotten in time."""

import asyncio
import os
import re
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from bot.app import keeping
from bot.config import Config, StorageSettings
from bot.core.base.errors import Broken
from bot.core.communities.journal import Tally
from bot.core.operations.retention import Limits
from storage.database import Database
from storage.flow.inbox import SqlInbox
from storage.migrations.copying import back_up, restore
from storage.records.forgetting import SqlForgetting
from tests.adapters.storage.schema.test_migrations import SERVER, STEPS, left_by, on_record
from tests.builders import NOW, later, message
from tests.fakes.clock import ManualClock
from tests.servers.databases import sqlite_in
from tests.servers.postgres import PROGRAMS, Postgres

OPERATING = (Path(__file__).parents[3] / "docs" / "en" / "operating.md").read_text("utf-8")


async def keep(url: str, *ids: str) -> None:
    async with Database.open(url, ManualClock()) as database:
        await SqlInbox(database).keep([message(id_, f"말 {id_}") for id_ in ids])


async def kept(url: str) -> Tally:
    async with Database.open(url, ManualClock()) as database:
        return await SqlInbox(database).tally(NOW - timedelta(days=1), later(86_400))


def put_aside(folder: Path) -> list[Path]:
    return list(folder.glob("jikimi.db.before-*"))


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    yield sqlite_in(tmp_path)
    assert not list(tmp_path.glob("*.part"))


def test_what_root_does_beside_a_service_is_the_services(tmp_path: Path) -> None:
    """Root's files would be closed to the user that Jikimi runs as, and the next start refused."""
    theirs = 10001 if os.geteuid() == 0 else os.geteuid()
    home, clock = tmp_path / "home", ManualClock()
    home.mkdir()
    config = Config(storage=StorageSettings(url=sqlite_in(home), keys=str(home / "keys")))
    for one in (home, home / "jikimi.db"):
        os.chown(one, theirs, -1)

    async def scenario() -> None:
        async with keeping.opened(config, clock):
            pass
        keeping.back_up(config, home / "copy.db")
        await keeping.restore(config, home / "copy.db")
        async with keeping.rotating(config) as rotation:
            rotation.sealing.rotate()

    asyncio.run(scenario())
    made = [home / "jikimi.db", *home.rglob("*")]
    assert len(made) > 6 and {one.stat().st_uid for one in made} == {theirs}, made


def test_a_backup_is_made_while_others_write_and_holds_what_was_kept_before(url: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    (tmp_path / "copy.db.part").write_bytes(b"of one that was killed")

    async def scenario() -> None:
        async with Database.open(url, ManualClock()) as database:
            inbox = SqlInbox(database)
            await inbox.keep([message(f"a{number}") for number in range(500)])
            backing_up = asyncio.create_task(asyncio.to_thread(back_up, url, copy))
            number = 0
            while not backing_up.done() or number < 20:
                await inbox.keep([message(f"b{number}")])
                number += 1
            await backing_up

    asyncio.run(scenario())
    assert copy.stat().st_mode & 0o777 == 0o600
    assert asyncio.run(kept(f"sqlite:///{copy}")).kept >= 500
    with pytest.raises(Broken, match="exists already"):
        back_up(url, copy)


def test_what_was_erased_is_not_in_the_backup(url: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "jikimi.db")) as raw:  # as a tool would that does not overwrite
        raw.execute("PRAGMA secure_delete = OFF")
        raw.execute("CREATE TABLE notes (words)")
        raw.executemany("INSERT INTO notes VALUES (?)", [("심어둔말" * 50,)] * 50)
        raw.execute("DELETE FROM notes")
        raw.commit()
    assert "심어둔말".encode() in (tmp_path / "jikimi.db").read_bytes()
    back_up(url, tmp_path / "copy.db")
    assert "심어둔말".encode() not in (tmp_path / "copy.db").read_bytes()


def test_a_restored_database_is_that_of_the_backup_and_the_other_one_is_still_there(url: str, tmp_path: Path) -> None:
    asyncio.run(keep(url, "1"))
    back_up(url, copy := tmp_path / "copy.db")
    asyncio.run(keep(url, "2", "3"))

    async def while_it_is_open() -> None:
        async with Database.open(url, ManualClock()):
            restore(url, copy, NOW)

    with pytest.raises(Broken, match="Another process"):
        asyncio.run(while_it_is_open())
    assert asyncio.run(kept(url)).kept == 3
    aside = restore(url, copy, NOW)
    assert asyncio.run(kept(url)).kept == 1 and asyncio.run(kept(f"sqlite:///{aside}")).kept == 3
    elsewhere = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    assert restore(elsewhere, copy, NOW) is None and asyncio.run(kept(elsewhere)).kept == 1


@pytest.mark.parametrize("what", ["nothing", "a page of text", "half of it", "another program's", "a newer version's"])
def test_what_is_no_whole_database_of_ours_takes_nothing_away(url: str, tmp_path: Path, what: str) -> None:
    asyncio.run(keep(url, "1"))
    back_up(url, copy := tmp_path / "copy.db")
    whole = copy.read_bytes()
    copy.write_bytes({"nothing": b"", "a page of text": "백업".encode() * 999}.get(what, whole[: len(whole) // 2]))
    if what in ("another program's", "a newer version's"):
        copy.write_bytes(whole)
        change = (
            "DROP TABLE alembic_version" if what.startswith("another") else "UPDATE alembic_version SET version_num = 9"
        )
        with closing(sqlite3.connect(copy)) as raw:
            raw.execute(change)
            raw.commit()
    with pytest.raises(Broken, match="newer version" if what.startswith("a newer") else "no whole database"):
        restore(url, copy, NOW)
    with pytest.raises(Broken, match="no file"):
        restore(url, tmp_path / "missing.db", NOW)
    assert asyncio.run(kept(url)).kept == 1 and not put_aside(tmp_path)


def test_a_backup_that_cannot_be_read_with_these_keys_does_not_stay(tmp_path: Path) -> None:
    mine = Config(storage=StorageSettings(url=f"sqlite:///{tmp_path / 'jikimi.db'}", keys=str(tmp_path / "keys")))
    theirs = Config(
        storage=StorageSettings(url=f"sqlite:///{tmp_path / 'theirs.db'}", keys=str(tmp_path / "other-keys"))
    )

    async def scenario() -> None:
        for config, id_ in ((mine, "1"), (theirs, "2")):
            async with keeping.opened(config, ManualClock()) as database:
                await SqlInbox(database).keep([message(id_)])
        keeping.back_up(theirs, tmp_path / "copy.db")
        with pytest.raises(Broken):
            await keeping.restore(mine, tmp_path / "copy.db")
        async with keeping.opened(mine, ManualClock()) as database:
            (mine_still,) = await SqlInbox(database).claim(9, fresh_since=NOW)
            assert mine_still.ref.message_id == "1"

    asyncio.run(scenario())


def test_before_an_update_the_database_is_put_aside_for_a_week(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'jikimi.db'}"

    async def scenario() -> None:
        await left_by(url, STEPS[-2], on_record(1, SERVER))
        async with Database.open(url, clock := ManualClock()) as database:
            (aside,) = put_aside(tmp_path)
            assert aside.name == f"jikimi.db.before-{STEPS[-1]}" and aside.stat().st_mode & 0o777 == 0o600
            with closing(sqlite3.connect(aside)) as raw:
                assert raw.execute("SELECT version_num FROM alembic_version").fetchall() == [(STEPS[-2],)]
                assert raw.execute("SELECT count(*) FROM incidents").fetchall() == [(1,)]
            for days, is_there in ((6, True), (8, False)):
                os.utime(aside, (made := (clock.now() - timedelta(days=days)).timestamp(), made))
                await SqlForgetting(database).forget(Limits(), clock.now())
                assert aside.exists() is is_there
        async with Database.open(url, clock):
            assert not put_aside(tmp_path), "what is up to date is not copied"

    asyncio.run(scenario())


def test_the_commands_for_postgresql_are_those_of_the_page(tmp_path: Path) -> None:
    server = Postgres()
    try:
        url, dump = server.create(), tmp_path / "jikimi.dump"
        with pytest.raises(Broken, match=re.escape(f"pg_dump --format=custom --file={dump}")):
            back_up(url, dump)
        written, back = re.findall(r"^(pg_\w+ .+?)(?: +#.*)?$", OPERATING, re.MULTILINE)

        def run(command: str) -> None:
            words = [word.replace('"', "") for word in command.split()]
            words = [word.replace("postgresql://USER@HOST/DATABASE", url) for word in words]
            words = [word.replace("jikimi.dump", str(dump)) for word in words]
            subprocess.run([PROGRAMS / words[0], *words[1:]], check=True, capture_output=True)

        asyncio.run(keep(url, "1"))
        run(written)
        asyncio.run(keep(url, "2"))
        run(back)
        assert asyncio.run(kept(url)).kept == 1
    finally:
        server.stop()
