"""`jikimi bench report` on a small week, `growth` on a small crowd, `scale` for a moment; cores that a model has."""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from threading import Barrier

import pytest

from bot.app import tools
from bot.cli.app import typed
from bot.cli.bench.cores import named
from bot.cli.bench.guard import SECTIONS, SHARES, exchanges_of
from bot.cli.bench.loads import Load, queued
from bot.cli.bench.report import _command, bench_report
from bot.cli.operations.growth import bench, bench_growth, judging, left_open
from bot.cli.operations.scale import fill, shared_out, work
from bot.config import Config, StorageSettings
from bot.core.base.errors import Broken
from bot.core.incidents.incident import Settlement
from bot.core.operations.division import PARTS
from bot.core.text.catalogue import LANGUAGES, texts
from tests.fakes.guarding import ScriptedGuard
from tests.servers.postgres import Postgres


def test_it_tells_seconds_and_memory_of_the_whole_command_and_of_a_quiet_edition(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bot.cli.bench.report.EDITIONS", 2)  # of which the first is not counted
    asyncio.run(bench_report(2000, 30, texts("en"), as_json=True))
    told = json.loads(capsys.readouterr().out)
    assert (told["messages"], told["incidents"]) == (2000, 30)
    assert min(told["seconds"], told["cpu_seconds"], told["mib"], told["quiet_cpu_seconds"]) > 0
    assert told["ratio"] > 0
    assert list(tmp_path.iterdir()) == []  # nothing is left behind


def test_whoever_sets_a_language_reads_nothing_else_while_a_report_is_measured(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bot.cli.bench.report.EDITIONS", 2)
    monkeypatch.setenv("JIKIMI_LANG", "ko")
    asyncio.run(bench_report(1000, 0, texts("en"), as_json=False))
    told = capfd.readouterr()
    assert told.out and not re.search("[가-힣]", told.out + told.err)


def test_why_the_command_that_is_measured_fails_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Broken, match="sqlite:"):
        _command(Config(storage=StorageSettings(url="mysql://x")), tmp_path, texts("en"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_cannot_be_measured_is_refused_with_what_can(language: str, capsys: pytest.CaptureFixture[str]) -> None:
    say = texts(language)
    for words, wanted in (
        (["--only", "nope"], say("check.choice", given="nope", choices=", ".join(SECTIONS))),
        (["--only", "embedded,classifier"], say("bench.takes", section="classifier", option="--classifier")),
        (["--only", "server"], say("bench.takes", section="server", option="--server")),
        (["--only", "raw-classify"], say("bench.takes", section="raw-classify", option="--model")),
        (["--exchanges", "nope"], say("check.choice", given="nope", choices="chat, pairs, long")),
        *((["--shares", one], say("bench.no_shares", given=one, usual=SHARES)) for one in ("x", "0.5,nan", "0")),
        (["--cores-for-model", "x"], say("bench.no_cores", given="x")),
    ):
        assert typed(["--lang", language, "bench", "guard", *words]) == 2
        said = capsys.readouterr()
        assert f"{words[0]}: {wanted}" in said.err and not said.out


@pytest.mark.parametrize(("language", "median"), [("ko", "중앙값"), ("en", "median")])
def test_that_lines_of_the_flow_are_medians_of_their_own_is_said(language: str, median: str) -> None:
    assert median in texts(language)["bench.flow"]


def test_scale_asks_for_a_database_that_it_can_take(capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(["--lang", "en", "bench", "scale", "--help"]) == 0
    said = capsys.readouterr().out
    assert "postgresql://" in said and "SQLite" not in said


def test_growth_is_told_beside_the_ways_of_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bot.cli.operations.growth.CLAIM", 20)
    asyncio.run(bench_growth(None, 20, 30, texts("en"), as_json=True))
    few, many, start, memory, move, judging = json.loads(capsys.readouterr().out)["rows"]
    assert (few["communities"], many["communities"], memory["communities"]) == (10, 20, 200)
    assert min(one[way] for one in (few, many) for way in ("old_ms", "new_ms")) > 0
    assert start["remembered"] == 30 and memory["old_mib"] >= memory["new_mib"]
    assert (move["incidents"], move["communities"]) == (30, 200) and move["new_s"] > 0 < move["quiet_s"]
    assert judging["communities"] == 200 and judging["judged"] >= 20 and judging["mib"] > 0
    assert list(tmp_path.iterdir()) == []


def test_what_a_claim_costs_is_told_while_a_transaction_is_left_open(postgres: Postgres) -> None:
    async def scenario() -> None:
        config = Config(storage=StorageSettings(url=postgres.create(), keys=""))
        async with tools.growing(config) as growing:
            at_first, later = await left_open(growing, 60)
        assert (at_first["passed"], later["passed"]) == (0, 60)
        assert texts("ko")("bench.growth_left_open", **later)

    asyncio.run(scenario())


@pytest.mark.parametrize("role", ["chat", "guard", "act"])
def test_scale_does_the_work_of_each_role(postgres: Postgres, role: str) -> None:
    database = postgres.create()
    if role != "chat":
        asyncio.run(fill(database, role, 300, 1))
    did, worked = work(role, database, Barrier(1), 0.1, 1)
    assert did > 0 < worked


def test_nobody_begins_before_all_hold_their_shares(postgres: Postgres) -> None:
    database = postgres.create()
    config = Config(storage=StorageSettings(url=database, keys=""))

    async def scenario() -> None:
        await fill(database, "guard", 200, 1)
        async with tools.growing(config, bench()) as one, tools.growing(config, bench()) as two:
            both, all_ = (one.division, two.division), Barrier(2)
            await asyncio.gather(*(shared_out(each, all_) for each in both))
            assert sorted(share for each in both for share in each.mine) == list(range(PARTS))
            claimed = [await each.stores.inbox.claim(300, fresh_since=each.clock.now()) for each in (one, two)]
            assert all(claimed) and sum(map(len, claimed)) == 200
            assert not {message.community for message in claimed[0]} & {message.community for message in claimed[1]}

    asyncio.run(scenario())


def test_scale_fills_the_inbox_with_what_has_to_be_judged(postgres: Postgres) -> None:
    database, settled = postgres.create(), list[Settlement]()

    async def scenario() -> None:
        await fill(database, "judging", 50, 1)
        async with judging(database, settled.extend):
            while len(settled) < 50:
                await asyncio.sleep(0.01)
        assert len({one.decision.message.text for one in settled}) == 50

    asyncio.run(scenario())


def test_what_starts_on_cores_of_its_own_has_them_to_itself() -> None:
    allowed = sorted(os.sched_getaffinity(0))
    with pytest.raises(ValueError, match=str(allowed[0])):
        named(",".join(map(str, allowed)))  # none would be left
    own = allowed[:-1]  # none of them where there is but one core: then nothing is bound
    script = f"""
import os, subprocess, sys
from bot.cli.bench.cores import of_its_own
with of_its_own({own}):
    subprocess.run([sys.executable, "-c", "import os; print(sorted(os.sched_getaffinity(0)))"], check=True)
print(sorted(os.sched_getaffinity(0)))
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert list(map(json.loads, said.splitlines())) == [own or allowed, allowed[-1:]]


def test_whoever_comes_while_a_turn_of_the_event_loop_is_long_comes_in_the_next() -> None:
    turns, chat = 0, list(zip(range(2000), exchanges_of(None)["chat"], strict=False))
    left = iter(chat)

    def long_turn() -> None:
        nonlocal turns
        time.sleep(0.01)
        turns += 1
        asyncio.get_running_loop().call_soon(long_turn)

    async def check() -> None:
        asyncio.get_running_loop().call_soon(long_turn)
        load = Load(seconds=0.3, in_flight=1, capacity=1000, shares=(2,))
        texts = {"chat": (exchange for _, exchange in left)}
        (row,) = await queued("queue", ScriptedGuard(), texts, ["queue"], load, beside={}, strict=True)
        assert row.offered == 2000 and turns < (len(chat) - len(list(left))) / 2

    asyncio.run(check())
