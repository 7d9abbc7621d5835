"""kill -9 of a process that works on a database, and what the next one finds."""

import asyncio
import signal
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.core.base.errors import Broken
from bot.core.chat.message import Message
from bot.core.rules.actions import Action, Delete, Done, Outcome, Unconfirmed, Warn
from storage.database import Database
from tests.adapters.storage.process import STEPS, work
from tests.builders import EVERYWHERE, NOW, later, message, settlement
from tests.contracts.stores import store
from tests.fakes.clock import ManualClock
from tests.servers.databases import sqlite_in
from tests.servers.forks import Fork
from tests.servers.postgres import Postgres


def kill_after(url: str, step: str) -> None:
    with Fork(work, url, step) as running:
        running.hear()


async def forget_the_dead(url: str) -> None:
    """What half a minute does on PostgreSQL: the holder's time runs out."""
    async with Database.open(url, ManualClock()) as database, database.write() as connection:
        if database.is_postgresql:
            await connection.execute(text(f"UPDATE holders SET alive_until = 0 WHERE id <> {database.holder}"))


@pytest.mark.parametrize("step", STEPS)
def test_the_next_process_goes_on_where_the_killed_one_was(url: str, step: str) -> None:
    kill_after(url, step)
    taken = STEPS[: STEPS.index(step) + 1]

    async def scenario() -> None:
        await forget_the_dead(url)
        async with Database.open(url, ManualClock()) as database:
            here = store(database, ManualClock())
            both = [message("1"), message("2")]
            assert list(await here.inbox.keep(both)) == ["keep" not in taken] * 2
            claimed: list[Message] = []
            while some := await here.inbox.claim(10, fresh_since=NOW):  # half of what it died of, then the other half
                claimed += some
                await here.inbox.settle([settlement(one) for one in some])
            assert claimed == (both[1:] if "settle" in taken else both)
            incidents = await here.incidents.between(NOW, later(1))
            planned = await here.outbox.claim(10, now=NOW, platforms=EVERYWHERE)
            if "settle" not in taken:
                assert (list(incidents), list(planned)) == ([], [])
                return
            outcomes: dict[Action, Outcome | None] = dict(incidents[0].outcomes)
            assert outcomes[Warn()] == (Unconfirmed() if "start" in taken else None)
            assert outcomes[Delete()] == (Done() if "record" in taken else None)
            assert [one.action for one in planned] == [action for action, done in outcomes.items() if done is None]

    asyncio.run(scenario())


def test_what_was_said_to_be_kept_is_there(url: str) -> None:
    for _ in range(3):
        with Fork(work, url, "write") as running:
            running.hear(20)
            running.send(signal.SIGKILL)
            running.wait()
            said = int(running.stdout.split()[-1])

        async def scenario(said: int = said) -> None:
            async with Database.open(url, ManualClock()) as database:
                tally = await store(database, ManualClock()).inbox.tally(NOW, later(1))
                assert tally.kept >= said
                assert tally.kept % 3 == 0

        asyncio.run(scenario())


def test_a_sqlite_file_belongs_to_one_process(tmp_path: Path) -> None:
    url = sqlite_in(tmp_path)

    async def open_it() -> None:
        async with Database.open(url, ManualClock()):
            pass

    with Fork(work, url, "claim") as running:
        running.hear()
        with pytest.raises(Broken, match="Another process has the database"):
            asyncio.run(open_it())
    asyncio.run(open_it())


def test_on_postgresql_the_living_keep_what_they_hold(postgres: Postgres) -> None:
    url = postgres.create()

    async def scenario() -> None:
        with Fork(work, url, "start") as running:
            running.hear()
            async with Database.open(url, ManualClock()) as database:
                here = store(database, ManualClock())
                assert list(await here.inbox.claim(10, fresh_since=NOW)) == []
                assert list(await here.outbox.claim(10, now=NOW, platforms=EVERYWHERE)) == []

    asyncio.run(scenario())


def test_on_postgresql_two_processes_share_the_work(postgres: Postgres) -> None:
    url = postgres.create()

    async def scenario() -> None:
        async with Database.open(url, ManualClock()) as one, Database.open(url, ManualClock()) as two:
            inboxes = [store(database, ManualClock()).inbox for database in (one, two)]
            await inboxes[0].keep([message(str(number)) for number in range(100)])
            claims = await asyncio.gather(*(inbox.claim(7, fresh_since=NOW) for _ in range(10) for inbox in inboxes))
            claimed = [one.ref.message_id for claim in claims for one in claim]
            assert len(claimed) == len(set(claimed))
            rest = await inboxes[1].claim(100, fresh_since=NOW)
            assert len(claimed) + len(rest) == 100

    asyncio.run(scenario())


def test_a_database_that_crashed_may_forget_what_was_started_but_nobody_does_it_twice(url: str) -> None:
    """The start of what may be repeated is not written through to the disk (durable=False)."""

    async def scenario() -> None:
        async with Database.open(url, ManualClock()) as database:
            here = store(database, ManualClock())
            await here.inbox.keep([message("1")])
            await here.inbox.settle([settlement(message("1"), Delete())])
            (started,) = await here.outbox.claim(10, now=NOW, platforms=EVERYWHERE)
            async with database.write() as connection:
                await connection.execute(text("UPDATE actions SET state = 'planned', holder = NULL, attempts = 0"))
            assert list(await here.outbox.claim(10, now=NOW, platforms=EVERYWHERE)) == [], "it is in hand"
            await here.outbox.record([(started, Done())])
            assert list(await here.outbox.claim(10, now=NOW, platforms=EVERYWHERE)) == [], "it is done"
            (incident,) = await here.incidents.between(NOW, later(1))
            assert incident.outcomes == ((Delete(), Done()),)

    asyncio.run(scenario())


def test_on_postgresql_the_work_of_a_silent_process_is_taken_over(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.create()

    async def scenario() -> None:
        async with Database.open(url, ManualClock()) as database:
            inbox = store(database, ManualClock()).inbox
            with Fork(work, url, "claim") as silent:
                silent.hear()
            assert list(await inbox.claim(10, fresh_since=NOW)) == []
            async with database.write() as connection:
                await connection.execute(text(f"UPDATE holders SET alive_until = 0 WHERE id <> {database.holder}"))
            taken_over: list[str] = []
            while len(taken_over) < 2:
                await asyncio.sleep(0.01)
                some = await inbox.claim(10, fresh_since=NOW)
                taken_over += [one.ref.message_id for one in some]
                await inbox.settle([settlement(one) for one in some])
            async with database.read() as connection:
                alive = await connection.execute(text("SELECT id, alive_until > 0 FROM holders"))
                assert alive.all() == [(database.holder, True)]

    monkeypatch.setattr("storage.database.LEASE", timedelta(seconds=0.3))
    asyncio.run(scenario())
