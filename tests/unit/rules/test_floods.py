"""Floods: how much is too much, of one member, in one message or lately; and the innocent who only write fast."""

import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.config import preset
from bot.core.chat.amounts import Amount, amount
from bot.core.chat.message import Kind, Media, Message
from bot.core.communities.community import PRESETS, Preset
from bot.core.guarding.verdict import GuardVersion, Verdict
from bot.core.moderation.recent import RecentActivity
from bot.core.rules.conditions import Flood, Past, Situation
from bot.core.rules.decision import decide
from bot.core.rules.policy import Policy
from tests.builders import NOW, home, later, message, verdict

CLEAN = Verdict(guard=GuardVersion(name="g"))
FAMILY = "👨‍👩‍👧‍👦"


@pytest.mark.parametrize(
    ("what", "text", "found"),
    [
        (Amount.EMOJI, "축하해요 🎉🎉 ❤️ 🇰🇷 <:hi:123456789012345678>", 5),
        (Amount.EMOJI, FAMILY + "👍🏽", 2),
        (Amount.EMOJI, "ㅋㅋㅋ ㅠㅠ ♥♡★ ~~ ^^ ㅎ 12:30", 0),
        (Amount.LINES, "하나\n둘\n\n넷", 4),
        (Amount.MARKS, "안녕하세요", 0),
        (Amount.MARKS, unicodedata.normalize("NFD", "안녕하세요 xin chào các bạn Việt Nam"), 0),
        (Amount.MARKS, "สวัสดีครับ ผู้ใหญ่ น้ำแข็ง", 0),
        (Amount.MARKS, "a" + "\u0301" * 12 + "b" + "\u0489" * 3, 11),
        (Amount.MESSAGES, "", 1),
    ],
)
def test_so_much_is_in_a_message(what: Amount, text: str, found: int) -> None:
    assert amount(what, message(text=text)) == found


def test_a_log_that_comes_as_a_file_is_no_wall_of_lines_and_a_poll_no_picture() -> None:
    assert amount(Amount.LINES, message(text="줄\n" * 300, media=frozenset({Media.FILE}))) == 0
    assert amount(Amount.MEDIA, message(media=frozenset({Media.PHOTO, Media.VIDEO}))) == 1
    assert amount(Amount.MEDIA, message(media=frozenset({Media.POLL, Media.BUTTONS}))) == 0


def holds(flood: Flood, about: Message, *past: tuple[float, Message], late: bool = False) -> bool:
    recent = RecentActivity()
    for at, one in past:
        recent.posted(replace(one, sent_at=later(at)))
    return flood.check(Situation(message=about, screening=CLEAN, late=late, past=Past(posted=recent.posted(about))))[0]


def test_what_one_member_posted_lately_is_counted_and_nothing_else() -> None:
    flood = Flood(of=Amount.MENTIONS, at_least=5, within=timedelta(seconds=30))
    two, now = message(mentions=2), message(sent_at=NOW, mentions=1)
    assert holds(flood, now, (-20, two), (-10, two))
    assert not holds(flood, now, (-40, two), (-10, two)), "too long ago"
    assert not holds(flood, now, (-20, replace(two, community_id="elsewhere")), (-10, two))
    assert not holds(flood, now, (-20, message(author="jisu", mentions=2)), (-10, two))
    assert not holds(flood, now, (-20, replace(two, kind=Kind.EDIT)), (-10, two)), (
        "who corrects a message floods nobody"
    )
    assert not holds(flood, replace(now, mentions=0), (-20, two), (-10, replace(two, mentions=4))), "it is over"
    assert not holds(flood, replace(now, kind=Kind.EDIT), (-20, two), (-10, two))
    assert not holds(flood, now, (-20, two), (-10, two), late=True), "a backlog is no flood"


def test_one_message_alone_is_judged_by_what_it_says_now_however_late() -> None:
    flood = Flood(of=Amount.EMOJI, at_least=3)
    assert holds(flood, message(text="🎉🎉🎉", kind=Kind.EDIT), late=True)
    assert not holds(flood, message(text="🎉🎉"), (-1, message(text="🎉")))


@pytest.mark.parametrize(
    "flood",
    [
        Flood(of=Amount.MESSAGES, at_least=2),
        Flood(of=Amount.MESSAGES, at_least=65, within=timedelta(minutes=1)),
    ],
)
def test_what_can_never_hold_is_said_to_whoever_writes_it(flood: Flood) -> None:
    assert flood.contradiction()


def test_little_is_remembered_of_each_and_nothing_of_who_is_forgotten() -> None:
    recent = RecentActivity(members=10)
    for number in range(500):
        recent.posted(message(str(number), sent_at=later(number / 100), author=str(number % 20)))
        recent.posted(message(str(number), sent_at=later(number / 100)))
    assert len(recent._posted) == 10 and all(len(one) <= recent.each for one in recent._posted.values())
    recent.forget(home(), lambda _: True)
    assert not recent._posted


def found(name: Preset, messages: Iterator[Message]) -> set[str]:
    """The rules about floods that matched."""
    recent = RecentActivity()
    policy = Policy(rules=tuple(one.rule() for one in preset(name)))
    matched = set()
    for one in messages:
        findings = decide(one, verdict(), policy, at=one.sent_at, past=Past(posted=recent.posted(one))).findings
        matched |= {finding.rule for finding in findings if finding.matched}
    return {rule for rule in matched if rule.startswith("flood-")}


def every(seconds: float, number: int, text: str = "아니 진짜", **more: Any) -> Iterator[Message]:
    return (message(str(one), f"{text} {one}", sent_at=later(one * seconds), **more) for one in range(number))


@pytest.mark.parametrize("name", PRESETS)
def test_who_talks_fast_cheers_or_shows_a_holiday_is_left_alone(name: Preset) -> None:
    photo = frozenset({Media.PHOTO})
    assert not found(name, every(2, 200)), "a message every two seconds, for minutes"
    assert not found(name, every(0.7, 10)), "seven seconds of joy"
    assert not found(name, every(5, 30, media=photo)) and not found(name, every(1, 8, media=photo))
    assert not found(name, every(6, 30, mentions=1)), "answers, each of which pings somebody"
    assert not found(name, every(60, 5, "🎂🎉🎁" * 6)) and not found(name, every(60, 2, "공지 한 줄\n" * 40))


@pytest.mark.parametrize("name", PRESETS)
def test_who_floods_is_found(name: Preset) -> None:
    assert found(name, every(0.5, 60)) == {"flood-messages"}
    assert found(name, every(3, 40, mentions=2)) == {"flood-mentions"}
    if name != "gentle":
        assert "flood-media" in found(name, every(1, 20, media=frozenset({Media.STICKER})))
        assert found(name, every(60, 1, "🎉" * 90)) == {"flood-emoji"}
        assert found(name, every(60, 1, "벽\n" * 200)) == {"flood-lines"}
        assert found(name, every(60, 1, "ㅁ" + "\u0337" * 60)) == {"flood-marks"}
