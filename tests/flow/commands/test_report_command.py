"""`jikimi report`: which community it is about, where two platforms have one of that id."""

import asyncio
import gc
import re
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
from tests.servers.command import run
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
        every = tmp_path / "every"
        await report(config, texts("ko"), community=None, period="2026-W21", out=every, unmasked=False, everyone=True)

    try:
        asyncio.run(scenario())
    finally:
        gc.enable()  # the command's process is short
    pages = {page.name for page in (tmp_path / "every").glob("*.html")}
    assert pages == {f"jikimi-{one}-7-2026-W21.html" for one in ("discord", "telegram")}, "none overwrites another's"


def test_where_nothing_was_ever_judged_nothing_is_made(tmp_path: Path) -> None:
    config = Config(storage=StorageSettings(url=f"sqlite:///{tmp_path}/jikimi.db"))
    for errand in (
        report(config, texts("ko"), community=None, period=None, out=tmp_path / "out", unmasked=False),
        deliveries(config, texts("ko"), community="7", limit=1, as_json=False),
    ):
        with pytest.raises(Broken):
            asyncio.run(errand)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--day 9999-12-31", "report.no_period"),
        ("--day 0001-01-01", "report.no_period"),
        ("--from 2026-11-15 --to 2026-11-01", "report.backwards"),
        ("--from 2026-11-15", "report.half_a_range"),
        ("--day 2026-05-01 --month 2026-05", "report.several_periods"),
        ("--demo --week 2026-W20", "report.demo_alone"),
        ("--week 2026-W20 --out jikimi.db", "report.not_written"),
    ],
)
def test_what_cannot_be_made_is_one_sentence(tmp_path: Path, words: str, says: str) -> None:
    async def one_message() -> None:
        async with Database.open(sqlite_in(tmp_path), ManualClock()) as database:
            inbox = SqlInbox(database)
            await inbox.keep([message("1")])
            await inbox.settle([settlement(message("1"))])

    asyncio.run(one_message())
    done = run(tmp_path, "report", *words.split(), environment={"JIKIMI_LANG": "en"})
    assert done.returncode == 2 and "Traceback" not in done.stderr
    said = done.stderr.strip().splitlines()[-1]
    assert re.fullmatch(re.sub(r"\\{\w+\\}", ".+", re.escape(texts("en")[says])), said)
