"""A raid on a Telegram group, over TCP: noticed, one card, one press, and everything taken back."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bot.core.incidents.raids.raid import Remedy, Whom, pressed
from tests.adapters.telegram.test_flow import GROUP, HARM, MODERATORS, running, set_up, url_in
from tests.servers.telegram import Chat, TelegramServer

NUMBERS = (30, pytest.param(300, marks=pytest.mark.long))


def cards(room: Chat) -> list[Any]:
    return [one for one in room.messages.values() if "reply_markup" in one]


def button(card: Any, remedy: Remedy, whom: Whom) -> str:
    keys: list[str] = [key["callback_data"] for row in card["reply_markup"]["inline_keyboard"] for key in row]
    return next(key for key in keys if (what := pressed(key)) and (what.remedy, what.whom) == (remedy, whom))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("many", NUMBERS)
def test_a_raid_is_one_card_and_one_press_and_all_is_taken_back(tmp_path: Path, many: int) -> None:
    async def scenario() -> None:
        await set_up(url_in(tmp_path))
        async with TelegramServer() as server:
            group, room = server.group(GROUP), server.group(MODERATORS)
            async with running(url_in(tmp_path), server.url):
                bad = {server.post(group, 1000 + one, HARM)["message_id"] for one in range(many)}

                def banned() -> int:
                    return sum(one["status"] == "kicked" for one in group.members.values())

                def says(what: str) -> bool:
                    """With something to press: while an order is under way there is nothing."""
                    now = cards(room)
                    return len(now) == 1 and what in now[0]["text"] and bool(now[0]["reply_markup"]["inline_keyboard"])

                await server.until(lambda: not bad & group.messages.keys())
                await server.until(lambda: says(f"{many}명"))
                stranger = server.press(cards(room)[0], 7, button(cards(room)[0], Remedy.BAN, Whom.OFFENDERS))
                await server.until(lambda: stranger in server.answers)
                assert not banned()
                server.press(cards(room)[0], 1, button(cards(room)[0], Remedy.BAN, Whom.OFFENDERS))
                await server.until(lambda: banned() == many)
                await server.until(lambda: says("차단함"))
                server.press(cards(room)[0], 1, button(cards(room)[0], Remedy.UNDO, Whom.ALL))
                await server.until(lambda: not banned())

    asyncio.run(scenario())


def test_the_doors_are_shut_for_a_while_and_opened_as_they_were(tmp_path: Path) -> None:
    async def scenario() -> None:
        await set_up(url_in(tmp_path))
        async with TelegramServer() as server:
            group, room = server.group(GROUP), server.group(MODERATORS)
            group.permissions = before = {**group.permissions, "can_send_polls": False}
            async with running(url_in(tmp_path), server.url):
                server.post(room, 1, "/raid_on 2h")
                await server.until(lambda: not any(group.permissions.values()))
            async with running(url_in(tmp_path), server.url):  # another process opens them again
                server.post(room, 1, "/raid_off")
                await server.until(lambda: group.permissions == before)
                server.post(room, 1, "/raid_on 2h")
                await server.until(lambda: not any(group.permissions.values()))
                group.permissions = mine = {**before, "can_send_messages": False}
                asked = len(server.of("getChat"))
                server.post(room, 1, "/raid_off")
                await server.until(lambda: len(server.of("getChat")) > asked)
                await asyncio.sleep(0.2)  # in which nothing may follow
                assert group.permissions == mine, "what somebody else has set meanwhile stands"

    asyncio.run(scenario())


def test_a_lock_by_what_telegram_has_no_means_for_says_so_and_invites_alone_are_taken(tmp_path: Path) -> None:
    async def scenario() -> None:
        await set_up(url_in(tmp_path))
        async with TelegramServer() as server:
            group, room = server.group(GROUP), server.group(MODERATORS)
            before = dict(group.permissions)
            async with running(url_in(tmp_path), server.url):
                server.post(room, 1, "/raid_on 저속모드")
                refused = "Telegram에서는 봇이 바꿀 수 없는"
                await server.until(lambda: any(refused in one.get("text", "") for one in room.messages.values()))
                server.post(room, 1, "/습격 켜기 들어오기 2시간 광고 계정")
                await server.until(lambda: group.permissions == {**before, "can_invite_users": False})
                server.post(room, 1, "/raid_on")
                await server.until(lambda: any("이미 걸려" in one.get("text", "") for one in room.messages.values()))
                server.post(room, 1, "/raid_off")
                await server.until(lambda: group.permissions == before)

    asyncio.run(scenario())
