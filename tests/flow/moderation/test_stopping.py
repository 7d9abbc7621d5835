"""Stopping: what is under way is finished, whatever is away it ends, and one platform's end is not the other's."""

import asyncio
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.app.application import Jikimi, application
from bot.app.runner import Service
from bot.config import Config, StorageSettings
from bot.core.base.errors import BotError, Broken, Unavailable
from bot.core.chat.message import Message, Platform
from bot.core.incidents.incident import PlannedAction
from bot.core.rules.actions import Done, Outcome
from bot.core.rules.policy import Watch
from storage.database import Database
from tests.builders import DISCORD, REHEARSAL, TELEGRAM, message
from tests.fakes.chat import ScriptedPlatform
from tests.fakes.clock import ManualClock
from tests.fakes.guarding import ScriptedGuard
from tests.flow.commands.test_api_command_line import configured, running
from tests.servers.databases import sqlite_in
from tests.servers.fault_proxy import FaultProxy
from tests.servers.postgres import Postgres

BAD = "나쁜 말"


class Chat(ScriptedPlatform):
    """Goes on until it is told to end or to fail; what it does takes until `go_on` is set."""

    def __init__(self, platform: Platform = REHEARSAL) -> None:
        super().__init__()
        self.platform = platform
        self.arriving: asyncio.Queue[Sequence[Message] | Exception | None] = asyncio.Queue()
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()
        self.connected = True

    async def messages(self) -> AsyncGenerator[Sequence[Message], None]:
        try:
            while (arrived := await self.arriving.get()) is not None:
                if isinstance(arrived, Exception):
                    raise arrived
                yield arrived
        finally:
            self.connected = False

    async def perform(self, planned: PlannedAction) -> Outcome:
        self.begun.set()
        await self.go_on.wait()
        assert self.connected, "what is done on a platform ends before its connection"
        self.performed.append(planned)
        return Done()

    def hear(self, *names: str) -> None:
        heard = [message(name, f"{BAD} {name}", author=name) for name in names]
        self.arriving.put_nowait([replace(one, ref=replace(one.ref, platform=self.platform)) for one in heard])

    @property
    def done(self) -> set[str]:
        return {one.message.ref.message_id for one in self.performed}


class HarshGuard(ScriptedGuard):
    def _answer(self, exchange: Any) -> Any:
        self.answers.setdefault(exchange.prompt, 0.99)
        return super()._answer(exchange)


@asynccontextmanager
async def opened(url: str, *chats: Chat, services: Sequence[Service] = ()) -> AsyncIterator[Jikimi]:
    async with application(
        Config(storage=StorageSettings(url=url)),
        HarshGuard(),
        lambda core: chats,
        serve=lambda core: services,
        mode=Watch.LIVE,
        moment=lambda message: message.sent_at,
    ) as jikimi:
        yield jikimi


async def states(url: str) -> set[str]:
    async with Database.visit(url, ManualClock()) as database, database.read() as connection:
        return set((await connection.execute(text("SELECT state FROM actions"))).scalars())


@pytest.mark.parametrize(
    ("failure", "ends"), [(Broken("the token was revoked"), Broken), (KeyError("an odd answer"), Unavailable)]
)
def test_one_platforms_end_is_not_the_others(tmp_path: Path, failure: Exception, ends: type[BotError]) -> None:
    async def scenario() -> None:
        lost, lives = Chat(DISCORD), Chat(TELEGRAM)
        lost.go_on.set()
        lives.go_on.set()
        async with opened(sqlite_in(tmp_path), lost, lives) as jikimi:
            working = asyncio.create_task(jikimi.run())
            lost.arriving.put_nowait(failure)
            while lost.connected:
                await asyncio.sleep(0.01)
            lives.hear("1", "2")
            while lives.done != {"1", "2"}:
                assert not working.done()
                await asyncio.sleep(0.01)
            lives.arriving.put_nowait(None)
            with pytest.raises(ends, match=r"revoked|KeyError"):  # nothing is left; the latter may begin again
                await working

    asyncio.run(scenario())


def test_a_stop_finishes_what_is_under_way_and_leaves_the_rest_to_the_next(tmp_path: Path) -> None:
    url = sqlite_in(tmp_path)

    async def scenario() -> None:
        chat, stopping = Chat(), asyncio.Event()
        async with opened(url, chat) as jikimi:
            working = asyncio.create_task(jikimi.run(stopping=stopping))
            chat.hear(*(f"{number}" for number in range(40)))
            await chat.begun.wait()
            stopping.set()
            await asyncio.sleep(0.1)
            assert not working.done()
            chat.go_on.set()
            await working
        assert chat.performed
        assert await states(url) == {"done", "planned"}, "nothing is unconfirmed, and nothing is still begun"

    asyncio.run(scenario())


def test_what_hangs_is_left_when_the_time_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = sqlite_in(tmp_path)

    async def scenario() -> None:
        chat, stopping = Chat(), asyncio.Event()
        async with opened(url, chat) as jikimi:
            working = asyncio.create_task(jikimi.run(stopping=stopping))
            chat.hear("1")
            await chat.begun.wait()
            stopping.set()
            await working
        assert "started" not in await states(url)

    monkeypatch.setattr("bot.app.runner.DRAINING", 0.1)
    asyncio.run(scenario())


def test_a_broken_stage_ends_the_process_also_while_the_database_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim that was cancelled used to answer that the database is away, and was tried again for ever."""
    away = False
    real: dict[str, Any] = {"write": Database.write, "read": Database.read}

    def gate(name: str) -> Any:
        @asynccontextmanager
        async def gated(self: Database, **more: Any) -> AsyncIterator[AsyncConnection]:
            if away:
                await asyncio.sleep(0.3)  # an attempt to connect that fails
                raise Unavailable("out of reach")
            async with real[name](self, **more) as connection:
                yield connection

        return gated

    async def scenario() -> None:
        nonlocal away
        boom = asyncio.Event()

        async def service() -> None:
            await boom.wait()
            raise Broken("gone for good")

        async with opened(sqlite_in(tmp_path), Chat(), services=[service]) as jikimi:
            working = asyncio.create_task(jikimi.run())
            for _ in range(3):  # at different moments of a claim
                await asyncio.sleep(0.15)
            away = True
            await asyncio.sleep(1.2)
            boom.set()
            with pytest.raises(Broken, match="gone for good"):
                async with asyncio.timeout(60):
                    await working

    for name in real:
        monkeypatch.setattr(Database, name, gate(name))
    asyncio.run(scenario())


async def _sigterm(postgres: Postgres, tmp_path: Path, away: Any, number: int) -> int:
    async with FaultProxy(postgres.port) as proxy:
        database = postgres.create()
        url = configured(tmp_path, database.replace(str(postgres.port), str(proxy.port)))
        async with running(tmp_path, url) as process:
            proxy.mode = away
            if away == "reset":
                proxy.reset_all()
            await asyncio.sleep(0.7 * number)
            process.send(signal.SIGTERM)
            return await process.ended()  # it needs 15 seconds


@pytest.mark.course
@pytest.mark.parametrize("away", ["reset", "swallow", "pass"])
def test_a_process_ends_whatever_is_away(postgres: Postgres, tmp_path: Path, away: str) -> None:
    async def ended() -> list[int]:
        folders = {number: tmp_path / str(number) for number in (1, 4)}
        for folder in folders.values():
            folder.mkdir()
        return await asyncio.gather(*(_sigterm(postgres, one, away, number) for number, one in folders.items()))

    assert set(asyncio.run(ended())) <= ({0} if away == "pass" else {0, -signal.SIGALRM})


@pytest.mark.course
def test_the_second_signal_ends_it_at_once(postgres: Postgres, tmp_path: Path) -> None:
    async def scenario() -> int:
        async with FaultProxy(postgres.port) as proxy:
            database = postgres.create()
            url = configured(tmp_path, database.replace(str(postgres.port), str(proxy.port)))
            async with running(tmp_path, url) as process:
                proxy.mode = "swallow"
                await asyncio.sleep(1.5)
                while process.returncode is None:
                    process.send(signal.SIGTERM)
                    await asyncio.sleep(0.5)
                return process.returncode

    assert asyncio.run(scenario()) in (0, -signal.SIGTERM)
