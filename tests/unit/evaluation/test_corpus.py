"""The project's own corpus: every line is what its description says, and none that measures is among those to learn."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest

CORPUS = Path(__file__).parents[3] / "corpus"
LINES, HELD_OUT = sorted(CORPUS.glob("lines/*.jsonl")), sorted(CORPUS.glob("held_out/*.jsonl"))
ARGUABLE = CORPUS / "arguable.jsonl"
KINDS = {
    "abuse", "hate", "threat", "self_harm", "sexual_harassment", "grooming", "doxxing", "advertising", "fraud",
    "bullying",
}  # fmt: skip
PLACES = {"discord", "telegram", "open_chat", "stream", "game"}


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split())


@pytest.mark.parametrize("path", [*LINES, *HELD_OUT, ARGUABLE], ids=lambda path: path.name)
def test_every_line_is_as_described(path: Path) -> None:
    for row in rows(path):
        assert set(row) == {"text", "kind", "like", "quotes", "place", "pen", "second"}, row
        assert row["text"].strip() == row["text"] != ""
        assert row["kind"] in KINDS | {"none"} and row["place"] in PLACES and isinstance(row["quotes"], bool)
        assert row["like"] in (KINDS | {"everyday"} if row["kind"] == "none" else {""}), row
        if path == ARGUABLE:
            assert row["second"] in KINDS | {"none", "?"} and row["second"] != row["kind"]
        else:
            assert row["second"] in (None, row["kind"])


def test_no_line_stands_twice_and_none_that_measures_is_learned() -> None:
    seen: set[str] = set()
    for path in (*HELD_OUT, *LINES, ARGUABLE):
        for row in rows(path):
            text = plain(row["text"])
            assert text not in seen, row["text"]
            seen.add(text)
    assert sum(len(rows(path)) for path in LINES) > 0 < sum(len(rows(path)) for path in HELD_OUT)
