"""Planned actions -> what Discord is asked for, over TCP, and what its answers come to."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import discord
import pytest

from adapters.chat.discord.acting.executor import audit_reason
from adapters.chat.discord.errors import lacking
from bot.core.base.errors import Broken, Unavailable
from bot.core.chat.message import Message
from bot.core.incidents.case import Case, CaseKind, CaseState, Order, Person, native
from bot.core.rules.actions import (
    Ban,
    Care,
    Delete,
    DeletePost,
    Done,
    Flag,
    Gone,
    Kick,
    Refused,
    Restore,
    Timeout,
    Unconfirmed,
    Unsanction,
    Warn,
)
from bot.core.rules.policy import Reason
from bot.core.text.catalogue import texts
from tests import builders
from tests.adapters.discord.cafe import Cafe, Heard, cafe, listening, play
from tests.fakes.clock import WrongClock
from tests.servers.discord import BUCKETS
from tests.servers.waiting import until


async def harmful(place: Cafe, heard: Heard, text: str = "나쁜 말", **more: Any) -> Message:
    count = len(heard.messages)
    place.write(text, **more)
    return (await heard.until(count + 1))[count]


def there(place: Cafe) -> list[str]:
    return [message.content for message in place.wire.backend.messages[place.general].values()]


# ---- deleting


def test_d26_deleting_twice_is_gone_and_no_error() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        delete = place.planned(Delete(), await harmful(place, heard))
        assert await heard.chat.perform(delete) == Done()
        assert there(place) == []
        assert await heard.chat.perform(delete) == Gone()
        (first, _) = place.wire.made("DELETE", "/messages/")
        assert first.reason == "지킴이 사건 #1: 욕설"

    play(scene)


def test_d24_a_burst_in_one_channel_goes_in_bulk() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        place.wire.buckets = BUCKETS
        for number in range(60):
            place.write(f"나쁜 말 {number}")
        await heard.until(60)
        deletes = (place.planned(Delete(), message) for message in heard.messages[:60])
        assert await asyncio.gather(*map(heard.chat.perform, deletes)) == [Done()] * 60
        assert there(place) == []
        bulks = place.wire.made("POST", "bulk-delete")
        assert 1 <= len(bulks) <= 5
        assert all(2 <= len(call.body["messages"]) <= 100 for call in bulks)
        assert len(place.wire.made("DELETE", "/messages/")) <= 5

    play(scene)


def test_d24_more_than_a_hundred_are_several_bulks_and_repeats_are_named_once() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        for number in range(150):
            place.write(f"나쁜 말 {number}")
        messages = list(await heard.until(150))
        deletes = [place.planned(Delete(), message) for message in (*messages, *messages[:20])]
        assert set(await asyncio.gather(*map(heard.chat.perform, deletes))) <= {Done(), Gone()}
        assert there(place) == []
        for call in place.wire.made("POST", "bulk-delete"):
            assert len(call.body["messages"]) == len(set(call.body["messages"])) <= 100

    play(scene)


def test_d24_d25_messages_older_than_two_weeks_are_deleted_one_by_one() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        young = [await harmful(place, heard, str(number)) for number in range(4)]
        long_ago = discord.utils.time_snowflake(datetime.now(UTC) - timedelta(days=15))
        old = [replace(young[0], ref=replace(young[0].ref, message_id=str(long_ago + number))) for number in range(3)]
        deletes = [place.planned(Delete(), message) for message in (*old, *young)]
        outcomes = await asyncio.gather(*map(heard.chat.perform, deletes))
        assert outcomes == [Gone()] * 3 + [Done()] * 4
        for call in place.wire.made("POST", "bulk-delete"):
            assert not set(map(str, call.body["messages"])) & {message.ref.message_id for message in old}

    play(scene)


def test_a_bulk_that_discord_refuses_is_done_one_by_one() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        messages = [await harmful(place, heard, str(number)) for number in range(10)]
        place.wire.trouble("POST", f"/channels/{place.general}/messages/bulk-delete", 400, times=99)
        deletes = (place.planned(Delete(), message) for message in messages)
        assert await asyncio.gather(*map(heard.chat.perform, deletes)) == [Done()] * 10
        assert there(place) == []

    play(scene)


def test_a_title_is_hidden_and_shown_again() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        thread = place.wire.backend.create_thread(place.general, "나쁜 제목", place.minji)
        (title,) = await heard.until()
        assert await heard.chat.perform(place.planned(Delete(), title)) == Done()
        assert place.wire.backend.get_channel(thread.id).name == "지킴이가 가린 제목"
        assert await heard.chat.perform(place.planned(Restore(), title)) == Done()
        assert place.wire.backend.get_channel(thread.id).name == "나쁜 제목"

    play(scene)


def test_d54_messages_in_archived_threads_are_deleted() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        thread = place.wire.backend.create_thread(place.general, "제목", place.minji)
        await heard.until()
        message = await harmful(place, heard, channel=thread.id)
        assert thread.thread_metadata
        thread.thread_metadata.archived = True
        assert await heard.chat.perform(place.planned(Delete(), message)) == Done()

    play(scene)


# ---- members


def test_d27_a_time_out_is_cut_below_28_days() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        message = await harmful(place, heard)
        assert await heard.chat.perform(place.planned(Timeout(timedelta(days=90)), message)) == Done()
        (call,) = place.wire.made("PATCH", f"/members/{place.minji}")
        until_ = datetime.fromisoformat(call.body["communication_disabled_until"])
        lasting = until_ - datetime.now(UTC)
        assert timedelta(days=27, hours=22, minutes=59) < lasting <= timedelta(days=27, hours=23)

    play(scene)


def test_a_time_out_lasts_as_long_as_it_is_said_whatever_our_clock_says() -> None:
    async def scenario() -> None:
        async with cafe() as place, listening(place, place.chat(clock=WrongClock(timedelta(hours=-2)))) as heard:
            message = await harmful(place, heard)
            assert await heard.chat.perform(place.planned(Timeout(timedelta(minutes=10)), message)) == Done()
            (call,) = place.wire.made("PATCH", f"/members/{place.minji}")
            lasting = datetime.fromisoformat(call.body["communication_disabled_until"]) - datetime.now(UTC)
            assert timedelta(minutes=9) < lasting <= timedelta(minutes=10)

    asyncio.run(scenario())


def test_d29_a_time_out_is_lifted_and_lifting_twice_is_harmless() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        message = await harmful(place, heard)
        await heard.chat.perform(place.planned(Timeout(timedelta(minutes=10)), message))
        lift = place.planned(Unsanction(), message)
        assert await heard.chat.perform(lift) == Done()
        assert await heard.chat.perform(lift) == Done()
        calls = place.wire.made("PATCH", f"/members/{place.minji}")
        assert [call.body["communication_disabled_until"] for call in calls[1:]] == [None, None]

    play(scene)


def test_what_moderators_imposed_is_neither_shortened_nor_lifted() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        async def impose(kind: CaseKind, lasting: timedelta) -> None:
            who, by = Person(str(place.minji)), Person(str(place.owner))
            given = Order(kind=kind, member=who, moderator=by, at=now, actions=native(kind, lasting), done=Done())
            await place.desk.deeds.cases.open(message.community, given)

        message, now = await harmful(place, heard), datetime.now(UTC)
        member = place.wire.backend.guilds[place.guild].members[place.minji]
        await impose(CaseKind.MUTE, timedelta(hours=1))
        theirs = member.timed_out_until = (now + timedelta(hours=1)).isoformat()
        shorter = await heard.chat.perform(place.planned(Timeout(timedelta(minutes=10)), message))
        assert shorter == Refused("discord.longer_stands")
        lift, kept = place.planned(Unsanction(), message), Refused("discord.not_ours_to_lift")
        assert await heard.chat.perform(lift) == kept and member.timed_out_until == theirs
        assert await heard.chat.perform(place.planned(Timeout(timedelta(days=1)), message)) == Done()
        assert await heard.chat.perform(lift) == Done()
        left = datetime.fromisoformat(str(member.timed_out_until)) - datetime.fromisoformat(theirs)
        assert abs(left) < timedelta(seconds=1), "what ours had taken the place of goes on"
        assert await heard.chat.perform(place.planned(Ban(), message)) == Done()
        await impose(CaseKind.BAN, timedelta())
        assert await heard.chat.perform(lift) == kept
        assert place.minji in place.wire.backend.guilds[place.guild].bans

    play(scene)


def test_d33_a_ban_takes_the_last_hour_along_and_is_lifted() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        message = await harmful(place, heard)
        assert await heard.chat.perform(place.planned(Ban(), message)) == Done()
        assert place.minji in place.wire.backend.guilds[place.guild].bans
        (call,) = place.wire.made("PUT", f"/bans/{place.minji}")
        assert call.query == {"delete_message_seconds": "3600"} and call.reason
        assert await heard.chat.perform(place.planned(Unsanction(), message)) == Done()
        assert place.minji not in place.wire.backend.guilds[place.guild].bans

    play(scene)


def test_a_kick_removes_the_member_once() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        message = await harmful(place, heard)
        kick = place.planned(Kick(), message)
        assert await heard.chat.perform(kick) == Done()
        assert place.minji not in place.wire.backend.guilds[place.guild].members
        assert await heard.chat.perform(kick) == Gone()

    play(scene)


@pytest.mark.parametrize("action", [Timeout(timedelta(minutes=5)), Kick(), Ban()], ids=lambda action: action.kind)
def test_d28_d32_neither_the_owner_nor_higher_roles_nor_webhooks_are_tried(action: Any) -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        high = place.wire.backend.create_role(place.guild, "높은 역할", position=99).id
        owners = await harmful(place, heard, by=place.owner)
        above = await harmful(place, heard, by=place.join("대장", high))
        webhook = replace(above, extra={"webhook": "7"})
        for message, why in ((owners, "owner"), (above, "above"), (webhook, "no_member")):
            assert await heard.chat.perform(place.planned(action, message)) == Refused(f"discord.{why}")
        assert not place.wire.made("PATCH", "/members/") and not place.wire.made("PUT", "/bans/")

    play(scene)


# ---- permissions, limits, outages


def test_d19_d37_what_is_not_permitted_is_not_tried_and_told_once() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        messages = [await harmful(place, heard, str(number)) for number in range(3)]
        mine = next(role for role in place.wire.backend.guilds[place.guild].roles.values() if role.managed)
        allowed = discord.Permissions(mine.permissions)
        allowed.manage_messages = False
        place.wire.backend.edit_role(place.guild, mine.id, {"permissions": allowed.value})
        guild = heard.chat.client.get_guild(place.guild)
        await until(lambda: guild and not guild.me.guild_permissions.manage_messages)
        for message in messages:
            outcome = await heard.chat.perform(place.planned(Delete(), message))
            assert outcome == Refused(lacking(["manage_messages"]))
        assert not place.wire.made("DELETE", "/messages/")
        assert len(place.wire.made("POST", f"/channels/{place.mods}/messages")) == 1

    play(scene)


def test_a_403_that_could_not_be_foreseen_names_the_permission_and_is_not_repeated() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        message = await harmful(place, heard)
        place.wire.trouble("DELETE", "/channels/", 403, times=99)
        assert await heard.chat.perform(place.planned(Delete(), message)) == Refused(lacking(["manage_messages"]))
        assert len(place.wire.made("DELETE", "/messages/")) == 1

    play(scene)


@pytest.mark.parametrize(("status", "code"), [(403, 60003), (400, 30007)])
def test_what_discord_means_by_its_code_is_said(status: int, code: int) -> None:
    """That the permission lacks would be wrong: two-factor authentication does, or room for one more webhook."""

    async def scene(place: Cafe, heard: Heard) -> None:
        message = await harmful(place, heard)
        place.wire.trouble("DELETE", "/channels/", status, code=code)
        refused = Refused(f"discord.refusals.{code}")
        assert await heard.chat.perform(place.planned(Delete(), message)) == refused

    play(scene)


def test_d17_d21_a_429_is_waited_out() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        message = await harmful(place, heard)
        place.wire.trouble("DELETE", "/channels/", 429, times=2, retry_after=0.1)
        assert await heard.chat.perform(place.planned(Delete(), message)) == Done()
        assert len(place.wire.made("DELETE", "/messages/")) == 3

    play(scene)


def test_d18_a_global_429_is_waited_out() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        message = await harmful(place, heard)
        place.wire.trouble("DELETE", "/channels/", 429, times=1, retry_after=0.1, scope="global")
        assert await heard.chat.perform(place.planned(Delete(), message)) == Done()

    play(scene)


def test_d19_too_many_invalid_answers_stop_the_asking() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        message = await harmful(place, heard)
        place.wire.trouble("DELETE", "/channels/", 403, times=99)
        heard.chat._executor.invalid.at_most = 3
        for _ in range(3):
            assert isinstance(await heard.chat.perform(place.planned(Delete(), message)), Refused)
        with pytest.raises(Unavailable) as stopped:
            await heard.chat.perform(place.planned(Delete(), message))
        assert stopped.value.retry_after and 500 < stopped.value.retry_after <= 600
        assert len(place.wire.made("DELETE", "/messages/")) == 3

    play(scene)


def test_d19_a_shared_429_does_not_count() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        message = await harmful(place, heard)
        place.wire.trouble("DELETE", "/channels/", 429, times=2, retry_after=0.05, scope="shared")
        heard.chat._executor.invalid.at_most = 1
        assert await heard.chat.perform(place.planned(Delete(), message)) == Done()
        assert await heard.chat.perform(place.planned(Delete(), message)) == Gone()

    play(scene)


def test_a_revoked_token_is_broken() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        message = await harmful(place, heard)
        place.wire.trouble("DELETE", "/channels/", 401, times=9)
        with pytest.raises(Broken):
            await heard.chat.perform(place.planned(Delete(), message))

    play(scene)


def test_a_500_that_stays_is_unavailable_and_one_that_passes_is_waited_out() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        message = await harmful(place, heard)
        place.wire.trouble("DELETE", "/channels/", 500, times=1)
        assert await heard.chat.perform(place.planned(Delete(), message)) == Done()
        place.wire.trouble("PATCH", "/guilds/", 503, times=99)
        with pytest.raises(Unavailable):
            await heard.chat.perform(place.planned(Timeout(timedelta(minutes=1)), message))

    play(scene)


def test_a_broken_connection_is_unavailable_for_everything_that_waits() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        messages = [await harmful(place, heard, str(number)) for number in range(12)]
        place.wire.trouble("DELETE", "/channels/", 0, times=99)
        place.wire.trouble("POST", f"/channels/{place.general}/", 0, times=99)
        deletes = [place.planned(Delete(), message) for message in messages]
        async with asyncio.timeout(20):
            outcomes = await asyncio.gather(*map(heard.chat.perform, deletes), return_exceptions=True)
        assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
        place.wire.troubles.clear()
        assert await asyncio.gather(*map(heard.chat.perform, deletes)) == [Done()] * 12

    play(scene)


def test_what_comes_after_the_end_is_broken() -> None:
    async def scenario() -> None:
        async with cafe() as place:
            async with listening(place) as heard:
                message = await harmful(place, heard)
            with pytest.raises(Broken):
                await heard.chat.perform(place.planned(Delete(), message))

    asyncio.run(scenario())


def test_d64_the_reason_fits_the_audit_log_however_it_is_counted() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        message = await harmful(place, heard)
        planned = replace(place.planned(Delete(), message), reason=Reason(ko="욕" * 600, en="x" * 600))
        reason = audit_reason(planned, texts("ko"))
        assert 0 < len(quote(reason, safe="/ ")) <= 512
        assert await heard.chat.perform(planned) == Done()
        (call,) = place.wire.made("DELETE", "/messages/")
        assert call.reason == reason
        by_hand = Case(
            number=2, kind=CaseKind.BAN, state=CaseState.RESOLVED, opened_at=message.sent_at,
            member=Person("7"), moderator=Person("2", "지수"),
        )  # fmt: skip
        for words, said in (("사기", "지킴이 기록 #2: 지수: 사기"), ("", "지킴이 기록 #2: 지수")):
            ordered = replace(planned, action=Ban(), case=by_hand, reason=Reason(ko=words, en=words))
            assert audit_reason(ordered, texts("ko")) == said

    play(scene)


# ---- notices


def test_a_warning_goes_to_the_author_alone_with_reason_and_way_to_appeal() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        message = await harmful(place, heard)
        outcome = await heard.chat.perform(place.planned(Warn(), message, incident=12))
        assert isinstance(outcome, Done)
        dm = place.wire.backend.dm_channels[place.minji]
        (warning,) = place.wire.backend.messages[dm].values()
        assert outcome == Done(f"{dm}/{warning.id}"), "what is theirs to read stays"
        assert "카페" in warning.content and "욕설" in warning.content and builders.code_of(12) in warning.content
        assert f"<#{place.general}>" in warning.content
        assert "나쁜 말" not in warning.content

    play(scene)


def test_who_takes_no_direct_messages_is_told_briefly_without_the_reason() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        message = await harmful(place, heard)
        place.wire.trouble("POST", "/users/@me/channels", 403)
        told = await heard.chat.perform(place.planned(Warn(), message))
        assert isinstance(told, Done)
        said = there(place)[-1]
        assert f"<@{place.minji}>" in said and "욕설" not in said and "나쁜 말" not in said
        assert told.brief, "whoever records it plans to take it away again"

    play(scene)


def test_the_caring_word_is_said_in_private_or_not_at_all() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        message, before = await harmful(place, heard), there(place)
        outcome = await heard.chat.perform(place.planned(Care(), message))
        (word,) = place.wire.backend.messages[place.wire.backend.dm_channels[place.minji]].values()
        assert isinstance(outcome, Done) and "109" in word.content and "24시간" in word.content
        assert f"카페 서버의 {message.channel_name} 채널에" in word.content and message.channel_name
        place.wire.trouble("POST", "/users/@me/channels", 403)
        refused = await heard.chat.perform(place.planned(Care(), message))
        assert refused == Refused("care.not_reached")
        assert there(place) == before, "nobody else sees anything"

    play(scene)


def test_a_notice_is_retracted() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        message = await harmful(place, heard)
        warned = await heard.chat.perform(place.planned(Warn(), message))
        assert isinstance(warned, Done)
        retract = place.planned(DeletePost(warned.receipt), message)
        assert await heard.chat.perform(retract) == Done()
        assert await heard.chat.perform(retract) == Gone()

    play(scene)


def test_deletes_never_wait_behind_notices() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        messages = [await harmful(place, heard, str(number)) for number in range(5)]
        place.wire.trouble("POST", "/users/@me/channels", 429, times=50, retry_after=2.0)
        warnings = [
            asyncio.create_task(heard.chat.perform(place.planned(Warn(), message, incident=number)))
            for number in range(1, 9)
            for message in messages
        ]
        await until(lambda: place.wire.made("POST", "/users/@me/channels"))
        deletes = (place.planned(Delete(), message) for message in messages)
        async with asyncio.timeout(1.5):
            assert await asyncio.gather(*map(heard.chat.perform, deletes)) == [Done()] * 5
        waiting = [warning for warning in warnings if not warning.done()]
        assert 0 < len(waiting) <= 16  # the others were given back, so that no slot is taken up by waiting
        for warning in warnings:
            warning.cancel()
        await asyncio.gather(*warnings, return_exceptions=True)

    play(scene)


def test_a_message_is_restored_in_its_authors_name_and_marked() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        message = await harmful(place, heard, "사실은 괜찮은 말 @everyone")
        await heard.chat.perform(place.planned(Delete(), message))
        outcome = await heard.chat.perform(place.planned(Restore(), message))
        assert isinstance(outcome, Done) and outcome.receipt.startswith(f"{place.general}/")
        (restored,) = place.wire.backend.messages[place.general].values()
        assert restored.author_name == "민지" and restored.webhook_id
        assert restored.content == "사실은 괜찮은 말 @everyone\n" + texts("ko")["discord.restored"]
        (call,) = [call for call in place.wire.made("POST", "/webhooks/") if call.body]
        assert call.body["avatar_url"] == message.extra["avatar"]
        assert call.body["allowed_mentions"] == {"parse": []}
        await heard.nothing_more()
        assert [m.text for m in heard.messages if m.text] == [message.text]  # our own webhook is not heard

    play(scene)


def test_a_long_message_is_restored_whole_and_taken_away_whole() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        message = await harmful(place, heard, "괜찮은 말" * 398)
        await heard.chat.perform(place.planned(Delete(), message))
        outcome = await heard.chat.perform(place.planned(Restore(), message))
        assert isinstance(outcome, Done)
        contents = [one.content for one in place.wire.backend.messages[place.general].values()]
        assert len(contents) == 2 and "".join(contents).startswith(message.text)
        assert await heard.chat.perform(place.planned(DeletePost(outcome.receipt), message)) == Done()
        assert not place.wire.backend.messages[place.general]

    play(scene)


def test_an_answer_that_was_lost_does_not_restore_a_message_twice() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        message = await harmful(place, heard, "괜찮은 말")
        await heard.chat.perform(place.planned(Delete(), message))
        assert isinstance(await heard.chat.perform(place.planned(Restore(), message)), Done)
        place.wire.backend.messages[place.general].clear()
        place.wire.lost = 1
        outcome = await heard.chat.perform(place.planned(Restore(), message))
        (restored,) = place.wire.backend.messages[place.general].values()
        assert outcome == Done(f"{place.general}/{restored.id}")

    play(scene)


def test_a_restoration_that_nobody_can_see_is_unconfirmed_and_not_tried_again() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        message = await harmful(place, heard, "괜찮은 말")
        await heard.chat.perform(place.planned(Delete(), message))
        assert isinstance(await heard.chat.perform(place.planned(Restore(), message)), Done)
        (hook,) = place.wire.backend.webhooks
        place.wire.backend.messages[place.general].clear()
        place.wire.trouble("POST", f"/webhooks/{hook}/", 0)
        assert await heard.chat.perform(place.planned(Restore(), message)) == Unconfirmed()
        assert there(place) == []

    play(scene)


def test_d20_a_webhook_that_is_gone_is_made_anew() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        message = await harmful(place, heard)
        assert isinstance(await heard.chat.perform(place.planned(Restore(), message)), Done)
        (hook,) = place.wire.backend.webhooks
        place.wire.backend.delete_webhook(hook)
        assert isinstance(await heard.chat.perform(place.planned(Restore(), message)), Done)
        assert len(place.wire.made("POST", f"/webhooks/{hook}/")) == 2

    play(scene)


def test_before_the_first_connection_actions_wait_and_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.chat.discord.connection.PATIENCE", 0.05)

    async def scenario() -> None:
        async with cafe() as place:
            about = builders.message(channel=str(place.general), community=str(place.guild))
            with pytest.raises(Unavailable):
                await place.chat().perform(place.planned(Flag(), about))

    asyncio.run(scenario())


# ---- answers that are not Discord's


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404])
@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("text/html", "<html>Please log in to the hotel's network</html>"),
        ("application/json", '{"id": "1", "conte'),
        ("application/json", "null"),
    ],
)
@pytest.mark.parametrize("action", [Delete(), Flag()])
def test_an_odd_answer_is_an_outage_and_nobodys_refusal(
    status: int, kind: str, text: str, action: Delete | Flag
) -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        about = await harmful(place, heard)
        place.wire.odd.extend([(status, kind, text)] * 20)
        with pytest.raises(Unavailable):
            await heard.chat.perform(place.planned(action, about))
        place.wire.odd.clear()
        assert await heard.chat.perform(place.planned(Delete(), about)) in (Done(), Gone())

    play(scene)


def test_a_list_is_no_answer_to_a_deed() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        about = await harmful(place, heard)
        place.wire.odd.extend([(200, "application/json", "[]")] * 3)
        with pytest.raises(Unavailable):
            await heard.chat.perform(place.planned(Delete(), about))

    play(scene)
