"""One request to a server that anybody may have named: signed, to where everybody may go, and whatever it answers."""

import asyncio
import resource
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientTimeout, web

from adapters.system_clock import SystemClock
from adapters.webhooks import WebhookCaller, signed
from bot.core.incidents.webhooks.webhook import (
    Declined,
    Heard,
    Notice,
    Reception,
    Unheard,
    Webhook,
    is_address,
    is_public,
)
from tests.builders import NOW, home

SECRET = "whsec_" + b64encode(bytes(range(32))).decode()
NOTICE = Notice(
    id=1, planned_at=NOW, case=7, code="7KXQ2M9RDB", community=home(), channel="456", message="789",
    rule="threat", actions=("delete", "escalate"), decided_at=NOW,
)  # fmt: skip

Answers = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def everywhere(address: str) -> bool:
    return True


@asynccontextmanager
async def serving(answer: Answers) -> AsyncIterator[tuple[int, list[str]]]:
    """A server that says what a test wants; its port, and who has connected."""
    came: list[str] = []

    async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(writer.get_extra_info("peername")[0])
        try:
            await answer(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(met, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], came
    finally:
        server.close()


async def told(url: str, may_go: Callable[[str], bool] = everywhere) -> Reception:
    webhook = Webhook(community=home(), url=url, secret=SECRET, created_at=NOW)
    async with WebhookCaller.open(SystemClock(), may_go) as caller:
        return await caller.tell(webhook, NOTICE)


def saying(text: bytes) -> Answers:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(text)
        await writer.drain()

    return answer


@pytest.mark.parametrize(
    "address",
    ["0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.0.2.1", "192.168.0.1",
     "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:10.0.0.1",
     "::ffff:7f00:1", "64:ff9b::a00:1", "2002:a00:1::", "2001:0:1::", "2001:db8::1", "3fff::1", "5f00::1", "fc00::1",
     "fe80::1", "fe80::1%eth0", "fec0::1", "ff0e::1"],
)  # fmt: skip
def test_nobody_is_sent_into_anybodys_house(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "211.249.220.24", "::ffff:8.8.8.8", "2606:4700::1111", "2001:4860::8"])
def test_everybody_may_go_to_a_public_address(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0177.0.0.1", "127.1", "0"]
)
def test_however_a_private_address_is_written_nobody_connects_to_it(host: str) -> None:
    """The address that is connected to is looked at, not the name: what a name becomes a moment later is no matter."""

    async def scenario() -> None:
        async with serving(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as (port, came):
            assert isinstance(await told(f"http://{host}:{port}/", is_public), Unheard)
            assert came == []

    asyncio.run(scenario())


def test_a_redirect_is_not_followed() -> None:
    async def scenario() -> None:
        async with serving(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as (inner, came):
            away = (
                b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n"
                % inner
            )
            async with serving(saying(away)) as (port, _):
                assert await told(f"http://127.0.0.1:{port}/") == Unheard("307")
            assert came == []

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("answer", "reception"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", Heard()),
        (b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n", Declined()),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", Unheard("503")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b", Heard()),
    ],
)
def test_only_the_status_is_read(answer: bytes, reception: Reception) -> None:
    async def scenario() -> None:
        async with serving(saying(answer)) as (port, _):
            assert await told(f"http://127.0.0.1:{port}/") == reception

    asyncio.run(scenario())


@pytest.mark.parametrize("line", [b"X-A: b\r\n", b"A" * 4096, b"HTTP/1.1 103 Early Hints\r\n\r\n"])
def test_a_server_that_never_ends_fills_no_memory(line: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.webhooks.WITHIN", ClientTimeout(total=2.0))

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"" if line.startswith(b"HTTP") else b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(line * 16)
            await writer.drain()

    async def scenario() -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        async with serving(endless) as (port, _):
            assert isinstance(await told(f"http://127.0.0.1:{port}/"), Unheard)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024, "KiB"

    asyncio.run(scenario())


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.webhooks.WITHIN", ClientTimeout(total=0.2))

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def scenario() -> None:
        async with serving(silent) as (port, _):
            assert await told(f"http://127.0.0.1:{port}/") == Unheard("too slow")

    asyncio.run(scenario())


def test_it_is_signed_as_the_specification_asks() -> None:
    """Both values are of the specification's own library, standardwebhooks 1.1.0."""
    body = '{"type": "incident.opened", "data": {"rule": "욕설"}}'.encode()
    headers = signed(SECRET, "incident-opened-7KXQ2M9RDB", 1790000000, body)
    assert headers == {
        "webhook-id": "incident-opened-7KXQ2M9RDB",
        "webhook-timestamp": "1790000000",
        "webhook-signature": "v1,LyiDhihccvzbhHaqPolugXUEza9WLNZtsyXzJD+PWus=",
    }


def test_what_is_told_is_ids_and_nobodys_words() -> None:
    heard: list[tuple[dict[str, str], dict[str, object], bytes]] = []

    async def listen(request: web.Request) -> web.Response:
        heard.append((dict(request.headers), await request.json(), await request.read()))
        return web.Response()

    async def scenario() -> None:
        app = web.Application()
        app.router.add_post("/jikimi", listen)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        assert await told(f"http://127.0.0.1:{port}/jikimi") == Heard()
        await runner.cleanup()
        (headers, content, body), *_ = heard
        stamp = int(headers["webhook-timestamp"])
        assert signed(SECRET, NOTICE.name, stamp, body)["webhook-signature"] == headers["webhook-signature"]
        assert content["type"] == "incident.opened" and headers["Content-Type"] == "application/json"
        data = content["data"]
        assert isinstance(data, dict) and set(data) == {
            "case", "code", "platform", "community", "channel", "message", "rule", "actions"
        }  # fmt: skip

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("https://bot.example.com/jikimi?token=a", True),
        ("https://bot.example.com:8443/", True),
        ("http://bot.example.com/", False),
        ("https://me:secret@bot.example.com/", False),
        ("https://bot.example.com:99999/", False),
        ("https://bot.example.com:0/", False),
        ("https:///path", False),
        ("https://[::1/", False),
        ("https://bot.example.com/a b", False),
        ("https://bot.example.com/\r\nX: y", False),
        ("https://127.0.0.1/x", False),
        ("https://127.0.0.1./x", False),
        ("https://127.1/x", False),
        ("https://2130706433/x", False),
        ("https://10.0.0.1:8443/x", False),
        ("https://169.254.169.254/", False),
        ("https://[::1]/", False),
        ("https://[::ffff:10.0.0.1]/", False),
        ("https://localhost/x", False),
        ("https://bot.LOCALHOST./x", False),
        ("https://1.1.1.1/x", True),
        ("https://[2606:4700::1111]/", True),
        ("https://1.bot.example.com/", True),
        ("ftp://bot.example.com/", False),
        ("https://bot.example.com/" + "a" * 500, False),
        ("", False),
    ],
)  # fmt: skip
def test_which_addresses_may_be_stored(url: str, may: bool) -> None:
    assert is_address(url) is may
