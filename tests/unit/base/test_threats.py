"""THREATS.md names only tests that there are."""

import re

from tests.unit.base.test_house import ROOT

TEXT = (ROOT / "THREATS.md").read_text("utf-8")


def test_every_test_that_it_names_is_there() -> None:
    places = [place for place in re.findall(r"`(tests/[^`]+)`", TEXT) if not (ROOT / place).exists()]
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def test_(\w+)", path.read_text("utf-8"))
    }
    named = {sentence.replace(" ", "_") for sentence in re.findall(r"(?<!\*)\*([a-z][^*]+)\*(?!\*)", TEXT)}
    assert places == [] and named and named - there == set()
