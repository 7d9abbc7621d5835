"""Of more than a year nothing is left that somebody could read, and the database is as large as before: in small, every
fortieth day; `python -m tests.courses soak` plays each one."""

import asyncio
from pathlib import Path

import pytest

from tests.courses.soak import WORDS, Plan, found_in, grown, soak


@pytest.mark.course
def test_nothing_is_left_that_somebody_could_read_and_it_does_not_grow(tmp_path: Path) -> None:
    remains = asyncio.run(soak(tmp_path, Plan(days=560, apart=40, messages=12)))
    assert remains.problems == [] and len(remains.erased) > 4


def test_what_is_left_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(f'said="{WORDS}"', "utf-8")
    (tmp_path / "copy").write_bytes(b"\0" + WORDS.encode("utf-16-le"))
    assert len(found_in(tmp_path)) == 2
    assert grown([100] * 30 + [100, 111], Plan(apart=20)) and not grown([100] * 30 + [100, 109], Plan(apart=20))
