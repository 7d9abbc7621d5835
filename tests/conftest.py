"""What all tests share: no way out of this machine, a PostgreSQL server, and every kind of store."""

import gc
import ipaddress
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog

if TYPE_CHECKING:
    from tests.contracts.stores import Opens
    from tests.servers.postgres import Postgres


#: Databases by the thousand, written down and thrown away: where there is room, in memory.
MEMORY, ROOM = Path("/dev/shm"), 2 << 30

if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM:
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


def _only_loopback(event: str, arguments: tuple[object, ...]) -> None:
    """Python tells every audit hook about connections before it makes them, whichever library asks."""
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto", "socket.sendmsg") and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost", "0.0.0.0", "::"):
        return
    try:
        near = ipaddress.ip_address(str(name).partition("%")[0]).is_loopback
    except ValueError:
        near = False
    if not near:
        pytest.fail(f"A test tried to reach {name!r}: tests stay on this machine.")


sys.addaudithook(_only_loopback)

#: Whose tests take longest: they begin first, for at the end one of them would keep everybody waiting.
LONGEST = (
    "adapters/reports/test_pages.py",
    "adapters/test_permissions.py",
    "adapters/http_api/test_schema.py",
    "unit/base/test_growth.py",
    "adapters/discord/moderators/test_raids.py",
    "flow/commands/test_bench_report.py",
    "adapters/telegram/test_flow.py",
    "flow/commands/test_readme_figures.py",
    "flow/commands/test_command_line.py",
    "flow/commands/test_api_command_line.py",
    "adapters/telegram/moderators/test_raids.py",
    "unit/guarding/test_queue_in_time.py",
    "flow/reporting/test_reports_on_time.py",
    "flow/moderation/test_poison.py",
    "unit/guarding/test_dialects.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    turn = {Path(__file__).parent / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: turn.get(item.path, len(turn)))


gc.disable()  # while tests are read: none of it is garbage


def pytest_collection_finish() -> None:
    """Nor will it be: a tenth of the time would go into looking through all of it again and again."""
    gc.freeze()
    gc.enable()


with suppress(ImportError):  # the environment of the engine tests does without it
    from hypothesis import HealthCheck, settings

    settings.register_profile("whatever the clock says", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("whatever the clock says")


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:
    """A command that is typed within a test decides in which language lines are logged, and where to."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def postgres() -> "Iterator[Postgres]":
    from tests.servers.postgres import Postgres  # the environment of the engine tests does without it

    server = Postgres(sweeps=False)
    yield server
    server.stop()


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str | None:
    """Of an empty database; None: in memory."""
    match request.param:
        case "memory":
            return None
        case "sqlite":
            from tests.servers.databases import sqlite_in

            return sqlite_in(tmp_path)
        case _:
            created: str = request.getfixturevalue("postgres").create()
            return created


@pytest.fixture
def opens(url: str | None, tmp_path: Path) -> "Opens":
    """The fake and the real thing behind the same door, one after the other."""
    from tests.contracts.stores import in_database, in_memory

    return in_database(url, tmp_path / "keys") if url else in_memory()
