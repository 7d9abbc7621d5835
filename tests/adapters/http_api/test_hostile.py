"""Clients that mean harm, or behave as if: everybody else is answered all the same, and memory stays bounded."""

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from adapters.http_api.compatible.moderations import ModerationRequest
from adapters.http_api.wire.problems import Problem
from adapters.http_api.wire.reading import parsed
from adapters.http_api.wire.shapes import MOST_INPUTS, CheckRequest
from bot.core.operations.outside.standing import Backlog
from tests.adapters.http_api.stage import WRITTEN, Stage, stage

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
    monkeypatch.setattr("adapters.http_api.wire.reading.WITHIN", 0.3)

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
    monkeypatch.setattr("adapters.http_api.wire.reading.WITHIN", 0.3)

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
            _, writer = await connect(api)
            assert isinstance(writer.transport, asyncio.ReadTransport)
            writer.transport.pause_reading()
            with pytest.raises(ConnectionError):
                while True:
                    writer.write(b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 1000)
                    await asyncio.sleep(0.05)
                    await asyncio.wait_for(writer.drain(), 10)
            writer.close()
            assert (await api.check("a"))[0] == 200

    asyncio.run(scenario())


GET = b"GET /healthz HTTP/1.1\r\nHost: a\r\n"


@pytest.mark.parametrize(
    "said",
    [
        HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET + b"\r\n",
        HEAD + b"transfer-encoding : chunked\r\ncontent-length:4\r\n\r\n",
        b"GET /healthz HTTP/1.1\nHost: a\n\n" + GET + b"\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\nX: b\r\n\r\n" + GET + b"\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n" + GET + b"\r\n",
        GET + b"\r\nGET /healthz HTTP/1.1\nHost: a\n\n" + GET + b"\r\n",
    ],
)
def test_a_head_that_others_may_read_otherwise_is_refused_and_the_connection_ends(tmp_path: Path, said: bytes) -> None:
    async def scenario() -> None:
        async with stage(tmp_path) as api:
            wire = await connect(api)
            wire[1].write(said)
            answered = await answer(wire)
            assert answered.count(b"HTTP/1.1 400") == 1 and answered.count(b"HTTP/1.1 ") <= 1 + said.startswith(GET)
            wire = await connect(api)
            wire[1].write(HEAD + b"Content-Length: 15\r\n\r\n" + b'{"prompt":\n"a"}')
            assert b" 200 " in await wire[0].readline(), "a body may hold line feeds"
            wire[1].close()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 300_000,
        b"[" + b"[]," * 300_000 + b"[]]",
        b"{" + b",".join(b'"%d":0' % n for n in range(100_000)) + b"}",
        b'{"prompt": "' + b"\\\\" * 200_000 + b'", "x": [' + b"0," * 100_000 + b"0]}",
    ],
)
def test_deep_and_wide_json_is_refused_before_it_is_built(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def built(*_: object, **__: object) -> None:
        raise AssertionError("too late")

    monkeypatch.setattr("adapters.http_api.wire.reading.json.loads", built)
    with pytest.raises(Problem) as refused:
        parsed(body, CheckRequest)
    assert refused.value.code == "not_json"


def test_what_stands_in_a_text_is_no_structure() -> None:
    text = '[[[{{{,,,"\\' * 5_000
    assert parsed(json.dumps({"prompt": text}).encode(), CheckRequest).prompt == text
    many = {"input": ["가, 나"] * MOST_INPUTS, "model": "x"}
    assert len(parsed(json.dumps(many, indent=8).encode(), ModerationRequest).input) == MOST_INPUTS


def test_health_and_metrics_ask_the_database_once_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.http_api.routes.AS_OF", 3600.0)

    async def scenario() -> None:
        async with stage(tmp_path) as api:
            asked, standings = 0, api.core.health_source.standings

            async def counted() -> Backlog:
                nonlocal asked
                asked += 1
                return await standings.backlog()

            counting = SimpleNamespace(backlog=counted, answers=standings.answers)
            object.__setattr__(api.core.health_source, "standings", counting)
            for path in ("/readyz", "/metrics") * 20:
                assert (await api.get(path))[0].status == 200
            assert asked <= 1

    asyncio.run(scenario())


def test_strangers_fill_no_log(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stage(tmp_path) as api:
            with capture_logs() as lines:
                for _ in range(50):
                    assert (await api.post("/v1/check", {"prompt": "a"}, key=None))[0].status == 401
            told = [line["requests"] for line in lines if line["event"] == "refused without a valid key"]
            assert told and len(told) < 25 and sum(told) <= 50
            assert not any(line.get("status") == 401 for line in lines)

    asyncio.run(scenario())
