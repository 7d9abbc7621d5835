"""A part of a community, or who has a role, is under another mode or preset than the rest, on every network."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from bot.core.communities.overrides import MOST, Override, about
from bot.core.moderators.answer import Channel, Member, Role
from bot.core.moderators.commands.lists import Forbid
from bot.core.moderators.commands.members import Exempt
from bot.core.moderators.commands.overrides import SetOverride
from bot.core.rules.policy import Watch
from tests.adapters.discord.cafe import cafe
from tests.adapters.discord.moderators.test_commands import told
from tests.adapters.discord.test_flow import at_work
from tests.adapters.telegram.test_flow import GROUP, running, set_up, url_in
from tests.builders import NOW, message
from tests.flow.communities.test_own_words import HERE, Desk, theirs
from tests.servers.discord import Picked
from tests.servers.telegram import BOT_ID, TelegramServer
from tests.servers.waiting import until

WORD = "대리게임"


def modes(desk: Desk, **more: Any) -> tuple[Watch, str | None]:
    """The mode in a place, and which rule acts there on a forbidden word."""
    said = replace(message(text=WORD), community_id=HERE.id, **more)
    return desk.policies.of(said).mode, desk.decided(WORD, **more).rule


def test_threads_follow_their_channel_and_the_nearer_place_goes_first() -> None:
    async def scenario() -> None:
        desk = Desk()
        await desk.says(Forbid(WORD))
        await desk.says(SetOverride(mode="watch", channel=Channel("category")))
        await desk.says(SetOverride(mode="live", preset="strict", channel=Channel("general")))
        await desk.says(SetOverride(mode="off", role=Role("friends"), lasting=timedelta(hours=1)))
        inside = frozenset({"category"})
        assert modes(desk) == (Watch.LIVE, "forbidden-words")
        assert modes(desk, within=inside) == (Watch.LIVE, "forbidden-words")
        ref = message(channel="other").ref
        assert modes(desk, ref=ref, within=inside) == (Watch.WATCH, "forbidden-words")
        friend = replace(message().author, roles=frozenset({"friends"}))
        assert modes(desk, author=friend)[1] is None
        await desk.store.clock.advance(3601)
        assert modes(desk, author=friend)[1] == "forbidden-words"
        await desk.says(SetOverride(mode="same", channel=Channel("category")))
        assert modes(desk, ref=ref, within=inside) == (Watch.LIVE, "forbidden-words")
        assert desk.policies.of(message(community=HERE.id)) != desk.policies.of_community(HERE)
        assert "<#general>: " in await desk.says(SetOverride())

    asyncio.run(scenario())


def test_a_pause_holds_everywhere_and_no_more_than_so_many_places_are_different() -> None:
    async def scenario() -> None:
        desk = Desk()
        await desk.says(SetOverride(mode="live", channel=Channel("general")))
        later = NOW + timedelta(hours=1)
        await desk.change(HERE, lambda now: replace(now, mode=Watch.WATCH, paused_until=later), by="")
        assert modes(desk)[0] is Watch.WATCH
        await desk.store.clock.advance(3601)
        assert modes(desk)[0] is Watch.LIVE
        full = {str(number): Override(off=True) for number in range(MOST)}
        await desk.change(HERE, lambda now: replace(now, overrides=full), by="")
        assert str(MOST) in await desk.says(SetOverride(mode="live", channel=Channel("general")))
        assert str(MOST) in await desk.says(Exempt(Member("새봄"), lasting=timedelta(hours=1)))
        assert desk.community(HERE).overrides == full

    asyncio.run(scenario())


def test_an_exemption_ends_by_itself_and_can_be_ended_before() -> None:
    async def scenario() -> None:
        desk = Desk()
        await desk.says(Forbid(WORD))
        member = Member(message().author.id)
        assert "까지" in await desk.says(Exempt(member, lasting=timedelta(hours=1)))
        assert "<@minji>" in await desk.says(SetOverride())
        assert modes(desk)[1] is None
        assert modes(desk, author=replace(message().author, id="other"))[1] == "forbidden-words"
        await desk.store.clock.advance(3601)
        assert modes(desk)[1] == "forbidden-words"
        await desk.says(Exempt(channel=Channel("general"), lasting=timedelta(days=2)))
        assert modes(desk)[1] is None
        await desk.says(Exempt(channel=Channel("general"), on=False))
        assert modes(desk)[1] == "forbidden-words"
        assert desk.community(HERE).exempt_channels == frozenset()

    asyncio.run(scenario())


def test_what_has_ended_is_about_nobody() -> None:
    ended = {"general": Override(off=True, until=NOW)}
    assert about(ended, message(), NOW) == ()
    assert about(ended, message(), NOW - timedelta(seconds=1)) != ()


def test_on_discord_a_channel_is_only_watched(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cafe() as place, at_work(place, tmp_path) as at:
            other = place.wire.backend.create_channel(place.guild, "구경").id
            await until(lambda: at.client.get_channel(other))
            where = Picked("channel", other)
            record = place.wire.command(
                place.owner, place.general, "jikimi policy override", mode="watch", channel=where
            )
            assert f"<#{other}>" in await told(place, record)
            kept = place.write("나쁜 말", channel=other)
            place.write("나쁜 말")
            await until(lambda: theirs(at) == [])
            await at.settled(2)
            assert kept.id in place.wire.backend.messages[other]

    asyncio.run(scenario())


def told_by_bot(server: TelegramServer) -> list[str]:
    return [
        one.get("text", "")
        for chat in server.chats.values()
        for one in chat.messages.values()
        if one["from"]["id"] == BOT_ID
    ]


def test_on_telegram_a_topic_is_only_watched_and_a_member_changes_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        await set_up(url_in(tmp_path))
        async with TelegramServer() as server:
            group = server.group(GROUP)
            topic = server.topic(group)
            async with running(url_in(tmp_path), server.url, mode=None):
                server.post_in(topic, 666, "/override live")
                server.post_in(topic, 1, "/따로 조치하기")
                server.post(group, 1, f"/금지 {WORD}")
                await server.until(
                    lambda: all(one in "".join(told_by_bot(server)) for one in ("번 주제: 조치하기", WORD))
                )
                kept, bad = server.post(group, 7, WORD), server.post_in(topic, 7, WORD)
                await server.until(lambda: bad["message_id"] not in group.messages)
                assert kept["message_id"] in group.messages

    asyncio.run(scenario())
