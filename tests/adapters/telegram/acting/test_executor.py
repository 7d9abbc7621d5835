"""What the bot does on Telegram, and what Telegram says to it; over TCP."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.chat.telegram.refs import group_ref
from adapters.system_clock import SystemClock
from bot.core.base.errors import Broken, Unavailable
from bot.core.chat.message import Message
from bot.core.incidents.case import CaseKind, Order, Person, native
from bot.core.incidents.review import Call
from bot.core.rules.actions import (
    Action,
    Ban,
    Care,
    Delete,
    Done,
    Gone,
    Kick,
    NotifyOwner,
    Outcome,
    Refused,
    Restore,
    Timeout,
    Unconfirmed,
    Unsanction,
    Warn,
)
from bot.core.text.catalogue import noted, texts
from tests.adapters.telegram.stage import GROUP, Stage, connect, played, stage
from tests.builders import EVERYWHERE, code_of
from tests.fakes.cases import ScriptedCases
from tests.fakes.clock import WrongClock
from tests.servers.fault_proxy import FaultProxy
from tests.servers.telegram import ANONYMOUS_ADMIN, BOT_ID, CHANNEL_BOT, TELEGRAM, Chat, Refusal, member, user

HOUR = 3600.0
DAY = timedelta(days=1)


async def said(here: Stage, text: str = "나쁜 말", author: int = 7, **more: Any) -> Message:
    here.server.post(here.group, author, text, **more)
    return (await here.hear(len(here.heard) + 1))[-1]


def status(here: Stage, who: int = 7) -> str:
    return str(here.group.members[who]["status"])


# ---- deleting -------------------------------------------------------------------------------------------------------


@played
async def test_a_message_is_deleted(here: Stage) -> None:
    message = await said(here)
    assert await here.carry_out(message, Delete()) == [Done()]
    assert here.group.messages == {}


@played
async def test_who_hears_nothing_acts_all_the_same(here: Stage) -> None:
    """It asks for no updates, and goes by what Telegram says of admins now and then: nobody tells it of changes."""
    message, admins = await said(here), await said(here, author=8)
    here.server.admin(here.group, 8, "지수")
    await here.server.until(lambda: here.server.waited_at)
    assert here._listening
    here._listening.cancel()
    await asyncio.wait([here._listening])
    chat, polls = connect(here.server.url, here.desk, hears=False), here.server.polls
    hearing = asyncio.create_task(anext(chat.messages()))
    await here.open_incident(message, Delete(), Timeout(timedelta(minutes=5)))
    await here.open_incident(admins, Timeout(timedelta(minutes=5)))
    claimed = await here.store.outbox.claim(10, now=datetime.now(UTC), platforms=EVERYWHERE)
    try:
        outcomes = [await chat.perform(one) for one in claimed]
        assert [type(one) for one in outcomes] == [Done, Done, Refused] and status(here) == "restricted"
        assert chat._members._keeps(await chat._members.staff(GROUP)) < 600
        assert here.server.polls == polls and not hearing.done()
    finally:
        hearing.cancel()
        await asyncio.wait([hearing])
        await chat.close()


@played
async def test_deleting_what_is_gone_is_gone(here: Stage) -> None:
    message = await said(here)
    here.group.messages.clear()
    assert await here.carry_out(message, Delete()) == [Gone()]


@played
async def test_t26_a_message_older_than_48_hours_is_refused_without_asking(here: Stage) -> None:
    message = await said(here, date=time.time() - 48 * HOUR - 1)
    (outcome,) = await here.carry_out(message, Delete())
    assert isinstance(outcome, Refused)
    assert outcome.reason == "telegram.too_old"
    assert here.server.of("deleteMessage", "deleteMessages") == []


@played
async def test_t26_for_an_edit_the_48_hours_count_from_the_first_sending(here: Stage) -> None:
    here.server.edit(here.server.message(here.group, 7, "처음", date=time.time() - 49 * HOUR), text="이제 나쁨")
    (edit,) = await here.hear(1)
    (outcome,) = await here.carry_out(edit, Delete())
    assert isinstance(outcome, Refused)


@played
async def test_t27_a_burst_goes_in_deletemessages(here: Stage) -> None:
    for number in range(60):
        here.server.post(here.group, 7, f"나쁜 말 {number}")
    messages = list(await here.hear(60))
    for message in messages:
        await here.open_incident(message, Delete())
    assert await here.do_planned() == [Done()] * 60
    assert len(here.server.of("deleteMessage", "deleteMessages")) <= 2
    assert here.group.messages == {}


@played
async def test_t27_more_than_a_hundred_go_in_several_calls(here: Stage) -> None:
    for number in range(230):
        here.server.post(here.group, 7, f"나쁜 말 {number}")
    for message in list(await here.hear(230)):
        await here.open_incident(message, Delete())
    assert await here.do_planned() == [Done()] * 230
    sizes = [len(call.arguments["message_ids"]) for call in here.server.of("deleteMessages")]
    assert len(sizes) <= 4
    assert max(sizes) == 100


@played
async def test_t42_an_album_is_deleted_whole(here: Stage) -> None:
    here.server.album(here.group, 7, "나쁜 말", None, None)
    *_, album = await here.hear(3)
    assert await here.carry_out(album, Delete()) == [Done()]
    assert here.group.messages == {}


@played
async def test_rights_that_are_taken_away_midway_are_named_and_told_once(here: Stage) -> None:
    room = await here.with_moderators()
    first, second = await said(here), await said(here)
    assert await here.carry_out(first, Delete()) == [Done()]
    here.server.set_member(here.group, BOT_ID, "administrator", rights=[])
    (outcome,) = await here.carry_out(second, Delete())
    no_delete, no_ban = "telegram.missing.can_delete_messages", "telegram.missing.can_restrict_members"
    assert outcome == Refused(no_delete)
    for _ in range(2):
        (outcome,) = await here.carry_out(await said(here), Timeout(timedelta(minutes=5)))
        assert outcome == Refused(no_ban)
    delete, ban = (texts("ko")[why] for why in (no_delete, no_ban))
    await here.server.until(lambda: len(room.messages) >= 3)
    told = [message["text"] for message in room.messages.values()]
    (demoted,) = [text for text in told if "권한을 줄였습니다" in text]
    assert delete in demoted and ban in demoted, "b27: told at once, not when something fails"
    told.remove(demoted)
    assert told == [f"조치를 하지 못했습니다. {problem}" for problem in (delete, ban)]
    for rights in (["can_delete_messages"], []):  # b27: and told again where it is lost again
        here.server.set_member(here.group, BOT_ID, "administrator", rights=rights)
        await here.hear(len(here.heard))
    await here.server.until(lambda: not here.server.updates)
    (outcome,) = await here.carry_out(await said(here), Delete())
    assert outcome == Refused(no_delete)
    await here.server.until(lambda: [m["text"] for m in room.messages.values()].count(told[0]) == 2)


@played
async def test_a_bot_that_was_removed_and_added_again(here: Stage) -> None:
    first, second = await said(here), await said(here)
    here.server.set_member(here.group, BOT_ID, "kicked")
    assert await here.carry_out(first, Delete()) == [Refused("telegram.not_there")]
    here.server.set_member(here.group, BOT_ID, "administrator")
    assert await here.carry_out(second, Delete()) == [Done()]


# ---- sanctions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "given"),
    [(timedelta(seconds=5), 60), (timedelta(minutes=10), 600), (timedelta(days=400), 365 * 86400)],
)
def test_t28_mutes_stay_between_30_seconds_and_366_days(asked: timedelta, given: float) -> None:
    async def scenario() -> None:
        async with stage() as here:
            outcomes = await here.carry_out(await said(here), Timeout(asked))
            until = here.group.members[7]["until_date"]
            assert outcomes == [Done(str(int(until)))], "the receipt knows our mute again"
            assert status(here) == "restricted"
            assert given - 5 < until - time.time() <= given

    asyncio.run(scenario())


def test_t28_in_a_basic_group_mutes_are_refused() -> None:
    async def scenario() -> None:
        async with stage() as here:
            here.server.chats[GROUP].type = "group"
            (outcome,) = await here.carry_out(await said(here), Timeout(timedelta(minutes=5)))
            assert isinstance(outcome, Refused)
            assert outcome.reason == "telegram.supergroups_only"

    asyncio.run(scenario())


@played
async def test_t29_lifting_a_mute_gives_every_permission_back(here: Stage) -> None:
    incident = await muted(here, 8)
    assert here.server.of("restrictChatMember")[-1].arguments["use_independent_chat_permissions"] is True
    assert await lifted(here, incident) == [Done()]
    assert status(here, 8) == "member"
    assert all(here.server.of("restrictChatMember")[-1].arguments["permissions"].values())


async def muted(here: Stage, who: int, lasting: timedelta = timedelta(minutes=5)) -> int:
    """The number of the incident for which somebody is muted now."""
    incident = await here.open_incident(await said(here, author=who), Timeout(lasting))
    (outcome,) = await here.do_planned()
    assert isinstance(outcome, Done)
    return incident


async def lifted(here: Stage, incident: int) -> list[Outcome]:
    await here.desk.call(group_ref(GROUP), incident, Call.LIFT, moderator_id="1", moderator_name="방장")
    return await here.do_planned()


@played
async def test_b21_a_mute_never_shortens_what_another_admin_imposed(here: Stage) -> None:
    message = await said(here)
    for until in (0, int(time.time()) + 86400):
        here.group.members[7] = member(user(7), "restricted") | {"can_send_messages": True, "until_date": until}
        (outcome,) = await here.carry_out(replaced(message, until), Timeout(timedelta(minutes=10)))
        assert isinstance(outcome, Refused)
        assert here.group.members[7]["until_date"] == until
    here.group.members[7] = member(user(7), "restricted") | {"until_date": int(time.time()) + 60}
    (outcome,) = await here.carry_out(replaced(message, 1), Timeout(timedelta(minutes=10)))
    assert isinstance(outcome, Done), "what ends earlier than ours does not keep us from it"


@played
async def test_b21_undoing_lifts_only_what_this_incident_imposed(here: Stage) -> None:
    incident = await muted(here, 7)
    here.group.members[7] = member(user(7), "restricted") | {"until_date": 0}  # a moderator did so since
    (outcome,) = await lifted(here, incident)
    assert isinstance(outcome, Refused)
    assert status(here) == "restricted"
    older, newer = await muted(here, 8), await muted(here, 8, timedelta(hours=1))
    (outcome,) = await lifted(here, older)
    assert isinstance(outcome, Refused), "the newer incident's mute goes on"
    assert await lifted(here, newer) == [Done()]
    assert status(here, 8) == "member"


@played
async def test_b21_who_was_banned_again_by_an_admin_stays_banned(here: Stage) -> None:
    message = await said(here)
    incident = await here.open_incident(message, Ban())
    assert await here.do_planned() == [Done()]
    here.server.set_member(here.group, 7, "kicked", by=1)
    await said(here, "다른 말", author=9)
    (outcome,) = await lifted(here, incident)
    assert isinstance(outcome, Refused)
    assert status(here) == "kicked"


@played
async def test_a_ban_ends_when_it_is_said_to_whatever_our_clock_says(here: Stage) -> None:
    """By one that is late it would have ended before it began, which to Telegram is for ever."""
    late = connect(here.server.url, here.desk, hears=False, clock=WrongClock(timedelta(hours=-2)))
    try:
        await here.open_incident(await said(here), Ban(timedelta(hours=1)))
        (planned,) = await here.store.outbox.claim(10, now=datetime.now(UTC), platforms=EVERYWHERE)
        assert await late.perform(planned) == Done()
        assert HOUR - 60 < here.group.members[7]["until_date"] - time.time() <= HOUR
    finally:
        await late.close()


@played
async def test_what_other_admins_imposed_stands_for_who_hears_nothing_and_after_a_restart(here: Stage) -> None:
    """The record tells of it, whichever process has heard."""

    cases = here.desk.deeds.cases
    assert isinstance(cases, ScriptedCases)
    deaf, opened = connect(here.server.url, here.desk, hears=False), cases.opened

    async def by_another(who: int, action: Action, *, call: Call | None = Call.LIFT) -> Outcome:
        incident = await here.open_incident(await said(here, author=who), action)
        if call:
            assert isinstance((await here.do_planned())[0], Done)
            here.server.set_member(here.group, who, "kicked" if isinstance(action, Ban) else "restricted", by=1)
            await here.server.until(lambda: any(case.member.id == str(who) for _, case in opened))
            await here.desk.call(group_ref(GROUP), incident, call, moderator_id="1", moderator_name="방장")
        (planned,) = await here.store.outbox.claim(10, now=datetime.now(UTC), platforms=EVERYWHERE)
        outcome = await deaf.perform(planned)
        await here.record(planned, outcome)
        return outcome

    try:
        for who, action in ((7, Ban()), (8, Timeout(timedelta(minutes=10)))):
            assert await by_another(who, action) == Refused("telegram.not_ours_to_lift")
            assert status(here, who) == ("kicked" if isinstance(action, Ban) else "restricted")
        shorter = await by_another(8, Timeout(timedelta(hours=1)), call=None)
        assert shorter == Refused("telegram.restricted_longer") and here.group.members[8]["until_date"] == 0
        await said(here, author=7)
        here.group.members[7] = member(user(7), "kicked")
        assert await by_another(7, Ban(timedelta(hours=1)), call=None) == Refused("telegram.restricted_longer")
        assert await by_another(7, Kick(), call=None) == Gone() and status(here) == "kicked"
    finally:
        await deaf.close()


@pytest.mark.parametrize("lasting", [None, timedelta(days=1), timedelta(seconds=10)])
def test_who_is_kicked_is_restricted_still_when_they_come_back(lasting: timedelta | None) -> None:
    @played
    async def scene(here: Stage) -> None:
        here.server.private(7)
        here.server.set_member(here.group, 7, "restricted", by=1)
        until = int((datetime.now(UTC) + lasting).timestamp()) if lasting else 0
        here.group.members[7] |= {"can_send_messages": True, "until_date": until}
        before = here.group.members[7]
        assert await here.carry_out(message := await said(here), Kick()) == [Done()]
        after = here.group.members[7]
        assert after["until_date"] >= until and bool(after["until_date"]) is bool(until)
        assert after | {"until_date": until} == before | {"is_member": False}
        assert await here.carry_out(replaced(message, 1), Kick()) == [Gone()]

    scene()


@played
async def test_what_ours_took_the_place_of_goes_on_when_it_is_undone(here: Stage) -> None:
    cases, theirs = here.desk.deeds.cases, datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=30)
    ours: tuple[tuple[int, Action, CaseKind], ...] = ((7, Timeout(DAY), CaseKind.MUTE), (8, Ban(), CaseKind.BAN))
    for number, (who, action, kind) in enumerate(ours, 1):
        incident = await here.open_incident(await said(here, author=who), action)
        assert isinstance((await here.do_planned())[0], Done)
        at, by = theirs - timedelta(minutes=30), Person("2", "지수")
        lasting = native(kind, timedelta(minutes=30))
        await cases.open(
            group_ref(GROUP), Order(kind=kind, member=Person(str(who)), moderator=by, at=at, actions=lasting)
        )
        before = here.group.members[who]["status"]
        assert await lifted(here, incident) == [Done()]
        assert status(here, who) == before, "somebody else wants that, for less long"
        (call,) = here.server.of("restrictChatMember" if who == 7 else "banChatMember")[-1:]
        assert call.arguments["until_date"] == theirs
        await cases.undo(group_ref(GROUP), number, by="2", at=at)
        assert await cases.held(group_ref(GROUP), str(who), action.kind) is None, "nobody wants it any more"


@played
async def test_b40_a_mute_counts_from_when_it_was_decided(here: Stage) -> None:
    await here.open_incident(await said(here), Timeout(timedelta(minutes=10)))
    here.chat._executor.clock = Later(minutes=4)
    assert isinstance((await here.do_planned())[0], Done)
    assert here.group.members[7]["until_date"] - time.time() <= 600, "not for 10 minutes from then on"
    await here.open_incident(await said(here, author=8), Timeout(timedelta(minutes=10)))
    here.chat._executor.clock = Later(minutes=90)
    (outcome,) = await here.do_planned()
    assert isinstance(outcome, Refused)
    assert status(here, 8) == "member"


class Later(SystemClock):
    def __init__(self, **ahead: float) -> None:
        self._ahead = timedelta(**ahead)

    def now(self) -> datetime:
        return super().now() + self._ahead

    def monotonic(self) -> float:
        return super().monotonic() + self._ahead.total_seconds()


@played
async def test_t30_a_ban_is_only_ever_a_ban(here: Stage) -> None:
    bad, other = await said(here), await said(here, "다른 말")
    assert await here.carry_out(bad, Kick()) == [Done()]
    assert str(other.ref.message_id) in {str(id_) for id_ in here.group.messages}, "a kick must not revoke messages"
    assert here.server.of("banChatMember") == []
    assert await here.carry_out(await said(here, author=8), Ban()) == [Done()]
    assert status(here, 8) == "kicked"


@played
async def test_t31_undoing_a_ban_never_removes_somebody_who_is_present(here: Stage) -> None:
    message = await said(here)
    assert await here.carry_out(message, Ban()) == [Done()]
    assert await here.carry_out(await said(here), Unsanction()) == [Done()]
    (call,) = here.server.of("unbanChatMember")
    assert call.arguments["only_if_banned"] is True
    assert await here.carry_out(await said(here, author=8), Unsanction()) == [Gone()]
    assert status(here, 8) == "member"


@played
async def test_t20_a_channel_is_barred_by_its_own_call_and_let_in_again(here: Stage) -> None:
    channel = Chat(-1006, "channel", "광고 채널")
    here.server.as_channel(here.group, channel, "광고")
    (message,) = await here.hear(1)
    assert await here.carry_out(message, Ban()) == [Done()]
    assert here.group.banned_senders == {-1006}
    here.server.as_channel(here.group, channel, "광고 2")
    again = (await here.hear(2))[-1]
    assert await here.carry_out(again, Unsanction()) == [Done()]
    assert here.group.banned_senders == set()
    bars: tuple[Action, ...] = (Kick(), Timeout(timedelta(minutes=5)))
    for number, action in enumerate(bars):
        (outcome,) = await here.carry_out(replaced(again, number), action)
        assert isinstance(outcome, Refused)
    assert {call.method for call in here.server.calls} & {"banChatMember", "restrictChatMember"} == set()


def replaced(message: Message, by: int = 1) -> Message:
    return replace(message, ref=replace(message.ref, revision=message.ref.revision + 1 + by))


@pytest.mark.parametrize("who", [1, 2, BOT_ID, ANONYMOUS_ADMIN["id"], CHANNEL_BOT["id"], TELEGRAM["id"], GROUP, -1005])
def test_t18_t19_t21_nobody_of_the_staff_and_no_stand_in_is_ever_sanctioned(who: int) -> None:
    """Even where a decision asks for it, e.g. one that was made before somebody became an admin."""

    async def scenario() -> None:
        async with stage() as here:
            here.group.linked_chat_id = -1005
            here.server.admin(here.group, 2)
            message = await said(here)
            about = replace(message, author=replace(message.author, id=str(who)))
            await here.open_incident(about, Delete(), Timeout(timedelta(minutes=5)), Kick(), Ban())
            outcomes = await here.do_planned()
            assert {type(outcome) for outcome in outcomes} == {Refused}
            moderating = ("banChatMember", "restrictChatMember", "unbanChatMember", "banChatSenderChat")
            assert here.server.of(*moderating) == []

    asyncio.run(scenario())


# ---- words ----------------------------------------------------------------------------------------------------------


@played
async def test_a_warning_goes_to_the_private_chat_where_there_is_one(here: Stage) -> None:
    room = here.server.private(7)
    assert await here.carry_out(await said(here), Warn(), Delete()) == [Done(), Done()]
    (warning,) = room.messages.values()
    assert "욕설" in warning["text"]
    assert "‘동네 모임’" in warning["text"], "which group"
    assert "삭제" in warning["text"], "what was done"
    ((button,),) = warning["reply_markup"]["inline_keyboard"]
    assert button["url"] == f"https://t.me/jikimi_bot?start=appeal_{code_of(1)}"
    assert here.group.messages == {}


@played
async def test_else_a_short_notice_that_takes_itself_away(here: Stage) -> None:
    here.server.private(7, started=False)
    message = await said(here)
    (outcome,) = await here.carry_out(message, Warn())
    assert isinstance(outcome, Done)
    notice = max(here.group.messages)
    assert outcome == Done(f"{GROUP}/{notice}", brief=True)
    assert "나쁜 말" not in here.group.messages[notice]["text"]
    assert await here.do_planned() == [Done()]
    assert notice not in here.group.messages


@played
async def test_a_notice_that_is_posted_while_we_stop_is_taken_away_all_the_same(here: Stage) -> None:
    await here.open_incident(await said(here), Warn())
    (planned,) = await here.store.outbox.claim(10, now=datetime.now(UTC), platforms=EVERYWHERE)
    here.server.hold("sendMessage", GROUP)
    warning = asyncio.create_task(here.chat.perform(planned))
    await here.server.until(lambda: [c for c in here.server.calls if c.arguments.get("chat_id") == GROUP
                                     and c.method == "sendMessage"])  # fmt: skip
    warning.cancel()
    here.server.release("sendMessage")
    assert await warning == Done(f"{GROUP}/{max(here.group.messages)}", brief=True), "so that it goes on record"


@played
async def test_the_caring_word_is_said_in_private_or_not_at_all(here: Stage) -> None:
    room = here.server.private(7)
    assert await here.carry_out(await said(here), Care()) == [Done()]
    (word,) = room.messages.values()
    assert "109" in word["text"] and "24시간" in word["text"] and "‘동네 모임’" not in word["text"]
    assert here.group.messages == {} or all("109" not in one["text"] for one in here.group.messages.values())
    here.server.private(8, started=False)
    (outcome,) = await here.carry_out(await said(here, author=8), Care())
    assert outcome == Refused("care.not_reached")
    assert not [call for call in here.server.of("sendMessage") if call.arguments["chat_id"] == GROUP]


@played
async def test_who_floods_is_warned_once(here: Stage) -> None:
    room = here.server.private(7)
    messages = [await said(here) for _ in range(5)]
    for message in messages:
        await here.open_incident(message, Warn())
    assert await here.do_planned() == [Done()] * 5
    assert len(room.messages) == 1


@played
async def test_a_warning_whose_answer_is_lost_is_not_given_twice(here: Stage) -> None:
    here.server.private(7)
    message = await said(here)
    here.server.fail("sendMessage", Refusal(502, "Bad Gateway"))
    assert await here.carry_out(message, Warn()) == [Unconfirmed()]


@played
async def test_t33_a_restored_message_is_what_we_stored_quoted_and_names_its_author(here: Stage) -> None:
    message = await said(here, "괜찮은 말 😀")
    await here.open_incident(message, Delete(), Restore())
    await here.do_planned()
    restored = here.group.messages[max(here.group.messages)]
    assert restored["text"] == "민지 님의 메시지를 복구했습니다.\n괜찮은 말 😀"
    named, entity = here.server.of("sendMessage")[-1].arguments["entities"]
    assert (named["type"], named["offset"], named["length"], named["user"]["id"]) == ("text_mention", 0, 2, 7)
    quoted = restored["text"].encode("utf-16-le")[entity["offset"] * 2 :][: entity["length"] * 2].decode("utf-16-le")
    assert (entity["type"], quoted) == ("blockquote", "괜찮은 말 😀")


@played
async def test_t35_a_very_long_message_is_restored_as_far_as_telegram_takes_it(here: Stage) -> None:
    message = await said(here, "😀" * 2048)
    await here.open_incident(message, Restore())
    assert isinstance((await here.do_planned())[0], Done)


@played
async def test_t43_notices_stay_in_the_topic(here: Stage) -> None:
    message = await said(here, message_thread_id=5, is_topic_message=True)
    await here.open_incident(message, Warn(), Restore())
    await here.do_planned()
    assert {call.arguments.get("message_thread_id") for call in here.server.of("sendMessage")} <= {5, None}
    assert [call.arguments["message_thread_id"] for call in here.server.of("sendMessage")
            if call.arguments["chat_id"] == GROUP] == [5, 5]  # fmt: skip


# ---- limits ---------------------------------------------------------------------------------------------------------


async def outcome_or_wait(here: Stage, message: Message, *actions: Action) -> list[Outcome | BaseException]:
    await here.open_incident(message, *actions)
    claimed = await here.store.outbox.claim(1000, now=datetime.now(UTC), platforms=EVERYWHERE)
    return await asyncio.gather(*(here.chat.perform(planned) for planned in claimed), return_exceptions=True)


@played
async def test_t45_t49_b14_after_a_raid_there_are_few_notices_and_deletions_do_not_wait(here: Stage) -> None:
    here.server.group_limit = 20
    for number in range(60):
        here.server.post(here.group, user(500 + number, f"회원{number}"), f"나쁜 말 {number}")
    for message in list(await here.hear(60)):
        await here.open_incident(message, Delete(), Warn())
    claimed = await here.store.outbox.claim(1000, now=datetime.now(UTC), platforms=EVERYWHERE)
    results = await asyncio.gather(*(here.chat.perform(planned) for planned in claimed), return_exceptions=True)
    by_kind = {
        kind: [r for planned, r in zip(claimed, results, strict=True) if planned.action.kind == kind]
        for kind in ("delete", "warn")
    }
    assert by_kind["delete"] == [Done()] * 60
    told = [result for result in by_kind["warn"] if isinstance(result, Done)]
    assert len(told) == 10, "the others wait until the raid is over"
    assert len({done.receipt for done in told}) == 2, "who is told in the group shares a notice"
    assert len([done for done in told if done.brief]) == 2, "and each is taken away once"
    waits = [result.retry_after for result in by_kind["warn"] if isinstance(result, Unavailable)]
    assert len(waits) == 50
    assert all(wait and 0 < wait <= 31 for wait in waits)
    assert not [call for call in here.server.calls if "Too Many" in call.error]
    here.server.post(here.group, 1, "/check")
    await here.server.until(lambda: any("권한" in m.get("text", "") for m in here.group.messages.values()))


@played
async def test_b14_after_a_raid_who_can_be_told_in_private_is_and_others_are_not_told_late(here: Stage) -> None:
    here.server.private(519)
    for number in range(20):
        here.server.post(here.group, user(500 + number, f"회원{number}"), "나쁜 말")
    for message in list(await here.hear(20)):
        await here.open_incident(message, Warn())
    claimed = await here.store.outbox.claim(1000, now=datetime.now(UTC), platforms=EVERYWHERE)
    await asyncio.gather(*(here.chat.perform(planned) for planned in claimed), return_exceptions=True)
    here.chat._warnings.clock = Later(minutes=1)
    posts = len(here.group.messages)
    outcomes = [await here.chat.perform(planned) for planned in claimed[-2:]]
    assert outcomes == [Refused("telegram.too_late_to_tell"), Done()]
    assert len(here.group.messages) == posts
    assert len(here.server.chats[519].messages) == 1


@played
async def test_b13_the_words_of_a_newcomers_name_are_not_repeated(here: Stage) -> None:
    newcomer = user(77, "텔레 @toto777 씨발년")
    here.server.post(here.group, newcomer, None, new_chat_members=[newcomer])
    (message,) = await here.hear(1)
    await here.carry_out(replace(message, is_name=True), Delete(), Warn())
    (notice,) = here.group.messages.values()
    assert "새 회원 한 명의 이름: 삭제" in notice["text"]
    assert not {"텔", "@", "씨"} & set(notice["text"])


@played
async def test_a_mute_is_told_as_long_as_telegram_makes_it(here: Stage) -> None:
    await here.carry_out(await said(here), Timeout(timedelta(days=900)), Warn())
    (notice,) = (one for one in here.group.messages.values() if "이유" in one.get("text", ""))
    assert "365일 채팅 금지" in notice["text"]


@played
async def test_b13_nobodys_name_is_printed_in_front_of_the_group_but_they_know_that_they_are_meant(here: Stage) -> None:
    here.server.post(here.group, user(78, "놀이터 @toto777"), "나쁜 말")
    (message,) = await here.hear(1)
    await here.carry_out(message, Delete(), Timeout(timedelta(minutes=10)), Warn())
    (notice,) = here.group.messages.values()
    assert notice["text"] == "놀○○ @t○○○○○○ 님의 메시지: 삭제, 10분 채팅 금지. 이유: 욕설"
    (entity,) = notice["entities"]
    assert (entity["type"], entity["offset"], entity["length"], entity["user"]["id"]) == ("text_mention", 0, 12, 78)
    assert notice["reply_markup"]["inline_keyboard"][0][0]["url"].endswith(f"?start=appeal_{code_of(1)}")


@played
async def test_b30_who_is_to_be_told_has_no_such_name_here(here: Stage) -> None:
    (outcome,) = await here.carry_out(await said(here), NotifyOwner("#운영-알림"))
    assert outcome == Refused(noted("telegram.no_chat_of_that_name", given="#운영-알림"))


@played
async def test_b33_not_being_allowed_to_write_is_no_missing_right_to_ban(here: Stage) -> None:
    message = await said(here)
    here.server.fail("sendMessage", Refusal(400, "Bad Request: not enough rights to send text messages to the chat"))
    (outcome,) = await here.carry_out(message, Restore())
    assert isinstance(outcome, Refused)
    assert outcome.reason == "telegram.may_not_write"


@played
async def test_t46_t48_a_429_stops_one_lane_of_one_chat(here: Stage) -> None:
    other = here.server.group(-1003, title="다른 방")
    message = await said(here)
    here.server.post(other, 8, "나쁜 말")
    elsewhere = (await here.hear(2))[-1]
    here.server.fail("sendMessage", Refusal(403, "Forbidden: bot can't initiate conversation with a user"))
    here.server.fail("sendMessage", Refusal(429, "Too Many Requests: retry after 40", retry_after=40))
    deleted, warned = await outcome_or_wait(here, message, Delete(), Warn())
    assert deleted == Done()
    assert isinstance(warned, Unavailable)
    assert warned.retry_after == 40
    again = await said(here, author=9)
    calls = len(here.server.of("sendMessage"))
    deleted, waiting = await outcome_or_wait(here, again, Warn(), Delete())
    assert isinstance(waiting, Unavailable)
    assert deleted == Done(), "a notice that must wait keeps no deletion waiting"
    assert [c for c in here.server.of("sendMessage")[calls:] if c.arguments["chat_id"] == GROUP] == []
    assert all(isinstance(outcome, Done) for outcome in await outcome_or_wait(here, elsewhere, Delete(), Warn()))


@played
async def test_t46_a_429_on_a_deletion_says_when_to_come_again(here: Stage) -> None:
    message = await said(here)
    here.server.fail("deleteMessage", Refusal(429, "Too Many Requests: retry after 7", retry_after=7))
    (waiting,) = await outcome_or_wait(here, message, Delete())
    assert isinstance(waiting, Unavailable)
    assert waiting.retry_after == 7


@played
async def test_t47_asking_about_members_takes_nothing_from_the_notices(here: Stage) -> None:
    for number in range(30):
        await here.chat._members.member(GROUP, number)
    here.server.private(7)
    assert await here.carry_out(await said(here), Warn()) == [Done()]


@pytest.mark.parametrize("code", [500, 502, 504])
def test_trouble_on_telegrams_side_is_for_later(code: int) -> None:
    async def scenario() -> None:
        async with stage() as here:
            message = await said(here)
            here.server.fail("deleteMessage", Refusal(code, "Internal Server Error"))
            (waiting,) = await outcome_or_wait(here, message, Delete())
            assert isinstance(waiting, Unavailable)
            (planned,) = [action.planned for action in here.store.actions.values()]
            assert await here.chat.perform(planned) == Done()

    asyncio.run(scenario())


def test_a_cut_connection_is_for_later() -> None:
    async def scenario() -> None:
        async with stage() as here:
            message = await said(here)
            await here.stop()
            async with FaultProxy(here.server.port) as proxy:
                proxy.mode = "reset"
                chat = connect(proxy.url, here.desk)
                await here.open_incident(message, Delete())
                (planned,) = await here.store.outbox.claim(10, now=datetime.now(UTC), platforms=EVERYWHERE)
                with pytest.raises(Unavailable):
                    await chat.perform(planned)
                proxy.mode = "pass"
                assert await chat.perform(planned) == Done()
                await chat.close()

    asyncio.run(scenario())


@played
async def test_a_revoked_token_ends_the_work(here: Stage) -> None:
    message = await said(here)
    await here.open_incident(message, Delete())
    (planned,) = await here.store.outbox.claim(10, now=datetime.now(UTC), platforms=EVERYWHERE)
    here.server.token = "42:another"
    with pytest.raises(Broken, match="401"):
        await here.chat.perform(planned)


@played
async def test_t69_under_a_channels_post_a_notice_answers_the_post(here: Stage) -> None:
    post = here.server.from_linked_channel(here.group, Chat(-1005, "channel", "우리 채널"), "오늘의 시황")
    here.server.post_in(post, 7, "나쁜 댓글")
    here.server.post_in(here.server.topic(here.group), 8, "나쁜 주제 글")
    _, comment, in_topic = await here.hear(3)
    await here.carry_out(comment, Delete(), Warn())
    await here.carry_out(in_topic, Delete(), Warn())
    notices = [call.arguments for call in here.server.of("sendMessage") if call.arguments["chat_id"] == GROUP]
    assert notices[0]["reply_parameters"]["message_id"] == post["message_id"]
    assert "message_thread_id" not in notices[0]
    assert notices[1]["message_thread_id"] == int(in_topic.extra["topic"])


@played
async def test_what_is_deleted_of_a_poll_is_only_the_notice_and_moderators_are_told(here: Stage) -> None:
    here.server.post(here.group, 7, poll_option_added={"option_persistent_id": "3", "option_text": "토토사이트"})
    (message,) = await here.hear(1)
    assert await here.carry_out(message, Delete()) == [Refused("telegram.stays")]
    assert here.group.messages == {}
