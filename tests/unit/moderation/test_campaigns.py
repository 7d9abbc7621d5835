"""Messages of several members -> who said nearly the same, within bounds and within one community."""

from dataclasses import replace
from typing import Any

import pytest

from bot.core.chat.message import Author, Kind, Message
from bot.core.moderation.campaigns import Campaigns
from bot.core.moderation.recent import RecentActivity, SaidBefore
from tests.builders import home, later, message

TEXT = "신규가입 3만원 즉시지급 안전한 놀이터에서 첫충 30% 받아가세요 문의는 프로필 확인"


def said(author: str, text: str = TEXT, *, at: float = 0, **more: Any) -> Message:
    return message(f"{author}{at}", text, author=author, sent_at=later(at), **more)


def heard(campaigns: Campaigns, *messages: Message) -> list[set[str]]:
    return [set(campaigns.hear(one)) for one in messages]


def test_others_who_say_the_same_are_found_each_once() -> None:
    campaigns = Campaigns()
    changed = TEXT.replace("3만원", "5만원") + " ㅎㅎ"
    found = heard(campaigns, said("a"), said("b", changed, at=1), said("b", at=2), said("c", at=3), said("a", at=4))
    assert found == [set(), {"a"}, {"a"}, {"a", "b"}, {"b", "c"}]


def test_who_repeats_alone_is_no_campaign() -> None:
    assert heard(Campaigns(), *(said("a", at=n) for n in range(20))) == [set()] * 20


def test_communities_are_never_compared() -> None:
    campaigns = Campaigns()
    assert heard(campaigns, said("a"), said("b", community="elsewhere")) == [set(), set()]


@pytest.mark.parametrize(
    "changes",
    [{"bot": True}, {"no_account": True}, {"roles": frozenset({"moderator"})}],
    ids=["bot", "webhook", "staff"],
)
def test_who_says_the_same_for_good_reasons_does_not_count(changes: dict[str, Any]) -> None:
    campaigns = Campaigns()
    one = message("x", TEXT)
    assert campaigns.hear(replace(one, author=Author(id="b", **changes))) == {}
    assert campaigns.hear(message("y", TEXT, author="c")) == {}


def test_who_said_the_very_same_before_this_process_began_counts_too() -> None:
    campaigns, recent = Campaigns(), RecentActivity()
    before = {"mark of x": later(-9), "mark of y": later(99)}
    recent.go_on_from(SaidBefore(lambda _: (), lambda _: (), lambda *_: before), later(600))
    found = campaigns.hear(said("a"), recent.echoed)
    assert found == {"mark of x": later(-9)}, "and nobody whose words come later than it"
    assert set(campaigns.hear(said("b", at=1), recent.echoed)) == {"a", "mark of x"}
    assert campaigns.hear(said("c", "안녕하세요", at=2), recent.echoed) == {}, "what everybody says"
    recent.leave([home()])
    assert set(campaigns.hear(said("d", at=3), recent.echoed)) == {"a", "b"}


def test_an_edit_is_what_it_says_now() -> None:
    campaigns = Campaigns()
    first = message("1", TEXT, author="a")
    campaigns.hear(first)
    campaigns.hear(replace(first, text="아니에요 다른 이야기를 길게 하려던 거였어요 죄송합니다 여러분", kind=Kind.EDIT))
    assert campaigns.hear(message("2", TEXT, author="b")) == {}
    innocent = message("3", "안녕하세요", author="c")
    campaigns.hear(innocent)
    campaigns.hear(replace(innocent, text=TEXT, kind=Kind.EDIT))
    assert set(campaigns.hear(message("4", TEXT, author="d"))) == {"b", "c"}


def test_what_is_long_ago_is_forgotten() -> None:
    campaigns = Campaigns()
    campaigns.hear(message("1", TEXT, author="a"))
    campaigns.hear(message("2", TEXT[::-1], author="x", sent_at=later(7200)))
    assert campaigns.hear(message("3", TEXT, author="b", sent_at=later(7201))) == {}


def test_nobody_crowds_the_others_out() -> None:
    campaigns = Campaigns(each=32, of_one=4, communities=2)
    campaigns.hear(message("1", TEXT, author="a"))
    letters = [chr(0xAC00 + n) for n in range(4000)]
    for n in range(100):  # one member with a hundred texts
        campaigns.hear(message(f"x{n}", "".join(letters[n * 40 : n * 40 + 40]), author="flooder"))
    assert set(campaigns.hear(message("2", TEXT, author="b"))) == {"a"}
    sayings = campaigns._heard[message().community]
    for n in range(100):  # a hundred members
        campaigns.hear(message(f"y{n}", "".join(letters[n * 40 : n * 40 + 40]), author=f"m{n}"))
    assert len(sayings.all) <= 32 and len(sayings.by_word) <= 32 * 16
    for n in range(10):
        campaigns.hear(message(f"z{n}", TEXT, author="a", community=f"c{n}"))
    assert len(campaigns._heard) == 2
