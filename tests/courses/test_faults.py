"""Whatever fails under load: no message unjudged, no action twice, moderators told once. These are short courses, a few
at a time; `python -m tests.courses` runs the long ones."""

import asyncio
from collections.abc import Iterator, Mapping

import pytest

from tests.courses.faults import FAULTS, Outcome, Plan, run_course
from tests.servers.postgres import Postgres

AT_ONCE = 4
#: What is away beside the networks is the same for both: the long courses have it twice.
ONCE = {("discord", "database"), ("telegram", "guard"), ("telegram", "postgres")}
COURSES = [
    (platform, fault) for platform, faults in FAULTS.items() for fault in faults if (platform, fault) not in ONCE
]

pytestmark = [pytest.mark.course, pytest.mark.timeout(900)]  # whoever comes first waits for all of them


@pytest.fixture(scope="module")
def courses(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[tuple[str, str], Outcome | BaseException]]:
    """Those that were asked for, and what each one raised. Those that wait longest, for leases of the dead to end,
    begin first."""
    tests = [item for item in request.session.items if item.path == request.path]
    marked = [item.callspec.params["course"] for item in tests if isinstance(item, pytest.Function)]
    asked = [course for course in COURSES if course in marked]
    killed = {platform: Postgres() for platform, fault in asked if fault == "postgres"}
    shared = Postgres()
    folder = tmp_path_factory.mktemp("courses")

    async def run_all() -> Mapping[tuple[str, str], Outcome | BaseException]:
        room, migrating = asyncio.Semaphore(AT_ONCE), asyncio.Lock()

        async def run(platform: str, fault: str) -> Outcome:
            plan = Plan(platform=platform, fault=fault, outage=3, rate=60, before=1, after=1.5, authors=1)
            (own := folder / f"{platform}-{fault}").mkdir()
            async with room:
                return await run_course(plan, killed[platform] if fault == "postgres" else shared, own, migrating)

        order = sorted(asked, key=lambda course: course[1] != "killed")
        came = await asyncio.gather(*(run(*course) for course in order), return_exceptions=True)
        return dict(zip(order, came, strict=True))

    try:
        yield asyncio.run(run_all())
    finally:
        for server in (shared, *killed.values()):
            server.stop()


@pytest.mark.parametrize("course", COURSES, ids="-".join)
def test_nothing_is_lost_and_nothing_done_twice(
    course: tuple[str, str], courses: Mapping[tuple[str, str], Outcome | BaseException]
) -> None:
    outcome = courses[course]
    if isinstance(outcome, BaseException):
        raise outcome
    assert outcome.problems == []
    assert outcome.sent > 100 and outcome.harmful > 10
