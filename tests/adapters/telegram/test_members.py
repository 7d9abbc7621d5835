"""How often Telegram is asked who the admins are: seldom where it tells by itself, and of few chats at once."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from telegram import Bot

from adapters.chat.telegram.limits import Limiter
from adapters.chat.telegram.members import ASKS, Members
from adapters.chat.telegram.requests import AiohttpRequest
from bot.core.text.catalogue import texts
from tests.fakes.clock import ManualClock
from tests.servers.telegram import BOT_ID, TOKEN, Refusal, TelegramServer, member


@asynccontextmanager
async def members(clock: ManualClock) -> AsyncIterator[tuple[TelegramServer, Members]]:
    async with TelegramServer() as server:
        request = AiohttpRequest()
        bot = Bot(TOKEN, base_url=f"{server.url}/bot", request=request, get_updates_request=request)
        one = Members(bot=bot, limiter=Limiter(clock=clock, say=texts("ko")), clock=clock, me=BOT_ID)
        try:
            yield server, one
        finally:
            await one.close()
            await request.shutdown()


def asked(server: TelegramServer) -> int:
    return len([call for call in server.calls if call.method == "getChatAdministrators"])


def test_where_changes_are_told_admins_are_not_asked_for_every_few_minutes() -> None:
    async def scenario() -> None:
        clock = ManualClock()
        async with members(clock) as (server, one):
            server.group(-1001)
            for _ in range(10):
                assert (await one.staff(-1001)).role(1) == {"owner"}
                await clock.advance(600)
            assert asked(server) == 1
            await clock.advance(3600)
            await one.staff(-1001)
            assert asked(server) == 2

    asyncio.run(scenario())


def test_where_nobody_tells_they_are_asked_for_again_soon() -> None:
    async def scenario() -> None:
        clock = ManualClock()
        async with members(clock) as (server, one):
            server.group(-1001).members[BOT_ID] = member(server.me)
            for _ in range(3):
                await one.staff(-1001)
                await clock.advance(301)
            assert asked(server) == 3

    asyncio.run(scenario())


def test_a_start_with_many_chats_asks_about_few_of_them_at_once() -> None:
    async def scenario() -> None:
        async with members(ManualClock()) as (server, one):
            chats = [server.group(-1001 - number).id for number in range(5 * ASKS)]
            for chat in chats:
                server.hold("getChatAdministrators", chat)
            everybody = asyncio.gather(*(one.known_staff(chat) for chat in chats))
            await server.until(lambda: asked(server) == ASKS)
            await asyncio.sleep(0.1)
            assert asked(server) == ASKS
            server.release("getChatAdministrators")
            await everybody
            await server.until(lambda: asked(server) == len(chats))

    asyncio.run(scenario())


def test_b32_where_telegram_refuses_to_say_those_who_were_staff_still_are() -> None:
    async def scenario() -> None:
        clock = ManualClock()
        async with members(clock) as (server, one):
            server.group(-1001)
            assert (await one.staff(-1001)).role(1) == {"owner"}
            await clock.advance(24 * 3600)
            server.fail("getChatAdministrators", Refusal(400, "Bad Request: member list is inaccessible"))
            assert (await one.staff(-1001)).role(1) == {"owner"}
            assert server.faults["getChatAdministrators"] == deque(), "it was asked"

    asyncio.run(scenario())
