"""Draws docs/telegram-*.png: what people see of Jikimi in Telegram, from what it really sends.

The whole application with its embedded guard moderates a group on the tests' Bot API server; its messages and buttons
are then laid out as Telegram lays them out. Needs Debian's chromium and `pip install -e '.[test]'`.

    python -m tests.pictures.telegram
"""

import asyncio
import re
from contextlib import suppress
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

from playwright.sync_api import sync_playwright

from adapters import typeface
from adapters.chat.telegram.connection import TelegramChat
from adapters.guards.embedded import KindsGuard
from adapters.system_clock import SystemClock
from bot.app.application import application
from bot.config import Config, StorageSettings
from tests.adapters.telegram.process import connected
from tests.servers.telegram import BOT_ID, TOKEN, Chat, TelegramServer, user

DOCS = Path(__file__).parents[2] / "docs"
GROUP, ROOM, OWNER = -1001, -1002, 1
EVENING = datetime(2026, 5, 15, 12, 18, tzinfo=UTC)
Json = dict[str, Any]


class EveningClock(SystemClock):
    """As if it were that evening."""

    def __init__(self) -> None:
        self._later = EVENING - super().now()

    def now(self) -> datetime:
        return super().now() + self._later


# ---- what happens ---------------------------------------------------------------------------------------------------


async def play() -> dict[str, list[Json]]:
    """The messages of the group after the bot has come in, of the set-up, of the group later, and of the moderators."""
    clock = EveningClock()
    async with TelegramServer() as server:
        server.now = lambda: clock.now().timestamp()
        group, room = server.group(GROUP, title="달빛 독서 모임"), server.group(ROOM, title="달빛 운영진")
        private = server.private(OWNER, "하늘")
        server.private(7, started=False)
        for chat in (group, room):
            chat.members[OWNER]["user"] = user(OWNER, "하늘")
        with TemporaryDirectory() as folder:
            config = Config(storage=StorageSettings(url=f"sqlite:///{folder}/jikimi.db"))
            connect = connected(server.url, TOKEN, clock)
            async with application(config, KindsGuard(), connect, clock=clock) as jikimi:
                working = asyncio.create_task(jikimi.run())
                seen = await scenes(server, group, room, private)
                working.cancel()
                with suppress(asyncio.CancelledError):
                    await working
                (connection,) = jikimi.platforms
                assert isinstance(connection, TelegramChat)
                await connection.close()
        return seen


async def scenes(server: TelegramServer, group: Chat, room: Chat, private: Chat) -> dict[str, list[Json]]:
    async def say(chat: Chat, who: int | Json, text: str) -> None:
        """And wait for the answer."""
        asked = server.post(chat, who, text)["message_id"]
        await server.until(lambda: any(id_ > asked for id_ in chat.messages))

    await server.until(lambda: server.polls)
    server.set_member(group, BOT_ID, "left")
    server.set_member(group, BOT_ID, "administrator")
    await server.until(lambda: group.messages)
    await say(group, OWNER, "/setup")
    welcome = list(group.messages.values())
    await say(private, OWNER, f"/start setup_{GROUP}")
    await say(room, OWNER, f"/start mods_{GROUP}")
    await say(room, OWNER, f"/start report_{GROUP}")
    menu = private.messages[max(private.messages)]
    await server.answered(server.press(menu, OWNER, f"setup:{GROUP}:preset:balanced"))
    await server.until(lambda: "알맞게" in private.messages[max(private.messages)]["text"])
    menu_of_all = [dict(private.messages[max(private.messages)])]
    room.messages.clear()
    server.post(group, OWNER, "병신같은 년아 꺼져라 좆같네")
    await server.until(lambda: any("그대로 두었습니다" in m.get("text", "") for m in room.messages.values()))
    await say(room, OWNER, "/test 병신같은 년아 꺼져라 좆같네")
    tried = list(room.messages.values())
    group.messages.clear()
    room.messages.clear()
    server.post(group, user(8, "도토리"), "병신같은 년아 꺼져라 좆같네")
    await server.until(lambda: any("reply_markup" in one for one in room.messages.values()))
    watched = [*group.messages.values()], [dict(one) for one in room.messages.values()]
    await server.answered(server.press(menu, OWNER, f"setup:{GROUP}:mode:live"))
    await server.until(lambda: "조치하기" in private.messages[max(private.messages)]["text"])
    await server.answered(server.press(menu, OWNER, f"setup:{GROUP}:kind:fraud__strict"))
    await server.answered(server.press(menu, OWNER, f"setup:{GROUP}:night:on"))
    await server.until(lambda: "야간 23-7" in str(private.messages[max(private.messages)].get("reply_markup")))
    kinds = [private.messages[max(private.messages)]]
    await server.answered(server.press(menu, OWNER, f"setup:{GROUP}:night:off"))
    group.messages.clear()
    room.messages.clear()
    server.post(group, user(5, "밤톨"), "다음 모임 책은 정해졌나요?")
    server.post(group, user(6, "소라"), "투표 올려 두었어요. 금요일까지예요")
    server.post(group, user(7, "검은고양이"), "병신같은 년아 꺼져라 좆같네")
    await server.until(lambda: any(m["from"]["id"] == BOT_ID for m in group.messages.values()))
    server.post(group, user(5, "밤톨"), "고마워요, 투표했어요!")
    in_group = [dict(one) for one in group.messages.values()]  # before the notice is taken away again
    await server.until(lambda: any(m.get("reply_markup") and "삭제 완료" in m["text"] for m in room.messages.values()))
    await server.until(lambda: any("경고 완료" in m["text"] for m in room.messages.values()))
    told = in_group, [dict(one) for one in room.messages.values()]
    card = next(one for one in room.messages.values() if "reply_markup" in one)
    wrong = [key for row in card["reply_markup"]["inline_keyboard"] for key in row if ":wrong:" in key["callback_data"]]
    await server.answered(server.press(card, OWNER, wrong[0]["callback_data"]))
    await server.until(lambda: any("복구했" in one.get("text", "") for one in group.messages.values()))
    await server.until(lambda: "하늘" in room.messages[card["message_id"]]["text"])
    await asyncio.sleep(2)  # in which the card is drawn as things are by then
    return {
        "welcome": welcome,
        "menu": menu_of_all,
        "tried": tried,
        "kinds": kinds,
        "watched": watched[0],
        "watched_card": watched[1],
        "group": told[0],
        "card": told[1],
        "restored": list(group.messages.values())[-2:],
        "undone": list(room.messages.values()),
    }


# ---- how it looks ---------------------------------------------------------------------------------------------------

#: The typeface has no signs for these; Telegram draws them about like this.
SIGNS = {"🟡": "#f6c12f", "🔵": "#3f8ef0", "⚪": "#dfe3e8", "🚨": "#e5443c"}
COLOURS = ("#c03d33", "#4fad2d", "#d09306", "#168acd", "#8544d6", "#cd4073", "#2996ad", "#ce671b")
LINK = re.compile(r"https?://\S+|(?<![\w/])/[a-z]+\b")

PAGE = """<!doctype html><html lang="ko"><meta charset="utf-8"><style>
@font-face {{ font-family: Korean; src: url("file://{font}") }}
* {{ box-sizing: border-box; margin: 0 }}
body {{ font: 15px/1.38 Korean, sans-serif; letter-spacing: -.01em; background: #fff;
        display: flex; gap: 22px; padding: 18px; width: max-content }}
.phone {{ width: 400px; border-radius: 20px; overflow: hidden; display: flex; flex-direction: column;
          box-shadow: 0 0 0 1px #d4dade, 0 3px 12px #0002 }}
header {{ background: #fff; padding: 10px 14px; display: flex; gap: 11px; align-items: center;
          border-bottom: 1px solid #dfe4e8 }}
header b {{ font-size: 16px; display: block; line-height: 1.25 }} header small {{ color: #79868f; font-size: 13px }}
main {{ flex: 1; padding: 12px 10px 14px; background: #b4d3a6;
        display: flex; flex-direction: column; gap: 7px }}
.row {{ display: flex; gap: 7px; align-items: flex-end; max-width: 100% }} .mine {{ justify-content: flex-end }}
.face {{ width: 34px; height: 34px; border-radius: 50%; color: #fff; display: grid; place-items: center; flex: none }}
.body {{ min-width: 0; max-width: 326px; flex: 0 1 auto }}
.bubble {{ background: #fff; border-radius: 14px; padding: 6px 11px 7px; box-shadow: 0 1px 1px #0002;
           white-space: pre-wrap; overflow-wrap: anywhere; word-break: keep-all }}
.mine .bubble {{ background: #e5fdce }}
.name {{ font-weight: bold; font-size: 14px; display: flex; justify-content: space-between; gap: 12px }}
.name i {{ font: 12px Korean; color: #8a959d }}
.time {{ float: right; font-size: 12px; color: #8b989f; margin: 5px 0 -4px 10px }} .mine .time {{ color: #62a554 }}
a {{ color: #2481cc; text-decoration: none }}
blockquote {{ border-left: 3px solid #168acd; background: #168acd18; border-radius: 4px;
              padding: 3px 8px; margin: 3px 0 }}
.quote {{ border-left: 3px solid #168acd; background: #168acd14; border-radius: 4px; font-size: 13.5px;
          padding: 2px 8px; margin: 2px 0 4px }}
.keys {{ display: grid; gap: 4px; margin: -3px 0 0 41px; width: 326px }} .alone {{ margin-left: 0 }}
.keys div {{ display: grid; grid-auto-flow: column; grid-auto-columns: 1fr; gap: 4px }}
.keys span {{ background: #4c7a59b8; color: #fff; border-radius: 9px; text-align: center; padding: 8px 4px;
              font-size: 14px; position: relative }}
.keys .out::after {{ content: ""; position: absolute; right: 6px; top: 6px; width: 5px; height: 5px;
                     border-top: 1.5px solid #fff; border-right: 1.5px solid #fff }}
.sign {{ display: inline-block; width: .86em; height: .86em; border-radius: 50%; vertical-align: -.08em;
         box-shadow: inset 0 -2px 3px #0002, inset 0 0 0 1px #0001 }}
</style>{phones}</html>"""


def phone(title: str, under: str, messages: list[Json], *, private: bool = False) -> str:
    bubbles = "".join(bubble(message, private=private) for message in messages)
    head = f"{face(title, 3)}<div><b>{escape(title)}</b><small>{under}</small></div>"
    return f'<section class="phone"><header>{head}</header><main>{bubbles}</main></section>'


def bubble(message: Json, *, private: bool) -> str:
    author, mine = message["from"], message["from"]["id"] == OWNER
    name, colour = author["first_name"], COLOURS[author["id"] % len(COLOURS)]
    label = "<i>관리자</i>" if author["id"] == BOT_ID else ""
    head = "" if mine or private else f'<div class="name" style="color:{colour}">{escape(name)}{label}</div>'
    if replied := message.get("reply_to_message"):
        who = escape(replied["from"]["first_name"])
        head += f'<div class="quote"><b style="color:#168acd">{who}</b><br>{escape(replied["text"])}</div>'
    at = datetime.fromtimestamp(message["date"], ZoneInfo("Asia/Seoul")).strftime("%H:%M")
    text = formatted(message["text"], message.get("entities", []))
    said = f'<div class="body"><div class="bubble">{head}{text}<span class="time">{at}</span></div></div>'
    picture = "" if mine or private else face(name, author["id"])
    return f'<div class="row {"mine" if mine else ""}">{picture}{said}</div>{keys(message, alone=private)}'


def face(name: str, number: int) -> str:
    return f'<span class="face" style="background:{COLOURS[number % len(COLOURS)]}">{escape(name[0])}</span>'


def formatted(text: str, entities: list[Json]) -> str:
    """Entities count UTF-16 units."""
    raw, at, pieces = text.encode("utf-16-le"), 0, []
    tags = {"bold": "b", "blockquote": "blockquote", "text_mention": "span"}
    for entity in sorted(entities, key=lambda entity: entity["offset"]):
        begin, end = entity["offset"] * 2, (entity["offset"] + entity["length"]) * 2
        tag = tags[entity["type"]]
        pieces += [linked(raw[at:begin]), f"<{tag}>{linked(raw[begin:end])}</{tag}>"]
        at = end
    whole = "".join([*pieces, linked(raw[at:])])
    return whole.replace("\n<blockquote>", "<blockquote>").replace("</blockquote>\n", "</blockquote>")


def linked(raw: bytes) -> str:
    shown = LINK.sub(lambda found: f"<a>{found[0]}</a>", escape(raw.decode("utf-16-le")))
    for sign, colour in SIGNS.items():
        shown = shown.replace(sign, f'<span class="sign" style="background:{colour}"></span>')
    return shown


def keys(message: Json, *, alone: bool) -> str:
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    shown = "".join(
        "<div>"
        + "".join(f'<span class="{"out" if key.get("url") else ""}">{escape(key["text"])}</span>' for key in row)
        + "</div>"
        for row in rows
    )
    return f'<div class="keys {"alone" if alone else ""}">{shown}</div>' if rows else ""


def main() -> None:
    seen = asyncio.run(play())
    pictures = {
        "telegram-setup": [
            phone("달빛 독서 모임", "참가자 128명", seen["welcome"]),
            phone("지킴이", "봇", seen["menu"], private=True),
        ],
        "telegram-policy": [
            phone("달빛 운영진", "참가자 4명", seen["tried"]),
            phone("지킴이", "봇", seen["kinds"], private=True),
        ],
        "telegram-watched": [
            phone("달빛 독서 모임", "참가자 128명", seen["watched"]),
            phone("달빛 운영진", "참가자 4명", seen["watched_card"]),
        ],
        "telegram-undone": [
            phone("달빛 독서 모임", "참가자 128명", seen["restored"]),
            phone("달빛 운영진", "참가자 4명", seen["undone"]),
        ],
        "telegram-incident": [
            phone("달빛 독서 모임", "참가자 128명", seen["group"]),
            phone("달빛 운영진", "참가자 4명", seen["card"]),
        ],
    }
    with sync_playwright() as playwright, TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        for name, phones in pictures.items():
            page = browser.new_page(viewport={"width": 900, "height": 300}, device_scale_factor=1.5)
            path = Path(folder) / "page.html"
            path.write_text(PAGE.format(font=typeface.FILE, phones="".join(phones)), "utf-8")
            page.goto(path.as_uri())
            page.locator("body").screenshot(path=DOCS / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
