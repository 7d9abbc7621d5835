"""A group's door on Telegram, over TCP: who asks is asked something, who has just come writes words alone, and notices
and commands go where nobody wants them."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.chat.telegram.joining.gate import ANSWERS, MOST_TRIES, Gate
from adapters.chat.telegram.joining.question import OFFERED, THINGS, Request
from bot.core.communities.community import Tidied
from bot.core.rules.actions import Delete, Done, Refused, Timeout
from tests.adapters.telegram.moderators.test_cards import said
from tests.adapters.telegram.stage import GROUP, Stage, connect, played
from tests.builders import EVERYWHERE
from tests.servers.telegram import RIGHTS, TOKEN, Chat, Refusal, user

WHO = 77


def keys(question: Any) -> list[str]:
    return [key["callback_data"] for row in question["reply_markup"]["inline_keyboard"] for key in row]


def right(question: Any, who: int = WHO) -> str:
    """Only who has the token knows it."""
    _, chat, at, _ = keys(question)[0].split(":")
    return Request(int(chat), who, int(at)).carried(Request(int(chat), who, int(at)).wanted(TOKEN))


async def asked(here: Stage, who: int = WHO, **more: Any) -> Any:
    """The newest question that somebody who knocks is asked."""
    private = here.server.knock(here.group, who, **more)
    number = len(private.messages)
    await here.server.until(lambda: len(private.messages) > number)
    await quiet(here)
    return max(private.messages.values(), key=lambda one: one["message_id"])


async def pressed(here: Stage, question: Any, data: str, who: int = WHO) -> str:
    id_ = here.server.press(question, who, data)
    await here.server.answered(id_)
    return str(here.server.answers[id_]["text"])


async def quiet(here: Stage) -> None:
    await here.server.until(lambda: not here.server.updates and not here.chat._tasks)


async def listening(here: Stage, **settings: Any) -> Chat:
    """Their room; Telegram tells only of what was asked for."""
    room = await here.with_moderators(**settings)
    here.listen()
    await here.server.until(lambda: "chat_join_request" in here.server.allowed_updates)
    return room


async def open_gate(here: Stage) -> None:
    await listening(here, gate=True)


def test_a_question_has_one_answer_for_each_request_and_nobody_can_tell_it_from_the_button() -> None:
    wanted = [Request(GROUP, WHO, at).wanted(TOKEN) for at in range(600)]
    assert set(wanted) == set(range(OFFERED)) and max(map(wanted.count, range(OFFERED))) < 150
    request = Request(GROUP, WHO, 1)
    assert len(set(request.offered(TOKEN))) == OFFERED and set(request.offered(TOKEN)) < set(THINGS)
    assert any(Request(GROUP, WHO, at).wanted("43:other") != wanted[at] for at in range(9))
    assert len(Request(-(10**17), 10**12, 10**11).carried(5)) <= 64


@played
async def test_who_answers_is_let_in_and_who_is_wrong_may_ask_again(here: Stage) -> None:
    await open_gate(here)
    question = await asked(here)
    assert "동네 모임" in question["text"] and len(keys(question)) == OFFERED
    wrong = next(one for one in keys(question) if one != right(question))
    assert "다시 요청" in await pressed(here, question, wrong)
    assert not here.group.knocking and WHO not in here.group.members
    assert "이미" in await pressed(here, question, right(question)), "the request is gone"
    again = await asked(here, at=here.server.now() + 1)
    assert await pressed(here, again, right(again)) == "고맙습니다. 들어오셨습니다."
    assert here.group.members[WHO]["status"] == "member"


@played
async def test_who_guesses_or_presses_for_somebody_else_gets_nowhere(here: Stage) -> None:
    await open_gate(here)
    for number in range(MOST_TRIES):
        question = await asked(here, at=here.server.now() + number)
        await pressed(here, question, next(one for one in keys(question) if one != right(question)))
    private = here.server.knock(here.group, WHO, at=here.server.now() + 9)
    await quiet(here)
    assert len(private.messages) == MOST_TRIES, "from then on moderators look at it"
    answer = Request(GROUP, WHO, int(here.server.now()))
    assert "운영진" in await pressed(here, question, answer.carried(answer.wanted(TOKEN)))
    assert WHO in here.group.knocking and WHO not in here.group.members
    other = await asked(here, 78)
    await pressed(here, other, right(other, 78), who=79)
    assert 78 in here.group.knocking and 79 not in here.group.members
    for forged in ("gate:-1:1:9", f"gate:{GROUP}:99999999999:0", "gate:7:1:1", f"gate:{GROUP}:1:1:1", "gate:"):
        here.server.press(other, 78, forged)
    await quiet(here)
    assert 78 not in here.group.members


@played
async def test_who_cannot_be_asked_waits_for_the_moderators_and_stops_nobody(here: Stage) -> None:
    await open_gate(here)
    here.server.fail("sendMessage", Refusal(403, "Forbidden: bot was blocked by the user"))
    here.server.knock(here.group, 70)
    await here.server.until(lambda: any(call.error for call in here.server.calls if call.method == "sendMessage"))
    question = await asked(here, 71)
    await pressed(here, question, right(question, 71), who=71)
    assert here.group.knocking == {70} and 71 in here.group.members


@played
async def test_who_says_nothing_is_turned_away_after_a_while_and_may_ask_again(here: Stage) -> None:
    await open_gate(here)
    question = await asked(here, at=here.server.now() - ANSWERS - 1)
    await here.chat._door.gate.turn_away()
    assert not here.group.knocking
    private = here.server.chats[WHO]
    assert "시간이 지났습니다" in private.messages[question["message_id"]]["text"]
    late = await asked(here, 71, at=here.server.now() - ANSWERS - 1)
    assert "시간이 지났습니다" in await pressed(here, late, right(late, 71), who=71)
    assert 71 not in here.group.members and not here.group.knocking


@played
async def test_a_process_that_dies_leaves_its_questions_to_the_next_and_the_same_request_is_the_same_question(
    here: Stage,
) -> None:
    await open_gate(here)
    at = here.server.now()
    question = await asked(here, at=at)
    old = here.chat._door.gate
    new = Gate(bot=old.bot, limiter=old.limiter, rooms=old.rooms, desk=old.desk, clock=old.clock, complain=old.complain)
    here.chat._door.gate = new
    assert await pressed(here, question, right(question)) == "고맙습니다. 들어오셨습니다."
    other = await asked(here, 71, at=at)
    here.chat._door.gate = old
    assert keys(await asked(here, 71, at=at)) == keys(other)


@played
async def test_while_a_group_is_locked_the_gate_lets_nobody_in(here: Stage) -> None:
    """Neither who knocks now, nor who was asked before."""
    await open_gate(here)
    question = await asked(here)
    here.server.post(here.group, 1, "/raid_on joining 1h")
    await quiet(here)
    told = await pressed(here, question, right(question))
    assert told.startswith(f"‘{here.group.title}’에서는 지금 잠시 새 회원을 받지 않습니다") and not here.server.of(
        "approveChatJoinRequest"
    )
    again = await asked(here, 78)
    assert "잠시 새 회원을 받지 않습니다" in again["text"] and "reply_markup" not in again
    assert len(here.server.of("declineChatJoinRequest")) == 2


@played
async def test_a_closed_gate_asks_nobody_and_a_missing_right_is_told(here: Stage) -> None:
    room = await listening(here)
    private = here.server.knock(here.group, WHO)
    await quiet(here)
    assert not private.messages
    rights = [one for one in RIGHTS if one != "can_invite_users"]
    here.server.set_member(here.group, 42, "administrator", rights)
    here.server.post(here.group, 1, "/gate on")
    await here.server.until(lambda: any("초대 링크" in str(call.arguments) for call in here.server.of("sendMessage")))
    question = await asked(here, 71)
    await pressed(here, question, right(question, 71), who=71)
    assert any("초대 링크로 사용자 초대" in one.get("text", "") for one in room.messages.values())


@played
async def test_many_who_knock_are_asked_within_limits_and_the_others_wait(here: Stage) -> None:
    await open_gate(here)
    crowd: list[Chat] = [here.server.knock(here.group, 1000 + number) for number in range(200)]
    await quiet(here)
    assert 1 <= sum(bool(one.messages) for one in crowd) <= 120
    assert len(here.chat._door.gate._waiting) <= 120


@played
async def test_who_has_just_come_writes_words_alone_for_a_while(here: Stage) -> None:
    await listening(here, newcomers=timedelta(hours=2))
    here.server.join(here.group, user(70))
    await here.server.until(lambda: here.group.members[70]["status"] == "restricted")
    now = here.group.members[70]
    assert now["can_send_messages"] and not now["can_send_photos"] and not now["can_invite_users"]
    assert 7000 < now["until_date"] - here.server.now() <= 7200
    here.server.join(here.group, user(71), by=2)
    here.server.join(here.group, user(72) | {"is_bot": True})
    await quiet(here)
    assert here.group.members[71]["status"] == "member", "whom a moderator brings in is known"
    assert here.group.members[72]["status"] == "member"
    loud = await said(here, author=70)
    assert await here.carry_out(loud, Timeout(timedelta(minutes=10))) != []
    assert not here.group.members[70]["can_send_messages"], "words alone is no mute"


@played
async def test_words_alone_that_an_admin_imposed_stay_where_a_process_acts_that_hears_nothing(here: Stage) -> None:
    await listening(here, newcomers=timedelta(hours=2))
    here.server.join(here.group, user(70))
    await here.server.until(lambda: here.group.members[70]["status"] == "restricted")
    loud, deaf = await said(here, author=70), connect(here.server.url, here.desk, hears=False)
    theirs = here.group.members[70] | {"until_date": int(here.server.now()) + 3600}
    here.group.members[70] = theirs
    try:
        await here.open_incident(loud, Timeout(timedelta(minutes=10)))
        (planned,) = await here.store.outbox.claim(10, now=datetime.now(UTC), platforms=EVERYWHERE)
        assert await deaf.perform(planned) == Refused("telegram.restricted_longer")
        assert here.group.members[70] == theirs
    finally:
        await deaf.close()


@pytest.mark.parametrize("what", [None, Tidied.JOINS, Tidied.COMMANDS])
def test_what_nobody_needs_goes_and_nothing_else(what: Tidied | None) -> None:
    @played
    async def scene(here: Stage) -> None:
        await listening(here, tidied=frozenset({what} if what else ()))
        here.server.join(here.group, user(70, "새사람"))
        here.server.post(here.group, 70, left_chat_member=user(71))
        notices = set(here.group.messages)
        command = here.server.post(here.group, 1, "/status")["message_id"]
        kept = {here.server.post(here.group, 7, words)["message_id"] for words in ("/other_bot", "안녕하세요", "/1")}
        await here.server.until(lambda: here.server.of("sendMessage"))
        await quiet(here)
        await asyncio.sleep(0.1)  # in which nothing more may go
        assert kept <= here.group.messages.keys()
        assert (notices <= here.group.messages.keys()) is (what is not Tidied.JOINS)
        assert (command in here.group.messages) is (what is not Tidied.COMMANDS)
        named = next(one for one in here.heard if one.is_name)
        assert named.text.startswith("새사람"), "a name is judged all the same"
        if what is Tidied.JOINS:
            assert await here.carry_out(named, Delete()) != [Done()], "there is nothing left to delete"

    scene()
