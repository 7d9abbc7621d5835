"""What systemd is told, at a socket like its own."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.systemd import Systemd
from tests.fakes.clock import ManualClock


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as there:
        there.bind(str(tmp_path / "notify"))
        there.setblocking(False)
        yield there


def heard(there: socket.socket) -> list[str]:
    lines = []
    while True:
        try:
            lines.append(there.recv(1000).decode())
        except BlockingIOError:
            return lines


def test_it_is_told_of_the_start_of_life_and_of_the_end(listening: socket.socket) -> None:
    async def scenario() -> None:
        clock, status = ManualClock(), ["가게가 열렸습니다"]
        environment = {"NOTIFY_SOCKET": listening.getsockname(), "WATCHDOG_USEC": "30000000"}
        systemd = Systemd.around(lambda: status[0], clock, environment)
        assert systemd is not None and systemd.watches == 30
        running = asyncio.create_task(systemd.run())
        await clock.advance(0)
        assert heard(listening) == ["READY=1", "WATCHDOG=1\nSTATUS=가게가 열렸습니다"]
        status[0] = "판정기가 없습니다"
        await clock.advance(30)
        assert heard(listening) == ["WATCHDOG=1\nSTATUS=판정기가 없습니다"] * 3
        running.cancel()
        await asyncio.wait([running])
        assert heard(listening) == ["STOPPING=1"]

    asyncio.run(scenario())


def test_who_does_not_listen_holds_nobody_up(tmp_path: Path) -> None:
    async def scenario() -> None:
        clock = ManualClock()
        systemd = Systemd.around(str, clock, {"NOTIFY_SOCKET": str(tmp_path / "nobody")})
        assert systemd is not None and systemd.watches is None
        running = asyncio.create_task(systemd.run())
        await clock.advance(100)
        assert not running.done()
        running.cancel()
        await asyncio.wait([running])

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("environment", "watches"),
    [
        ({}, None),
        ({"NOTIFY_SOCKET": "relative"}, None),
        ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "soon"}, None),
        ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "0"}, None),
        ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "5", "WATCHDOG_PID": "1"}, None),
        ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "2000000", "WATCHDOG_PID": str(os.getpid())}, 2.0),
    ],
)
def test_only_what_is_meant_for_us_is_taken(environment: dict[str, str], watches: float | None) -> None:
    systemd = Systemd.around(str, ManualClock(), environment)
    assert (systemd.watches if systemd else None) == watches
    assert (systemd is None) == (not environment.get("NOTIFY_SOCKET", "").startswith("@"))
