"""Connecting, losing the connection and catching up, with an unmodified discord.py over TCP: nothing is missed."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import discord
import pytest
from simcord.backend.models import Overwrite
from simcord.enums import ChannelType, OverwriteType

from adapters.chat.discord.connection import DiscordChat
from adapters.chat.discord.receiving import backlog, catching_up
from adapters.chat.discord.receiving.arrivals import Arrivals
from adapters.system_clock import SystemClock
from bot.core.base.errors import Broken
from bot.core.chat.ports import Connection
from tests.adapters.discord.cafe import Cafe, cafe, listening
from tests.builders import message
from tests.fakes.clock import ManualClock
from tests.servers.discord import DiscordWire
from tests.servers.waiting import until


@pytest.fixture(autouse=True)
def _short_margin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catching_up, "MARGIN", timedelta(seconds=0.2))
    monkeypatch.setattr(catching_up, "EVERY", 0.05)


async def kept_until(place: Cafe, moment: datetime) -> None:
    """Wait until the bookmark says that everything up to this moment is kept."""
    await until(lambda: _mark(place) and datetime.fromisoformat(_mark(place)) > moment)


def _mark(place: Cafe) -> str:
    return place.bookmarks.places.get("discord all", "")


def test_d6_a_dropped_connection_is_resumed_and_misses_nothing() -> None:
    async def scenario() -> None:
        async with cafe() as place, listening(place) as heard:
            place.write("앞")
            await heard.until(1)
            assert heard.chat.connection == Connection(is_up=True, communities=1)
            place.wire.gateway_open.clear()
            await place.wire.drop_gateway()
            await until(lambda: not heard.chat.connection.is_up)
            place.write("사이")
            place.wire.gateway_open.set()
            await heard.until(2)
            await until(lambda: heard.chat.connection.is_up)
            place.write("뒤")
            assert [m.text for m in await heard.until(3)] == ["앞", "사이", "뒤"]
            assert (place.wire.resumed, place.wire.identified) == (1, 1)

    asyncio.run(scenario())


def test_d7_an_invalidated_session_is_followed_by_catching_up() -> None:
    async def scenario() -> None:
        async with cafe() as place, listening(place) as heard:
            place.write("앞")
            await heard.until(1)
            await kept_until(place, datetime.now(UTC))
            await place.wire.drop_gateway(invalidate=True)
            place.write("사이")
            await until(lambda: place.wire.identified == 2, 30)
            await until(lambda: "사이" in heard.texts)
            assert place.wire.resumed == 0

    asyncio.run(scenario())


def test_d8_d10_a_restart_reads_back_a_gap_of_5000_messages_newest_first() -> None:
    async def scenario() -> None:
        async with cafe() as place:
            async with listening(place) as heard:
                place.write("앞")
                await heard.until(1)
                await kept_until(place, datetime.now(UTC))
            for number in range(5_000):
                place.write(f"{number}")
            async with listening(place) as heard:
                live = place.write("지금")
                await until(lambda: len(set(heard.texts)) >= 5_001, 60)
                assert set(map(str, range(5_000))) <= set(heard.texts)
                backlog = [int(m.ref.message_id) for m in heard.messages if m.text.isdigit()]
                assert backlog[0] == max(backlog)
                refs = {m.ref for m in heard.messages}
                assert str(live.id) in {ref.message_id for ref in refs}
                pages = place.wire.made("GET", f"/channels/{place.general}/messages")
                assert len(pages) <= 55
                assert all(m.author.id == str(place.minji) for m in heard.messages)
                assert not place.wire.made("GET", "/members/")  # nobody is asked about who said nothing bad

    asyncio.run(scenario())


def test_a_process_that_dies_while_catching_up_leaves_nothing_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "PAGE", 10)

    async def scenario() -> None:
        async with cafe() as place:
            async with listening(place) as heard:
                place.write("앞")
                await heard.until(1)
                await kept_until(place, datetime.now(UTC))
            for number in range(100):
                place.write(f"{number}")
            read: set[str] = set()
            chat = place.chat()
            batches = chat.messages()
            with suppress(asyncio.TimeoutError):
                async for batch in batches:
                    read |= {m.text for m in batch}
                    if len(read) > 20:
                        break  # killed: the newest are kept, the older ones not yet
            assert not read >= set(map(str, range(100)))
            await chat.client.close()
            await batches.aclose()
            async with listening(place) as heard:
                await until(lambda: read | set(heard.texts) >= set(map(str, range(100))))

    asyncio.run(scenario())


def test_a_first_start_judges_nothing_from_before() -> None:
    async def scenario() -> None:
        async with cafe() as place:
            place.write("우리가 없던 때")
            place.wire.clock.advance(1)
            async with listening(place) as heard:
                assert await heard.nothing_more() == []

    asyncio.run(scenario())


def test_a_backlog_is_bounded_by_age_alone_and_read_newest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "PAGE", 10)

    async def scenario() -> None:
        async with cafe() as place:
            place.bookmarks.places["discord all"] = (datetime.now(UTC) - timedelta(days=3)).isoformat()
            place.wire.clock.advance(-timedelta(days=1, minutes=1).total_seconds())
            place.wire.backend.guilds[place.guild].members[place.me].joined_at = "2020-01-01T00:00:00+00:00"
            place.write("너무 오래된 글", channel=place.mods)
            place.wire.clock.elapsed = 0.0
            place.write("어제의 글", channel=place.mods)
            for number in range(50):
                place.write(f"{number}")
            async with listening(place) as heard:
                await until(lambda: len(heard.messages) >= 51)
                await heard.nothing_more()
                assert sorted(heard.texts) == sorted(["어제의 글", *map(str, range(50))])
                assert next(text for text in heard.texts if text.isdigit()) == "49"

    asyncio.run(scenario())


def test_d53_active_and_archived_threads_are_caught_up_on() -> None:
    async def scenario() -> None:
        async with cafe() as place:
            async with listening(place) as heard:
                await kept_until(place, datetime.now(UTC))
            active = place.wire.backend.create_thread(place.general, "열린 스레드", place.minji)
            archived = place.wire.backend.create_thread(place.general, "닫힌 스레드", place.minji)
            place.write("열린 글", channel=active.id)
            place.write("닫힌 글", channel=archived.id)
            private = place.wire.backend.create_thread(
                place.general, "비공개 스레드", place.minji, type=ChannelType.PRIVATE_THREAD
            )
            place.write("비공개 글", channel=private.id)
            for thread in (archived, private):
                assert thread.thread_metadata
                thread.thread_metadata.archived = True
                place.wire.backend.guilds[place.guild].thread_ids.remove(thread.id)
            async with listening(place) as heard:
                everything = {"열린 스레드", "열린 글", "닫힌 스레드", "닫힌 글", "비공개 스레드", "비공개 글"}
                await until(lambda: everything <= set(heard.texts))

    asyncio.run(scenario())


def test_staff_is_known_as_staff_in_a_backlog() -> None:
    async def scenario() -> None:
        async with cafe() as place:
            async with listening(place):
                await kept_until(place, datetime.now(UTC))
            place.write("운영진의 글", by=place.dal)
            place.write("회원의 글", by=place.minji)
            async with listening(place) as heard:
                met = {m.text: await heard.chat.meet(m) for m in await heard.until(2)}
                assert met["운영진의 글"].is_staff and not met["회원의 글"].is_staff
                assert all(author.since and not author.unmet for author in met.values())
                assert {m.text: m.author.unmet for m in heard.messages} == {"운영진의 글": True, "회원의 글": True}

    asyncio.run(scenario())


def test_channels_that_may_not_be_read_are_not_asked_for() -> None:
    async def scenario() -> None:
        async with cafe() as place:
            async with listening(place):
                await kept_until(place, datetime.now(UTC))
            hidden = discord.Permissions(view_channel=True).value
            secret = place.wire.backend.create_channel(place.guild, "비밀").id
            place.wire.backend.set_overwrite(secret, Overwrite(place.guild, OverwriteType.ROLE, deny=hidden))
            place.write("비밀 글", channel=secret)
            place.write("보이는 글")
            async with listening(place) as heard:
                await heard.until(1)
                await heard.nothing_more()
                assert heard.texts == ["보이는 글"]
                assert not place.wire.made("GET", f"/channels/{secret}/")

    asyncio.run(scenario())


def test_500s_while_catching_up_are_waited_out() -> None:
    async def scenario() -> None:
        async with cafe() as place:
            async with listening(place):
                await kept_until(place, datetime.now(UTC))
            place.write("사이")
            place.wire.trouble("GET", f"/channels/{place.general}/messages", 500, times=1)
            place.wire.trouble("GET", f"/channels/{place.general}/messages", 429, times=1, retry_after=0.1)
            async with listening(place) as heard:
                await heard.until(1)
                assert heard.texts == ["사이"]

    asyncio.run(scenario())


def test_the_bookmark_stands_still_while_messages_are_not_confirmed() -> None:
    async def scenario() -> None:
        async with cafe() as place:
            chat = place.chat()
            batches = chat.messages()
            first = asyncio.ensure_future(anext(batches))
            await until(chat.client.is_ready)
            place.write("보관되지 않은 글")
            sent = datetime.now(UTC)
            await first
            await asyncio.sleep(0.4)
            assert datetime.fromisoformat(_mark(place)) <= sent
            second = asyncio.ensure_future(anext(batches))  # confirms the first
            await kept_until(place, sent)
            second.cancel()
            with suppress(asyncio.CancelledError):
                await second

    asyncio.run(scenario())


def test_what_overflows_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.chat.discord.receiving.arrivals.CAPACITY", 40)
    monkeypatch.setattr(backlog, "PAGE", 10)

    async def scenario() -> None:
        async with cafe() as place:
            chat = place.chat()
            batches = chat.messages()
            first = asyncio.ensure_future(anext(batches))
            await until(chat.client.is_ready)
            for number in range(60):
                place.write(f"{number}")
            heard = {m.text for m in await first}
            await asyncio.sleep(0.3)  # the database is away: nobody asks for more
            async with asyncio.timeout(60):
                while not heard >= set(map(str, range(60))):
                    heard |= {m.text for m in await anext(batches)}
            await batches.aclose()

    asyncio.run(scenario())


def test_the_oldest_unconfirmed_message_is_known() -> None:
    async def scenario() -> None:
        clock = ManualClock()
        arrivals = Arrivals(clock)
        assert arrivals.oldest is None
        arrivals.put(message("1"))
        began = clock.now()
        await clock.advance(5)
        arrivals.put(message("2"))
        batches = arrivals.batches()
        assert len(await anext(batches)) == 2
        assert arrivals.oldest == began
        arrivals.put(message("3"))
        assert len(await anext(batches)) == 1
        assert arrivals.oldest == clock.now()

    asyncio.run(scenario())


def test_d2_intents_that_are_not_switched_on_are_named() -> None:
    async def scenario() -> None:
        async with cafe() as place:
            chat = place.chat()
            first = asyncio.ensure_future(anext(chat.messages()))
            await until(lambda: place.wire.identified)
            await place.wire.drop_gateway(4014)
            with pytest.raises(Broken, match="MESSAGE CONTENT INTENT"):
                await first

    asyncio.run(scenario())


def test_a_wrong_token_is_broken() -> None:
    async def scenario() -> None:
        async with cafe() as place:
            with pytest.raises(Broken, match="token"):
                await anext(place.chat(token="wrong").messages())

    asyncio.run(scenario())


def test_discord_being_away_at_the_start_is_waited_out() -> None:
    async def scenario() -> None:
        async with cafe() as place:
            place.wire.trouble("GET", "/users/@me", 503, times=2)
            async with listening(place) as heard:
                place.write("안녕")
                await heard.until(1)

    asyncio.run(scenario())


def test_d14_a_process_takes_only_the_shards_it_was_given() -> None:
    async def scenario() -> None:
        async with DiscordWire() as wire:
            guilds = [wire.backend.create_guild(f"서버 {shard}", shard_id=shard, shard_count=2) for shard in (0, 1)]
            assert [(guild.id >> 22) % 2 for guild in guilds] == [0, 1]
            place = Cafe(wire=wire)
            async with listening(place, place.chat(shard_ids=[1], shard_count=2)) as heard:
                assert list(heard.chat.client.shards) == [1]
                mine = {guild.id for guild in wire.backend.guilds.values() if (guild.id >> 22) % 2 == 1}
                assert {guild.id for guild in heard.chat.client.guilds} == mine

    asyncio.run(scenario())


def test_neither_messages_nor_members_are_kept_in_memory() -> None:
    async def scenario() -> None:
        async with cafe() as place, listening(place, place.chat(member_names=True)) as heard:
            for number in range(300):
                place.write(f"{number}", by=place.join(f"회원 {number}", announce=True))
            await heard.until(600)
            state = heard.chat.client._connection
            assert not state._messages and len(state._users) <= 2
            assert [member.id for member in heard.chat.client.guilds[0].members] == [place.me]

    asyncio.run(scenario())


def test_the_chat_is_closed_with_its_messages() -> None:
    async def scenario() -> None:
        async with cafe() as place:
            chat: DiscordChat = place.chat(clock=SystemClock())
            batches = chat.messages()
            place_ready = asyncio.ensure_future(anext(batches))
            await until(chat.client.is_ready)
            place.write("하나")
            await place_ready
            await batches.aclose()
            assert chat.client.is_closed()

    asyncio.run(scenario())
