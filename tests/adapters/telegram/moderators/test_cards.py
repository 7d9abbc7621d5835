"""Cards in the moderators' chat, their buttons, commands and the set-up; over TCP."""

import asyncio
import gc
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from telegram import Bot

from adapters.chat.telegram.limits import Limiter
from adapters.chat.telegram.moderators.cards.drawing import drawn
from adapters.chat.telegram.moderators.cards.posted import Posted, PostedCards
from adapters.chat.telegram.refs import group_ref
from bot.core.base.errors import Unavailable
from bot.core.chat.message import CommunityRef, Message
from bot.core.communities.community import Community
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import GuardVersion, Judgement, Part, Verdict
from bot.core.incidents.card import Button, press_id
from bot.core.incidents.incident import Incident
from bot.core.incidents.raids.watch import ON_RAID
from bot.core.incidents.review import Call
from bot.core.moderators.desk import CoreDesk
from bot.core.rules.actions import NO_ROOM, Delete, Done, Escalate, Flag, Refused, Timeout, Warn
from bot.core.rules.policy import Watch
from bot.core.text.catalogue import texts
from tests.adapters.telegram.stage import GROUP, MODERATORS, Stage, connect, played, stage
from tests.builders import EVERYWHERE, NOW, code_of, decision, message, put_settings
from tests.fakes.cases import ScriptedCases
from tests.fakes.clock import ManualClock
from tests.fakes.guarding import ScriptedGuard
from tests.fakes.moderators import ScriptedDesk
from tests.servers.telegram import ANONYMOUS_ADMIN, BOT_ID, CHANNEL_BOT, Chat, Refusal, kinds
from tests.unit.incidents.test_card import NOBODY, incident, quarrel


async def said(here: Stage, text: str = "나쁜 말", author: int = 7) -> Message:
    here.server.post(here.group, author, text)
    return (await here.hear(len(here.heard) + 1))[-1]


def cards(room: Chat) -> list[dict[str, Any]]:
    return [message for message in room.messages.values() if message.get("reply_markup")]


def labels(card: dict[str, Any]) -> list[str]:
    return [button["text"] for row in card["reply_markup"]["inline_keyboard"] for button in row]


async def press(here: Stage, card: dict[str, Any], who: int, button: Button, incident: int = 1) -> str:
    """Press and wait; what the bot answers the presser."""
    id_ = here.server.press(card, who, press_id(button, incident))
    await here.server.until(lambda: id_ in here.server.answers)
    return str(here.server.answers[id_].get("text", ""))


# ---- cards ----------------------------------------------------------------------------------------------------------


@played
async def test_a_flag_shows_the_moderators_a_card_with_buttons(here: Stage) -> None:
    room = await here.with_moderators()
    (outcome,) = await here.carry_out(await said(here, "정말 나쁜 말이야"), Flag())
    (card,) = cards(room)
    assert outcome == Done(f"{MODERATORS}/{card['message_id']}")
    assert "사건 #1" in card["text"]
    assert "정○ 나○ 말○○" in card["text"]
    assert "정말" not in card["text"], "masked until somebody asks"
    assert labels(card) == [
        "맞음",
        "틀림 (되돌리기)",
        "삭제",
        "채팅 금지 10분",
        "채팅 금지 1시간",
        "채팅 금지 1일",
        "차단",
        "긴급 호출",
        "맡기",
        "내용 보기",
        "이력",
    ]


@played
async def test_without_a_moderators_chat_a_flag_says_what_to_do(here: Stage) -> None:
    (outcome,) = await here.carry_out(await said(here), Flag())
    assert isinstance(outcome, Refused)
    assert outcome.reason == NO_ROOM


@played
async def test_a_card_follows_what_comes_of_its_incident(here: Stage) -> None:
    room = await here.with_moderators()
    await here.carry_out(await said(here), Delete(), Flag())
    await here.server.until(lambda: "삭제 완료" in cards(room)[0]["text"])
    assert len(cards(room)) == 1


@played
async def test_a_card_also_tells_what_was_done_while_it_was_on_the_way(here: Stage) -> None:
    room = await here.with_moderators()
    message = await said(here)
    here.server.hold("sendMessage", MODERATORS)
    await here.open_incident(message, Delete(), Flag())
    doing = asyncio.create_task(here.do_planned())
    await here.server.until(lambda: not here.group.messages)
    here.server.release("sendMessage")
    await doing
    await here.server.until(lambda: "삭제 완료" in cards(room)[0]["text"])


@played
async def test_a_card_says_what_is_on_record_and_is_drawn_anew_when_that_changes(here: Stage) -> None:
    room = await here.with_moderators()
    await here.open_incident(await said(here), Delete(), Flag())
    delete, flag = await here.store.outbox.claim(10, now=datetime.now(UTC), platforms=EVERYWHERE)
    done = await here.chat.perform(delete)
    await here.record(flag, await here.chat.perform(flag))
    other = await said(here, "또 나쁜 말")
    assert isinstance((await here.carry_out(other, Flag()))[0], Done), "it takes more all the same"
    assert "삭제 대기" in cards(room)[0]["text"], "what was done and is not on record may be done again"
    await here.record(delete, done)
    await here.server.until(lambda: "삭제 완료" in cards(room)[0]["text"])


@pytest.mark.parametrize("pressed", [False, True])
def test_after_a_restart_a_card_follows_its_incidents_and_names_them_all(pressed: bool) -> None:
    """Its process was killed before it could show what was done, and what is on the card stands on record alone."""

    async def scenario() -> None:
        async with stage() as here:
            room = await here.with_moderators()
            first, second = [await said(here, f"나쁜 말 {number}") for number in range(2)]
            await here.open_incident(first, Delete(), Flag())
            await here.open_incident(second, Flag())
            delete, *flags = await here.store.outbox.claim(10, now=datetime.now(UTC), platforms=EVERYWHERE)
            for flag in flags:
                await here.record(flag, await here.chat.perform(flag))
            (card,) = cards(room)
            await here.stop()
            here.chat = connect(here.server.url, here.desk)
            here.listen()
            if pressed:
                await here.store.outbox.record([(delete, Done())])
                await press(here, card, 2, Button.HISTORY)
            else:
                await here.record(delete, await here.chat.perform(delete))
            await here.server.until(lambda: "삭제 완료" in cards(room)[0]["text"])
            assert "#2" in cards(room)[0]["text"] and len(cards(room)) == 1

    asyncio.run(scenario())


@played
async def test_a_burst_by_one_member_is_folded_into_one_card(here: Stage) -> None:
    room = await here.with_moderators()
    messages = [await said(here, f"나쁜 말 {number}") for number in range(30)]
    for one in messages:
        await here.open_incident(one, Flag())
    assert all(isinstance(outcome, Done) for outcome in await here.do_planned())
    await here.server.until(lambda: "29건" in cards(room)[0]["text"])
    assert len(cards(room)) == 1
    assert texts("ko")["card.first_time"] in cards(room)[0]["text"], "what is folded into it is no earlier record"
    assert kinds(here.server.of("sendMessage", "editMessageText")) == {"sendMessage": 1, "editMessageText": 1}
    other = await said(here, "남의 말", author=8)
    await here.carry_out(other, Flag())
    assert len(cards(room)) == 2
    now = here.policies.community(group_ref(GROUP))
    await put_settings(here.policies, replace(now, mode=Watch.LIVE))
    await here.carry_out(await said(here, "남의 다른 말", author=8), Flag())
    assert len(cards(room)) == 3, "what is done, is not told as what was only watched"


@played
async def test_however_many_come_at_once_every_card_names_all_that_it_took(here: Stage) -> None:
    """None of them has been named yet when the next one asks whether the card takes more."""
    room = await here.with_moderators()
    messages = [await said(here, f"나쁜 말 {number}") for number in range(30)]
    for one in messages:
        await here.open_incident(one, Flag())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("adapters.chat.telegram.moderators.cards.board.MOST_FOLDED", 9)
        assert all(isinstance(outcome, Done) for outcome in await here.do_planned())
        await here.server.until(lambda: len(named(room)) == 30)
    assert len(cards(room)) == 3


@pytest.mark.parametrize("among", [1, 3])
def test_more_than_a_room_takes_in_a_minute_stand_on_its_last_card(among: int) -> None:
    """At once, whoever did it."""

    async def scene(here: Stage) -> None:
        room = await here.with_moderators()
        here.server.group_limit = 20
        here.chat._limiter.among = lambda: among
        for author in range(100, 130):
            await here.open_incident(await said(here, author=author), Flag())
        assert all(isinstance(outcome, Done) for outcome in await here.do_planned())
        assert len(named(room)) == 30
        assert len(cards(room)) == {1: 10, 3: 4}[among]

    played(scene)()


@played
async def test_an_incident_stays_on_its_card_whichever_process_goes_on_with_it(here: Stage) -> None:
    """The one that took its place there gave it back before the card named it; its clock was wrong, too."""
    room = await here.with_moderators()
    other = connect(here.server.url, here.desk)
    await here.carry_out(await said(here), Flag())
    await here.open_incident(await said(here, "또 나쁜 말"), Flag(), fast=1020)
    (flag,) = await here.store.outbox.claim(10, now=datetime.now(UTC), platforms=EVERYWHERE)
    with pytest.MonkeyPatch.context() as busy:
        busy.setattr("adapters.chat.telegram.moderators.cards.posted.NAMING_AT_ONCE", 0)
        with pytest.raises(Unavailable) as later:
            await here.chat.perform(flag)
    await here.store.outbox.postpone(flag, datetime.now(UTC), begun=later.value.begun)
    (again,) = await here.store.outbox.claim(10, now=datetime.now(UTC), platforms=EVERYWHERE)
    outcome = await other.perform(again)
    (card,) = cards(room)
    assert outcome == Done(f"{MODERATORS}/{card['message_id']}")
    assert named(room) == {"1", "2"}
    await other.close()


@played
async def test_a_card_that_could_not_be_sent_takes_nobody_along(here: Stage) -> None:
    """Its incident is shown by another process meanwhile."""
    room = await here.with_moderators()
    other = connect(here.server.url, here.desk)
    await here.open_incident(await said(here), Flag())
    (flag,) = await here.store.outbox.claim(10, now=datetime.now(UTC), platforms=EVERYWHERE)
    here.server.fail("sendMessage", Refusal(500, "Internal Server Error"))
    with pytest.raises(Unavailable):
        await here.chat.perform(flag)
    assert isinstance(await other.perform(flag), Done)
    assert isinstance((await here.carry_out(await said(here, "또 나쁜 말"), Flag()))[0], Done)
    assert [set(re.findall(r"#(\d+)", card["text"])) for card in cards(room)] == [{"1"}, {"2"}]
    await other.close()


def named(room: Chat) -> set[str]:
    """The numbers of the incidents that stand on a card."""
    return {number for card in cards(room) for number in re.findall(r"(?:사건 |#)(\d+)", card["text"])}


@played
async def test_an_escalation_pings_those_who_are_named(here: Stage) -> None:
    room = await here.with_moderators(urgent=("@jisu", "12345"))
    assert isinstance((await here.carry_out(await said(here), Escalate(), Flag()))[0], Done)
    assert len(cards(room)) == 1
    (ping,) = [message for message in room.messages.values() if "@jisu" in message.get("text", "")]
    assert ping["reply_to_message"]["message_id"] == cards(room)[0]["message_id"]
    (entity,) = here.server.of("sendMessage")[-1].arguments["entities"]
    assert entity["url"] == "tg://user?id=12345"


@played
async def test_a_moderators_chat_that_moved_is_followed(here: Stage) -> None:
    room = await here.with_moderators()
    room.type = "group"
    moved = here.server.migrate(room, -1000077, service="none")
    (outcome,) = await here.carry_out(await said(here), Flag())
    assert outcome == Done(f"-1000077/{cards(moved)[0]['message_id']}")
    assert here.desk.community(group_ref(GROUP)).moderators_channel == "-1000077"


# ---- buttons --------------------------------------------------------------------------------------------------------


@played
async def test_wrong_undoes_and_restores_and_the_card_is_closed(here: Stage) -> None:
    room = await here.with_moderators()
    message = await said(here)
    await here.carry_out(message, Delete(), Timeout(timedelta(minutes=5)), Flag())
    (card,) = cards(room)
    assert "틀림" in await press(here, card, 2, Button.WRONG)
    planned = [action.planned.action for action in here.store.actions.values() if action.outcome is None]
    assert [action.kind for action in planned] == ["restore", "lift"]
    await here.do_planned()
    assert here.group.members[7]["status"] == "member"
    assert any("나쁜 말" in message["text"] for message in here.group.messages.values())
    await here.server.until(lambda: labels(cards(room)[0]) == ["맞음", "다시 열기", "내용 보기", "이력"])
    assert "지수" in cards(room)[0]["text"]


@played
async def test_of_two_who_press_at_once_one_counts_and_the_other_is_told(here: Stage) -> None:
    room = await here.with_moderators()
    await here.carry_out(await said(here), Flag())
    (card,) = cards(room)
    answers = await asyncio.gather(press(here, card, 1, Button.BAN), press(here, card, 2, Button.RIGHT))
    assert sum("이미 처리했습니다" in answer for answer in answers) == 1
    incident = await here.store.incidents.get(group_ref(GROUP), 1)
    assert incident
    assert incident.review
    kept = {Call.BAN: ["delete", "warn", "ban"], Call.RIGHT: []}[incident.review.call]
    assert [action.kind for action, _ in incident.outcomes if action.kind != "flag"] == kept


@played
async def test_only_admins_of_the_group_may_press(here: Stage) -> None:
    room = await here.with_moderators()
    await here.carry_out(await said(here), Flag())
    (card,) = cards(room)
    for button in Button:
        assert await press(here, card, 7, button) == texts("ko")["card.not_allowed"]
    incident = await here.store.incidents.get(group_ref(GROUP), 1)
    assert incident and incident.review is None


@played
async def test_who_is_no_admin_any_more_is_refused_at_once(here: Stage) -> None:
    room = await here.with_moderators()
    await here.carry_out(await said(here), Flag())
    (card,) = cards(room)
    assert "나쁜 말" in await press(here, card, 2, Button.REVEAL)
    here.server.set_member(here.group, 2, "member")
    assert await press(here, card, 2, Button.RIGHT) == texts("ko")["card.not_allowed"]


@played
async def test_t34_buttons_work_after_a_restart_and_without_the_cards_message(here: Stage) -> None:
    room = await here.with_moderators()
    await here.carry_out(await said(here), Flag())
    (card,) = cards(room)
    assert all(len(b["callback_data"].encode()) <= 64 for row in card["reply_markup"]["inline_keyboard"] for b in row)
    await here.stop()
    here.chat = connect(here.server.url, here.desk)
    here.listen()
    gone = {"message_id": card["message_id"], "chat": card["chat"], "date": 0}  # an InaccessibleMessage
    assert "맞음" in await press(here, gone, 2, Button.RIGHT)
    await here.server.until(lambda: "긴급 호출" not in labels(cards(room)[0]))


@played
async def test_a_long_text_is_read_in_private_by_the_presser_alone_and_on_record(here: Stage) -> None:
    room, private, record = await here.with_moderators(), here.server.private(2, "지수"), here.desk.deeds.cases
    assert isinstance(record, ScriptedCases)
    long = "나쁜 말 😀 " * 100 + "끝"
    await here.carry_out(await said(here, long), Flag())
    (card,) = cards(room)
    assert "끝" not in card["text"] and not any(one["type"] == "spoiler" for one in card["entities"])
    await here.stop()
    here.chat = connect(here.server.url, here.desk)  # a link serves after a restart, and so does the command
    here.listen()
    id_ = here.server.press(card, 2, press_id(Button.REVEAL, 1))
    await here.server.until(lambda: id_ in here.server.answers)
    link = here.server.answers[id_]["url"].partition("?start=")[2]
    assert link == f"why_{GROUP}_1" and record.seen == []
    assert long in (await command(here, private, 2, f"/start {link}"))["text"]
    assert long in (await command(here, private, 2, "/why 1"))["text"]
    assert [one.by.id for _, one in record.seen] == ["2", "2"]
    for who in (99, 8):  # a stranger, and a plain member
        other = here.server.private(who)
        assert (await command(here, other, who, f"/start {link}"))["text"] == texts("ko")["card.not_found"]


@played
async def test_history_and_unknown_buttons_are_answered(here: Stage) -> None:
    room = await here.with_moderators()
    await here.carry_out(await said(here), Flag())
    (card,) = cards(room)
    assert await press(here, card, 2, Button.HISTORY) == texts("ko")["card.first_time"]
    assert await press(here, card, 2, Button.HISTORY, incident=99) == "사건을 찾을 수 없습니다."
    id_ = here.server.press(card, 2, "something else")
    await here.server.until(lambda: id_ in here.server.answers)


@played
async def test_a_press_that_telegram_forgot_counts_all_the_same(here: Stage) -> None:
    room = await here.with_moderators()
    await here.carry_out(await said(here), Flag())
    here.server.fail("answerCallbackQuery", Refusal(400, "Bad Request: query is too old and response timeout expired"))
    here.server.press(cards(room)[0], 2, press_id(Button.RIGHT, 1))
    await here.server.until(lambda: here.store.opened and "긴급 호출" not in labels(cards(room)[0]))


# ---- commands -------------------------------------------------------------------------------------------------------


async def command(here: Stage, chat: Chat, who: Any, text: str, **more: Any) -> dict[str, Any]:
    """Type a command; the answer, in the same chat or in private."""
    if here._listening is None:
        here.listen()
    await here.server.until(lambda: here.server.of("getUpdates"))
    said = len(here.server.of("sendMessage"))
    here.server.post(chat, who, text, **more)
    await here.server.until(lambda: len(here.server.of("sendMessage")) > said)
    answered = here.server.chats[here.server.of("sendMessage")[said].arguments["chat_id"]]
    newest = max(id_ for id_, m in answered.messages.items() if m["from"]["id"] == BOT_ID)
    return answered.messages[newest]


@played
async def test_a_mistyped_command_is_answered_in_the_moderators_room_alone(here: Stage) -> None:
    room = await here.with_moderators()
    here.server.admin(room, 2, "지수")
    here.listen()
    for chat, text in ((here.group, "/histroy"), (room, "/weather")):
        here.server.post(chat, 2, text)
    assert "/waiting" in (await command(here, room, 2, "/wating"))["text"]
    assert len(here.server.of("sendMessage")) == 1, "what is not like one of ours may be another bot's"


async def ignored(here: Stage, chat: Chat, who: Any, text: str, **more: Any) -> bool:
    """Whether a command stays without an answer while a later one gets one."""
    if here._listening is None:
        here.listen()
    await here.server.until(lambda: here.server.of("getUpdates"))
    before = set(chat.messages)
    here.server.post(chat, who, text, **more)
    await command(here, chat, 1, "/privacy")
    said = [id_ for id_, message in chat.messages.items() if id_ not in before and message["from"]["id"] == BOT_ID]
    return len(said) == 1


@played
async def test_commands_are_announced_in_both_languages(here: Stage) -> None:
    here.listen()
    await here.server.until(lambda: len(here.server.commands) == 9)
    korean = {c["command"]: c["description"] for c in here.server.commands["all_chat_administrators/ko"]}
    assert korean["setup"] == "운영진 방, 강도, 언어를 고릅니다"
    assert [c["command"] for c in here.server.commands["all_group_chats/"]] == ["flag", "appeal", "privacy"]


@played
async def test_p3_privacy_is_answered_everywhere_and_to_everybody(here: Stage) -> None:
    assert "저장" in (await command(here, here.group, 7, "/privacy"))["text"]
    assert "저장" in (await command(here, here.group, 8, "/개인정보"))["text"]
    private = here.server.private(7)
    ann = {"id": 7, "is_bot": False, "first_name": "Ann", "language_code": "en"}
    assert "stored" in (await command(here, private, ann, "/privacy@jikimi_bot"))["text"]


@pytest.mark.parametrize("text", ["/setup", "/status", "/check", "/test 말", "/pause", "/privacy@other_bot", "/nono"])
def test_what_is_not_for_them_or_not_for_us_stays_without_an_answer(text: str) -> None:
    async def scenario() -> None:
        async with stage() as here:
            assert await ignored(here, here.group, 7, text)

    asyncio.run(scenario())


@played
async def test_t59_other_bots_are_never_answered(here: Stage) -> None:
    assert await ignored(here, here.group, {"id": 500, "is_bot": True, "first_name": "LLM"}, "/privacy")


@played
async def test_an_anonymous_admin_may_use_admins_commands(here: Stage) -> None:
    here.group.members[1]["is_anonymous"] = True
    answer = await command(here, here.group, ANONYMOUS_ADMIN, "/check", sender_chat=here.group.as_object())
    assert answer["text"] == "필요한 권한이 모두 있습니다."


@played
async def test_check_says_what_does_not_work(here: Stage) -> None:
    here.server.set_member(here.group, 42, "administrator", rights=["can_delete_messages"])
    answer = await command(here, here.group, 1, "/check")
    assert "사용자 차단" in answer["text"]
    assert "메시지 삭제" not in answer["text"]


def test_test_shows_what_the_rules_would_do() -> None:
    async def scenario() -> None:
        abuse = Verdict(
            guard=GuardVersion(name="scripted"), found=(Judgement(Part.PROMPT, HarmKind.ABUSE, 0.999, "scripted"),)
        )
        async with stage(guard=ScriptedGuard({"나쁜 말": abuse})) as here:
            assert "삭제" in (await command(here, here.group, 1, "/test 나쁜 말"))["text"]
            assert "걸리는 규칙이 없습니다" in (await command(here, here.group, 1, "/시험 좋은 말"))["text"]

    asyncio.run(scenario())


@played
async def test_setup_from_the_first_command_to_the_moderators_chat(here: Stage) -> None:
    room, private = here.server.group(MODERATORS, title="운영진 방"), here.server.private(1, "방장")
    asked = await command(here, here.group, 1, "/setup")
    (link,) = [button["url"] for row in asked["reply_markup"]["inline_keyboard"] for button in row]
    assert link == f"https://t.me/jikimi_bot?start=setup_{GROUP}"
    menu = await command(here, private, 1, f"/start setup_{GROUP}")
    assert "지켜보기" in menu["text"]
    assert [label for label in labels(menu) if label.startswith("✓")] == ["✓ 알맞게", "✓ 지켜보기", "✓ 한국어"]
    for choice in ("preset:strict", "mode:live", "language:en"):
        id_ = here.server.press(menu, 1, f"setup:{GROUP}:{choice}")
        await here.server.answered(id_)
    await command(here, room, 1, f"/start@jikimi_bot mods_{GROUP}")
    community = here.desk.community(group_ref(GROUP))
    assert (community.preset, community.mode, community.language) == ("strict", Watch.LIVE, "en")
    assert community.moderators_channel == str(MODERATORS)
    room_s_own = here.desk.community(group_ref(MODERATORS))
    assert room_s_own == Community(platform=here.chat.platform, id=str(MODERATORS)), "nothing is set for another chat"
    await command(here, room, 1, f"/start@jikimi_bot report_{GROUP}")
    menu = await command(here, private, 1, f"/start setup_{GROUP}")
    assert str(MODERATORS) not in menu["text"], "rooms are named, not numbered"
    assert "운영진 방: 운영진 방\n보고서 방: 운영진 방" in menu["text"]
    assert "동네 모임" in menu["text"]


@played
async def test_nobody_sets_up_another_group(here: Stage) -> None:
    room, private = here.server.group(MODERATORS, owner=9), here.server.private(9)
    assert (await command(here, private, 9, f"/start setup_{GROUP}"))["text"].startswith("그 그룹의 관리자만")
    await command(here, room, 9, f"/start mods_{GROUP}")
    id_ = here.server.press(room.messages[max(room.messages)], 9, f"setup:{GROUP}:mode:live")
    await here.server.until(lambda: id_ in here.server.answers)
    await command(here, room, ANONYMOUS_ADMIN, f"/start mods_{GROUP}", sender_chat=room.as_object())
    community = here.desk.community(group_ref(GROUP))
    assert (community.moderators_channel, community.mode) == (None, None)


@pytest.mark.parametrize("purpose", ["mods", "report"])
def test_nobody_binds_a_chat_in_which_they_are_only_a_member(purpose: str) -> None:
    """Whoever owns a group of their own would else switch moderation off wherever they may write."""

    async def scenario() -> None:
        async with stage() as here:
            await here.with_moderators()
            mine = here.server.group(-1009, owner=666)
            here.server.message(here.group, 666, "안녕하세요")
            before = {chat: here.desk.community(group_ref(chat)) for chat in (GROUP, -1009)}
            answer = await command(here, here.group, 666, f"/start {purpose}_{mine.id}")
            assert "모두에서" in answer["text"]
            assert {chat: here.desk.community(group_ref(chat)) for chat in before} == before

    asyncio.run(scenario())


@played
async def test_pause_and_exempt(here: Stage) -> None:
    await command(here, here.group, 1, "/pause 2h")
    assert here.desk.community(group_ref(GROUP)).paused_until is not None
    await command(here, here.group, 1, "/pause off")
    assert here.desk.community(group_ref(GROUP)).paused_until is None
    target = here.server.message(here.group, 7, "말")
    await command(here, here.group, 1, "/exempt", reply_to_message=target)
    message = await said(here)
    exempt = here.desk.community(group_ref(GROUP)).exempt_roles
    assert exempt == {"7"}
    assert exempt & message.author.roles


@played
async def test_why_shows_a_card_but_never_in_front_of_the_group(here: Stage) -> None:
    room = await here.with_moderators()
    await here.open_incident(await said(here))
    assert "운영진 방" in (await command(here, here.group, 1, "/why 1"))["text"]
    assert "사건 #1" in (await command(here, room, 2, "/why 1"))["text"]
    for who, number in ((7, 1), (8, 99)):  # who is no admin there does not even learn which incidents there are
        assert (await command(here, room, who, f"/why {number}"))["text"] == "사건을 찾을 수 없습니다."
    assert "1건" in (await command(here, room, 1, "/이력 1"))["text"]


@played
async def test_nobody_sees_who_points_to_a_message_or_that_somebody_does(here: Stage) -> None:
    await here.with_moderators()
    here.listen()
    for number, words in enumerate(("/신고", "@admin 이것 좀 봐 주세요", "@운영자")):
        target = here.server.message(here.group, 8, f"이상한 말 {number}")
        here.server.post(here.group, 20 + number, words, reply_to_message=target)
    await here.server.until(lambda: len(here.store.flags) == 3)
    await here.server.until(lambda: not any(m["from"]["id"] in (20, 21, 22) for m in here.group.messages.values()))
    assert {kept.text for kept in here.store.messages.values() if kept.flagged} == {f"이상한 말 {n}" for n in range(3)}


@played
async def test_an_appeal_is_on_the_card_and_the_moderators_are_told_once(here: Stage) -> None:
    room, private = await here.with_moderators(), here.server.private(7)
    await here.carry_out(await said(here), Flag())
    assert "전했습니다" in (await command(here, private, 7, f"/appeal {code_of(1)} 억울해요"))["text"]
    await here.do_planned()
    await here.server.until(lambda: "억울해요" in cards(room)[0]["text"])
    pointer = room.messages[max(room.messages)]
    assert pointer["text"] == texts("ko")("telegram.appealed", case=1), "what nobody empties says nothing"
    assert pointer["reply_to_message"]["message_id"] == cards(room)[0]["message_id"]
    incident = await here.store.incidents.get(group_ref(GROUP), 1)
    assert incident and incident.appeal and incident.appeal.words == "억울해요"
    assert "이미" in (await command(here, private, 7, f"/이의 {code_of(1).lower()} 정말로"))["text"]
    assert await here.do_planned() == []
    other = here.server.private(8)
    assert "본인" in (await command(here, other, 8, f"/appeal {code_of(1)} 나도"))["text"]
    assert "본인" in (await command(here, private, 7, "/appeal 억울해요"))["text"]


@played
async def test_an_appeal_after_a_restart_is_on_the_card_and_points_to_it(here: Stage) -> None:
    room, private = await here.with_moderators(), here.server.private(7)
    await here.carry_out(await said(here), Flag())
    await here.stop()
    here.chat = connect(here.server.url, here.desk)
    here.listen()
    await command(here, private, 7, f"/appeal {code_of(1)} 억울해요")
    await here.do_planned()
    await here.server.until(lambda: "억울해요" in cards(room)[0]["text"])
    pointer = room.messages[max(room.messages)]
    assert pointer["reply_to_message"]["message_id"] == cards(room)[0]["message_id"] and len(cards(room)) == 1
    assert "맞음" in await press(here, cards(room)[0], 2, Button.RIGHT)


@pytest.mark.parametrize("started", [True, False])
def test_who_answers_a_notice_appeals(started: bool) -> None:
    """In the private chat, or to the short notice in the group."""

    async def scenario() -> None:
        async with stage() as here:
            await here.with_moderators()
            private = here.server.private(7, started=started)
            await here.carry_out(await said(here), Warn())
            room = private if started else here.group
            notice = room.messages[max(room.messages)]
            await command(here, room, 7, "친구끼리 한 말이에요", reply_to_message=notice)
            incident = await here.store.incidents.get(group_ref(GROUP), 1)
            assert incident and incident.appeal and incident.appeal.words == "친구끼리 한 말이에요"

    asyncio.run(scenario())


@played
async def test_others_who_answer_a_notice_are_not_answered(here: Stage) -> None:
    await here.with_moderators()
    here.server.private(7, started=False)
    await here.carry_out(await said(here), Warn())
    notice = here.group.messages[max(here.group.messages)]
    assert await ignored(here, here.group, 8, "나도 한마디", reply_to_message=notice)


@played
async def test_a_channel_appeals_as_the_channel(here: Stage) -> None:
    await here.with_moderators()
    channel = Chat(-1006, "channel", "광고 채널")
    here.server.as_channel(here.group, channel, "광고")
    (message,) = await here.hear(1)
    await here.open_incident(message)
    answer = await command(
        here, here.group, CHANNEL_BOT, f"/appeal {code_of(1)} 광고가 아닙니다", sender_chat=channel.as_object()
    )
    assert "전했습니다" in answer["text"]


@played
async def test_without_a_moderators_chat_an_appeal_says_so(here: Stage) -> None:
    await here.open_incident(await said(here))
    assert (
        "운영진 방이 없어" in (await command(here, here.server.private(7), 7, f"/appeal {code_of(1)} 억울해요"))["text"]
    )


@played
async def test_settings_are_changed_in_somebodys_name(here: Stage) -> None:
    changed: list[str] = []

    class Watched(CoreDesk):
        async def change(
            self, community: CommunityRef, edit: Callable[[Community], Community], *, by: str
        ) -> Community:
            changed.append(by)
            return await self.policies.change(community, edit, by=by)

    desk = here.desk
    await here.stop()
    here.chat = connect(
        here.server.url,
        Watched(policies=desk.policies, reviewer=desk.reviewer, precedents=desk.precedents,
                deeds=desk.deeds, raids=desk.raids, sharing=desk.sharing, flagging=desk.flagging, privacy=desk.privacy,
                incidents=desk.incidents, queue=desk.queue, bots_seen=desk.bots_seen, builder=desk.builder,
                schedule_of=desk.schedule_of, clock=desk.clock,
                policy_files=desk.policy_files),
    )  # fmt: skip
    here.listen()
    here.server.admin(here.group, 2, "지수")
    private, room = here.server.private(2, "지수"), here.server.group(MODERATORS)
    target = here.server.message(here.group, 7, "말")
    menu = await command(here, private, 2, f"/start setup_{GROUP}")
    id_ = here.server.press(menu, 2, f"setup:{GROUP}:preset:strict")
    await here.server.until(lambda: id_ in here.server.answers)
    await command(here, here.group, 2, "/pause")
    await command(here, here.group, 2, "/pause off")
    await command(here, here.group, 2, "/exempt", reply_to_message=target)
    here.server.admin(room, 2, "지수")
    await command(here, room, 2, f"/start mods_{GROUP}")
    await command(here, room, 2, f"/start report_{GROUP}")
    assert changed == ["지수"] * 6


def test_what_is_shown_on_the_card_of_a_raid_is_looked_for_on_no_other() -> None:
    class Asked(ScriptedDesk):
        async def shown_with(self, incident: Incident, receipt: str) -> Sequence[int]:
            raise AssertionError("a raid has hundreds of incidents, and each of them would be asked about")

    async def scenario() -> None:
        desk, clock = Asked(), ManualClock()
        cards = PostedCards(bot=Bot("1:a"), limiter=Limiter(clock=clock, say=texts("ko")), desk=desk, clock=clock)
        decided, shown = decision(message(), Flag()), (Flag(), Done(receipt=f"{ON_RAID}7"))
        desk.incidents[1] = Incident(id=1, decision=decided, decided_at=NOW, outcomes=(shown,))
        assert await cards.find(decided.message.community, 1) is None

    asyncio.run(scenario())


def test_what_changes_while_its_card_is_looked_for_is_looked_for_once_more() -> None:
    class Slow(ScriptedDesk):
        def __init__(self) -> None:
            super().__init__()
            self.asked: list[int] = []
            self.may_answer = asyncio.Event()

        async def look_up(self, community: CommunityRef, incident_id: int, *folded: int) -> None:
            self.asked.append(incident_id)
            await self.may_answer.wait()

    async def scenario() -> None:
        failed: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failed.append(context))
        desk, clock = Slow(), ManualClock()
        cards = PostedCards(bot=Bot("1:a"), limiter=Limiter(clock=clock, say=texts("ko")), desk=desk, clock=clock)
        cards.changed(group_ref(GROUP), 2)
        cards.changed(group_ref(GROUP), 1)
        await asyncio.sleep(0)
        cards.put(2, Posted(chat_id=MODERATORS, community=group_ref(GROUP), incident_id=2, at=0.0))
        await clock.advance(1)
        for _ in range(2):
            cards.changed(group_ref(GROUP), 1)
        await asyncio.sleep(0)
        desk.may_answer.set()
        for _ in range(10):
            await asyncio.sleep(0)
        assert desk.asked == [1, 1], "and what was just being shown is not looked for"
        gc.collect()
        assert not failed

    asyncio.run(scenario())


def test_cards_that_wait_to_be_written_anew_end_with_their_chat() -> None:
    async def scenario() -> None:
        async with stage() as here:
            here.chat.incident_changed(group_ref(GROUP), 1)
            assert len(here.chat._posted.errands) == 1
            await here.chat.close()
            assert not here.chat._posted.errands

    asyncio.run(scenario())


def test_a_quarrels_card_leads_to_the_other() -> None:
    found = replace(incident(), decision=replace(incident().decision, findings=(quarrel("8"),)))
    shown = drawn(found, NOBODY, "ko", "UTC")
    (link,) = (one for one in shown.entities if one.url)
    named = shown.text.encode("utf-16-le")[2 * link.offset : 2 * (link.offset + link.length)].decode("utf-16-le")
    assert (link.url, named) == ("tg://user?id=8", "8")
    assert "상대: 8" in shown.text
