"""THREATS.md names only tests that there are, and one for everything that it promises."""

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


def test_whatever_somebody_cannot_do_is_shown_by_a_test() -> None:
    rows = [line.strip("|").split("|") for line in TEXT.splitlines() if line.startswith("|")][2:]
    bare = [who for who, cannot, shown, _ in rows if cannot.strip() and not re.search(r"`tests/|\*[a-z]", shown)]
    assert len(rows) > 20 and bare == []
