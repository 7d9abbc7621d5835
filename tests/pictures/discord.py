"""Draws docs/discord-*.png: the bot runs against the test server, and what it posts there is drawn as Discord would.

Needs the `test` extra and chromium (Debian: chromium). Every word, field, menu and button in the pictures comes out of
the payload that the bot has sent; only the looks are ours.

    python -m tests.pictures.discord
"""

import asyncio
import html
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import discord
from playwright.async_api import async_playwright
from simcord.backend import serializers

from adapters import typeface
from adapters.chat.discord.connection import DiscordChat
from adapters.guards.embedded import KindsGuard
from bot.app.application import application
from bot.config import Config, StorageSettings
from tests.adapters.discord.cafe import Cafe, cafe
from tests.servers.waiting import until

DOCS = Path(__file__).parents[2] / "docs"
CHROMIUM = "/usr/bin/chromium"
SAID = "시1발 진짜 다 뒤져라 병신새끼들아"
LOOK = """
@font-face { font-family: Sans; src: url("FONT"); }
* { box-sizing: border-box; word-break: keep-all }
body { margin: 0; background: #1e1f22; font: 16px/1.375 Sans, sans-serif; color: #dbdee1 }
main { width: 720px; padding: 18px 20px; background: #313338; display: flex; gap: 16px }
.face { flex: none; width: 40px; height: 40px; border-radius: 50%; background: #5865f2; color: #fff; font-size: 20px;
  text-align: center; line-height: 40px } .body { flex: 1; min-width: 0 }
.head b { color: #f2f3f5 } .head i { font: 12px Sans; color: #949ba4; margin-left: 6px }
.badge { background: #5865f2; color: #fff; font-size: 10px; border-radius: 3px; padding: 2px 5px; margin-left: 6px;
  vertical-align: 1px } p { margin: 2px 0; white-space: pre-wrap } b { font-weight: 700 } a { color: #00a8fc }
code { white-space: nowrap; background: #2b2d31; border-radius: 4px; padding: 1px 5px; font: 14px Sans }
.at { background: #3c4270; color: #c9cdfb; border-radius: 3px; padding: 0 3px } .time { background: #3f4147;
  border-radius: 3px; padding: 0 3px } small { color: #949ba4; font-size: 12px }
.embed { border-left: 4px solid; border-radius: 4px; background: #2b2d31; padding: 10px 16px 14px 14px; margin-top: 6px;
  max-width: 560px } .embed h4 { margin: 4px 0; color: #f2f3f5; font-size: 16px }
.fields { display: grid; grid-template-columns: repeat(3, 1fr); gap: 8px; margin-top: 8px; font-size: 14px }
.wide { grid-column: 1 / -1 } .fields b { display: block; color: #f2f3f5 } .foot { font-size: 12px; color: #b5bac1;
  margin-top: 10px } .row { display: flex; gap: 8px; margin-top: 8px }
button { border: 0; border-radius: 4px; padding: 7px 16px; font: 14px Sans; color: #fff; background: #4e5058 }
.s1 { background: #5865f2 } .s3 { background: #248046 } .s4 { background: #da373c }
.menu { flex: 1; max-width: 440px; background: #1e1f22; border-radius: 4px; padding: 9px 12px; color: #949ba4;
  display: flex; justify-content: space-between } .menu.set { color: #dbdee1 }
.only { font-size: 12px; color: #949ba4; margin-top: 8px }
"""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A message as the server keeps it, and the names behind its mentions."""

    name: str
    payload: dict[str, Any]
    names: dict[str, str]
    only_you: bool = False

    @property
    def page(self) -> str:
        at = datetime.fromisoformat(self.payload["timestamp"]).astimezone(ZoneInfo("Asia/Seoul"))
        parts = "".join(self._parts())
        only = '<div class="only">이 메시지는 나만 볼 수 있어요 · <a>메시지 닫기</a></div>' if self.only_you else ""
        look = LOOK.replace("FONT", typeface.FILE.as_uri())
        head = f'<b>지킴이</b><span class="badge">✓ 앱</span><i>오늘 {at:%H:%M}</i>'
        body = f'<div class="body"><div class="head">{head}</div>{parts}{only}</div>'
        return (
            f'<!doctype html><meta charset="utf-8"><style>{look}</style><main><div class="face">지</div>{body}</main>'
        )

    def _parts(self) -> Iterator[str]:
        if self.payload["content"]:
            yield f"<p>{self._marked(self.payload['content'])}</p>"
        for embed in self.payload["embeds"]:
            fields = "".join(
                f'<div class="{"" if field.get("inline") else "wide"}"><b>{html.escape(field["name"])}</b>'
                f"{self._marked(field['value'])}</div>"
                for field in embed.get("fields", ())
            )
            foot = html.escape(embed.get("footer", {}).get("text", ""))
            title, text = html.escape(embed["title"]), self._marked(embed.get("description", ""))
            yield f'<div class="embed" style="border-color: #{embed.get("color", 0):06x}"><h4>{title}</h4>'
            yield f'<p>{text}</p><div class="fields">{fields}</div><div class="foot">{foot}</div></div>'
        for row in self.payload["components"]:
            yield f'<div class="row">{"".join(map(self._component, row["components"]))}</div>'

    def _component(self, component: dict[str, Any]) -> str:
        if component["type"] == 2:
            return f'<button class="s{component["style"]}">{html.escape(component["label"])}</button>'
        chosen = [option["label"] for option in component.get("options", ()) if option.get("default")]
        for value in component.get("default_values", ()):
            sign = "# " if value["type"] == "channel" else "@"
            chosen.append(sign + self.names[str(value["id"])])
        shown = html.escape(chosen[0] if chosen else component["placeholder"])
        return f'<div class="menu {"set" if chosen else ""}"><span>{shown}</span><span>▾</span></div>'

    def _marked(self, text: str) -> str:
        """Discord's markdown, as far as the bot writes it."""
        text = html.escape(text, quote=False)
        text = re.sub(
            r"&lt;(@&amp;|@|#)(\d+)&gt;", lambda m: f'<span class="at">{self._named(m[1], m[2])}</span>', text
        )
        text = re.sub(r"&lt;t:(\d+):f&gt;", lambda m: f'<span class="time">{_moment(int(m[1]))}</span>', text)
        text = re.sub(r"\[([^\]]+)\]\((https://[^)]+)\)", r"<a>\1</a>", text)
        text = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", text)
        text = re.sub(r"(?m)^-# (.*)$", r"<small>\1</small>", text)
        text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
        return re.sub(r"\\(.)", r"\1", text)

    def _named(self, sign: str, id_: str) -> str:
        return ("#" if sign == "#" else "@") + html.escape(self.names.get(id_, id_))


def _moment(seconds: int) -> str:
    at = datetime.fromtimestamp(seconds, ZoneInfo("Asia/Seoul"))
    return f"{at:%Y년 %-m월 %-d일 %H:%M}"


async def captured() -> list[Drawn]:
    """The first ten minutes: the bot is invited, set up and tried, watches, acts, and a moderator takes that back."""
    async with cafe() as place:
        place.wire.locale = "ko"
        backend = place.wire.backend

        def drawn(name: str, channel: int, message: Any, *, only_you: bool = False) -> Drawn:
            shown = dict(serializers.message_payload(backend, message))
            return Drawn(name, shown, _names(place), only_you=only_you)

        with TemporaryDirectory() as folder:
            config = Config(storage=StorageSettings(url=f"sqlite:///{folder}/db"))

            async with application(config, KindsGuard(), place.connect) as jikimi:
                (chat,) = jikimi.platforms
                assert isinstance(chat, DiscordChat)
                client, work = chat.client, asyncio.create_task(jikimi.run())
                await until(lambda: client.is_ready() and backend.commands.get(None), 30)
                pictures = [await _welcome(place, client, drawn), await _set_up(place, drawn)]
                pictures += [await _tried(place, drawn), await _tested(place, drawn), await _watched(place, drawn)]
                await _choose(place, await _menu(place), 1, [(1, "live", 3)])
                mods, dms = backend.messages[place.mods], backend.dm_channels
                mods.clear()
                who = place.join("하늘")
                place.write(SAID, by=who)
                await until(lambda: any(card.edited_timestamp for card in mods.values()) and who in dms, 30)
                card = next(one for one in mods.values() if one.embeds)
                pictures.append(drawn("card", place.mods, card))
                notice = next(iter(backend.messages[dms[who]].values()))
                pictures.append(drawn("notice", dms[who], notice))
                (wrong,) = [key for key in _keys(card) if ":wrong:" in key]
                place.wire.click(place.owner, place.mods, card.id, wrong)
                await until(lambda: ":reopen:" in str(_keys(card)) or "복구" in str(card.embeds), 30)
                await until(lambda: any(one.webhook_id for one in backend.messages[place.general].values()), 30)
                await asyncio.sleep(1)  # in which the card is drawn as things are by then
                pictures.append(drawn("undone", place.mods, card))
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
    return pictures


async def _welcome(place: Cafe, client: discord.Client, drawn: Any) -> Drawn:
    guild = client.get_guild(place.guild)
    assert guild
    guild._system_channel_id = place.general
    client.dispatch("guild_join", guild)
    posted = place.wire.backend.messages[place.general]
    await until(lambda: posted)
    shown: Drawn = drawn("welcome", place.general, next(iter(posted.values())))
    return shown


async def _set_up(place: Cafe, drawn: Any) -> Drawn:
    """The owner chooses the moderators' channel and whom to call."""
    menu = await _menu(place)
    await _choose(place, menu, 1, [])
    await _choose(place, menu, 0, [(0, str(place.mods), 8), (1, str(place.staff_role), 7)])
    shown: Drawn = drawn("setup", place.general, menu, only_you=True)
    return shown


async def _menu(place: Cafe) -> Any:
    record = place.wire.command(place.owner, place.general, "jikimi setup")
    await until(lambda: record.responded)
    return place.wire.backend.get_message(place.general, record.message_id)


async def _choose(place: Cafe, menu: Any, page: int, chosen: list[tuple[int, str, int]]) -> None:
    place.wire.click(place.owner, place.general, menu.id, f"jikimi-page:{page}")
    await until(lambda: f"jikimi-page:{1 - page}" in str(menu.components))
    for row, value, kind in chosen:
        before, custom_id = menu.content, menu.components[row]["components"][0]["custom_id"]
        place.wire.select(place.owner, place.general, menu.id, custom_id, [value], kind=kind)
        await until(partial(_differs, menu, before))


async def _tried(place: Cafe, drawn: Any) -> Drawn:
    """The owner's own message stays, and the moderators' room is told why."""
    room = place.wire.backend.messages[place.mods]
    room.clear()
    place.write(SAID, by=place.owner)
    await until(lambda: room, 30)
    shown: Drawn = drawn("tried", place.mods, next(iter(room.values())))
    room.clear()
    return shown


async def _tested(place: Cafe, drawn: Any) -> Drawn:
    record = place.wire.command(place.owner, place.general, "jikimi test", text=SAID)
    await until(lambda: (record.message_id and not record.loading) or record.followup_ids, 30)
    id_ = record.message_id or record.followup_ids[0]
    shown: Drawn = drawn("tested", place.general, place.wire.backend.get_message(place.general, id_), only_you=True)
    return shown


async def _watched(place: Cafe, drawn: Any) -> Drawn:
    """A member's message, while it only watches: a card, and nothing is done."""
    room = place.wire.backend.messages[place.mods]
    place.write(SAID)
    await until(lambda: any(one.embeds for one in room.values()), 30)
    shown: Drawn = drawn("watched", place.mods, next(one for one in room.values() if one.embeds))
    return shown


def _keys(card: Any) -> list[str]:
    return [key["custom_id"] for row in card.components for key in row["components"]]


def _differs(menu: Any, before: str) -> bool:
    return bool(menu.content != before)


def _names(place: Cafe) -> dict[str, str]:
    backend = place.wire.backend
    channels = {str(channel.id): str(channel.name) for channel in backend.channels.values()}
    roles = {str(role.id): role.name for role in backend.guilds[place.guild].roles.values()}
    return channels | roles | {str(user.id): str(user.global_name or user.name) for user in backend.users.values()}


async def main() -> None:
    logging.disable()
    pictures = await captured()
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        page = await opened.new_page(viewport={"width": 720, "height": 400}, device_scale_factor=1.5)
        with TemporaryDirectory() as folder:
            for picture in pictures:
                file = Path(folder) / f"{picture.name}.html"
                file.write_text(picture.page, "utf-8")
                await page.goto(file.as_uri())
                await page.evaluate("document.fonts.ready")
                await page.locator("main").screenshot(path=DOCS / f"discord-{picture.name}.png")
        await opened.close()
    print(datetime.now(UTC).isoformat(timespec="seconds"), *(picture.name for picture in pictures))


if __name__ == "__main__":
    asyncio.run(main())
