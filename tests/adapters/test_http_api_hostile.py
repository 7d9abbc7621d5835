"""Clients that mean harm, or behave as if: everybody else is answered all the same, and memory stays bounded."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.adapters.http_api_stage import WRITTEN, Stage, stage

HEAD = (
    f"POST /v1/check HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {WRITTEN}\r\nContent-Type: application/json\r\n"
).encode()

Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(api: Stage) -> Wire:
    return await asyncio.open_connection("127.0.0.1", api.port)


async def answer(wire: Wire) -> bytes:
    """Everything until the server closes."""
    try:
        return await wire[0].read()
    except ConnectionError:
        return b""
    finally:
        wire[1].close()


def resident() -> float:
    """Memory of this process in MiB: client and server are one here."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


def test_a_body_of_50_mb_is_refused_and_takes_no_memory(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stage(tmp_path) as api:
            chunk = b"a" * 65_536
            before = resident()

            async def declared() -> bytes:
                wire = await connect(api)
                wire[1].write(HEAD + b"Content-Length: 52428800\r\n\r\n")
                try:
                    for _ in range(800):
                        wire[1].write(chunk)
                        await wire[1].drain()
                except ConnectionError:
                    pass
                first = await wire[0].readline()
                wire[1].close()
                return first

            async def undeclared() -> bytes:
                wire = await connect(api)
                wire[1].write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
                try:
                    for _ in range(800):
                        wire[1].write(b"10000\r\n" + chunk + b"\r\n")
                        await wire[1].drain()
                except ConnectionError:
                    pass
                first = await wire[0].readline()
                wire[1].close()
                return first

            sending = [asyncio.create_task(one) for one in (declared(), undeclared(), declared(), undeclared())]
            for number in range(20):
                assert (await api.check(f"{number}"))[0] == 200
            for first in await asyncio.gather(*sending):
                assert b" 413 " in first
            assert resident() - before < 32, "the bodies alone are 200 MiB"

    asyncio.run(scenario())


def test_a_client_that_waits_for_a_yes_before_a_big_body_gets_a_no(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stage(tmp_path) as api:
            wire = await connect(api)
            wire[1].write(HEAD + b"Expect: 100-continue\r\nContent-Length: 52428800\r\n\r\n")
            assert b" 413 " in await wire[0].readline()
            wire[1].close()

    asyncio.run(scenario())


def test_slow_loris_is_shown_the_door_and_nobody_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.http_api.server.HEAD_WITHIN", 1.0)
    monkeypatch.setattr("adapters.http_api.server.CONNECTIONS", 50)

    async def scenario() -> None:
        async with stage(tmp_path) as api:
            wires = [await connect(api) for _ in range(200)]

            async def drip() -> None:
                while True:
                    for _, writer in wires:
                        if not writer.is_closing():
                            writer.write(b"X")
                    await asyncio.sleep(0.05)

            for _, writer in wires:
                writer.write(b"POST /v1/check HTTP/1.1\r\nX-Slow: ")
            dripping = asyncio.create_task(drip())
            for number in range(30):
                assert (await api.check(f"{number}"))[0] == 200
            await asyncio.gather(*map(answer, wires))
            dripping.cancel()
            assert (await api.check("b"))[0] == 200

    asyncio.run(scenario())


def test_a_client_that_says_nothing_is_told_that_it_is_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.http_api.server.HEAD_WITHIN", 0.3)

    async def scenario() -> None:
        async with stage(tmp_path) as api:
            silent, slow = await connect(api), await connect(api)
            slow[1].write(b"POST /v1/check HTTP/1.1\r\nX-Slow: ")
            assert [(await answer(wire))[:12] for wire in (silent, slow)] == [b"HTTP/1.1 408"] * 2

    asyncio.run(scenario())


def test_a_second_request_must_come_as_fast_as_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.http_api.server.HEAD_WITHIN", 0.3)

    async def scenario() -> None:
        async with stage(tmp_path) as api:
            wire = await connect(api)
            wire[1].write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /healthz HTTP/1.1\r\nX-Sl")
            assert (await answer(wire)).count(b"HTTP/1.1 200") == 1

    asyncio.run(scenario())


def test_a_body_that_drips_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.http_api.reading.WITHIN", 0.3)

    async def scenario() -> None:
        async with stage(tmp_path) as api:
            wire = await connect(api)
            wire[1].write(HEAD + b'Content-Length: 1000\r\n\r\n{"prompt"')
            said = await answer(wire)
            assert said.startswith(b"HTTP/1.1 408 ") and b"connection: close" in said.lower()
            assert json.loads(said.partition(b"\r\n\r\n")[2])["error"]["code"] == "too_slow"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "said",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: " + b"a" * 100_000,
        HEAD + b"Content-Length: -5\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /v1/check HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"GET /%00%ff/../..//etc/passwd?\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
def test_nonsense_on_the_wire_harms_nobody(tmp_path: Path, said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.http_api.server.HEAD_WITHIN", 0.3)
    monkeypatch.setattr("adapters.http_api.reading.WITHIN", 0.3)

    async def scenario() -> None:
        async with stage(tmp_path) as api:
            wire = await connect(api)
            wire[1].write(said)
            answered = await answer(wire)
            assert b" 500 " not in answered.partition(b"\r\n")[0]
            assert (await api.check("a"))[0] == 200

    asyncio.run(scenario())


def test_a_client_that_does_not_read_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.http_api.server.READ_WITHIN", 0.3)

    async def scenario() -> None:
        async with stage(tmp_path) as api:
            _, writer = wire = await connect(api)
            wire[0]._transport.pause_reading()
            with pytest.raises(ConnectionError):
                while True:
                    writer.write(b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 1000)
                    await asyncio.sleep(0.05)
                    await asyncio.wait_for(writer.drain(), 10)
            writer.close()
            assert (await api.check("a"))[0] == 200

    asyncio.run(scenario())
