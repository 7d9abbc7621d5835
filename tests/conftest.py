"""What all tests share: no way out of this machine, and a PostgreSQL server for those that need one."""

import ipaddress
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.servers.postgres import Postgres


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


@pytest.fixture(scope="session")
def postgres() -> "Iterator[Postgres]":
    from tests.servers.postgres import Postgres  # the environment of the engine tests does without it

    server = Postgres()
    yield server
    server.stop()
