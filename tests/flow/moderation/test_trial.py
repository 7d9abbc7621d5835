"""A guard on trial in a running application: what it would have found is told, and nothing was done."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from bot.app.application import application
from bot.app.guards import FORMER
from bot.app.objections import objections
from bot.cli.settings.policy import trial
from bot.config import Config, StorageSettings
from bot.config.guards import TrialSettings
from bot.core.rules.actions import Delete
from bot.core.rules.policy import Watch
from bot.core.text.catalogue import texts
from tests.builders import message
from tests.fakes.clock import HurriedClock
from tests.fakes.guarding import ScriptedGuard
from tests.flow.moderation.test_stopping import BAD, Chat
from tests.servers.databases import sqlite_in
from tests.servers.waiting import until

ABUSE = "야 이 씨발 병신 새끼야 꺼져"
SAY = texts("ko")


def test_what_it_would_have_found_is_told_and_nothing_was_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trying = TrialSettings(name="embedded", revision=FORMER)
    config, chat = Config(storage=StorageSettings(url=sqlite_in(tmp_path)), trial=trying), Chat()
    chat.go_on.set()

    async def scenario() -> str:
        guard, clock = ScriptedGuard({BAD: 0.99}), HurriedClock(speed=50)
        async with application(config, guard, lambda core: [chat], mode=Watch.LIVE, clock=clock) as jikimi:
            running = asyncio.create_task(jikimi.run())
            assert jikimi.screener.trial
            figures = jikimi.screener.trial.queue.figures

            async def says(number: int, text: str) -> None:
                """One by one: it is in nobody's way."""
                chat.arriving.put_nowait([message(str(number), text, author=str(number), sent_at=clock.now())])
                await until(lambda: figures.judged == number)

            for number, text in enumerate((BAD, ABUSE, "안녕하세요"), 1):
                await says(number, text)
            told = ""
            while "3개를" not in told:
                await trial("cafe", "rehearsal", timedelta(days=1), config, SAY)
                told = capsys.readouterr().out
            chat.arriving.put_nowait(None)
            running.cancel()
        return told

    told = asyncio.run(scenario())
    assert "3개를 함께 판정했고" in told and "더 무겁게 조치했을 글 1개" in told and "걸리지 않았을 글 1개" in told
    assert {one.message.ref.message_id for one in chat.performed if isinstance(one.action, Delete)} == {"1"}


def test_one_that_cannot_be_had_is_told_beforehand_and_stops_nobody(tmp_path: Path) -> None:
    config = Config(storage=StorageSettings(url=sqlite_in(tmp_path)), trial=TrialSettings(name="nobody"))

    async def scenario() -> None:
        assert any("nobody" in one for one in await objections(config, SAY))
        async with application(config, ScriptedGuard(), lambda core: ()) as jikimi:
            assert jikimi.screener.trial is None

    asyncio.run(scenario())
