"""What each source says of a text is learned, and nothing that it does not say."""

import gzip
import json
from pathlib import Path
from random import Random

import numpy as np
import pytest

from adapters.guards.embedded.training.corpora import HEADS, KINDS, kmhas_test, own, public, said, sampled

CORPUS = Path(__file__).parents[3] / "corpus"
SOURCES = (
    "kmhas_valid",
    "beep_train",
    "kodoli",
    "curse",
    "kosbi_valid",
    "chatbot",
    "komuchat",
    "kmhas_test",
    "beep_dev",
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = {
        "kmhas_valid": [
            ("지어낸 혐오 댓글", "2,6"),
            ("지어낸 욕설 댓글", "3"),
            ("평범한 댓글", "8"),
            ("시험에도 있는 댓글!", "8"),
        ],
        "kmhas_test": [("시험에도 있는 댓글", "8"), ("시험의 욕설", "3")],
        "kosbi_valid": [("편견 없는 문장", "safe")],
        "kodoli": [("평범한  댓글.", "NOT")],  # the same as in K-MHaS
        "komuchat": [("점심 뭐 먹지", "unlabelled")],
    }
    for name in SOURCES:
        lines = [json.dumps({"text": text, "label": label}, ensure_ascii=False) for text, label in rows.get(name, [])]
        (tmp_path / f"{name}.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    return tmp_path


def test_a_line_of_ours_says_everything_but_how_others_would_see_it() -> None:
    lines = own(CORPUS)
    assert len(lines) > 15_000
    assert {frozenset(line.says) for line in lines} == {frozenset(("harm", "quotes", *KINDS))}
    assert all(sum(line.says[kind] for kind in KINDS) == line.says["harm"] for line in lines)


def test_nobody_learns_from_lines_that_measure() -> None:
    held_out = {path.stem for path in (CORPUS / "held_out").iterdir()}
    assert held_out.isdisjoint(line.source for line in own(CORPUS))
    assert {line.source for line in own(CORPUS)} == {path.stem for path in (CORPUS / "lines").iterdir()}


def test_a_public_corpus_says_what_it_was_labelled_for(data: Path) -> None:
    says = {lesson.text: lesson.says for lesson in public(data)}
    assert "시험에도 있는 댓글!" not in says
    assert "평범한  댓글." not in says
    harmless = dict.fromkeys(("harm", *KINDS), False)
    assert says["점심 뭐 먹지"] == harmless
    assert says["평범한 댓글"] == harmless | {"kmhas_valid": False}
    assert says["편견 없는 문장"] == {"kosbi_valid": False}
    assert says["지어낸 욕설 댓글"].keys().isdisjoint({"harm", "abuse", "hate", "threat", "bullying", "quotes"})
    assert says["지어낸 혐오 댓글"] == {**says["지어낸 욕설 댓글"], "hate": True}
    assert kmhas_test(data) == [("시험에도 있는 댓글", False), ("시험의 욕설", True)]


def test_what_nobody_says_is_not_a_number(data: Path) -> None:
    lessons = public(data)
    table = said(lessons)
    assert table.shape == (len(lessons), len(HEADS))
    assert np.isnan(table[:, HEADS.index("quotes")]).all()


def test_a_sample_takes_at_most_so_many_of_a_source(data: Path) -> None:
    chosen = sampled(public(data), {"kmhas_valid": 2, "komuchat": 0}, Random(1))
    assert [lesson.source for lesson in chosen].count("kmhas_valid") == 2
    assert "komuchat" not in {lesson.source for lesson in chosen}
    assert "kosbi_valid" in {lesson.source for lesson in chosen}
