"""Every fact of the platform reference that speaks of Telegram has a test named after it, or a line why not."""

import re
from pathlib import Path

HERE = Path(__file__).parent
FACTS = {f"T{n}" for n in range(1, 70)} | {f"C{n}" for n in range(11, 19)} | {f"P{n}" for n in range(3, 8)}


def test_every_fact_has_a_test_or_a_reason() -> None:
    names = [
        name
        for file in HERE.rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def test((?:_[tcp]\d+)+)_", file.read_text("utf-8"), re.MULTILINE)
    ]
    tested = {fact.upper() for name in names for fact in name.strip("_").split("_")}
    excused = set(re.findall(r"^- ([TCP]\d+):", (HERE / "facts.md").read_text("utf-8"), re.MULTILINE))
    assert FACTS - tested - excused == set()
    assert tested & excused == set()
    assert tested | excused <= FACTS
