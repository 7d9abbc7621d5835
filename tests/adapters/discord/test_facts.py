"""Every fact of the platform reference that speaks of Discord has a test named after it, or a line why not."""

import re
from pathlib import Path

HERE = Path(__file__).parent
FACTS = {f"D{n}" for n in range(1, 76)} | {f"C{n}" for n in range(1, 11)}


def test_every_fact_has_a_test_or_a_reason() -> None:
    tests = {
        name: {fact.upper() for fact in facts.strip("_").split("_")}
        for file in HERE.rglob("test_*.py")
        for name, facts in re.findall(
            r"^(?:async )?def (test((?:_[dc]\d+)+)_\w+)", file.read_text("utf-8"), re.MULTILINE
        )
    }
    tested = set().union(*tests.values())
    rows = re.findall(r"^\| ((?:[DC]\d+(?:, )?)+) \| (.+) \|$", (HERE / "facts.md").read_text("utf-8"), re.MULTILINE)
    told = [fact for facts, _ in rows for fact in facts.split(", ")]
    assert sorted(told) == sorted(FACTS)  # each in one row
    assert tested <= FACTS
    for facts, line in rows:
        named = set(re.findall(r"`(test_[dc]\d\w+)`", line))
        assert named <= tests.keys(), line
        for fact in set(facts.split(", ")) & tested:
            assert any(fact in tests[name] for name in named), f"{fact} has a test that its line does not name"
