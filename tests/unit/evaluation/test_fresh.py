"""How many lines of each kind were caught, and how many innocent ones touched."""

import json
import math
from pathlib import Path

import pytest

from adapters.evaluation.pens import read_pens
from bot.core.base.errors import Broken
from bot.core.evaluation.fresh import FreshLine, Tried, table
from bot.core.evaluation.measures import wilson
from bot.core.guarding.kinds import HarmKind


def tried(kind: HarmKind | None, *, touched: bool, found: HarmKind | None = None, quotes: bool = False) -> Tried:
    line = FreshLine(text="글", kind=kind, like="" if kind else "everyday", quotes=quotes)
    kinds = frozenset({found} if found else ())
    return Tried(line=line, touched=touched, deleted=touched and not kind, punished=False, kinds=kinds)


def test_each_kind_is_counted_by_itself_and_all_together() -> None:
    found = table(
        [
            tried(HarmKind.THREAT, touched=True, found=HarmKind.THREAT),
            tried(HarmKind.THREAT, touched=True, found=HarmKind.ABUSE),
            tried(HarmKind.THREAT, touched=False),
            tried(HarmKind.FRAUD, touched=False),
            tried(None, touched=True, quotes=True),
            tried(None, touched=False),
        ]
    )
    assert [(row.name, row.lines, row.touched, row.named) for row in found.harmful] == [
        ("fraud", 1, 0, 0),
        ("threat", 3, 2, 1),
        ("all", 4, 2, 1),
    ]
    assert [(row.name, row.lines, row.touched, row.deleted) for row in found.innocent] == [
        ("everyday", 2, 1, 1),
        ("all", 2, 1, 1),
    ]
    (quoted,) = found.quotations
    assert (quoted.lines, quoted.touched) == (1, 1)


def test_of_nothing_there_is_no_row() -> None:
    found = table([])
    assert not (found.harmful or found.innocent or found.quotations)


@pytest.mark.parametrize(("part", "whole"), [(0, 20), (20, 20), (7, 31)])
def test_wilsons_bounds_solve_his_equation(part: int, whole: int) -> None:
    """|p - share| is 1.96 standard errors at p, save where a bound is 0 or 1."""
    interval, share = wilson(part, whole), part / whole
    for bound in (interval.low, interval.high):
        if 0 < bound < 1:
            assert abs(share - bound) / math.sqrt(bound * (1 - bound) / whole) == pytest.approx(1.959963984540054)
    assert interval.low <= share <= interval.high


LINE = {"text": "가", "kind": "none", "like": "threat", "quotes": True, "place": "game", "pen": "p", "second": None}


def test_pens_are_read(tmp_path: Path) -> None:
    path = tmp_path / "pens.jsonl"
    path.write_text("\n".join(map(json.dumps, (LINE, LINE | {"kind": "threat", "like": ""}))), "utf-8")
    assert read_pens(path) == [
        FreshLine(text="가", kind=None, like="threat", quotes=True),
        FreshLine(text="가", kind=HarmKind.THREAT, quotes=True),
    ]


@pytest.mark.parametrize("line", ["", "no JSON", "[]", json.dumps({"text": "가"}), json.dumps(LINE | {"kind": "rude"})])
def test_what_is_no_line_is_said_with_its_number(tmp_path: Path, line: str) -> None:
    path = tmp_path / "pens.jsonl"
    path.write_text(line, "utf-8")
    with pytest.raises(Broken, match=r"line 1 is not|no lines"):
        read_pens(path)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(Broken, match="No such file"):
        read_pens(tmp_path / "none.jsonl")
