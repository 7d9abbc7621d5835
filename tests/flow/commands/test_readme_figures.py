"""The files that ship give the figures that the README claims."""

import json
import os
import re
from pathlib import Path

from tests.servers.command import run

ROOT = Path(__file__).parents[3]
HELD_OUT = ROOT / "corpus" / "held_out" / "2026-11-26.jsonl"
ROW = re.compile(
    r"^\| ([a-z -]+) \|(?: (\d+)% \(\d+–\d+\) \| (\d+) / \d+ \||  \|  \|) (\d+)% \(\d+–\d+\) \| (\d+) / \d+ \|$", re.M
)
CALLED = {
    "threats": "threat",
    "self-harm": "self_harm",
    "sexual harassment": "sexual_harassment",
    "everyday talk": "everyday",
}
NEARLY = 1.5  # in a hundred lines: another processor rounds otherwise


def test_what_is_said_of_each_kind_of_harm(tmp_path: Path) -> None:
    claimed = ROW.findall((ROOT / "README.md").read_text("utf-8"))
    done = run(tmp_path, "bench", "fresh", str(HELD_OUT), "--json", environment={**os.environ, "PYTHONUTF8": "1"})
    assert done.returncode == 0, done.stderr
    found = {
        part: {row["name"]: row for row in rows}
        for part, rows in json.loads(done.stdout).items()
        if part in ("harmful", "innocent")
    }
    assert {CALLED.get(name, name) for name, *_ in claimed} == set(found["innocent"])
    for name, caught, deleted, touched, wrongly in claimed:
        for part, share, number in (("harmful", caught, deleted), ("innocent", touched, wrongly)):
            if share:
                row = found[part][CALLED.get(name, name)]
                assert abs(100 * row["share"] - int(share)) < NEARLY, (part, name)
                assert abs(row["deleted"] - int(number)) <= row["lines"] * NEARLY / 100, (part, name)
