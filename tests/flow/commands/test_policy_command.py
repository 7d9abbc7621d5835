"""`jikimi policy lint` and `backtest`: what is odd about a policy, and what it would have made of what is on record."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
import typer

from bot.cli.line import Line
from bot.cli.settings.policy import backtest, lint
from bot.config import Config, StorageSettings
from bot.core.base.errors import Broken
from bot.core.incidents.incident import Settlement
from bot.core.incidents.review import Call, Review
from bot.core.reporting.backtest import Backtest
from bot.core.reporting.backtest import backtest as again
from bot.core.rules.actions import Delete
from bot.core.text.catalogue import texts
from storage.database import Database
from tests.builders import NOW, decision, home, later, message, verdict
from tests.contracts.stores import store
from tests.fakes.clock import ManualClock
from tests.servers.databases import sqlite_in

SAY, LONG_AGO = texts("ko"), timedelta(days=3650)
RULES = """format = 1
[thresholds]
nobody = 0.9
[[rules]]
name = "sale"
when.text = { any_of = ["팝니다"] }
then = ["delete"]
[[rules]]
name = "thanks"
when.text = { any_of = ["thanks"] }
then = ["delete"]
"""


def test_what_is_odd_is_told_and_what_is_wrong_stops_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file, line = tmp_path / "policy.toml", Line(SAY)
    file.write_text(RULES, "utf-8")
    lint(file, None, line)
    told = capsys.readouterr().out
    assert "‘nobody’" in told and "‘thanks’" in told and "‘sale’" not in told and "규칙 2개" in told
    file.write_text("format = 2", "utf-8")
    with pytest.raises(Broken, match="더 새로운"):
        lint(file, None, line)
    with pytest.raises(Broken):
        lint(tmp_path / "none.toml", None, line)
    assert isinstance(line.policy, typer.Typer)


def test_incidents_are_decided_again_and_nothing_is_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, clock = Config(storage=StorageSettings(url=sqlite_in(tmp_path))), ManualClock()
    (tmp_path / "policy.toml").write_text(RULES, "utf-8")

    async def plant() -> int:
        async with Database.open(config.storage.url, clock) as database:
            here, sold = store(database, clock), message("1", "의자 팝니다")
            other = message("2", "시발 뭐야", sent_at=later(1))
            await here.inbox.keep([sold, other])
            made = [decision(one, Delete(), screening=verdict(0.1)) for one in (sold, other)]
            await here.inbox.settle([Settlement(decision=one, decided_at=NOW, ms=1.0) for one in made])
            ids = [(await here.incidents.of([one.ref]))[0].id for one in (sold, other)]
            wrong = Review(incident_id=ids[1], call=Call.WRONG, moderator_id="9", moderator_name="지수", at=NOW)
            await here.reviews.record(home(), wrong, due=NOW)
            return ids[0]

    first = asyncio.run(plant())
    asyncio.run(backtest(tmp_path / "policy.toml", "cafe", "rehearsal", LONG_AGO, config, SAY))
    told = capsys.readouterr().out
    assert "2건을 다시" in told and f"더 걸림: 1건 #{first}" in told and "덜 걸림: 0건" in told


def test_nothing_differs_under_the_same_policy() -> None:
    policy = Config().policy
    assert again([], policy, policy) == Backtest()
