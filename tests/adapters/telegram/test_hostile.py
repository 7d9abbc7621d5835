"""People who mean harm, or merely much, on Telegram: what they may not do, use up, or learn; over TCP."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.chat.telegram.refs import group_ref
from bot.core.base.errors import Unavailable
from bot.core.communities.community import Community
from bot.core.incidents.card import Button
from bot.core.incidents.incident import Incident
from bot.core.incidents.review import Call
from bot.core.rules.actions import Ban, Delete, Done, Escalate, Flag, Outcome, Refused, Restore, Timeout
from bot.core.rules.policy import Watch
from bot.core.text.catalogue import texts
from tests.adapters.telegram.moderators.test_cards import cards, command, labels, press, said
from tests.adapters.telegram.stage import GROUP, MODERATORS, Stage, connect, played, stage
from tests.builders import TELEGRAM, code_of, put_settings
from tests.fakes.chat import MemoryBookmarks
from tests.fakes.guarding import ScriptedGuard
from tests.servers.telegram import ANONYMOUS_ADMIN, BOT_ID, Chat, Refusal, kinds, member, user

say = texts("ko")


def settings(here: Stage, chat: int = GROUP) -> Community:
    return here.desk.community(group_ref(chat))


def by_bot(chat: Chat) -> list[str]:
    return [message.get("text", "") for message in chat.messages.values() if message["from"]["id"] == BOT_ID]


async def served(here: Stage, chat: Chat, who: Any, text: str, **more: Any) -> None:
    """Type something; until the bot has taken it and whatever else was typed before."""
    if here._listening is None:
        here.listen()
    here.server.post(chat, who, text, **more)
    await here.server.until(lambda: not here.server.updates and not here.chat._tasks)


# ---- rights ---------------------------------------------------------------------------------------------------------


@played
async def test_security_6_an_admin_by_title_alone_is_nobody(here: Stage) -> None:
    room = await here.with_moderators()
    here.server.admin(here.group, 55, "칭호만", rights=("can_manage_chat",))
    await here.carry_out(await said(here, "정말 나쁜 말이야"), Flag())
    (card,) = cards(room)
    for button in Button:
        assert await press(here, card, 55, button) == say["card.not_allowed"]
    mine = here.server.group(-1077, owner=55)
    await served(here, here.group, 55, "/pause 30d")
    await served(here, mine, 55, f"/start mods_{GROUP}")
    assert settings(here).paused_until is None
    assert settings(here).moderators_channel == str(MODERATORS)


@pytest.mark.parametrize(
    ("right", "allowed"),
    [
        ("can_delete_messages", {Button.RIGHT, Button.WRONG, Button.DELETE, Button.REVEAL}),
        ("can_restrict_members", {Button.TIMEOUT, Button.BAN}),
        ("can_change_info", set()),
    ],
)
def test_security_6_a_button_takes_the_right_to_do_what_it_does(right: str, allowed: set[Button]) -> None:
    async def scenario() -> None:
        for button in (Button.RIGHT, Button.WRONG, Button.DELETE, Button.REVEAL, Button.TIMEOUT, Button.BAN):
            async with stage() as here:
                room = await here.with_moderators()
                here.server.admin(here.group, 55, rights=(right,))
                await here.carry_out(await said(here), Flag())
                answer = await press(here, cards(room)[0], 55, button)
                nobody = say["card.not_allowed" if right == "can_change_info" else "telegram.lacking_here"]
                assert (answer != nobody) is (button in allowed), button

    asyncio.run(scenario())


@played
async def test_security_17_who_was_dismissed_a_moment_ago_is_refused_though_nothing_told_us(here: Stage) -> None:
    room = await here.with_moderators()
    await here.carry_out(await said(here, "정말 나쁜 말이야"), Flag())
    (card,) = cards(room)
    assert "정말" in await press(here, card, 2, Button.REVEAL)
    here.group.members[2] = {"user": user(2), "status": "member"}
    assert await press(here, card, 2, Button.REVEAL) == say["card.not_allowed"]
    assert await press(here, card, 2, Button.BAN) == say["card.not_allowed"]
    await served(here, here.group, 2, "/pause 2h")
    assert settings(here).paused_until is None


@played
async def test_security_6_the_old_room_is_told_when_cards_go_elsewhere_and_when_acting_changes(here: Stage) -> None:
    room, private = await here.with_moderators(mode=Watch.LIVE), here.server.private(1)
    elsewhere = here.server.group(-1077, title="새 방")
    menu = await command(here, private, 1, f"/start setup_{GROUP}")
    here.server.press(menu, 1, f"setup:{GROUP}:mode:watch")
    await here.server.until(lambda: any("지켜보기" in text for text in by_bot(room)))
    await served(here, here.group, 1, "/pause 2h")
    await here.server.until(lambda: any("까지 지켜보기만" in text for text in by_bot(room)))
    await served(here, elsewhere, 1, f"/start mods_{GROUP}")
    await here.server.until(lambda: any("운영진 방을 바꿨습니다" in text for text in by_bot(room)))
    assert "새 방" in private.messages[menu["message_id"]]["text"], "b38: the open menu shows it"


@played
async def test_security_21_numbers_that_are_none_and_incidents_that_are_not_theirs_are_answered_alike(
    here: Stage,
) -> None:
    await here.open_incident(await said(here))
    private = here.server.private(9)
    for given in ("1", "99", "9" * 18):
        assert (await command(here, private, 9, f"/why {given}"))["text"] == say["card.not_found"]
    for given in ("²", "9" * 20, "9" * 3000, "x"):
        await served(here, private, 9, f"/why {given}")
        assert (await command(here, private, 9, f"/appeal {given} 말"))["text"] == say["telegram.usage.appeal"]


@played
async def test_b28_an_anonymous_admin_is_known_by_a_press(here: Stage) -> None:
    room = here.server.group(MODERATORS, title="운영진 방")
    asked = await command(here, room, ANONYMOUS_ADMIN, f"/start mods_{GROUP}", sender_chat=room.as_object())
    ((button,),) = asked["reply_markup"]["inline_keyboard"]
    here.server.message(room, 7, "구경")
    id_ = here.server.press(asked, 7, button["callback_data"])
    await here.server.until(lambda: id_ in here.server.answers)
    assert here.server.answers[id_]["text"] == say["telegram.only_admins"]
    assert settings(here).moderators_channel is None
    here.server.press(asked, 1, button["callback_data"])
    await here.server.until(lambda: settings(here).moderators_channel == str(MODERATORS))


# ---- rooms ----------------------------------------------------------------------------------------------------------


def test_b7_commands_in_the_moderators_room_are_about_its_group() -> None:
    async def scenario() -> None:
        async with stage(guard=ScriptedGuard({"나쁜 말": 0.99})) as here:
            room = await here.with_moderators()
            assert "까지 지켜보기만" in (await command(here, room, 1, "/pause 2h"))["text"]
            assert settings(here).paused_until is not None
            assert settings(here, MODERATORS) == Community(platform=TELEGRAM, id=str(MODERATORS))
            assert "삭제" in (await command(here, room, 1, "/test 나쁜 말"))["text"]
            assert "동네 모임" in (await command(here, room, 1, "/status"))["text"]
            assert f"setup_{GROUP}" in str((await command(here, room, 1, "/setup"))["reply_markup"])

    asyncio.run(scenario())


@played
async def test_b7_a_room_of_several_groups_asks_which_one_is_meant(here: Stage) -> None:
    room = await here.with_moderators()
    other = here.server.group(-1005, title="옆 모임", owner=99)
    await put_settings(here.policies, Community(
        platform=TELEGRAM, id=str(other.id), moderators_channel=str(MODERATORS)
    ))  # fmt: skip
    asked = await command(here, room, 1, "/pause 2h")
    assert labels(asked) == ["동네 모임", "옆 모임"]
    ((mine,), _) = asked["reply_markup"]["inline_keyboard"]
    id_ = here.server.press(asked, 2, mine["callback_data"])
    await here.server.until(lambda: id_ in here.server.answers)
    assert here.server.answers[id_]["text"] == say["telegram.not_your_command"]
    here.server.press(asked, 1, mine["callback_data"])
    await here.server.until(lambda: settings(here).paused_until and not here.chat._tasks)
    asked = await command(here, room, 1, "/pause 2h")
    id_ = here.server.press(asked, 1, asked["reply_markup"]["inline_keyboard"][1][0]["callback_data"])
    await here.server.until(lambda: id_ in here.server.answers and not here.chat._tasks)
    assert settings(here, other.id).paused_until is None, "of which they are no admin"


@played
async def test_the_group_itself_is_no_moderators_room(here: Stage) -> None:
    assert (await command(here, here.group, 1, f"/start mods_{GROUP}"))["text"] == say["telegram.not_the_group_itself"]
    assert settings(here).moderators_channel is None


@played
async def test_a_room_is_not_welcomed_as_a_group_is(here: Stage) -> None:
    room = here.server.group(MODERATORS)
    room.members[BOT_ID] = member(here.server.me, "left")
    here.listen()
    here.server.set_member(room, BOT_ID, "administrator")
    here.server.post(room, 1, f"/start mods_{GROUP}")
    await here.server.until(lambda: by_bot(room))
    await here.server.until(lambda: not here.chat._tasks)
    assert len(by_bot(room)) == 1
    assert settings(here, MODERATORS) == Community(platform=TELEGRAM, id=str(MODERATORS))


@played
async def test_b26_without_a_room_the_owner_sees_the_cards_in_private(here: Stage) -> None:
    private = here.server.private(1)
    (outcome,) = await here.carry_out(await said(here, "정말 나쁜 말이야"), Flag())
    assert isinstance(outcome, Done)
    (card,) = cards(private)
    assert "정말" in await press(here, card, 1, Button.REVEAL)


@played
async def test_b26_where_nobody_can_be_shown_anything_the_group_is_told_once(here: Stage) -> None:
    room = await here.with_moderators()
    here.server.set_member(room, BOT_ID, "kicked")
    for _ in range(3):
        assert isinstance((await here.carry_out(await said(here), Flag()))[0], Refused)
    assert by_bot(here.group) == [say["telegram.nobody_to_show"]]
    assert len(here.server.of("getChatAdministrators")) <= 3, "and its owner is not asked for again and again"


# ---- reports by members ---------------------------------------------------------------------------------------------


@played
async def test_security_7_neither_one_member_nor_many_fill_the_room_with_reports(here: Stage) -> None:
    room = await here.with_moderators()
    here.server.group_limit = 20
    targets = [here.server.message(here.group, 8, f"무언가 {number}") for number in range(12)]
    here.listen()
    for number, target in enumerate(targets):
        here.server.post(here.group, 99, "/flag", reply_to_message=target)
        here.server.post(here.group, 100 + number, "/flag", reply_to_message=target)
    await here.server.until(
        lambda: not any(m["from"]["id"] in range(100, 112) for m in here.group.messages.values()), 60
    )
    assert here.store.flags and not by_bot(room), "what is shown of them goes the way of every card"
    assert isinstance((await here.carry_out(await said(here), Escalate()))[0], Done)
    assert not [call for call in here.server.calls if "Too Many" in call.error]


@played
async def test_b8_in_a_topic_a_command_that_answers_nothing_does_not_hit_its_creator(here: Stage) -> None:
    room = await here.with_moderators()
    topic = here.server.message(
        here.group, 55, None, forum_topic_created={"name": "자유", "icon_color": 7322096}, is_topic_message=True,
        message_thread_id=3,
    )  # fmt: skip
    inside = {"reply_to_message": topic, "is_topic_message": True, "message_thread_id": topic["message_id"]}
    assert (await command(here, here.group, 1, "/exempt", **inside))["text"] == say(
        "telegram.usage.exempt", command="/예외"
    )
    assert (await command(here, here.group, 7, "/flag", **inside))["text"] == say["telegram.usage.flag"]
    assert settings(here).exempt_roles == frozenset()
    assert by_bot(room) == []


@played
async def test_b8_exempt_as_an_answer_to_what_was_restored_or_to_a_card_means_its_author(here: Stage) -> None:
    room = await here.with_moderators()
    await here.carry_out(await said(here), Restore(), Flag())
    restored = next(m for m in here.group.messages.values() if m["from"]["id"] == BOT_ID)
    await command(here, here.group, 1, "/exempt", reply_to_message=restored)
    assert settings(here).exempt_roles == {"7"}
    await command(here, room, 1, "/exempt off", reply_to_message=cards(room)[0])
    assert settings(here).exempt_roles == frozenset()


# ---- again, late, and while the database is away --------------------------------------------------------------------


@played
async def test_b11_what_was_typed_twice_or_delivered_twice_is_so_once(here: Stage) -> None:
    target = here.server.message(here.group, 7, "말")
    for _ in range(2):
        await command(here, here.group, 1, "/exempt", reply_to_message=target)
    assert settings(here).exempt_roles == {"7"}
    await here.stop()
    bookmarks = MemoryBookmarks()
    here.chat = connect(here.server.url, here.desk, bookmarks=bookmarks)
    here.listen()
    await command(here, here.group, 1, "/check")
    (again,) = [dict(m) for m in here.group.messages.values() if m.get("text") == "/check"]
    await here.server.until(lambda: not here.chat._tasks)
    await here.stop()
    here.chat = connect(here.server.url, here.desk, bookmarks=bookmarks)
    here.listen()
    answers = len(by_bot(here.group))
    here.server.update("message", again)  # the process had died before it confirmed it
    await here.server.until(lambda: not here.server.updates and not here.chat._tasks)
    assert len(by_bot(here.group)) == answers


@played
async def test_b11_a_command_of_long_ago_is_not_obeyed(here: Stage) -> None:
    answer = await command(here, here.group, 1, "/pause 2h", date=time.time() - 20 * 3600)
    assert "1200분 전" in answer["text"]
    assert settings(here).paused_until is None


@played
async def test_b11_a_press_while_the_database_is_away_is_answered(here: Stage) -> None:
    room = await here.with_moderators()
    await here.carry_out(await said(here), Flag())

    async def away(*_: object) -> Incident | None:
        raise Unavailable("the database is away")

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(here.store.incidents, "get", away)
        assert await press(here, cards(room)[0], 2, Button.BAN) == say["card.try_again"]


# ---- appeals --------------------------------------------------------------------------------------------------------


@played
async def test_b12_a_banned_member_appeals_by_a_button_and_reads_the_outcome_in_private(here: Stage) -> None:
    await here.with_moderators()
    await here.carry_out(await said(here), Delete(), Timeout(timedelta(minutes=10)), Ban())
    private = here.server.private(7)
    code = code_of(1)
    asked = await command(here, private, 7, f"/start appeal_{code}")
    assert "삭제, 10분 채팅 금지, 차단" in asked["text"]
    assert f"/appeal_{code}" in asked["text"]
    assert (await command(here, private, 7, "그런 뜻이 아니었어요"))["text"] == say["appeal.heard"]
    incident = await here.store.incidents.get(group_ref(GROUP), 1)
    assert incident and incident.appeal and incident.appeal.words == "그런 뜻이 아니었어요"
    assert say["telegram.state.appealed"] in (await command(here, private, 7, f"/why_{code.lower()}"))["text"]
    assert (await command(here, private, 7, f"/appeal_{code} 또"))["text"] == say["appeal.heard_before"]
    for call, state in ((Call.UPHOLD, "upheld"), (Call.LIFT, "lifted"), (Call.WRONG, "undone")):
        await here.desk.call(group_ref(GROUP), 1, call, moderator_id="2", moderator_name="지수")
        told = (await command(here, private, 7, f"/why {code}"))["text"]
        assert say[f"telegram.state.{state}"] in told
        assert "지수" not in told, "never by whom"
    other = here.server.private(8)
    for named in (code, "1"):
        assert (await command(here, other, 8, f"/start appeal_{named}"))["text"] == say["telegram.usage.appeal"]
        assert (await command(here, other, 8, f"/why_{named}"))["text"] == say["card.not_found"]


@played
async def test_what_earlier_versions_posted_with_a_number_serves_whose_it_is(here: Stage) -> None:
    await here.with_moderators()
    await here.carry_out(await said(here), Delete())
    private, other = here.server.private(7), here.server.private(8)
    assert code_of(1) in (await command(here, private, 7, "/why_1"))["text"]
    assert f"/appeal_{code_of(1)}" in (await command(here, private, 7, "/start appeal_1"))["text"]
    assert (await command(here, other, 8, "/appeal_1 나도"))["text"] == say["telegram.usage.appeal"]
    notice = here.server.message(private, BOT_ID, "조치했습니다. 사건 번호: 1 /appeal_1")
    assert (await command(here, private, 7, "억울해요", reply_to_message=notice))["text"] == say["appeal.heard"]


@played
async def test_b35_whatever_is_written_to_the_bot_in_private_is_answered(here: Stage) -> None:
    private = here.server.private(7)
    for text in ("/help", "왜 제 글이 지워졌나요?", "/status"):
        assert (await command(here, private, 7, text))["text"] == say["telegram.hello"]
    assert "설정 열기" in labels(await command(here, here.group, 1, "/SETUP"))
    assert "설정 열기" in labels(await command(here, here.group, 1, "/Settings"))


# ---- cards ----------------------------------------------------------------------------------------------------------


@played
async def test_b15_a_long_text_fits_a_card_and_the_answer_in_private(here: Stage) -> None:
    room, private = await here.with_moderators(), here.server.private(1)
    await here.carry_out(await said(here, "😀" * 2048), Flag())
    here.listen()
    answer = await command(here, private, 1, "/why 1")
    assert "😀" * 1000 in answer["text"] and "😀" * 500 not in cards(room)[0]["text"]
    for one in (*cards(room), answer):
        assert len(one["text"].encode("utf-16-le")) // 2 <= 4096


@played
async def test_b16_an_emergency_calls_the_owner_or_whom_the_menu_says(here: Stage) -> None:
    room, private = await here.with_moderators(), here.server.private(1)
    await here.carry_out(await said(here), Escalate(), Flag())
    (call,) = [m for m in room.messages.values() if "🚨 긴급: 사건 #1 " in m.get("text", "")]
    (entity,) = call["entities"]
    assert (entity["type"], entity["user"]["id"]) == ("text_mention", 1)
    menu = await command(here, private, 1, f"/start setup_{GROUP}")
    for data in ("urgent:menu", "urgent:on2", "urgent:on2", "urgent:on1", "urgent:off1"):
        id_ = here.server.press(menu, 1, f"setup:{GROUP}:{data}")
        await here.server.answered(id_)
    assert settings(here).urgent == ("2",)
    await here.server.until(lambda: "✓ 지수" in labels(private.messages[menu["message_id"]]))
    await here.carry_out(await said(here, author=8), Escalate(), Flag())
    call = next(m for m in room.messages.values() if "🚨 긴급: 사건 #2 " in m.get("text", ""))
    assert [one["user"]["id"] for one in call["entities"]] == [2]


@played
async def test_b16_a_members_burst_calls_once(here: Stage) -> None:
    room = await here.with_moderators()
    messages = [await said(here, f"죽여버린다 {number}") for number in range(10)]
    for message in messages:
        await here.open_incident(message, Escalate())
    claimed = await here.store.outbox.claim(1000, now=datetime.now(UTC), platforms={TELEGRAM})
    outcomes: list[Outcome | BaseException] = await asyncio.gather(
        *(here.chat.perform(planned) for planned in claimed), return_exceptions=True
    )
    assert any(isinstance(outcome, Done) for outcome in outcomes)
    assert sum("🚨 긴급: 사건" in text and "방장" in text for text in by_bot(room)) == 1


@played
async def test_a_command_that_telegram_refuses_to_answer_in_private_is_answered_in_the_group(here: Stage) -> None:
    here.server.private(1)
    assert (await command(here, here.group, 1, "/check"))["chat"]["id"] == 1, "b36: not before the whole group"
    here.server.fail("sendMessage", Refusal(403, "Forbidden: bot was blocked by the user"))
    assert (await command(here, here.group, 1, "/check"))["chat"]["id"] == GROUP
    assert kinds(here.server.of("sendMessage")) == {"sendMessage": 2}
