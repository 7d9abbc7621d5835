"""`jikimi report`: which community it is about, where two platforms have one of that id."""

import asyncio
import gc
from pathlib import Path

import pytest

from bot.cli.reporting.deliveries import deliveries
from bot.cli.reporting.report import report
from bot.config import Config, StorageSettings
from bot.core.base.errors import Broken
from bot.core.text.catalogue import texts
from storage.database import Database
from storage.flow.inbox import SqlInbox
from tests.builders import DISCORD, TELEGRAM, message, settlement
from tests.fakes.clock import ManualClock
from tests.servers.databases import sqlite_in


def test_an_id_that_two_platforms_have_is_asked_about(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = Config(storage=StorageSettings(url=sqlite_in(tmp_path)))

    async def written(community: str | None) -> str:
        out = tmp_path / "out"
        await report(config, texts("ko"), community=community, period="2026-W20", out=out, unmasked=False)
        return capsys.readouterr().out

    async def scenario() -> None:
        async with Database.open(config.storage.url, ManualClock()) as database:
            inbox = SqlInbox(database)
            said = [message(str(n), community="7", platform=DISCORD) for n in range(41)]
            said.append(message("1", community="7", platform=TELEGRAM))
            await inbox.keep(said)
            await inbox.settle([settlement(one) for one in said])
        with pytest.raises(Broken, match="discord:7, telegram:7"):
            await written("7")
        with pytest.raises(Broken, match="discord:7, telegram:7"):
            await written("8")
        with pytest.raises(Broken, match="--community"):
            await written(None)
        assert "41" in await written("discord:7")
        assert "41" not in await written("telegram:7")

    try:
        asyncio.run(scenario())
    finally:
        gc.enable()  # the command's process is short


def test_where_nothing_was_ever_judged_nothing_is_made(tmp_path: Path) -> None:
    config = Config(storage=StorageSettings(url=f"sqlite:///{tmp_path}/jikimi.db"))
    for errand in (
        report(config, texts("ko"), community=None, period=None, out=tmp_path / "out", unmasked=False),
        deliveries(config, texts("ko"), community="7", limit=1, as_json=False),
    ):
        with pytest.raises(Broken):
            asyncio.run(errand)
    assert not list(tmp_path.iterdir())
