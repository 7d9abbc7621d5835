"""Our own calls to Discord: below every limit that it counts, what protects people first, nobody waits in a slot."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial

import discord
import pytest
from simcord.backend.models import Overwrite
from simcord.enums import OverwriteType

from adapters.chat.discord.acting.private import EACH, IN_ALL, RAID, RAID_WITHIN, PrivateMessages
from adapters.chat.discord.connection import NOTICES
from adapters.chat.discord.errors import InvalidAnswers
from adapters.chat.discord.limits import BURST, FAIR, PER_SECOND, Limiter, Rank, Room, rank_of
from adapters.chat.server_time import NetworkClock
from bot.core.base.errors import Unavailable
from bot.core.chat.message import Message
from bot.core.communities.community import Community
from bot.core.rules.actions import Delete, Done, Flag, Gone, Kick, Notice, Outcome, Refused, Timeout, Warn
from tests.adapters.discord.cafe import Cafe, Heard, play
from tests.builders import DISCORD
from tests.fakes.clock import ManualClock
from tests.servers.discord import BUCKETS
from tests.servers.waiting import until


def limiter(clock: ManualClock) -> Limiter:
    return Limiter(clock=NetworkClock(clock), invalid=InvalidAnswers(clock))


def nobody() -> discord.Client:
    """A client that is never connected."""
    return discord.Client(intents=discord.Intents.none())


# ---- the global limit


def test_in_no_second_more_requests_go_than_discord_counts() -> None:
    async def scenario() -> None:
        clock = ManualClock()
        turns, gone = limiter(clock), list[float]()

        async def ask() -> None:
            await turns.turn(Rank.NOTICE)
            gone.append(clock.monotonic())

        asked = [asyncio.create_task(ask()) for _ in range(200)]
        for _ in range(500):
            await clock.advance(0.01)
        assert len(gone) == 200 and all(task.done() for task in asked)
        for first in gone:
            assert len([at for at in gone if first <= at < first + 1]) <= PER_SECOND + BURST < 50
        assert gone[-1] <= 200 / PER_SECOND + 0.1  # and no slower than need be

    asyncio.run(scenario())


def test_deletions_go_first_and_nobody_waits_for_ever() -> None:
    async def scenario() -> None:
        clock = ManualClock()
        turns, order = limiter(clock), list[Rank]()

        async def ask(rank: Rank) -> None:
            await turns.turn(rank)
            order.append(rank)

        tasks = [asyncio.create_task(ask(Rank.READING)) for _ in range(BURST + 10)]
        await clock.advance(0)
        tasks += [asyncio.create_task(ask(rank)) for rank in (Rank.NOTICE, Rank.SANCTION, Rank.DELETION) * 40]
        await clock.advance(60)
        assert all(task.done() for task in tasks)
        others = [rank for place, rank in enumerate(order[BURST:], 1) if place % FAIR]  # every FAIRth: the longest wait
        assert others == sorted(others)
        assert Rank.READING in order[BURST : BURST + FAIR]

    asyncio.run(scenario())


def test_who_gives_up_takes_nobodys_turn() -> None:
    async def scenario() -> None:
        clock = ManualClock()
        turns = limiter(clock)
        tasks = [asyncio.create_task(turns.turn(Rank.NOTICE)) for _ in range(100)]
        await clock.advance(0)
        for task in tasks[BURST:-1]:
            task.cancel()
        await clock.advance(2 / PER_SECOND)
        assert tasks[-1].done()
        await clock.advance(1)
        await asyncio.gather(*(asyncio.create_task(turns.turn(Rank.NOTICE)) for _ in range(BURST)))  # all there again

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("method", "path", "rank"),
    [
        ("DELETE", "/api/v10/channels/1/messages/2", Rank.DELETION),
        ("POST", "/api/v10/channels/1/messages/bulk-delete", Rank.DELETION),
        ("PATCH", "/api/v10/guilds/1/members/2", Rank.SANCTION),
        ("PUT", "/api/v10/guilds/1/bans/2", Rank.SANCTION),
        ("POST", "/api/v10/channels/1/messages", Rank.NOTICE),
        ("GET", "/api/v10/channels/1/messages", Rank.READING),
    ],
)
def test_what_protects_people_comes_first(method: str, path: str, rank: Rank) -> None:
    assert rank_of(method, path) is rank


def test_d18_however_much_is_asked_for_the_global_limit_is_not_met() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        place.wire.global_limit, place.wire.buckets = 50, BUCKETS
        channels = [place.wire.backend.create_channel(place.guild, f"방 {number}").id for number in range(120)]
        for channel in channels:
            place.write("나쁜 말", channel=channel)
        messages = list(await heard.until(len(channels)))
        deletes = (place.planned(Delete(), message) for message in messages)
        assert await asyncio.gather(*map(heard.chat.perform, deletes)) == [Done()] * len(channels)
        assert len(place.wire.limited) <= 5  # a busy machine makes two seconds of ours into one of the server's

    play(scene)


def test_d18_answers_to_interactions_do_not_wait() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        assert heard.chat.client.application_id is not None
        turns = heard.chat._limiter
        waiting = [asyncio.create_task(turns.turn(Rank.DELETION)) for _ in range(400)]
        await until(lambda: place.wire.backend.commands)  # registered before, or by every FAIRth turn
        place.wire.locale = "ko"
        asked = place.wire.command(place.owner, place.general, "privacy")
        await until(lambda: asked.responded)
        assert not all(task.done() for task in waiting)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    play(scene)


def test_after_a_global_429_everybody_waits() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        messages = []
        for number in range(8):
            place.write("나쁜 말", channel=place.wire.backend.create_channel(place.guild, f"방 {number}").id)
        messages = list(await heard.until(8))
        place.wire.trouble("DELETE", "/channels/", 429, retry_after=1.0, scope="global")
        first = asyncio.create_task(heard.chat.perform(place.planned(Delete(), messages[0])))
        await until(lambda: place.wire.made("DELETE", "/messages/"))
        refused = place.wire.made("DELETE", "/messages/")[0].at
        others = (place.planned(Delete(), message) for message in messages[1:])
        assert await asyncio.gather(first, *map(heard.chat.perform, others)) == [Done()] * 8
        assert all(call.at - refused >= 0.9 for call in place.wire.made("DELETE", "/messages/")[1:])

    play(scene)


@pytest.mark.parametrize("scope", ["user", "global"])
@pytest.mark.parametrize("wait", [float("nan"), float("inf"), -5.0])
def test_a_limit_that_names_no_time_is_not_waited_for(scope: str, wait: float) -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        place.write("나쁜 말")
        (message,) = await heard.until(1)
        place.wire.trouble("DELETE", "/channels/", 429, retry_after=wait, scope=scope)
        with pytest.raises(Unavailable):
            await heard.chat.perform(place.planned(Delete(), message))
        assert await heard.chat.perform(place.planned(Delete(), message)) == Done()

    play(scene)


# ---- lanes: nobody waits where deletions need the place


def test_members_of_one_server_are_edited_a_few_at_a_time_and_the_others_come_back_one_after_the_other() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        place.wire.buckets = BUCKETS
        for number in range(24):
            place.write("나쁜 말", by=place.join(f"회원 {number}"))
        messages = list(await heard.until(24))
        quiet = place.planned(Timeout(timedelta(minutes=1)), messages[0])
        outcomes = await asyncio.gather(
            *(heard.chat.perform(replace(quiet, message=message)) for message in messages), return_exceptions=True
        )
        later = [outcome.retry_after or 0.0 for outcome in outcomes if isinstance(outcome, Unavailable)]
        assert outcomes.count(Done()) == 4 and len(later) == 20
        assert later == sorted(later) and len({round(seconds) for seconds in later}) == 20
        assert await heard.chat.perform(place.planned(Delete(), messages[0])) == Done()

    play(scene)


def test_room_is_counted_for_each_and_for_all() -> None:
    async def scenario() -> None:
        clock = ManualClock()
        room = Room(clock=clock, at_once=3, each=2)
        with room.taken("a"), room.taken("a"):
            with pytest.raises(Unavailable), room.taken("a"):
                pass
            with room.taken("a", spare=1):  # urgent
                pass
            with room.taken("b"), pytest.raises(Unavailable), room.taken("c"):
                pass
        with room.taken("a"), room.taken("a"):
            pass

    asyncio.run(scenario())


def test_cards_of_one_channel_leave_room_for_the_others() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        place.wire.buckets = BUCKETS
        about = place.planned(Notice(), await _said(place, heard))
        elsewhere = place.wire.backend.create_channel(place.guild, "다른 방").id
        many = [asyncio.create_task(heard.chat.perform(replace(about, incident_id=n))) for n in range(100, 140)]
        there = await _said(place, heard, channel=elsewhere)
        assert isinstance(await heard.chat.perform(place.planned(Notice(), there, incident=7)), Done)
        for task in many:
            task.cancel()
        outcomes = await asyncio.gather(*many, return_exceptions=True)
        assert sum(isinstance(outcome, Unavailable) for outcome in outcomes) >= 30

    play(scene)


def test_cards_of_many_servers_leave_room_for_deletions_after_a_start() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        message = await _said(place, heard)
        flags = []
        for number in range(40):
            guild = place.wire.backend.create_guild(f"서버 {number}").id
            room = place.wire.backend.create_channel(guild, "운영진").id
            settings = Community(platform=DISCORD, id=str(guild), moderators_channel=str(room))
            place.desk.settings[str(guild)] = settings
            await until(partial(heard.chat.client.get_guild, guild))
            flags.append(place.planned(Flag(), replace(message, community_id=str(guild)), incident=number))
        place.wire.latency = 0.5
        showing = [asyncio.create_task(heard.chat.perform(flag)) for flag in flags]
        await until(lambda: place.wire.made("GET", "/messages"))
        assert sum(not card.done() for card in showing) <= NOTICES  # the others come back later, and hold no place
        await asyncio.gather(*showing, return_exceptions=True)

    play(scene)


def test_a_third_new_title_within_ten_minutes_comes_back_later_and_holds_nobody_up() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        place.wire.buckets = BUCKETS
        place.wire.backend.create_thread(place.general, "나쁜 제목", place.minji)
        (title,) = await heard.until()
        delete = place.planned(Delete(), title)
        assert [await heard.chat.perform(delete) for _ in range(2)] == [Done()] * 2
        with pytest.raises(Unavailable) as later:
            await heard.chat.perform(delete)
        assert later.value.retry_after and 500 < later.value.retry_after <= 600

    play(scene)


def test_d75_a_hidden_title_is_gone_from_the_channel_too() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        place.write("그냥 글")
        thread = place.wire.backend.create_thread(place.general, "나쁜 제목", place.minji)
        other = place.wire.backend.create_thread(place.general, "다른 제목", place.minji)
        title = next(m for m in await heard.until(3) if m.text == "나쁜 제목")
        assert await heard.chat.perform(place.planned(Delete(), title)) == Done()
        assert place.wire.backend.get_channel(thread.id).name != "나쁜 제목"
        shown = [message.content for message in place.wire.backend.messages[place.general].values()]
        assert shown == ["그냥 글", other.name]

    play(scene)


# ---- private messages


def test_private_messages_keep_to_a_budget() -> None:
    clock = ManualClock()
    private = PrivateMessages(client=nobody(), clock=clock)
    long_ago = clock.now() - 2 * RAID_WITHIN

    def may(server: str, member: str) -> float:
        """Seconds that this one has to wait."""
        try:
            private.make_room(server, member, long_ago)
        except Unavailable as error:
            assert error.retry_after
            return error.retry_after
        for budget in (private._server(server).budget, private._all):
            budget.spend(clock.monotonic())
        return 0.0

    waits = [may("A", str(number)) for number in range(EACH + 5)]
    assert waits[:EACH] == [0.0] * EACH and len(set(waits[EACH:])) == 5 and min(waits[EACH:]) > 0
    others = [may(f"S{number}", "1") for number in range(IN_ALL)]
    assert others.count(0.0) == IN_ALL - EACH  # a raid in one server is not the end of it in the others


def test_d74_in_a_raid_nobody_is_written_to_and_all_are_afterwards() -> None:
    async def scenario() -> None:
        clock = ManualClock()
        private = PrivateMessages(client=nobody(), clock=clock)
        began = clock.now()
        for number in range(RAID - 1):
            private.make_room("A", str(number), began)
        with pytest.raises(Unavailable) as raid:
            private.make_room("A", "one more", began)
        private.make_room("B", "somebody", began)
        assert raid.value.retry_after
        await clock.advance(raid.value.retry_after)
        private.make_room("A", "one more", began)  # to ask again did not prolong it

    asyncio.run(scenario())


def test_deletions_and_sanctions_go_on_in_a_raid() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        for number in range(RAID + 10):
            place.write("나쁜 말", by=place.join(f"회원 {number}"))
        messages = list(await heard.until(RAID + 10))
        deletes = (place.planned(Delete(), message) for message in messages)
        warnings = (place.planned(Warn(), message, incident=n) for n, message in enumerate(messages, 1))
        outcomes = await asyncio.gather(*map(heard.chat.perform, (*warnings, *deletes)), return_exceptions=True)
        assert outcomes[-len(messages) :] == [Done()] * len(messages)
        assert any(isinstance(outcome, Unavailable) for outcome in outcomes)
        assert len(place.wire.made("POST", "/users/@me/channels")) <= EACH

    play(scene)


def test_d72_who_was_banned_cannot_be_written_to_and_is_not_called_out_in_public() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        message = await _said(place, heard)
        assert await heard.chat.perform(place.planned(Kick(), message)) == Done()
        assert await heard.chat.perform(place.planned(Warn(), message)) == Refused("discord.closed_dm")
        assert not place.wire.made("POST", f"/channels/{place.general}/messages")

    play(scene)


# ---- a moderators' room that cannot be written to


async def moderators_room(place: Cafe, heard: Heard, *, shut: bool) -> None:
    """Take away, or give back, what the bot needs in the moderators' room."""
    hidden = discord.Permissions(view_channel=True).value
    guild, everyone = heard.chat.client.get_guild(place.guild), place.guild
    assert guild is not None
    closed = Overwrite(everyone, OverwriteType.ROLE, deny=hidden if shut else 0)
    place.wire.backend.set_overwrite(place.mods, closed)
    room = guild.get_channel(place.mods)
    assert room is not None
    await until(lambda: room.permissions_for(guild.me).view_channel is not shut)


def test_d73_a_moderators_room_that_is_shut_is_told_to_the_owner_once_and_again_after_it_was_open() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        def told() -> list[str]:
            dm = place.wire.backend.dm_channels.get(place.owner, 0)
            return [message.content for message in place.wire.backend.messages.get(dm, {}).values()]

        message = await _said(place, heard)
        for round_ in (1, 2):
            await moderators_room(place, heard, shut=True)
            cards: list[Outcome] = [
                await heard.chat.perform(place.planned(Flag(), message, incident=n)) for n in (1, 2)
            ]
            assert all(isinstance(card, Refused) and "permission.view_channel" in card.reason for card in cards)
            await heard.chat.announce(str(place.mods), "판정기가 응답하지 않습니다")
            assert len(told()) == round_ and "카페" in told()[-1] and f"<#{place.mods}>" in told()[-1]
            await moderators_room(place, heard, shut=False)
            assert isinstance(await heard.chat.perform(place.planned(Flag(), message)), Done | Gone)
        asked = [call for call in place.wire.calls if call.path.startswith(f"/channels/{place.mods}/")]
        assert all(call.method == "GET" for call in asked)  # our incidents are not on record here: nothing to post

    play(scene)


def test_a_room_that_is_gone_is_told_to_the_owner() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        message = await _said(place, heard)
        guild = heard.chat.client.get_guild(place.guild)
        place.wire.backend.delete_channel(place.mods)
        await until(lambda: guild and guild.get_channel(place.mods) is None)
        assert isinstance(await heard.chat.perform(place.planned(Flag(), message)), Refused)
        assert place.owner in place.wire.backend.dm_channels
        assert not [call for call in place.wire.calls if call.path.startswith(f"/channels/{place.mods}/")]

    play(scene)


def test_a_complaint_is_told_again_after_things_were_well() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        mine = next(role for role in place.wire.backend.guilds[place.guild].roles.values() if role.managed)
        guild = heard.chat.client.get_guild(place.guild)

        async def allowed(may: bool) -> None:
            permissions = discord.Permissions(mine.permissions)
            permissions.manage_messages = may
            place.wire.backend.edit_role(place.guild, mine.id, {"permissions": permissions.value})
            await until(lambda: guild and guild.me.guild_permissions.manage_messages is may)

        complaints = []
        for may in (False, False, True, False, True):
            await allowed(may)
            message = await _said(place, heard)
            outcome = await heard.chat.perform(place.planned(Delete(), message))
            assert (outcome == Done()) is may
            complaints.append(len(place.wire.made("POST", f"/channels/{place.mods}/messages")))
        assert complaints == [1, 1, 1, 2, 2]

    play(scene)


async def _said(place: Cafe, heard: Heard, text: str = "나쁜 말", **more: int) -> Message:
    count = len(heard.messages)
    place.write(text, **more)
    return (await heard.until(count + 1))[count]
