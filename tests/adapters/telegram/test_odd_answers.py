"""Answers that the Bot API never gives, and pages of those who stand between: none of them ends anything; over TCP."""

import asyncio
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web
from telegram import Bot
from telegram.error import Conflict, TelegramError

from adapters.chat.telegram import requests
from adapters.chat.telegram.errors import Lost, mapped
from adapters.chat.telegram.receiving.arrivals import Contest
from adapters.chat.telegram.requests import AiohttpRequest
from bot.core.base.errors import Broken, Unavailable
from bot.core.rules.actions import Delete, Done
from bot.core.text.catalogue import texts
from tests.adapters.telegram.stage import MODERATORS, Stage, played, stage
from tests.builders import EVERYWHERE
from tests.fakes.clock import ManualClock
from tests.servers.small.local import LocalServer
from tests.servers.telegram import TOKEN, Refusal, TelegramServer

PAGE = b"<html><body>captive portal</body></html>"
#: Status and body.
ODD = {
    "a page with 200": (200, PAGE),
    "half of an answer": (200, b'{"ok":true,"result":[{"upda'),
    "nothing": (200, b""),
    "another JSON": (200, b'["maintenance"]'),
    "no result": (200, b'{"ok":true}'),
    "a result of another shape": (200, b'{"ok":true,"result":{"captive":"portal"}}'),
    "a text for a result": (200, b'{"ok":true,"result":"hello"}'),
    "updates without a number": (200, b'{"ok":true,"result":[{"message":{}},7]}'),
    "a proxy's 404": (404, PAGE),
    "a proxy's 401": (401, PAGE),
    "a proxy's 400": (400, PAGE),
    "a proxy's 403": (403, PAGE),
    "a proxy's 409": (409, PAGE),
    "a proxy's 429": (429, PAGE),
    "a proxy's 502": (502, PAGE),
    "a redirection": (302, PAGE),
    "a status of its own": (799, PAGE),
}
for no_time in ("NaN", "1e400", "-5", '"soon"'):
    said = f'{{"ok":false,"error_code":429,"description":"","parameters":{{"retry_after":{no_time}}}}}'
    ODD[f"a wait of {no_time}"] = 429, said.encode()


def _odd(here: TelegramServer, method: str, kind: str) -> None:
    here.odd.setdefault(method, deque()).append(ODD[kind])


@pytest.mark.parametrize("kind", ODD)
def test_t67_no_odd_answer_stops_the_intake(kind: str) -> None:
    async def scenario() -> None:
        async with stage() as here:
            for method in ("getMe", "deleteWebhook", "getUpdates", "getChatAdministrators", "setMyCommands"):
                _odd(here.server, method, kind)
            here.server.post(here.group, 7, "하나")
            await here.hear(1)
            _odd(here.server, "getUpdates", kind)
            here.server.post(here.group, 7, "둘")
            await here.hear(2)
            assert here.texts == ["하나", "둘"]
            # Three menus, each in three languages; what looks like an answer is believed.
            await here.server.until(lambda: len(here.server.commands) >= 8)

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", [kind for kind in ODD if "result" not in kind and "updates" not in kind])
def test_an_odd_answer_says_nothing_about_what_was_asked_for(kind: str) -> None:
    """What may be repeated is repeated, what may not is Unconfirmed; nothing is refused in Telegram's name."""

    async def scenario() -> None:
        async with TelegramServer() as server:
            group = server.group(-1001)
            post = server.message(group, 7, "말")
            request = AiohttpRequest()
            bot = Bot(TOKEN, base_url=f"{server.url}/bot", request=request, get_updates_request=request)
            _odd(server, "deleteMessage", kind)
            with pytest.raises(Lost) as lost, mapped(texts("ko")):
                await bot.delete_message(-1001, post["message_id"])
            assert not lost.value.answered
            assert "captive" not in str(lost.value)
            await request.shutdown()

    asyncio.run(scenario())


@played
async def test_an_odd_answer_to_what_is_done_is_no_answer(here: Stage) -> None:
    here.server.post(here.group, 7, "나쁜 말")
    (message,) = await here.hear(1)
    await here.open_incident(message, Delete())
    late = message.sent_at.max.replace(tzinfo=message.sent_at.tzinfo)
    (planned,) = await here.store.outbox.claim(10, now=late, platforms=EVERYWHERE)
    _odd(here.server, "deleteMessage", "a proxy's 400")
    with pytest.raises(Unavailable):
        await here.chat.perform(planned)
    assert await here.chat.perform(planned) == Done()


def test_413_is_believed_whoever_says_it() -> None:
    async def scenario() -> None:
        async with TelegramServer() as server:
            request = AiohttpRequest()
            bot = Bot(TOKEN, base_url=f"{server.url}/bot", request=request, get_updates_request=request)
            server.odd["sendMessage"] = deque([(413, PAGE)])
            with pytest.raises(TelegramError, match=r"\(413\)"):
                await bot.send_message(-1001, "말")
            await request.shutdown()

    asyncio.run(scenario())


def test_an_answer_without_end_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "LARGEST", 1000)

    async def scenario() -> None:
        async with TelegramServer() as server:
            request = AiohttpRequest()
            bot = Bot(TOKEN, base_url=f"{server.url}/bot", request=request, get_updates_request=request)
            server.odd["deleteMessage"] = deque([(200, b'{"ok":true,"result":true' + b" " * 1000 + b"}")])
            with pytest.raises(Lost), mapped(texts("ko")):
                await bot.delete_message(-1001, 1)
            await request.shutdown()

    asyncio.run(scenario())


def test_a_wait_of_years_is_no_longer_than_a_day() -> None:
    async def scenario() -> None:
        async with TelegramServer() as server:
            request = AiohttpRequest()
            bot = Bot(TOKEN, base_url=f"{server.url}/bot", request=request, get_updates_request=request)
            server.fail("deleteMessage", Refusal(429, "Too Many Requests", retry_after=10**15))
            with pytest.raises(Unavailable) as away, mapped(texts("ko")):
                await bot.delete_message(-1001, 1)
            assert away.value.retry_after == 86_400
            await request.shutdown()

    asyncio.run(scenario())


@played
async def test_commands_that_could_not_be_announced_are_announced_later(here: Stage) -> None:
    here.server.fail("setMyCommands", Refusal(429, "Too Many Requests: retry after 1", retry_after=1))
    here.listen()
    await here.server.until(lambda: len(here.server.commands) == 9)


# ---- a second process -----------------------------------------------------------------------------------------------


def contest(clock: ManualClock, tell: Callable[[], None] = lambda: None) -> Contest:
    return Contest(clock=clock, say=texts("ko"), tell=tell)


async def beaten(one: Contest, clock: ManualClock) -> float:
    """Beaten at every poll: seconds until it gives up."""
    began = clock.monotonic()
    while not isinstance(lost := one.lost(), Broken):
        assert isinstance(lost, Unavailable) and lost.retry_after
        await clock.advance(lost.retry_after)
    assert "409" in str(lost)
    return clock.monotonic() - began


def test_t64_who_came_last_gives_up_first() -> None:
    async def scenario() -> None:
        clock, told = ManualClock(), list[float]()
        incumbent = contest(clock, lambda: told.append(clock.monotonic()))
        incumbent.begin()
        await clock.advance(3600)
        newcomer = contest(clock)
        newcomer.begin()
        assert await beaten(newcomer, clock) == 300
        began = clock.monotonic()
        assert await beaten(incumbent, clock) == 900
        assert told == [began + 60], "moderators are told once, and not of a deployment that overlaps"

    asyncio.run(scenario())


def test_t64_contests_that_are_over_are_forgotten() -> None:
    async def scenario() -> None:
        clock, told = ManualClock(), list[float]()
        one = contest(clock, lambda: told.append(clock.monotonic()))
        one.begin()
        for _ in range(100):  # a deployment every hour
            await clock.advance(3600)
            assert isinstance(one.lost(), Unavailable)
            await clock.advance(5)
            assert isinstance(one.lost(), Unavailable)
        assert not told

    asyncio.run(scenario())


@played
async def test_moderators_are_told_of_a_contest(here: Stage) -> None:
    room = await here.with_moderators()
    here.chat._tell_of_a_contest()
    await here.server.until(lambda: room.messages)
    assert [message["text"] for message in room.messages.values()] == [texts("ko")["telegram.contested"]]
    assert room.id == MODERATORS


def test_a_conflict_elsewhere_is_waited_out() -> None:
    with pytest.raises(Unavailable), mapped(texts("ko")):
        raise Conflict("Conflict: terminated by other setWebhook")


class Between(LocalServer):
    """Answers whatever it is asked, as a proxy would."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, bool]] = []  # for whom, and whether with a password

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/{path:.*}", self._answer)]

    async def _answer(self, request: web.Request) -> web.Response:
        self.heard.append((request.headers["Host"], "Authorization" in request.headers))
        return web.json_response({"ok": True, "result": True})


def test_the_environments_proxy_is_gone_through_and_no_password_of_it_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (netrc := tmp_path / "netrc").write_text("machine nowhere.invalid login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))

    async def scenario() -> None:
        async with Between() as between, AiohttpRequest() as request:
            monkeypatch.setenv("http_proxy", between.url)
            assert (await request.do_request("http://nowhere.invalid/botT/getMe", "POST"))[0] == 200
            monkeypatch.setenv("no_proxy", "127.0.0.1")
            assert (await request.do_request(f"{between.url}/botT/getMe", "POST"))[0] == 200
            assert between.heard == [("nowhere.invalid", False), (between.url.removeprefix("http://"), False)]

    asyncio.run(scenario())
