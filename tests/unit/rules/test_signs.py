"""Conditions on what the text alone does not say: what it carries, whence it comes, whose it is, what was before it."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.core.chat.links import LinkKind
from bot.core.chat.message import Author, Media, Message, Origin, OriginKind
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import NOTHING_TO_JUDGE, Judgement, Part, Verdict
from bot.core.rules.conditions import (
    Carries,
    Condition,
    Explanation,
    Forwarded,
    Link,
    Named,
    Past,
    Pieces,
    Quarrel,
    Recurring,
    SameText,
    Situation,
    ViaBot,
)
from bot.core.text.catalogue import texts
from bot.wording.reasons import because
from tests.builders import GUARD, NOW, later, message


def holds(condition: Condition, said: Message, past: Past | None = None) -> bool:
    found, why = condition.check(Situation(message=said, screening=NOTHING_TO_JUDGE, past=past or Past()))
    for language in ("ko", "en"):
        assert "{" not in because(why, texts(language))
    return found


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("bit.ly/abc", {LinkKind.SHORTENER}), ("discord.gg/abc", {LinkKind.INVITE}), ("t.me/+abcd", {LinkKind.INVITE}),
        ("텔레 @toto777", {LinkKind.NAME}), ("naver.com", {LinkKind.WEB}), ("오픈채팅 '토토' 검색", {LinkKind.INVITE}),
    ],
)  # fmt: skip
def test_a_rule_may_ask_for_a_kind_of_link(text: str, kinds: set[LinkKind]) -> None:
    said = message(text=text)
    assert {kind for kind in LinkKind if holds(Link(kinds=frozenset({kind})), said)} == kinds


def test_a_rule_may_ask_where_a_link_leads() -> None:
    bad = Link(to=frozenset({"https://www.bad.kr/", "discord.com/invite/X"}), allowed=frozenset({"good.bad.kr"}))
    assert holds(bad, message(text="m.bad.kr/x")) and holds(bad, message(text="discord.gg/x"))
    assert not holds(bad, message(text="good.bad.kr/x")) and not holds(bad, message(text="notbad.kr/x discord.gg/y"))
    assert bad.implies(Link()) and not Link().implies(bad) and not Link().implies(Link(kinds=frozenset({LinkKind.WEB})))


def test_an_allowed_link_does_not_cover_for_another() -> None:
    assert holds(Link(allowed=frozenset({"youtube.com"})), message(text="youtube.com/x 그리고 bit . ly / abc"))


def test_what_a_message_carries_and_whence_it_comes() -> None:
    said = message(text="")
    photo = replace(said, media=frozenset({Media.PHOTO}))
    assert holds(Carries(any_of=frozenset({Media.PHOTO, Media.VIDEO})), photo)
    assert not holds(Carries(any_of=frozenset({Media.VOICE})), photo)
    asked = Forwarded(any_of=frozenset({OriginKind.CHANNEL}))
    assert holds(asked, replace(said, forwarded=Origin(OriginKind.CHANNEL, "토토 정보방")))
    assert holds(asked, replace(said, quoted=Origin(OriginKind.CHANNEL)))
    assert not holds(asked, replace(said, forwarded=Origin(OriginKind.PERSON))) and not holds(asked, said)
    assert holds(ViaBot(), replace(said, via_bot="gif")) and not holds(ViaBot(), said)


def test_an_advertisement_in_a_name_is_found_whatever_is_said() -> None:
    asked = Named(any_of=("사설토토",))
    assert holds(asked, replace(message(text="안녕하세요"), author=Author(id="1", name="사.설 토토 777")))
    assert not holds(asked, replace(message(text="사설토토"), author=Author(id="1", name="민지")))


def test_a_campaign_takes_several_members_within_the_time() -> None:
    asked = SameText(at_least=3, within=timedelta(minutes=10))
    assert holds(asked, message(), Past(echoes={"a": later(-500), "b": later(-10)}))
    assert not holds(asked, message(), Past(echoes={"a": later(-601), "b": later(-10)}))
    assert not holds(asked, message())


def pieces(*said: str) -> Past:
    return Past(said=tuple((later(n - 10), text) for n, text in enumerate(said)))


def test_what_is_said_in_pieces_is_found_once() -> None:
    asked = Pieces(any_of=("너진짜죽어",), within=timedelta(minutes=1))
    assert holds(asked, message(text="어"), pieces("너", "진짜", "죽"))
    assert not holds(asked, message(text="뭐래"), pieces("너", "진짜", "죽", "어"))  # was found with the piece before
    assert not holds(asked, message(text="줄래"), pieces("너", "진짜"))
    assert not holds(asked, message(text="너 진짜 죽어"))  # in one piece it is for `text`
    old = Past(said=((NOW - timedelta(minutes=2), "너진짜죽"),))
    assert not holds(asked, message(text="어"), old)


def test_harassment_in_pieces_is_found_where_no_piece_is_bad_enough() -> None:
    asked = Recurring(any_of=frozenset({HarmKind.BULLYING}), at_least=0.3, times=3, within=timedelta(minutes=5))

    def recurs(now: float, *before: tuple[float, float], late: bool = False) -> bool:
        """`before`: seconds, and how sure the guard was."""
        said = tuple((later(seconds), {HarmKind.BULLYING: score}) for seconds, score in before)
        found = Verdict(guard=GUARD, found=(Judgement(Part.PROMPT, HarmKind.BULLYING, now, "g"),))
        return asked.check(Situation(message=message(), screening=found, late=late, past=Past(found=said)))[0]

    assert recurs(0.3, (-200, 0.4), (-100, 0.35))
    assert not recurs(0.2, (-200, 0.4), (-100, 0.35)), "this one is none of them"
    assert not recurs(0.3, (-200, 0.4), (-100, 0.2))
    assert not recurs(0.3, (-301, 0.4), (-100, 0.4))
    assert not recurs(0.3, (-200, 0.4), (-100, 0.35), late=True)


def test_a_quarrel_takes_two_who_answer_each_other_and_is_found_once() -> None:
    asked = Quarrel(any_of=frozenset({HarmKind.ABUSE}), at_least=0.3, times=2, within=timedelta(minutes=5))

    def quarrels(*own: float, now: float = 0.4, late: bool = False, **others: tuple[float, ...]) -> bool:
        """Seconds at which each said something rude."""

        def rude(moments: tuple[float, ...]) -> tuple[tuple[datetime, dict[HarmKind, float]], ...]:
            return tuple((later(at), {HarmKind.ABUSE: 0.4}) for at in moments)

        found = Verdict(guard=GUARD, found=(Judgement(Part.PROMPT, HarmKind.ABUSE, now, "g"),))
        past = Past(found=rude(own), others={name: rude(moments) for name, moments in others.items()})
        holds, why = asked.check(Situation(message=message(), screening=found, late=late, past=past))
        assert not holds or why.facts["other"] == "jisu", "moderators are told who the other was"
        return holds

    assert quarrels(-100, jisu=(-90, -50)) and quarrels(-100, minji=(-90,), jisu=(-90, -50))
    assert not quarrels(-100, now=0.2, jisu=(-90, -50)), "this is no part of it"
    assert not quarrels(-100, jisu=(-90,)) and not quarrels(jisu=(-90, -50)), "one of them has hardly said anything"
    assert not quarrels(-100, jisu=(-90,), minji=(-50,)), "two others are not one"
    assert not quarrels(-60, jisu=(-200, -100)), "nobody has answered"
    assert not quarrels(-100, -80, jisu=(-90, -50)), "it was found before"
    assert not quarrels(-100, jisu=(-400, -50)) and not quarrels(-100, late=True, jisu=(-90, -50))


def test_a_fact_that_was_forgotten_does_not_keep_the_reason_from_being_read() -> None:
    assert because(Explanation("linked", {"link": "…", "host": "…"}), texts("ko")) == "…: …"


def test_a_score_never_reads_as_if_it_had_reached_its_bar_or_had_not() -> None:
    say = texts("en")
    below = because(Explanation("kind_below", {"kind": "abuse", "score": 0.5496, "bar": 0.55}), say)
    reached = because(Explanation("kind_reached", {"kind": "abuse", "score": 0.29, "bar": 0.29}), say)
    assert "0.54" in below and "0.29" in reached
