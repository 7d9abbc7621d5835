"""`jikimi bench report` on a small week, `jikimi bench growth` on a small crowd."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from bot.cli.operations.growth import bench_growth
from bot.core.text.catalogue import texts


def test_it_tells_seconds_and_memory_of_the_whole_command_and_of_a_quiet_edition(tmp_path: Path) -> None:
    words = ["bench", "report", "--messages", "2000", "--incidents", "30", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "bot", *words], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    told = json.loads(done.stdout)
    assert (told["messages"], told["incidents"]) == (2000, 30)
    assert min(told["seconds"], told["cpu_seconds"], told["mib"], told["quiet_cpu_seconds"]) > 0
    assert told["ratio"] > 0
    assert list(tmp_path.iterdir()) == []  # nothing is left behind


def test_growth_is_told_beside_the_ways_of_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asyncio.run(bench_growth(None, 20, 30, texts("en"), as_json=True))
    few, many, start, memory = json.loads(capsys.readouterr().out)["rows"]
    assert (few["communities"], many["communities"], memory["communities"]) == (10, 20, 200)
    assert min(one[way] for one in (few, many) for way in ("old_ms", "new_ms")) > 0
    assert start["remembered"] == 30 and memory["old_mib"] >= memory["new_mib"]
    assert list(tmp_path.iterdir()) == []
