"""Telegram -> inbox: what is confirmed, and when; over TCP with an unmodified python-telegram-bot."""

import asyncio
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from adapters.chat.telegram.receiving.arrivals import ALLOWED_UPDATES
from adapters.chat.telegram.refs import group_ref
from bot.core.base.errors import Broken
from bot.core.rules.actions import Delete, Done, Gone, Kick, Refused, Warn
from tests.adapters.telegram.stage import GROUP, MODERATORS, Stage, connect, played, stage
from tests.builders import EVERYWHERE, put_settings
from tests.servers.fault_proxy import FaultProxy
from tests.servers.telegram import ANONYMOUS_ADMIN, BOT_ID, Refusal


@played
async def test_a_message_arrives(here: Stage) -> None:
    here.server.post(here.group, 7, "안녕하세요")
    (message,) = await here.hear(1)
    assert (message.text, message.author.id, message.community_id) == ("안녕하세요", "7", str(GROUP))
    assert message.author.roles == {"7"}


@played
async def test_t1_t14_what_is_old_keeps_its_time(here: Stage) -> None:
    """There is no history to ask for: what the server still holds is all there is, and the age rules judge it."""
    here.server.post(here.group, 7, "어제 말", date=time.time() - 23 * 3600)
    (message,) = await here.hear(1)
    assert 22 * 3600 < time.time() - message.sent_at.timestamp() < 24 * 3600


@played
async def test_t2_an_update_is_confirmed_only_when_the_next_batch_is_asked_for(here: Stage) -> None:
    id_ = here.server.post(here.group, 7, "하나")["message_id"]
    source = here.chat.messages()
    first = await anext(source)
    assert [message.ref.message_id for message in first] == [str(id_)]
    await asyncio.sleep(0.2)
    assert here.server.updates, "confirmed although nobody has said that it is kept"
    going_on = asyncio.ensure_future(anext(source))
    await here.server.until(lambda: not here.server.updates)
    going_on.cancel()
    with suppress(asyncio.CancelledError):
        await going_on


@played
async def test_t3_t5_what_a_dead_process_had_not_kept_is_delivered_again(here: Stage) -> None:
    for number in range(5):
        here.server.post(here.group, 7, f"말 {number}")
    source = here.chat.messages()
    await anext(source)  # received, and then it died
    await source.aclose()
    await here.chat.close()
    here.chat = connect(here.server.url, here.desk)
    await here.hear(5)
    assert here.texts == [f"말 {number}" for number in range(5)]
    assert await here.store.inbox.keep(here.heard) == [False] * 5


@played
async def test_t17_messages_of_a_chat_stay_in_order(here: Stage) -> None:
    here.listen()
    for number in range(300):
        here.server.post(here.group, 7, f"{number}")
        if number % 50 == 0:
            await asyncio.sleep(0.01)
    await here.hear(300)
    assert here.texts == [str(number) for number in range(300)]


def test_t7_an_update_that_cannot_be_read_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with stage() as here:
            here.server.post(here.group, 7, "앞")
            here.server.updates[here.server.next_update] = {
                "update_id": here.server.next_update,
                "message": {"message_id": 9, "date": "soon", "chat": 5},
            }
            here.server.next_update += 1
            here.server.post(here.group, 7, "뒤")
            here.server.unchecked = {"getUpdates"}
            await here.hear(2)
            assert here.texts == ["앞", "뒤"]
            assert not any("앞" in record.getMessage() for record in caplog.records)
            await here.server.until(lambda: not here.server.updates)

    asyncio.run(scenario())


@played
async def test_t9_t10_the_kinds_of_updates_are_always_given(here: Stage) -> None:
    here.server.allowed_updates = ("poll",)  # what another program had asked for
    here.listen()
    await here.server.until(lambda: here.server.of("getUpdates"))
    here.server.post(here.group, 7, "말")
    await here.hear(1)
    assert all(call.arguments["allowed_updates"] == list(ALLOWED_UPDATES) for call in here.server.of("getUpdates"))
    assert {"chat_member", "edited_message", "callback_query"} <= set(ALLOWED_UPDATES)


@played
async def test_t11_t64_the_older_of_two_pollers_lives_on(here: Stage) -> None:
    """Telegram ends the older poll: it stays away for a moment and asks again."""
    listening = here.listen()
    await here.server.until(lambda: here.server.of("getUpdates"))
    second = connect(here.server.url, here.desk)
    polling = asyncio.ensure_future(anext(second.messages()))
    await here.server.until(lambda: any("409" in call.error or "Conflict" in call.error for call in here.server.calls))
    assert not listening.done()
    polling.cancel()
    await second.close()
    here.server.post(here.group, 7, "말")
    await here.hear(1)
    assert here.texts == ["말"]


@played
async def test_t61_what_does_not_fit_into_the_queue_is_lost_in_silence(here: Stage) -> None:
    """Nothing in the Bot API tells: what is left is what the server holds."""
    here.server.most_updates = 3
    for number in range(5):
        here.server.post(here.group, 7, f"말 {number}")
    await here.hear(3)
    assert here.texts == ["말 0", "말 1", "말 2"]
    assert here.server.dropped == 2


@played
async def test_t11_a_webhook_that_somebody_sets_meanwhile_is_taken_down_again(here: Stage) -> None:
    here.server.post(here.group, 7, "하나")
    await here.hear(1)
    here.server.webhook = {"url": "https://elsewhere.example/"}
    here.server.post(here.group, 7, "둘")
    await here.hear(2)
    assert here.texts == ["하나", "둘"]


@played
async def test_a_wrong_token_is_a_clear_error(here: Stage) -> None:
    here.server.token = "42:revoked"
    with pytest.raises(Broken, match="401"):
        await here.listen()


@played
async def test_what_is_no_token_at_all_is_a_clear_error(here: Stage) -> None:
    with pytest.raises(Broken, match="token"):
        connect(here.server.url, here.desk, token="not a token")


@played
async def test_t11_t13_a_webhook_is_taken_down_and_its_backlog_kept(here: Stage) -> None:
    here.server.webhook = {"url": "https://elsewhere.example/"}
    here.server.post(here.group, 7, "쌓인 말")
    await here.hear(1)
    assert here.texts == ["쌓인 말"]
    (call,) = here.server.of("deleteWebhook")
    assert not call.arguments.get("drop_pending_updates")


def test_the_network_is_away_and_comes_back() -> None:
    async def scenario() -> None:
        async with stage() as here:
            async with FaultProxy(here.server.port) as proxy:
                proxy.mode = "reset"
                await here.chat.close()
                here.chat = connect(proxy.url, here.desk)
                here.listen()
                await asyncio.sleep(0.3)
                here.server.post(here.group, 7, "하나")
                proxy.mode = "pass"
                await here.hear(1)
                assert here.chat.connection.is_up
                proxy.mode = "reset"
                proxy.reset_all()
                await here.server.until(lambda: not here.chat.connection.is_up)
                here.server.post(here.group, 7, "둘")
                await asyncio.sleep(0.8)
                proxy.mode = "pass"
                await here.hear(2)
                assert here.chat.connection.is_up
                await here.stop()
            assert here.texts == ["하나", "둘"]

    asyncio.run(scenario())


@pytest.mark.parametrize("refusal", [Refusal(500, "Internal Server Error"), Refusal(502, "Bad Gateway"),
                                     Refusal(429, "Too Many Requests: retry after 1", retry_after=1)])  # fmt: skip
def test_trouble_while_polling_is_waited_out(refusal: Refusal) -> None:
    async def scenario() -> None:
        async with stage() as here:
            here.server.fail("getUpdates", refusal, refusal)
            here.server.fail("getMe", refusal)
            here.server.post(here.group, 7, "말")
            await here.hear(1)

    asyncio.run(scenario())


@played
async def test_where_the_admins_cannot_be_asked_messages_still_come(here: Stage) -> None:
    """Before anything is done to anybody they are asked again."""
    refusal = Refusal(429, "Too Many Requests: retry after 1", retry_after=1)
    here.server.fail("getChatAdministrators", refusal)
    here.server.post(here.group, 1, "방장 말")
    (message,) = await here.hear(1)
    assert message.text == "방장 말"


@played
async def test_t17_a_chat_whose_admins_are_slow_to_come_keeps_no_other_chat_waiting(here: Stage) -> None:
    slow, other = here.server.group(-1003), here.server.group(-1004)
    here.server.hold("getChatAdministrators", -1003)
    for number in range(100):  # none of them waits once more
        here.server.post(slow, 7, f"느린 방 {number}")
    here.server.post(other, 1, "다른 방")
    await here.hear(101)
    assert (here.heard[-1].text, here.heard[-1].author.is_staff) == ("다른 방", True)
    here.server.release("getChatAdministrators")
    await here.server.until(lambda: -1003 in here.chat._members._staff)
    here.server.post(slow, 1, "방장 말")
    await here.hear(102)
    assert here.heard[-1].author.is_staff


@played
async def test_who_comes_and_goes_makes_nobody_ask_for_the_admins_again(here: Stage) -> None:
    here.server.post(here.group, 7, "말")
    await here.hear(1)
    asked = len(here.server.of("getChatAdministrators"))
    for number in range(20):
        here.server.set_member(here.group, 100 + number, "member")
        here.server.post(here.group, 100 + number, f"안녕 {number}")
        here.server.set_member(here.group, 100 + number, "left")
    await here.hear(21)
    assert len(here.server.of("getChatAdministrators")) == asked


@played
async def test_an_answer_about_the_admins_that_a_change_has_overtaken_does_not_count(here: Stage) -> None:
    here.server.hold("getChatAdministrators", GROUP)
    here.server.post(here.group, 7, "아직")
    await here.hear(1)
    here.server.set_member(here.group, 7, "administrator")
    here.server.post(here.group, 7, "이제")
    await here.hear(2)
    here.server.release("getChatAdministrators")
    await here.server.until(lambda: GROUP in here.chat._members._staff)
    here.server.post(here.group, 7, "아는 관리자")
    await here.hear(3)
    assert here.heard[2].author.is_staff
    assert len(here.server.of("getChatAdministrators")) == 2


# ---- groups that become supergroups ---------------------------------------------------------------------------------


@pytest.mark.parametrize("service", ["old", "new", "both"])
def test_t24_a_group_that_becomes_a_supergroup_keeps_everything(service: str) -> None:
    async def scenario() -> None:
        async with stage() as here:
            old = here.server.group(-55, "group", title="작은 방")
            community = here.desk.community(group_ref("-55"))
            await put_settings(here.desk, replace(community, preset="strict"))
            here.server.post(old, 7, "옛말")
            await here.hear(1)
            incident = await here.open_incident(here.heard[0])
            new = here.server.migrate(old, -1000055, service=service)
            here.server.post(new, 7, "새말")
            await here.hear(2)
            assert here.heard[1].community_id == "-1000055"
            assert here.desk.community(group_ref("-1000055")).preset == "strict"
            assert here.desk.community(group_ref("-55")).preset is None
            moved = await here.store.incidents.get(group_ref("-1000055"), incident)
            assert moved
            assert moved.decision.message.community_id == "-1000055"

    asyncio.run(scenario())


@played
async def test_t24_from_an_error(here: Stage) -> None:
    old = here.server.group(-55, "group")
    here.server.post(old, 7, "옛말")
    (message,) = await here.hear(1)
    here.server.migrate(old, -1000055, service="none")
    assert await here.carry_out(message, Kick()) == [Done()]
    assert here.server.chats[-1000055].members[7]["status"] == "left"
    incident = await here.store.incidents.get(group_ref("-1000055"), 1)
    assert incident and incident.decision.message.community_id == "-1000055"
    here.server.post(here.server.chats[-1000055], 8, "새말")
    await here.hear(2)
    await here.open_incident(replace(message, ref=replace(message.ref, revision=1)), Delete())
    (refused,) = await here.do_planned()
    assert isinstance(refused, Refused), "ids begin anew: the old id is another message now"
    assert len(here.server.chats[-1000055].messages) == 1


@played
async def test_t24_ids_of_the_supergroup_do_not_meet_those_of_the_group(here: Stage) -> None:
    old = here.server.group(-55, "group")
    here.server.post(old, 7, "첫 말")
    await here.hear(1)
    new = here.server.migrate(old, -1000055, service="old")
    new.next_id = 1
    here.server.post(new, 7, "같은 번호")
    await here.hear(2)
    claimed = await here.store.inbox.claim(10, fresh_since=here.heard[0].sent_at)
    assert [message.text for message in claimed] == ["첫 말", "같은 번호"]


@played
async def test_t24_a_moderators_room_that_becomes_a_supergroup_is_followed_by_everything(here: Stage) -> None:
    room = await here.with_moderators()
    room.type = "group"
    moved = here.server.migrate(room, -1000077, service="none")
    await here.chat.announce(str(MODERATORS), "판정기가 돌아왔습니다.")
    assert [message["text"] for message in moved.messages.values()] == ["판정기가 돌아왔습니다."]
    assert here.desk.community(group_ref(GROUP)).moderators_channel == "-1000077"


@played
async def test_t24_a_notice_from_before_the_move_is_let_be(here: Stage) -> None:
    old = here.server.group(-55, "group")
    here.server.post(old, 7, "나쁜 말")
    await here.hear(1)
    (done,) = await here.carry_out(here.heard[0], Warn())
    assert isinstance(done, Done)
    here.server.migrate(old, -1000055, service="none")
    (retract,) = await here.store.outbox.claim(10, now=datetime.now(UTC) + timedelta(minutes=1), platforms=EVERYWHERE)
    assert await here.chat.perform(retract) == Gone()


@played
async def test_the_bot_says_hello_once_in_a_group(here: Stage) -> None:
    here.listen()
    await here.server.until(lambda: here.server.of("getUpdates"))
    fresh = here.server.group(-1007)
    del fresh.members[BOT_ID]
    here.server.set_member(fresh, BOT_ID, "administrator")
    await here.server.until(lambda: fresh.messages)
    await here.server.until(lambda: here.desk.community(group_ref("-1007")).welcomed)
    here.server.set_member(fresh, BOT_ID, "left")
    here.server.set_member(fresh, BOT_ID, "administrator")
    here.server.post(fresh, ANONYMOUS_ADMIN, "끝", sender_chat=fresh.as_object())
    await here.hear(1)
    assert sum("지킴이입니다" in message.get("text", "") for message in fresh.messages.values()) == 1
