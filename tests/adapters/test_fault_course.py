"""Whatever fails under load: no message unjudged, no action twice, moderators told once. In short, with each fault on
both networks at the same time; `python -m tests.adapters.fault_course` is the long course."""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.adapters.fault_course import FAULTS, Outcome, Plan, run_course
from tests.postgres import Postgres


@pytest.fixture(scope="module")
def servers() -> Iterator[Mapping[str, Postgres]]:
    """One for each network, that may be killed."""
    servers = {platform: Postgres() for platform in FAULTS}
    yield servers
    for server in servers.values():
        server.stop()


@pytest.mark.parametrize("fault", dict.fromkeys(fault for faults in FAULTS.values() for fault in faults))
def test_nothing_is_lost_and_nothing_done_twice(fault: str, servers: Mapping[str, Postgres], tmp_path: Path) -> None:
    plans = [
        Plan(platform=platform, fault=fault, outage=3, rate=60, before=1, after=1.5, authors=1)
        for platform, faults in FAULTS.items()
        if fault in faults
    ]

    async def scenario() -> None:
        async with asyncio.TaskGroup() as group:
            for plan in plans:
                (folder := tmp_path / plan.platform).mkdir()
                courses.append(group.create_task(run_course(plan, servers[plan.platform], folder)))

    courses: list[asyncio.Task[Outcome]] = []
    asyncio.run(scenario())
    for course in courses:
        assert course.result().problems == []
        assert course.result().sent > 250 and course.result().harmful > 25
