"""Whatever others write, nothing fails: all that was ever found, and a few more each time. The long run is a command,
`python -m tests.courses.fuzzing`."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings

from tests.courses.fuzzing import corpora
from tests.courses.fuzzing.changing import Value, like
from tests.courses.fuzzing.course import fuzzed
from tests.courses.fuzzing.parsers import PARSERS, Parser

EVERY = pytest.mark.parametrize("name", PARSERS)


@EVERY
def test_what_was_found_before_is_read_or_refused(name: str) -> None:
    for value in corpora.read(name):
        PARSERS[name].run(value)


def _a_few(name: str, most: int) -> Callable[[], None]:
    @settings(max_examples=most)
    @given(like(corpora.read(name)))
    def few(value: Value) -> None:
        PARSERS[name].run(value)

    return few


@EVERY
def test_what_is_like_it_is_too(name: str) -> None:
    _a_few(name, 15)()


def test_a_fault_is_found_and_made_small() -> None:
    def fussy(value: Value) -> None:
        if isinstance(value, dict) and isinstance(value.get("a"), list) and len(value["a"]) > 1:
            raise KeyError("not what was said")

    corpus = [{"a": [1], "b": "달" * 30}]
    found = fuzzed(Parser(fussy, (ValueError,)), corpus, seconds=30)
    assert "not what was said" in found.fault and len(found.failed_at["a"]) == 2


def test_a_corpus_grows_by_what_goes_somewhere_new(tmp_path: Path) -> None:
    found = fuzzed(PARSERS["presses"], ["nothing"], seconds=0.2)
    corpora.add("presses", ["\ud800", *found.new], tmp_path)
    assert corpora.read("presses", tmp_path) == ["\ud800", *found.new]
