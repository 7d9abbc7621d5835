"""From an update to a deletion and back: the whole application on Telegram, with a real database, over TCP."""

import asyncio
import signal
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.chat.telegram.connection import TelegramChat
from bot.app.application import Jikimi, application
from bot.app.chats import NETWORKS
from bot.cli.settings.invite import invite
from bot.config import Config, StorageSettings, load
from bot.core.base.clock import Clock
from bot.core.chat.message import Pairing
from bot.core.communities.community import Community
from bot.core.incidents.card import Button, press_id
from bot.core.incidents.incident import Incident
from bot.core.rules.actions import Delete, DeletePost, Refused
from bot.core.rules.policy import Watch
from bot.core.text.catalogue import texts
from storage.database import Database
from storage.records.incidents import SqlIncidents
from storage.settings.communities import SqlCommunities
from tests.adapters.telegram.process import HarmInBrackets, connected, run
from tests.builders import NOW, TELEGRAM, put_settings
from tests.fakes.clock import HurriedClock, ManualClock
from tests.servers.command import typed
from tests.servers.databases import sqlite_in
from tests.servers.fault_proxy import FaultProxy
from tests.servers.forks import Fork
from tests.servers.telegram import BOT_ID, TOKEN, Chat, Refusal, TelegramServer, user

GROUP, MODERATORS = -1001, -1002
HARM = "[0.99] 나쁜 말"


@asynccontextmanager
async def running(
    url: str,
    api_url: str,
    *,
    mode: Watch | None = Watch.LIVE,
    clock: Clock | None = None,
    config: Config | None = None,
) -> AsyncIterator[Jikimi]:
    """The application at work."""
    config, connect = config or Config(storage=StorageSettings(url=url)), connected(api_url, TOKEN, clock)
    async with application(config, HarmInBrackets(), connect, mode=mode, clock=clock) as jikimi:
        working = asyncio.create_task(jikimi.run())
        try:
            yield jikimi
        finally:
            if working.done():
                working.result()
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working
            (chat,) = jikimi.platforms
            assert isinstance(chat, TelegramChat)
            await chat.close()


async def set_up(url: str) -> None:
    async with Database.open(url, ManualClock()) as database:
        await put_settings(
            SqlCommunities(database),
            Community(platform=TELEGRAM, id=str(GROUP), moderators_channel=str(MODERATORS)),
        )


def url_in(folder: Path) -> str:
    return sqlite_in(folder)


async def incidents(jikimi: Jikimi) -> Sequence[Incident]:
    return await jikimi.incidents.between(NOW - timedelta(days=9999), NOW + timedelta(days=9999))


def test_a_harmful_message_is_deleted_shown_undone_and_restored(tmp_path: Path) -> None:
    async def scenario() -> None:
        await set_up(url_in(tmp_path))
        async with TelegramServer() as server:
            group, room = server.group(GROUP), server.group(MODERATORS)
            async with running(url_in(tmp_path), server.url) as jikimi:
                server.post(group, 7, "좋은 말")
                bad = server.post(group, 7, HARM)
                server.post(group, 1, HARM)
                await server.until(lambda: bad["message_id"] not in group.messages)
                await server.until(lambda: any("reply_markup" in message for message in room.messages.values()))
                (card,) = [message for message in room.messages.values() if "reply_markup" in message]
                server.press(card, 1, press_id(Button.WRONG, 1))
                await server.until(lambda: any("복구했" in m.get("text", "") for m in group.messages.values()))
                (incident,) = await incidents(jikimi)
                assert incident.decision.message.ref.message_id == str(bad["message_id"])
            assert sorted(m["text"] for m in group.messages.values() if m["from"]["id"] in (1, 7)) == [HARM, "좋은 말"]

    asyncio.run(scenario())


def test_watch_only_shows_and_does_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        await set_up(url_in(tmp_path))
        async with TelegramServer() as server:
            group, room = server.group(GROUP), server.group(MODERATORS)
            async with running(url_in(tmp_path), server.url, mode=None):
                bad = server.post(group, 7, HARM)
                await server.until(lambda: room.messages)
                assert bad["message_id"] in group.messages
                assert server.of("deleteMessage", "restrictChatMember") == []

    asyncio.run(scenario())


def test_late_messages_delete_and_do_not_punish(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with TelegramServer() as server:
            group = server.group(GROUP)
            for hours in (1, 20, 49):
                server.post(group, 7, HARM, date=time.time() - hours * 3600)
            async with running(url_in(tmp_path), server.url) as jikimi:
                await server.until(lambda: sum(m.get("text") == HARM for m in group.messages.values()) == 1)
                while True:
                    found = await incidents(jikimi)
                    if len(found) == 3 and all(outcome for one in found for _, outcome in one.outcomes):
                        break
                    await asyncio.sleep(0.02)
                assert server.of("restrictChatMember", "banChatMember") == []
                assert not any("start=appeal_" in str(call.arguments) for call in server.of("sendMessage"))
                oldest = min(found, key=lambda one: one.decision.message.sent_at)
                (refused,) = [outcome for action, outcome in oldest.outcomes if isinstance(action, Delete)]
                assert isinstance(refused, Refused)
                assert refused.reason == "telegram.too_old"

    asyncio.run(scenario())


def test_edits_and_albums_and_channels_end_well(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with TelegramServer() as server:
            group = server.group(GROUP)
            async with running(url_in(tmp_path), server.url):
                innocent = server.post(group, 7, "좋은 말")
                await asyncio.sleep(0.1)
                server.edit(innocent, text=HARM)
                server.album(group, 8, None, HARM, None)
                server.as_channel(group, Chat(-1006, "channel", "광고 채널"), HARM)
                await server.until(lambda: not [m for m in group.messages.values() if m["from"]["id"] != 42])

    asyncio.run(scenario())


async def live(url: str, server: TelegramServer, seconds: float) -> None:
    """A process that is killed so long after it has asked for updates."""
    polls = server.polls
    with Fork(run, url, server.url, TOKEN):
        await server.until(lambda: server.polls > polls, patience=60)
        await asyncio.sleep(seconds)


@pytest.mark.course
def test_kill_9_at_any_moment_loses_nothing_and_judges_nothing_twice(tmp_path: Path) -> None:
    """Updates keep coming while the process is killed again and again."""

    async def scenario() -> None:
        url = url_in(tmp_path)
        await set_up(url)
        async with TelegramServer() as server:
            group = server.group(GROUP)
            server.group(MODERATORS)

            async def talk() -> None:
                for number in range(400):
                    server.post(group, 7 + number % 5, f"{HARM} {number}" if number % 4 == 0 else f"좋은 말 {number}")
                    await asyncio.sleep(0.015)

            talking = asyncio.create_task(talk())
            for life in (0.35, 0.6, 0.8, 0.5):
                await live(url, server, life)
            await talking
            with Fork(run, url, server.url, TOKEN):
                await server.until(lambda: not any(HARM in m.get("text", "") for m in group.messages.values()), 60)
                await server.until(lambda: not server.updates)
            assert len([m for m in group.messages.values() if "좋은" in m.get("text", "")]) == 300
        async with Database.open(url, ManualClock()) as database:
            found = await SqlIncidents(database).between(NOW - timedelta(days=9999), NOW + timedelta(days=9999))
        judged = Counter(one.decision.message.ref.message_id for one in found)
        assert set(judged.values()) == {1}
        assert sum(HARM in one.decision.message.text for one in found) == 100, "the others are a flood"

    asyncio.run(scenario())


def test_a_killed_process_judges_the_streamed_answer_that_it_held_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        url = url_in(tmp_path)
        await set_up(url)
        async with TelegramServer() as server:
            group = server.group(GROUP)
            robot = {"id": 500, "is_bot": True, "first_name": "챗봇"}
            with Fork(run, url, server.url, TOKEN):
                await server.until(lambda: server.polls, patience=60)
                asked = server.post(group, 7, "질문")
                written = server.post(group, robot, "음", reply_to_message=asked)
                server.edit(written, text=HARM)
                await server.until(lambda: not server.updates)  # kept, and held back for four seconds
            assert written["message_id"] in group.messages
            with Fork(run, url, server.url, TOKEN):
                await server.until(lambda: written["message_id"] not in group.messages, patience=60)
        async with Database.open(url, ManualClock()) as database:
            (found,) = await SqlIncidents(database).between(NOW - timedelta(days=9999), NOW + timedelta(days=9999))
        message = found.decision.message
        assert (message.text, message.prompt, message.pairing) == (HARM, "질문", Pairing.CERTAIN), "judged the same"

    asyncio.run(scenario())


def test_a_raid_is_gone_at_once_while_notices_take_their_time(tmp_path: Path) -> None:
    """60 harmful messages by 60 members within a moment: deletions are bundled and wait for no notice (T49)."""

    async def scenario() -> None:
        await set_up(url_in(tmp_path))
        async with TelegramServer() as server:
            group, room = server.group(GROUP), server.group(MODERATORS)
            server.group_limit = 20
            async with running(url_in(tmp_path), server.url):
                server.post(group, 7, "좋은 말")
                await server.until(lambda: not server.updates)
                bad = [server.post(group, 100 + number, f"{HARM} {number}")["message_id"] for number in range(60)]
                await server.until(lambda: not set(bad) & set(group.messages))
                calls = server.of("deleteMessage", "deleteMessages")
                assert len(calls) < 30
                await server.until(lambda: any("습격" in message.get("text", "") for message in room.messages.values()))
                await asyncio.sleep(1)
                assert not [call for call in server.calls if "Too Many" in call.error]

    asyncio.run(scenario())


def test_the_network_is_away_under_way_and_everything_is_done_in_the_end(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with TelegramServer() as server, FaultProxy(server.port) as proxy:
            group = server.group(GROUP)
            async with running(url_in(tmp_path), proxy.url):
                for number in range(60):
                    server.post(group, 7, f"{HARM} {number}")
                    if number == 20:
                        proxy.mode = "reset"
                        proxy.reset_all()
                    if number == 40:
                        proxy.mode = "pass"
                    await asyncio.sleep(0.02)
                await server.until(lambda: not any(HARM in m.get("text", "") for m in group.messages.values()), 60)

    asyncio.run(scenario())


@pytest.mark.course
def test_a_minute_without_network_loses_nothing_and_does_nothing_twice(tmp_path: Path) -> None:
    """A minute by our clock, which runs fast; members keep writing."""

    async def scenario() -> None:
        clock = HurriedClock(60.0)
        async with TelegramServer() as server, FaultProxy(server.port) as proxy:
            server.now = lambda: clock.now().timestamp()
            group = server.group(GROUP)
            for author in range(100, 140):
                server.private(author)
            async with running(url_in(tmp_path), proxy.url, clock=clock) as jikimi:
                for number in range(40):
                    server.post(group, 100 + number, f"{HARM} {number}")
                    if number == 10:
                        away_since = clock.monotonic()
                        proxy.mode = "reset"
                        proxy.reset_all()
                    await asyncio.sleep(0.02)
                await asyncio.sleep(max(0.0, (60 - (clock.monotonic() - away_since)) / 60))
                polls = server.polls
                assert any(HARM in m.get("text", "") for m in group.messages.values())
                proxy.mode = "pass"
                await server.until(lambda: server.polls > polls)
                await server.until(lambda: not any(HARM in m.get("text", "") for m in group.messages.values()))
                await server.until(lambda: not server.updates)
                while not all(outcome for one in await incidents(jikimi) for _, outcome in one.outcomes):
                    await asyncio.sleep(0.02)
                judged = Counter(one.decision.message.ref.message_id for one in await incidents(jikimi))
            assert (len(judged), set(judged.values())) == (40, {1})
            warned = Counter(c.arguments["chat_id"] for c in server.of("sendMessage") if c.arguments["chat_id"] > 0)
            assert warned
            assert set(warned.values()) == {1}

    asyncio.run(scenario())


def test_a_notice_is_taken_away_also_by_the_next_process(tmp_path: Path) -> None:
    async def scenario() -> None:
        clock = HurriedClock(10.0)
        async with TelegramServer() as server:
            server.now = lambda: clock.now().timestamp()
            group = server.group(GROUP)
            async with running(url_in(tmp_path), server.url, clock=clock) as jikimi:
                server.post(group, 7, HARM)
                while not any(isinstance(a, DeletePost) for one in await incidents(jikimi) for a, _ in one.outcomes):
                    await asyncio.sleep(0.01)
                (notice,) = (id_ for id_, message in group.messages.items() if "reply_markup" in message)
            async with running(url_in(tmp_path), server.url, clock=clock):
                await server.until(lambda: notice not in group.messages)

    asyncio.run(scenario())


def test_the_invite_link_asks_for_exactly_the_rights_that_are_used(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with TelegramServer() as server:
            written = tmp_path / "config.toml"
            written.write_text(f'[telegram]\ntoken = "{TOKEN}"\napi_url = "{server.url}"\n', "utf-8")
            await invite("telegram", load(written, texts("ko"), NETWORKS), texts("ko"))

    asyncio.run(scenario())
    shown = capsys.readouterr().out
    assert "https://t.me/jikimi_bot?startgroup=true&admin=delete_messages+restrict_members" in shown
    assert "/setprivacy" in shown
    assert TOKEN not in shown


def test_jikimi_run_connects_moderates_and_stops_cleanly(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with TelegramServer() as server:
            group = server.group(GROUP)
            (tmp_path / "config.toml").write_text(
                f'[telegram]\ntoken = "{TOKEN}"\napi_url = "{server.url}"\n[defaults]\nmode = "live"\n', "utf-8"
            )
            with Fork(typed, "run", folder=tmp_path) as process:
                await server.until(lambda: server.polls, patience=60)
                # Neither a page of somebody in between nor a second process ends it.
                pages = [(200, b"<html>"), (404, b"<html>"), (400, b"<html>"), (200, b'{"ok":tr')]
                server.odd["getUpdates"], server.odd["deleteMessage"] = deque(pages), deque(pages[:1])
                server.update("message", server.message(group, 8, "안녕"))
                await server.until(lambda: not server.odd["getUpdates"], patience=60)
                server.fail("getUpdates", Refusal(409, "Conflict: terminated by other getUpdates request"))
                bad = server.post(group, 7, "씨발 개새끼야 죽여버린다 병신년아")
                await server.until(lambda: bad["message_id"] not in group.messages, patience=30)
                process.send(signal.SIGTERM)
                code, said = await process.ended(), process.stdout + process.stderr
            assert code == 0, said
            assert TOKEN not in said
            assert "개새끼" not in said
            assert "Traceback" not in said

    asyncio.run(scenario())


def test_security_1_a_plain_member_cannot_switch_a_groups_moderation_off(tmp_path: Path) -> None:
    """They own a group of their own, in which the bot is, too, and type one line in somebody else's."""

    async def scenario() -> None:
        await set_up(url_in(tmp_path))
        async with TelegramServer() as server:
            victim, room = server.group(GROUP), server.group(MODERATORS)
            server.group(-1009, owner=666)
            server.message(victim, 666, "안녕하세요")
            async with running(url_in(tmp_path), server.url):
                for purpose in ("mods", "report"):
                    server.post(victim, 666, f"/start {purpose}_-1009")
                await server.until(lambda: any(m["from"]["id"] == BOT_ID for m in victim.messages.values()))
                bad = server.post(victim, 7, HARM)
                await server.until(lambda: bad["message_id"] not in victim.messages)
                await server.until(lambda: any("사건 #1" in m.get("text", "") for m in room.messages.values()))
        async with Database.open(url_in(tmp_path), ManualClock()) as database:
            stored = {one.id: one for one in await SqlCommunities(database).all()}
        assert stored[str(GROUP)].exempt_channels == frozenset()
        assert "-1009" not in stored or stored["-1009"].moderators_channel is None

    asyncio.run(scenario())


def with_signs(url: str) -> Config:
    rules = [
        {"name": "newcomer", "when": {"first_messages": 2, "link": {"kinds": ["name"]}}, "then": ["delete"]},
        {"name": "passed-on", "when": {"first_messages": 2, "forwarded": ["channel"]}, "then": ["delete"]},
        {"name": "campaign", "when": {"same_text_by": {"members": 3, "within": "10m"}}, "then": ["delete"]},
        {"name": "pieces", "when": {"pieces": {"any_of": ["너진짜죽어"], "within": "2m"}}, "then": ["flag"]},
        {"name": "by-bot", "when": {"via_bot": True, "media": ["photo"]}, "then": ["delete"]},
    ]
    return Config.model_validate({"storage": {"url": url}, "rules": rules})


def test_signs_beside_the_text_are_seen(tmp_path: Path) -> None:
    advertisement = "무료 체험방 열렸어요 지금 들어오시는 분께만 알려 드리는 {}번째 소식 확인하세요"

    async def scenario() -> None:
        await set_up(url_in(tmp_path))
        async with TelegramServer() as server:
            group = server.group(GROUP)
            config = with_signs(url_in(tmp_path))
            async with running(url_in(tmp_path), server.url, config=config) as jikimi:
                kept = [server.post(group, 9, piece) for piece in ("너", "진짜", "죽", "어")]
                while not await incidents(jikimi):
                    await asyncio.sleep(0.02)
                newcomer = user(70)
                server.join(group, newcomer)
                chat = {"id": -100777, "type": "channel", "title": "정보"}
                channel = {"type": "channel", "date": 1, "message_id": 1, "chat": chat}
                photo = [{"file_id": "f", "file_unique_id": "u", "width": 9, "height": 9}]
                gone = [
                    server.post(group, newcomer, "문의는 텔레 @toto777 로 주세요"),
                    server.post(group, newcomer, "이거 보세요", forward_origin=channel),
                    server.post(group, 8, None, photo=photo, via_bot=user(99) | {"is_bot": True, "username": "pic"}),
                ]
                kept += [server.post(group, 20 + nth, advertisement.format(nth)) for nth in range(2)]
                gone.append(server.post(group, 22, advertisement.format(3)))
                await server.until(lambda: not {one["message_id"] for one in gone} & group.messages.keys())
                assert {one["message_id"] for one in kept} <= group.messages.keys()

    asyncio.run(scenario())
