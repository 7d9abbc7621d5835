"""The first ten minutes of a new owner, walked on both wire servers: at each step something visible happens."""

import asyncio
from pathlib import Path
from typing import Any

from bot.core.chat.message import CommunityRef
from bot.core.incidents.card import Button, press_id
from bot.core.rules.policy import Watch
from bot.core.text.catalogue import texts
from tests.adapters.discord.cafe import cafe
from tests.adapters.discord.moderators.test_commands import carried, set_up, told
from tests.adapters.discord.test_flow import EVER, at_work
from tests.adapters.telegram.test_flow import GROUP, HARM, MODERATORS, running, url_in
from tests.builders import DISCORD
from tests.servers.telegram import BOT_ID, Chat, TelegramServer, member
from tests.servers.waiting import until

OWNER, MEMBER, BAD = 1, 7, "나쁜 말"
ko = texts("ko")


def said(chat: Chat, *words: str) -> bool:
    """Whether the bot has said something with all of these in it."""
    theirs = (one.get("text", "") for one in chat.messages.values() if one["from"]["id"] == BOT_ID)
    return any(all(word in text for word in words) for text in theirs)


def test_on_telegram(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with TelegramServer() as server:
            group, room = server.group(GROUP, title="동네 모임"), server.group(MODERATORS, title="운영진 방")
            private = server.private(OWNER, "방장")
            async with running(url_in(tmp_path), server.url, mode=None) as jikimi:
                group.members[BOT_ID] = member(server.me, "left")
                server.set_member(group, BOT_ID, "administrator")
                await server.until(lambda: said(group, "지켜보기만", "/setup"))
                server.post(group, OWNER, "/setup")
                await server.until(lambda: said(group, ko["telegram.setup_in_private"]))
                server.post(private, OWNER, f"/start setup_{GROUP}")
                await server.until(lambda: said(private, "지켜보기"))
                server.post(room, OWNER, f"/start@jikimi_bot mods_{GROUP}")
                await server.until(lambda: said(room, "동네 모임"))
                # Trying it with one's own message: it stays, and the room is told why.
                own = server.post(group, OWNER, HARM)
                await server.until(lambda: said(room, "운영진의 글이라 그대로"))
                assert own["message_id"] in group.messages
                server.post(room, OWNER, f"/test {HARM}")
                await server.until(lambda: said(room, "이 문장이 올라오면"))
                # A member's, while it only watches: a card, and nothing is done.
                first = server.post(group, MEMBER, HARM)
                await server.until(lambda: cards(room))
                assert first["message_id"] in group.messages
                menu = next(one for one in private.messages.values() if "reply_markup" in one)
                server.press(menu, OWNER, f"setup:{GROUP}:mode:live")
                await server.until(lambda: said(room, "방장"))
                second = server.post(group, MEMBER, f"{HARM} 또")
                await server.until(lambda: second["message_id"] not in group.messages)
                server.post(room, OWNER, "/forbid 대리게임")
                await server.until(lambda: said(room, "대리게임"))
                third = server.post(group, MEMBER, "대리게임 해요")
                await server.until(lambda: third["message_id"] not in group.messages)
                await server.until(lambda: len(cards(room)) >= 2 or "3" in str(cards(room)))
                server.press(cards(room)[-1], OWNER, press_id(Button.WRONG, 3))
                await server.until(lambda: said(group, "복구했"))
                server.post(private, OWNER, "/start groups")
                await server.until(lambda: said(private, ko["telegram.my_groups"]))
                assert len(await jikimi.incidents.between(*EVER)) == 3

    asyncio.run(scenario())


def cards(room: Chat) -> list[Any]:
    return [one for one in room.messages.values() if "reply_markup" in one]


def test_on_discord(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cafe() as place, at_work(place, tmp_path, mode="watch") as at:
            menu = await set_up(place, 1)
            assert carried(menu)
            own = place.write(BAD, by=place.owner)
            await until(lambda: any("Moderators are left alone" in one or "그대로 두었" in one for one in in_room(at)))
            assert own.content in at.in_general()
            answer = await told(place, place.wire.command(place.owner, place.general, "jikimi test", text=BAD))
            assert answer
            first = place.write(BAD)
            await until(lambda: len(at.cards()) == 1)
            assert first.content in at.in_general()
            place.wire.select(place.owner, place.general, menu.id, carried(menu)[1], ["live"], kind=3)
            ref = CommunityRef(DISCORD, str(place.guild))
            await until(lambda: at.desk.community(ref).mode is Watch.LIVE)
            second = place.write(f"{BAD} 또")
            await until(lambda: second.content not in at.in_general())
            record = place.wire.command(place.owner, place.general, "jikimi forbid", words="대리게임")
            assert "대리게임" in await told(place, record)
            place.write("대리게임 해요")
            await until(lambda: "대리게임 해요" not in at.in_general())
            await at.settled(3)
            assert at.desk.community(ref).staff_explained

    asyncio.run(scenario())


def in_room(at: Any) -> list[str]:
    return [one.content for one in at.place.wire.backend.messages[at.place.mods].values()]
