"""Catching up over many servers: nothing is asked for that nobody needs, the newest comes first, nothing is stuck."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import discord
import pytest

from adapters.chat.discord.receiving import backlog, catching_up
from adapters.chat.discord.receiving.arrivals import Arrivals
from bot.core.base.errors import Unavailable
from tests.adapters.discord.cafe import Cafe, Heard, cafe, listening
from tests.builders import message
from tests.fakes.clock import ManualClock, WrongClock
from tests.servers.discord import Call
from tests.servers.waiting import until

SERVERS, CHANNELS, SPOKEN_IN, SAID = 12, 10, 3, 5


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catching_up, "EVERY", 0.05)
    monkeypatch.setattr(catching_up, "MARGIN", timedelta(seconds=0.1))


def away_since(place: Cafe, hours: float) -> None:
    """The bot, a member of long standing, was last seen so long ago."""
    place.bookmarks.places["discord all"] = (datetime.now(UTC) - timedelta(hours=hours)).isoformat()
    for guild in place.wire.backend.guilds.values():
        guild.members[place.me].joined_at = "2020-01-01T00:00:00+00:00"


def pages(place: Cafe) -> list[Call]:
    return [call for call in place.wire.made("GET", "/messages") if "limit" in call.query]


@asynccontextmanager
async def many_servers(hours: float) -> AsyncIterator[tuple[Cafe, list[str]]]:
    """Servers in which somebody spoke in a few of the channels, and what was said, the oldest first."""
    async with cafe() as place:
        backend, said = place.wire.backend, list[str]()
        rooms = []
        for server in range(SERVERS):
            guild = backend.create_guild(f"서버 {server}").id
            who = backend.make_user(f"회원 {server}").id
            backend.add_member(guild, who, announce=False)
            rooms += [(backend.create_channel(guild, f"방 {number}").id, who) for number in range(CHANNELS)]
        for number in range(SAID):
            for nth, (channel, who) in enumerate(rooms):
                if nth % CHANNELS < SPOKEN_IN:
                    said.append(f"{nth}-{number}")
                    backend.create_message(channel, who, said[-1])
        away_since(place, hours)
        yield place, said


def test_what_nobody_spoke_in_costs_nothing_and_members_are_not_asked_for() -> None:
    async def scenario() -> None:
        async with many_servers(0.5) as (place, said), listening(place) as heard:
            await until(lambda: set(heard.texts) >= set(said))
            await heard.nothing_more()
            assert len(pages(place)) == SERVERS * SPOKEN_IN
            assert not place.wire.made("GET", "/threads") and not place.wire.made("GET", "/members")
            assert place.wire.members_asked == 0

    asyncio.run(scenario())


def test_archived_threads_are_looked_for_behind_everything_else() -> None:
    async def scenario() -> None:
        async with many_servers(3) as (place, said), listening(place) as heard:
            lists = 2 * (SERVERS * CHANNELS + 2)
            await until(lambda: len(place.wire.made("GET", "/threads/archived")) == lists, 60)
            asked = [call for call in place.wire.calls if call in pages(place) or "/threads/archived" in call.path]
            first = next(nth for nth, call in enumerate(asked) if "/threads/archived" in call.path)
            assert first >= SERVERS * SPOKEN_IN - backlog.AT_ONCE and set(heard.texts) >= set(said)

    asyncio.run(scenario())


def test_the_newest_of_all_servers_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "PAGE", 2)
    monkeypatch.setattr(backlog, "AT_ONCE", 1)

    async def scenario() -> None:
        async with many_servers(0.5) as (place, said), listening(place) as heard:
            await until(lambda: set(heard.texts) >= set(said))
            firsts = [int(text.partition("-")[2]) for text in heard.texts[: 2 * SERVERS * SPOKEN_IN]]
            assert set(firsts) == {SAID - 1, SAID - 2}  # a page of each channel before the second page of any

    asyncio.run(scenario())


def test_each_server_has_a_bookmark_endit_is_read() -> None:
    async def scenario() -> None:
        async with many_servers(0.5) as (place, said):
            began = place.bookmarks.places["discord all"]
            place.write("막힌 채널", channel=place.general)
            place.wire.trouble("GET", f"/channels/{place.general}/messages", 503, times=10_000)
            written = datetime.now(UTC).isoformat()
            async with listening(place) as heard:
                await until(lambda: set(heard.texts) >= set(said))
                await until(lambda: place.bookmarks.places["discord all"] > written)
                assert place.bookmarks.places[f"discord all/{place.guild}"] == began
                await until(lambda: len([name for name in place.bookmarks.places if "/" in name]) == 1)
            assert "막힌 채널" not in heard.texts
            place.wire.troubles.clear()
            async with listening(place) as heard:
                await until(lambda: "막힌 채널" in heard.texts)
                await until(lambda: not [name for name in place.bookmarks.places if "/" in name])
                assert set(heard.texts) - {"막힌 채널"} == set()  # the others were read before

    asyncio.run(scenario())


def test_a_reading_that_is_broken_off_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what was missed meanwhile is read first."""
    monkeypatch.setattr(backlog, "PAGE", 10)

    async def broken_off(place: Cafe) -> list[str]:
        """What is heard until the channel cannot be read any more."""
        place.wire.troubles.clear()
        async with listening(place) as heard:
            await until(lambda: len(heard.messages) >= 20, 60)
            place.wire.trouble("GET", f"/channels/{place.general}/messages", 503, times=10_000)
            soon = (datetime.now(UTC) + timedelta(seconds=0.2)).isoformat()
            await until(lambda: place.bookmarks.places["discord all"] > soon)
            return list(heard.texts)

    async def scenario() -> None:
        async with cafe() as place:
            place.wire.latency = 0.05
            said, read = [f"옛 글 {number}" for number in range(200)], list[str]()
            place.wire.clock.advance(-len(said))
            for text in said:
                place.write(text)
                place.wire.clock.advance(1)
            away_since(place, 0.5)
            for life in range(3):
                read += await broken_off(place)
                said.append(f"새 글 {life}")
                place.write(said[-1])
            place.wire.troubles.clear()
            async with listening(place) as heard:
                await until(lambda: not [name for name in place.bookmarks.places if "/" in name])
            read += heard.texts
            assert set(read) == set(said) and len(read) <= len(said) + 3, "once, but what is of one millisecond"

    asyncio.run(scenario())


def test_a_clock_that_was_wrong_hides_nothing() -> None:
    """A bookmark is where Discord's time was, not where ours was thought to be."""

    async def scenario() -> None:
        async with cafe() as place:
            async with listening(place, place.chat(clock=WrongClock(timedelta(minutes=30)))) as heard:
                began = place.bookmarks.places["discord all"]
                place.write("앞")
                await heard.until(1)
                await until(lambda: place.bookmarks.places["discord all"] > began)
            place.write("그사이")  # and the clock is right again
            async with listening(place) as heard:
                await until(lambda: "그사이" in heard.texts, 20)

    asyncio.run(scenario())


def test_a_page_for_which_there_was_no_room_is_read_again() -> None:
    async def scenario() -> None:
        async with cafe() as place:
            away_since(place, 0.0)
            now = datetime.now(UTC)
            since, end = (now - timedelta(minutes=minutes) for minutes in (30, 20))
            place.bookmarks.places[f"discord all/{place.guild}"] = f"{since.isoformat()}/{end.isoformat()}"
            place.wire.clock.elapsed = -25 * 60.0
            place.write("앞")
            place.wire.clock.elapsed = 0.0
            chat = place.chat()
            read = chat._catching_up._backlog.take

            async def full(message: discord.Message) -> None:
                await read(message)
                chat._arrivals.overflowed |= len(pages(place)) == 1

            chat._catching_up._backlog.take = full
            async with listening(place, chat):
                await until(lambda: not [name for name in place.bookmarks.places if "/" in name])
            assert len(pages(place)) == 2

    asyncio.run(scenario())


def test_many_stretches_that_were_not_read_become_few() -> None:
    async def scenario() -> None:
        async with cafe() as place:
            away_since(place, 0.0)
            now, stretches = datetime.now(UTC), list[str]()
            for number in range(30):
                since = now - timedelta(minutes=40 - number)
                stretches.append(f"{since.isoformat()}/{(since + timedelta(seconds=20)).isoformat()}")
                place.wire.clock.elapsed = (since - now).total_seconds() + 10
                place.write(str(number))
            place.wire.clock.elapsed = 0.0
            place.bookmarks.places[f"discord all/{place.guild}"] = " ".join(stretches)
            async with listening(place) as heard:
                await until(lambda: not [name for name in place.bookmarks.places if "/" in name])
            assert sorted(heard.texts, key=int) == [str(number) for number in range(30)]
            assert len(pages(place)) <= catching_up.MOST + 1

    asyncio.run(scenario())


def test_what_is_heard_shows_that_nothing_before_it_was_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence does not: the connection may be dead."""
    monkeypatch.setattr(catching_up, "MARGIN", timedelta(minutes=2))
    monkeypatch.setattr(catching_up, "DISORDER", timedelta(seconds=0.1))

    async def scene(place: Cafe, heard: Heard) -> None:
        began = place.bookmarks.places["discord all"]
        await heard.nothing_more()
        assert place.bookmarks.places["discord all"] == began
        said = place.write("안녕")
        await until(lambda: place.bookmarks.places["discord all"] > began)
        assert datetime.fromisoformat(place.bookmarks.places["discord all"]) < discord.utils.snowflake_time(said.id)

    _with_a_cafe(scene)


@pytest.mark.parametrize("status", [400, 401, 418])
def test_what_discord_refuses_is_not_asked_again_and_moderators_hear_of_it(status: int) -> None:
    async def scenario() -> None:
        async with cafe() as place:
            away_since(place, 0.5)
            other = place.wire.backend.create_channel(place.guild, "다른 방").id
            place.write("하나")
            place.write("둘", channel=other)
            place.wire.trouble("GET", f"/channels/{place.general}/messages", status, times=10_000)
            async with listening(place) as heard:
                await until(lambda: place.wire.made("POST", f"/channels/{place.mods}/messages"))
                assert heard.texts == ["둘"]
                await until(lambda: not [name for name in place.bookmarks.places if "/" in name])
                assert len([call for call in pages(place) if str(place.general) in call.path]) == 1

    asyncio.run(scenario())


def test_a_session_that_breaks_again_and_again_is_read_once_at_a_time() -> None:
    async def scenario() -> None:
        async with cafe() as place:
            away_since(place, 0.5)
            place.write("앞")
            place.wire.trouble("GET", f"/channels/{place.general}/messages", 503, times=2)
            async with listening(place) as heard:
                up = heard.chat._catching_up
                guilds = list(heard.chat.client.guilds)
                for _ in range(5):
                    await up.read_back(guilds, 0)
                await until(lambda: "앞" in heard.texts)
                await until(lambda: not up._gaps)
                assert heard.texts.count("앞") <= 2 and len(pages(place)) <= 8

    asyncio.run(scenario())


def test_a_server_that_comes_back_from_an_outage_is_read_back() -> None:
    async def scenario() -> None:
        async with cafe() as place, listening(place) as heard:
            place.write("앞")
            await heard.until(1)
            place.wire.outage(place.guild)
            guild = heard.chat.client.get_guild(place.guild)
            await until(lambda: guild and guild.unavailable)
            place.wire.backend.subscribers.remove(place.wire._emit)  # nobody tells us
            place.write("사이")
            place.wire.backend.subscribers.append(place.wire._emit)
            place.wire.outage(place.guild, over=True)
            await until(lambda: "사이" in heard.texts)

    asyncio.run(scenario())


def test_edits_made_meanwhile_are_read_with_what_was_said() -> None:
    async def scenario() -> None:
        async with cafe() as place:
            place.wire.clock.advance(-7200)
            old = place.write("옛 글")
            untouched = place.write("손대지 않은 글")
            place.wire.clock.elapsed = 0.0
            away_since(place, 0.5)
            place.wire.backend.edit_message(place.general, old.id, {"content": "고친 나쁜 글"})
            place.write("새 글")
            async with listening(place) as heard:
                await until(lambda: len(heard.messages) >= 2)
                await heard.nothing_more()
                assert sorted(heard.texts) == ["고친 나쁜 글", "새 글"] and untouched.content not in heard.texts

    asyncio.run(scenario())


def test_moderators_hear_of_what_is_too_old_to_be_read() -> None:
    async def scenario() -> None:
        async with cafe() as place:
            away_since(place, 48)
            place.write("새 글")
            async with listening(place) as heard:
                await heard.until(1)
                await until(lambda: place.wire.made("POST", f"/channels/{place.mods}/messages"), 30)
                (call,) = place.wire.made("POST", f"/channels/{place.mods}/messages")
                assert "살피지 못했습니다" in call.body["content"]

    asyncio.run(scenario())


def test_authors_are_asked_about_together() -> None:
    async def scenario() -> None:
        async with cafe() as place:
            people = [place.join(f"회원 {number}") for number in range(40)]
            away_since(place, 0.5)
            for who in people:
                place.write("나쁜 말", by=who)
            async with listening(place) as heard:
                said = list(await heard.until(40))
                met = await asyncio.gather(*map(heard.chat.meet, said))
                assert {author.id for author in met} == set(map(str, people)) and not any(a.unmet for a in met)
                assert place.wire.members_asked <= 2 and len(place.wire.made("GET", "/members/")) <= 2

    asyncio.run(scenario())


def test_who_has_left_is_met_as_nobody_special_and_who_cannot_be_asked_about_is_not_met() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        thread = place.wire.backend.create_thread(place.general, "제목", place.minji)
        (title,) = await heard.until(1)
        assert title.ref.channel_id == str(thread.id)
        place.wire.trouble("GET", f"/guilds/{place.guild}/members/", 503, times=1)
        with pytest.raises(Unavailable):
            await heard.chat.meet(title)
        place.wire.backend.remove_member(place.guild, place.minji)
        assert (await heard.chat.meet(title)).roles == frozenset()

    _with_a_cafe(scene)


def test_live_messages_go_ahead_of_a_backlog() -> None:
    async def scenario() -> None:
        arrivals = Arrivals(ManualClock())
        for number in range(600):
            arrivals.put(message(f"late {number}"), late=True)
        batches = arrivals.batches()
        await anext(batches)
        arrivals.put(message("live"))
        assert (await anext(batches))[0].ref.message_id == "live"

    asyncio.run(scenario())


def _with_a_cafe(scene: Callable[[Cafe, Heard], Awaitable[None]]) -> None:
    async def scenario() -> None:
        async with cafe() as place, listening(place) as heard:
            await scene(place, heard)

    asyncio.run(scenario())
