"""/report on Telegram, over TCP: who may ask, what they get and where, and when reports come."""

from dataclasses import replace
from typing import Any

import pytest

from adapters.chat.telegram.moderators.fleeting import LASTS, NAMED, Fleeting
from adapters.chat.telegram.refs import group_ref
from bot.core.chat.post import Advised, Attachment, Post
from bot.core.text.catalogue import texts
from tests.adapters.telegram.stage import GROUP, MODERATORS, Stage, played
from tests.fakes.chat import MemoryBookmarks
from tests.servers.telegram import Chat

say = texts("ko")


def told(room: Chat) -> str:
    return str(room.messages[max(room.messages)].get("text", ""))


async def ask(here: Stage, text: str) -> None:
    """As the group's owner; until there is an answer, whichever."""
    answered = len(here.server.of("sendMessage", "sendMediaGroup"))
    here.server.post(here.group, 1, text)
    await here.server.until(lambda: len(here.server.of("sendMessage", "sendMediaGroup")) > answered)


@played
async def test_an_admin_gets_the_report_in_the_group(here: Stage) -> None:
    here.listen()
    for words in ("", " 어제", " 2026-W20", " range 2026-05-01 2026-05-14"):  # 16 of 20 messages a minute
        await ask(here, f"/report{words}")
    captions = [call.arguments["caption"] for call in here.server.of("sendPhoto")]
    assert all(caption.startswith(str(GROUP)) for caption in captions)
    assert "2026-W20" in captions[2] and "2026-05-01..2026-05-14" in captions[3]
    assert not any("unmasked" in caption for caption in captions)


@played
async def test_a_member_gets_none_and_reports_the_message_that_they_answer(here: Stage) -> None:
    await here.with_moderators()
    here.listen()
    bad = here.server.post(here.group, 8, "나쁜 말")
    here.server.post(here.group, 7, "/report week")
    here.server.post(here.group, 7, "/report", reply_to_message=bad)
    await here.server.until(lambda: here.store.flags and told(here.group) == say["flag.heard"])
    assert here.server.of("sendPhoto") == []


@played
async def test_names_are_shown_in_the_moderators_chat_only(here: Stage) -> None:
    room = await here.with_moderators()
    here.server.admin(room, 2, "지수")
    here.listen()
    await ask(here, "/report week names")
    assert told(here.group) == say["answer_to.names_not_here"]
    here.server.post(room, 2, "/보고 지난주 이름")
    await here.server.until(lambda: here.server.of("sendPhoto"))
    (call,) = here.server.of("sendPhoto")
    assert call.arguments["chat_id"] == MODERATORS and "unmasked" in call.arguments["caption"]
    here.server.post(room, 9, "/report week names")  # in the room, and no admin of the group
    here.server.post(room, 2, "/report when")
    await here.server.until(lambda: any("주간 보고서" in one.get("text", "") for one in room.messages.values()))
    assert len(here.server.of("sendPhoto")) == 1


def parts(room: Chat) -> list[int]:
    """Of reports that stand there."""
    return [id_ for id_, one in room.messages.items() if "photo" in one or "document" in one]


@played
async def test_a_report_with_names_is_gone_after_a_day_and_with_whoever_is_forgotten(here: Stage) -> None:
    room, first = await here.with_moderators(), here.chat._posting.fleeting
    here.server.admin(room, 2, "지수")
    first.bookmarks = MemoryBookmarks()
    here.listen()

    async def asked(words: str) -> None:
        before = len(here.server.of("sendMediaGroup"))
        here.server.post(room, 2, words)
        await here.server.until(lambda: len(here.server.of("sendMediaGroup")) > before)

    await asked("/report week")
    plain = parts(room)
    await asked("/report week names")
    await here.server.until(lambda: len(first._standing) == len(parts(room)) - len(plain) > 1)
    (caption,) = [one["caption"] for one in room.messages.values() if "unmasked" in one.get("caption", "")]
    assert say["delivery.fleeting"] in caption
    later = Fleeting(bot=first.bot, limiter=first.limiter, clock=first.clock, bookmarks=first.bookmarks)
    await later.take_away(first.clock.now())
    assert len(parts(room)) > len(plain)
    await later.take_away(first.clock.now() + LASTS)
    assert parts(room) == plain and not await first.bookmarks.within(NAMED), "a later process does it, too"
    first._standing.clear()
    first.limiter.per_minute_in_group = 60  # three reports in a minute are more than Telegram takes
    await asked("/report week names")
    await here.server.until(lambda: len(first._standing) == len(parts(room)) - len(plain) > 1)
    here.chat.forget(group_ref(-1), lambda who: True)
    await later.forget(group_ref(-1))
    assert len(parts(room)) > len(plain), "another community's members are no concern of this one"
    here.chat.forget(group_ref(GROUP), lambda who: who == "7")
    await here.server.until(lambda: parts(room) == plain)


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("off", {"report_day": "off"}),
        ("on", {"report_day": "monday"}),
        ("at fri 18", {"report_day": "friday", "report_hour": 18}),
        ("시각 금 18시", {"report_day": "friday", "report_hour": 18}),
        ("at 7:00", {"report_hour": 7}),
        ("daily on", {"daily_digest": True}),
        ("alert 50", {"alert_at": 50}),
        ("alert off", {"alert_at": 0}),
        ("when", {}),
    ],
)
def test_an_admin_says_when_reports_come(words: str, changes: dict[str, Any]) -> None:
    @played
    async def scene(here: Stage) -> None:
        before = here.policies.community(group_ref(GROUP))
        here.listen()
        await ask(here, f"/report {words}")
        after = here.policies.community(group_ref(GROUP))
        assert replace(after, name=before.name) == replace(before, **changes)
        assert "Asia/Seoul" in told(here.group)

    scene()


@played
async def test_what_makes_no_sense_is_explained(here: Stage) -> None:
    here.listen()
    await ask(here, "/report 2026-02-30")
    assert told(here.group) == say("report.no_period", given="2026-02-30")
    await ask(here, "/report sometime")
    assert told(here.group) == say("telegram.usage.report", command="/보고")


@played
async def test_the_menu_switches_reports(here: Stage) -> None:
    room = await here.with_moderators()
    message = here.server.message(room, here.server.me, "설정")
    here.listen()

    async def choose(choice: str, holds: str) -> None:
        here.server.press(message, 1, f"setup:{GROUP}:{choice}")
        await here.server.until(lambda: here.policies.community(group_ref(GROUP)).report_day == holds)

    for choice, holds in (("report:off", "off"), ("report:monday", "monday")):
        await choose(choice, holds)
    here.server.press(message, 1, f"setup:{GROUP}:daily:on")
    await here.server.until(lambda: here.policies.community(group_ref(GROUP)).daily_digest)


@played
async def test_the_button_of_an_advised_threshold_sets_it_for_whoever_may(here: Stage) -> None:
    room = await here.with_moderators()
    here.server.admin(here.group, 2, "지수")
    here.listen()
    rule = "sure-abuse"
    picture = Attachment(name="w.png", content=b"x", description="")
    report = Post(text="세 문장.", picture=picture, files=(), advised=(Advised(str(GROUP), rule, 0.98),))
    await here.chat.publish(str(MODERATORS), report, mark="1")
    posted = next(message for message in room.messages.values() if message.get("reply_markup"))
    ((button,),) = posted["reply_markup"]["inline_keyboard"]
    refused = await pressed(here, posted, 9, button["callback_data"])
    assert refused and here.desk.community(group_ref(GROUP)).thresholds == {}
    assert await pressed(here, posted, 2, button["callback_data"]) == ""
    assert here.desk.community(group_ref(GROUP)).thresholds == {rule: 0.98}
    assert await pressed(here, posted, 2, f"bar:{GROUP}:{'0' * 12}:980") == say["what_if.gone"]


async def pressed(here: Stage, message: Any, who: int, data: str) -> str:
    id_ = here.server.press(message, who, data)
    await here.server.until(lambda: id_ in here.server.answers)
    return str(here.server.answers[id_].get("text", ""))
