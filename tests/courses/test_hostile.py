"""Members who mean harm and platforms on a bad day, in short; `python -m tests.courses COURSE` runs each
for as long as it takes to count."""

import asyncio
from pathlib import Path

import pytest

from tests.courses.hostile import COURSES
from tests.servers.postgres import Postgres


@pytest.mark.course
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", COURSES)
def test_nobody_else_suffers_and_nothing_is_left_behind(name: str, tmp_path: Path, postgres: Postgres) -> None:
    course, _, short = COURSES[name]
    report = asyncio.run(course(postgres, tmp_path, seconds=short))
    assert report.problems == [], (
        report.figures,
        (tmp_path / "log").read_text()[-3000:] if (tmp_path / "log").exists() else "",
    )
