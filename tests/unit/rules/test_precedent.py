"""What moderators have called right or wrong speaks for the same said again, and for nothing that is hidden in it."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from bot.core.chat.links import Link, LinkKind
from bot.core.chat.message import Author, Pairing
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import Judgement, Part, Verdict
from bot.core.operations.sealing import Openly
from bot.core.rules.actions import Delete, Escalate, Flag
from bot.core.rules.conditions import ByBot, Kind, NoKind, Past, Repeats, Text
from bot.core.rules.decision import Decision, decide
from bot.core.rules.policy import Policy, Reason, Rule
from bot.core.rules.precedent import Precedent, Ruling, likeness
from tests.builders import GUARD, NOW, message

MARK = Openly().text_hash
SAID = "이번 보스 진짜 죽여버리자 다들 모여"


def covers(called: str, said: str, **more: Any) -> bool:
    one, other = likeness(message(text=called), MARK), likeness(message(text=said, **more), MARK)
    return bool(one and other and one.covers(other))


@pytest.mark.parametrize(
    "said",
    [
        SAID,
        "이번보스 진짜죽여버리자 다들모여",
        "이번 보스 진짜 죽여버리자~ 다들 모여!! 😀",
        "이번 보스 진짜 죽.여.버.리.자 다들 모여",
        "이번 보스가 진짜 죽여버리자 다들 모여",
    ],
)
def test_the_same_is_known_again_whatever_stands_between(said: str) -> None:
    assert covers(SAID, said)


@pytest.mark.parametrize(
    "said",
    [
        f"{SAID} 010-1234-5678", f"{SAID} ０１０ １２３４ ５６７８", f"{SAID} t.me/abcdef", 
        f"{SAID} 디스코드 . gg / abcd", f"{SAID} @seller77",
        f"{SAID} 병신아", "이번 보스 진짜 병신 다들 모여", f"{SAID} 민수 집 찾아가자", "죽여버리자",
        SAID * 2 + " 너네 집 찾아간다",
    ],
)  # fmt: skip
def test_what_is_added_to_it_is_something_else(said: str) -> None:
    assert not covers(SAID, said)


def test_what_hangs_on_it_is_something_else() -> None:
    link = Link(target="https://evil.example/x", kind=LinkKind.WEB)
    assert not covers(SAID, SAID, links=(link,))


@pytest.mark.parametrize("insult", ["병신", "꺼져 병신아", "병신이래요"])
def test_a_quotation_or_a_long_text_covers_no_insult_in_it(insult: str) -> None:
    long = "어제 있었던 일인데 제 친구가 저한테 갑자기 병신이래요 그래서 속상해서 털어놓습니다 다들 어떻게 생각하세요"
    for called in ('쟤가 저한테 "꺼져 병신아"래요', long, f"{long} {long}"):
        assert not covers(called, insult) and not covers(insult, called)


def test_a_short_text_speaks_for_itself_alone() -> None:
    assert (
        covers("야 바보", "야바보!!")
        and not covers("야 바보", "야 바부")
        and likeness(message(text="ㅋ!"), MARK) is None
    )


def test_answers_of_bots_and_what_is_not_read_whole_have_none() -> None:
    assert likeness(message(text=SAID, pairing=Pairing.CERTAIN), MARK) is None
    assert likeness(replace(message(text=SAID), author=Author(id="b", bot=True)), MARK) is None
    assert likeness(message(text="가나다 " * 20_000), MARK) is None
    assert likeness(message(text="말\ud800이다 @\ud800a"), MARK)


# ---- what follows ---------------------------------------------------------------------------------------------------

REASON = Reason(ko="", en="")


def asks(kind: HarmKind, bar: float = 0.7) -> Kind:
    return Kind(any_of=frozenset({kind}), at_least=bar)


ABUSE = Rule(name="abuse", when=(asks(HarmKind.ABUSE),), then=(Delete(), Flag()), reason=REASON)
THREAT = Rule(name="threat", when=(asks(HarmKind.THREAT),), then=(Escalate(),), reason=REASON)
FLOOD = Rule(name="flood", when=(Repeats(at_least=2, within=timedelta(hours=1)),), then=(Delete(),), reason=REASON)
LINK = Rule(name="words", when=(Text(any_of=("보스",)),), then=(Flag(),), reason=REASON)


def decided(*rules: Rule, ruling: Ruling, score: float, kind: HarmKind = HarmKind.ABUSE, of: str = "abuse") -> Decision:
    seen = likeness(message(text=SAID), MARK)
    assert seen
    precedent = Precedent(incident_id=9, case=7, ruling=ruling, rules=frozenset({of}), likeness=seen, until=NOW)
    verdict = Verdict(guard=GUARD, found=(Judgement(Part.PROMPT, kind, score, "g"),))
    past = Past(precedent=precedent, repeats=(NOW,))
    return decide(message(text=SAID), verdict, Policy(rules=rules), at=NOW, past=past)


wrong, right = (partial(decided, ruling=one) for one in (Ruling.WRONG, Ruling.RIGHT))


def test_what_was_wrong_is_not_found_again() -> None:
    spared = wrong(ABUSE, score=0.99)
    assert not spared.actions and not spared.is_incident
    assert spared.findings[0].why.code == "precedent_wrong" and spared.findings[0].why.facts == {"incident": 7}
    assert wrong(ABUSE, LINK, score=0.99).rule == "words", "that rule had not been called wrong"
    assert Delete() in wrong(ABUSE, FLOOD, score=0.99, of="flood").actions, "how one behaves is not said"


def test_who_calls_people_goes_on_to_show_it() -> None:
    assert wrong(THREAT, score=0.99, kind=HarmKind.THREAT, of="threat").actions == (Flag(),)


def test_what_was_right_is_found_however_low_the_score() -> None:
    found = right(ABUSE, score=0.1)
    assert set(found.actions) == {Delete(), Flag()} and found.findings[0].why.code == "precedent_right"
    assert not right(ABUSE, score=0.1, of="other").actions
    despair = NoKind(any_of=frozenset({HarmKind.ABUSE}), at_least=0.05)
    assert not right(replace(ABUSE, when=(*ABUSE.when, despair)), score=0.1).actions
    assert not right(replace(ABUSE, when=(*ABUSE.when, ByBot(bot=True))), score=0.1).actions
    assert not right(replace(ABUSE, exempt_channels=frozenset({"general"})), score=0.1).actions
