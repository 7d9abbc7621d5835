"""Updates that Telegram posts to us: kept before they are answered, and nothing without the secret; over TCP."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession
from structlog.testing import capture_logs

from adapters.chat.telegram.connection import TelegramChat
from adapters.chat.telegram.receiving import arrivals as arriving
from adapters.chat.telegram.receiving.arrivals import ALLOWED_UPDATES
from bot.core.base.errors import Broken
from tests.adapters.telegram.stage import Stage, connect, stage
from tests.servers.telegram import Refusal
from tests.servers.waiting import until


@asynccontextmanager
async def webhook() -> AsyncIterator[Stage]:
    async with stage() as here:
        await here.chat.close()
        here.chat = connected(here)
        here.listen()
        await here.server.webhook_set.wait()
        yield here


def connected(here: Stage) -> TelegramChat:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    return connect(here.server.url, here.desk, webhook_url=f"http://{address}/telegram", webhook_listen=address)


def test_t12_the_webhook_is_set_with_a_secret_and_everything_that_is_wanted() -> None:
    async def scenario() -> None:
        async with webhook() as here:
            (call,) = here.server.of("setWebhook")
            assert len(call.arguments["secret_token"]) == 64
            assert "token" not in call.arguments["secret_token"]
            assert call.arguments["allowed_updates"] == list(ALLOWED_UPDATES)
            assert 1 <= call.arguments["max_connections"] <= 100
            assert not call.arguments.get("drop_pending_updates")

    asyncio.run(scenario())


def test_messages_arrive_and_are_answered_when_they_are_kept() -> None:
    async def scenario() -> None:
        async with webhook() as here:
            for number in range(30):
                here.server.post(here.group, 7, f"말 {number}")
            await here.server.push()
            assert here.server.updates == {}
            assert set(here.server.webhook_answers) == {200}
            assert sorted(here.texts) == sorted(f"말 {number}" for number in range(30))

    asyncio.run(scenario())


@pytest.mark.parametrize("secret", ["", "wrong"])
def test_t12_a_wrong_secret_is_403_and_nothing_is_kept(secret: str) -> None:
    async def scenario() -> None:
        async with webhook() as here:
            here.server.post(here.group, 7, "가짜")
            await here.server.push(secret=secret)
            assert here.server.webhook_answers == [403]
            assert here.server.updates
            await here.server.push()
            assert here.texts == ["가짜"]

    asyncio.run(scenario())


def test_t4_t8_what_is_not_kept_is_not_answered_and_is_posted_again() -> None:
    async def scenario() -> None:
        async with stage() as here:
            await here.chat.close()
            here.chat = connected(here)
            source = here.chat.messages()
            first = asyncio.ensure_future(anext(source))
            await here.server.webhook_set.wait()
            here.server.post(here.group, 7, "말")
            pushing = asyncio.ensure_future(here.server.push())
            assert [message.text for message in await first] == ["말"]
            await asyncio.sleep(0.3)
            assert here.server.webhook_answers == [], "answered although nobody has said that it is kept"
            await source.aclose()
            await here.chat.close()  # it died
            await pushing
            assert 200 not in here.server.webhook_answers
            here.chat = connected(here)
            here.server.webhook_set.clear()
            here.listen()
            await here.server.webhook_set.wait()
            await here.server.push()
            assert here.texts == ["말"]
            assert here.server.updates == {}

    asyncio.run(scenario())


def test_t42_an_album_grows_here_too() -> None:
    async def scenario() -> None:
        async with webhook() as here:
            here.server.album(here.group, 7, "앞", "뒤")
            here.server.post(here.group, 8, "보통 말")
            await here.server.push()
            assert set(here.texts) >= {"앞\n뒤", "보통 말"}
            assert here.server.updates == {}

    asyncio.run(scenario())


def test_an_address_that_is_taken_is_told_and_waited_for() -> None:
    """Whoever has it may end."""

    async def scenario() -> None:
        async with webhook() as here:
            second = connect(
                here.server.url, here.desk, webhook_url="http://127.0.0.1/",
                webhook_listen=f"127.0.0.1:{here.server.port}",
            )  # fmt: skip
            with capture_logs() as logs:
                listening = asyncio.create_task(anext(second.messages()))
                await until(lambda: any("webhook_listen" in str(one.get("reason")) for one in logs))
            assert not listening.done()
            listening.cancel()
            await second.close()

    asyncio.run(scenario())


def test_a_place_to_listen_that_is_none_is_a_clear_error() -> None:
    async def scenario() -> None:
        async with stage() as here:
            chat = connect(here.server.url, here.desk, webhook_url="https://e.example/", webhook_listen="here")
            with pytest.raises(Broken, match="webhook_listen here"):
                await anext(chat.messages())
            await chat.close()

    asyncio.run(scenario())


def test_an_address_that_telegram_does_not_take_is_a_clear_error() -> None:
    async def scenario() -> None:
        async with stage() as here:
            await here.chat.close()
            here.server.fail("setWebhook", Refusal(400, "Bad Request: bad webhook: HTTPS URL must be provided"))
            here.chat = connected(here)
            with pytest.raises(Broken, match="url must be provided"):
                await anext(here.chat.messages())

    asyncio.run(scenario())


def test_t63_a_webhook_that_is_refused_at_first_is_set_in_the_end() -> None:
    """The door is opened once: a second setWebhook within a second is refused by the real one."""

    async def scenario() -> None:
        async with stage() as here:
            await here.chat.close()
            first = connected(here)
            listening = asyncio.ensure_future(anext(first.messages()))
            await here.server.webhook_set.wait()
            await first.close()  # a restart
            listening.cancel()
            here.server.webhook_set.clear()
            here.chat = connected(here)
            here.listen()
            await here.server.webhook_set.wait()
            here.server.post(here.group, 7, "말")
            await here.server.push()
            assert here.texts == ["말"]
            tries = [call.error for call in here.server.calls if call.method == "setWebhook"]
            assert (tries[0], tries[-1]) == ("", "")
            assert "Too Many Requests: retry after 1" in tries

    asyncio.run(scenario())


def test_a_name_that_telegram_cannot_look_up_for_a_while_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arriving, "RESOLVES", 0.05)

    async def scenario() -> None:
        async with stage() as here:
            await here.chat.close()
            why = "Bad Request: bad webhook: Failed to resolve host: Temporary failure in name resolution"
            here.server.fail("setWebhook", Refusal(400, why))
            here.chat = connected(here)
            here.listen()
            await here.server.webhook_set.wait()

    asyncio.run(scenario())


def test_what_is_no_update_is_refused_and_harms_nobody() -> None:
    async def scenario() -> None:
        async with webhook() as here:
            url, secret = here.server.webhook["url"], here.server.webhook["secret_token"]
            header = "X-Telegram-Bot-Api-Secret-Token"
            async with ClientSession() as session:
                for body in (b"", b"<html>", b"[]", b"{}", b'{"update_id": "x"}', b"[" * 100_000):
                    async with session.post(url, data=body, headers={header: secret}) as answer:
                        assert answer.status == 400
            host, port = url.split("/")[2].split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n%s: \xff\r\n\r\n" % header.encode())
            assert b" 403 " in await reader.readline()
            writer.close()
            here.server.post(here.group, 7, "말")
            await here.server.push()
            assert here.texts == ["말"]

    asyncio.run(scenario())


def test_a_connection_that_never_finishes_its_head_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arriving, "UNFINISHED", 0.2)

    async def scenario() -> None:
        async with webhook() as here:
            host, port = here.server.webhook["url"].split("/")[2].split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"POST / HTTP/1.1\r\nHost: ")
            assert await asyncio.wait_for(reader.read(), 20) == b""
            writer.close()

    asyncio.run(scenario())


def test_t8_an_update_that_is_posted_twice_is_taken_once() -> None:
    async def scenario() -> None:
        async with stage() as here:
            await here.chat.close()
            here.chat = connected(here)
            source = here.chat.messages()
            first = asyncio.ensure_future(anext(source))
            await here.server.webhook_set.wait()
            here.server.post(here.group, 7, "말")
            pushing = [asyncio.ensure_future(here.server.push()) for _ in range(2)]
            assert [message.text for message in await first] == ["말"]
            following = asyncio.ensure_future(anext(source))
            await asyncio.gather(*pushing)
            assert here.server.webhook_answers == [200, 200]
            following.cancel()

    asyncio.run(scenario())
