"""Members' names, over TCP: heard on join and change where that is switched on, hidden where a rule says so."""

import asyncio
from pathlib import Path

import discord
import pytest

from adapters.chat.discord.errors import lacking
from bot.core.base.errors import Broken
from bot.core.chat.message import Kind, Message
from bot.core.rules.actions import Ban, Delete, Done, Flag, Refused, Restore, Warn
from bot.core.text.catalogue import texts
from tests.adapters.discord.cafe import Cafe, Heard, cafe, play
from tests.adapters.discord.test_flow import at_work
from tests.servers.waiting import until


def rename(place: Cafe, user_id: int, nick: str | None) -> None:
    place.wire.backend.edit_member(place.guild, user_id, {"nick": nick})


def nick_of(place: Cafe, user_id: int) -> str | None:
    return place.wire.backend.guilds[place.guild].members[user_id].nick


async def named(place: Cafe, heard: Heard, nick: str) -> Message:
    rename(place, place.minji, nick)
    await until(lambda: heard.messages and heard.messages[-1].text == nick)
    return heard.messages[-1]


def test_the_names_of_people_who_join_are_heard_in_a_burst_too() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        joined = [place.join(f"회원 {number}", announce=True) for number in range(200)]
        place.join("도우미봇", bot=True, announce=True)
        messages = await heard.until(200)
        await heard.nothing_more()
        assert [m.author.id for m in messages] == list(map(str, joined))
        first = messages[0]
        assert (first.text, first.kind, first.community_id) == ("회원 0", Kind.NEW, str(place.guild))
        assert first.ref.message_id == f"name:{joined[0]}" and first.author.since
        assert len({m.ref for m in messages}) == 200

    play(scene, member_names=True)


def test_a_new_name_is_heard_once_and_other_changes_are_not() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        first = await named(place, heard, "별명")
        place.wire.backend.add_member_role(place.guild, place.minji, place.staff_role)
        assert len(await heard.nothing_more()) == 1
        second = await named(place, heard, "다른 별명")
        assert second.ref.message_id == first.ref.message_id and second.ref.revision > first.ref.revision
        assert second.author.is_staff and not first.author.is_staff
        rename(place, place.minji, None)
        await until(lambda: heard.texts[-1] == "민지")

    play(scene, member_names=True)


def test_names_are_left_alone_unless_they_are_asked_for() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        assert not discord.Intents._from_value(place.wire.intents).members
        place.join("새 회원", announce=True)
        rename(place, place.minji, "별명")
        assert await heard.nothing_more() == []

    play(scene)


def test_a_harmful_nickname_is_taken_away_and_nothing_else() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        name = await named(place, heard, "나쁜 별명")
        written = place.write("좋은 말")
        await until(lambda: heard.texts[-1] == "좋은 말")
        assert await heard.chat.perform(place.planned(Delete(), name)) == Done()
        assert nick_of(place, place.minji) is None
        assert written.id in place.wire.backend.messages[place.general]
        (call,) = place.wire.made("PATCH", f"/members/{place.minji}")
        assert call.body == {"nick": None} and call.reason
        await until(lambda: heard.texts[-1] == "민지")  # what others see from now on is judged as well
        assert await heard.chat.perform(place.planned(Restore(), name)) == Done()
        assert nick_of(place, place.minji) == "나쁜 별명"
        await heard.nothing_more()
        assert heard.texts[-1] == "민지"  # what a moderator has given back is not judged again

    play(scene, member_names=True)


def test_a_harmful_name_of_their_own_is_covered_and_uncovered() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        joined = place.join("나쁜 이름", announce=True)
        (name,) = await heard.until()
        assert await heard.chat.perform(place.planned(Delete(), name)) == Done()
        assert nick_of(place, joined) == texts("ko")["discord.hidden_name"]
        assert await heard.chat.perform(place.planned(Restore(), name)) == Done()
        assert nick_of(place, joined) is None
        await heard.nothing_more()
        assert heard.texts == ["나쁜 이름"]

    play(scene, member_names=True)


def test_d32_names_above_our_role_and_without_permission_are_not_tried() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        rename(place, place.owner, "별명")
        (owners,) = await heard.until()
        assert await heard.chat.perform(place.planned(Delete(), owners)) == Refused("discord.owner")
        name = await named(place, heard, "나쁜 별명")
        mine = next(role for role in place.wire.backend.guilds[place.guild].roles.values() if role.managed)
        allowed = discord.Permissions(mine.permissions)
        allowed.manage_nicknames = False
        place.wire.backend.edit_role(place.guild, mine.id, {"permissions": allowed.value})
        guild = heard.chat.client.get_guild(place.guild)
        await until(lambda: guild and not guild.me.guild_permissions.manage_nicknames)
        refused = await heard.chat.perform(place.planned(Delete(), name))
        assert refused == Refused(lacking(["manage_nicknames"]))
        assert not place.wire.made("PATCH", "/members/")
        assert await heard.chat.perform(place.planned(Ban(), name)) == Done()

    play(scene, member_names=True)


def test_a_warning_about_a_name_says_so_and_is_never_given_in_public() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        name = await named(place, heard, "나쁜 별명")
        assert isinstance(await heard.chat.perform(place.planned(Warn(), name)), Done)
        dm = place.wire.backend.dm_channels[place.minji]
        (warning,) = place.wire.backend.messages[dm].values()
        assert "이 서버에서 쓰는 이름" in warning.content
        place.wire.trouble("POST", "/users/@me/channels", 403)
        outcome = await heard.chat.perform(place.planned(Warn(), name, incident=2))
        assert outcome == Refused("discord.closed_dm")
        assert not place.wire.made("POST", f"/channels/{place.general}/messages")

    play(scene, member_names=True)


def test_from_a_harmful_nickname_to_its_card(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cafe() as place, at_work(place, tmp_path, member_names=True) as at:
            rename(place, place.minji, "나쁜 별명")
            await until(lambda: nick_of(place, place.minji) is None and at.cards())
            (incident,) = await at.incidents()
            assert [action for action, _ in incident.outcomes] == [Delete(), Flag()]
            fields = {field["name"]: field["value"] for field in at.cards()[0].embeds[0]["fields"]}
            assert fields["위치"] == "회원의 이름" and fields["회원"] == f"<@{place.minji}>"

    asyncio.run(scenario())


def test_d2_without_the_members_intent_both_switches_are_named() -> None:
    async def scenario() -> None:
        async with cafe() as place:
            chat = place.chat(member_names=True)
            first = asyncio.ensure_future(anext(chat.messages()))
            await until(lambda: place.wire.identified)
            await place.wire.drop_gateway(4014)
            with pytest.raises(Broken, match="SERVER MEMBERS INTENT"):
                await first

    asyncio.run(scenario())
