"""What moderators see of an incident: masked text, what can be pressed, and the sentences."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.chat.message import Author
from bot.core.guarding.verdict import GuardVersion, Opinion
from bot.core.incidents.card import LONGEST_TEXT, Button, Tone, buttons, masked, press_id, pressed, tone
from bot.core.incidents.incident import Incident
from bot.core.incidents.review import Appeal, Call, History, Review
from bot.core.rules.actions import (
    Action,
    Answer,
    Ban,
    Delete,
    Done,
    Escalate,
    Flag,
    Outcome,
    Refused,
    Restore,
    Timeout,
    Unsanction,
)
from bot.core.rules.conditions import Explanation
from bot.core.rules.decision import Finding
from bot.core.text.catalogue import texts, texts_on
from bot.wording.cards import card_of, forestalled, label
from tests.builders import NOW, code_of, decision, message, verdict

NOBODY = History(incidents=0, upheld=0, overturned=0, last_at=None)


def incident(*outcomes: tuple[Action, Outcome | None], bot: bool = False, review: Review | None = None) -> Incident:
    about = replace(message("1", "씨발 꺼져"), author=Author(id="7", name="민지", bot=bot))
    return Incident(
        id=12,
        case=12,
        code=code_of(12),
        decision=decision(about, Delete()),
        decided_at=NOW,
        outcomes=outcomes,
        review=review,
    )


def quarrel(other: str) -> Finding:
    return Finding("quarrel", True, Explanation("quarrel", {"other": other}))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("씨발 꺼져", "씨○ 꺼○"),
        ("fuck you!", "f○○○ y○○!"),
        ("한 줄\n다음 줄", "한 줄 다○ 줄"),
        ("https://bad.example/1234", "h○○○○://b○○.e○○○○○○/1○○○"),
        ("", ""),
    ],
)
def test_a_text_is_masked_and_still_recognised(text: str, shown: str) -> None:
    assert masked(text) == shown


def test_a_long_text_is_cut() -> None:
    assert len(masked("가나 " * 1000)) == LONGEST_TEXT


@pytest.mark.parametrize("button", Button)
def test_a_press_comes_back_as_it_went_out(button: Button) -> None:
    carried = press_id(button, 123456789012345678)
    assert pressed(carried) == (button, 123456789012345678)
    assert len(carried.encode()) <= 64


@pytest.mark.parametrize("carried", ["", "jikimi:right:", "jikimi:nothing:1", "jikimi:right:1 ", "other:right:1"])
def test_what_is_not_ours_is_no_press(carried: str) -> None:
    assert pressed(carried) is None


def offered(about: Incident) -> set[Button]:
    return set(buttons(about)) - {Button.REVEAL, Button.HISTORY}


def called(call: Call) -> Review:
    return Review(incident_id=12, call=call, moderator_id="1", moderator_name="달", at=NOW)


def test_buttons_offer_what_can_still_be_done() -> None:
    sanctions = {Button.TIMEOUT, Button.HOUR, Button.DAY, Button.BAN}
    fresh = {Button.RIGHT, Button.WRONG, Button.DELETE, Button.ESCALATE, Button.TAKE}
    assert offered(incident((Flag(), Done()))) == fresh | sanctions
    deleted = offered(incident((Delete(), Done()), (Timeout(timedelta(minutes=5)), Done())))
    assert (
        Button.DELETE not in deleted
        and Button.TIMEOUT not in deleted
        and {Button.HOUR, Button.DAY, Button.BAN} <= deleted
    )
    assert Button.DELETE in offered(incident((Delete(), Refused("no"))))
    assert offered(incident((Flag(), Done()), bot=True)) == fresh


def test_a_closed_card_offers_what_may_be_needed_next() -> None:
    """Telegram review, B17: after [right] nobody could ban, and nobody could lift."""
    right, timeout, ban, wrong = map(called, (Call.RIGHT, Call.TIMEOUT, Call.BAN, Call.WRONG))
    silenced, banned = (Timeout(timedelta(minutes=10)), Done()), (Ban(), Done())
    assert offered(incident((Delete(), Done()), review=right)) == {
        Button.WRONG, Button.TIMEOUT, Button.HOUR, Button.DAY, Button.BAN, Button.REOPEN,
    }  # fmt: skip
    closed = {Button.WRONG, Button.LIFT, Button.REOPEN}
    assert offered(incident((Delete(), Done()), silenced, review=timeout)) == closed | {
        Button.HOUR, Button.DAY, Button.BAN,
    }  # fmt: skip
    assert offered(incident((Delete(), Done()), banned, review=ban)) == closed
    lifted = incident((Delete(), Done()), banned, (Unsanction(), Done()), (Restore(), Done("1")), review=wrong)
    assert offered(lifted) == {Button.RIGHT, Button.REOPEN}
    taken = replace(incident((Flag(), Done())), taken=called(Call.TAKE))
    assert Button.TAKE not in offered(taken) and Button.RIGHT in offered(taken)


def test_an_open_appeal_is_to_be_answered_on_a_closed_card_too() -> None:
    """Discord review, H2."""
    appeal = Appeal(incident_id=12, words="억울해요", at=NOW)
    banned = ((Delete(), Done()), (Ban(), Done()))
    open_ = replace(incident(*banned, review=called(Call.BAN)), appeal=appeal)
    assert offered(open_) == {Button.ACCEPT, Button.SOFTEN, Button.UPHOLD, Button.LIFT}
    assert tone(open_) is Tone.OPEN
    assert {Button.ACCEPT, Button.UPHOLD} <= offered(replace(incident((Flag(), Done())), appeal=appeal))
    told = replace(open_, outcomes=(*open_.outcomes, (Answer(accepted=False), Done())))
    assert offered(told) == {Button.WRONG, Button.LIFT, Button.REOPEN}
    assert (Button.ACCEPT.call, Button.UPHOLD.call) == (Call.WRONG, Call.UPHOLD)


def test_who_presses_too_late_reads_once_who_was_before_them() -> None:
    say, shown = texts("ko"), incident((Delete(), Done()))
    taken = forestalled(shown, called(Call.TAKE), say, "Asia/Seoul")
    assert taken == "달 님이 맡아서 보고 있습니다(05-15 21:00부터)."
    banned = forestalled(shown, called(Call.BAN), say, "Asia/Seoul")
    assert banned == "달 님이 05-15 21:00에 이미 처리했습니다: 차단"


def test_a_card_shows_a_score_as_its_reason_does_and_never_up() -> None:
    shown, say = incident((Delete(), Done())), texts("ko")
    high = replace(shown, decision=replace(shown.decision, screening=verdict(0.9967)))
    assert {line.label: line.value for line in card_of(high, NOBODY, say, "Asia/Seoul").lines}[
        say["card.score"]
    ] == "0.99"


@pytest.mark.parametrize("language", ["ko", "en"])
def test_a_card_says_everything_and_never_the_text_itself(language: str) -> None:
    closed = Review(incident_id=12, call=Call.WRONG, moderator_id="1", moderator_name="달", at=NOW)
    shown = incident((Delete(), Refused("no permission")), (Flag(), Done()), review=closed)
    say = texts(language)
    card = card_of(shown, NOBODY, say, "Asia/Seoul", more=(13, 14))
    assert (card.incident_id, card.tone, card.text) == (12, Tone.CLOSED, "씨○ 꺼○")
    lines = {line.label: line.value for line in card.lines}
    assert lines[say["card.author"]] == "민지"
    assert lines[say["card.score"]] == "0.90"
    assert "no permission" in lines[say["card.done"]]
    assert lines[say["card.history"]] == say["card.first_time"]
    assert "2" in lines[say["card.more"]]
    assert "달" in lines[say["card.review"]] and "21:00" in lines[say["card.review"]]
    assert "씨발" not in str(card)


@pytest.mark.parametrize("language", ["ko", "en"])
def test_an_opinion_quotes_the_rule_openly_and_the_words_masked(language: str) -> None:
    say, guard = texts(language), GuardVersion(name="policy", model="gpt-oss")
    against = Opinion(guard=guard, against=True, rule="1. 욕설 금지", words="씨발")
    for opinion, quoted in ((against, ("1. 욕설 금지", "씨○", "gpt-oss")), (Opinion(guard=guard, against=False), ())):
        shown = card_of(replace(incident((Flag(), Done())), opinion=opinion), NOBODY, say, "UTC")
        line = next(line.value for line in shown.lines if line.label == say["card.opinion"])
        assert all(one in line for one in quoted) and "씨발" not in str(shown)
        assert shown.buttons == card_of(incident((Flag(), Done())), NOBODY, say, "UTC").buttons


def test_urgent_stands_out() -> None:
    say = texts("ko")
    assert card_of(incident((Escalate(), None)), NOBODY, say, "Asia/Seoul").tone is Tone.URGENT
    assert card_of(incident((Flag(), None)), NOBODY, say, "Asia/Seoul").tone is Tone.OPEN
    assert card_of(incident((Delete(), None)), NOBODY, say, "Asia/Seoul").tone is Tone.ACTED


def test_what_members_pointed_to_is_dismissed_or_acted_on_and_called_by_no_rule() -> None:
    plain = incident()
    said = replace(plain.decision, message=replace(plain.decision.message, flagged=True), rule=None, actions=())
    pointed = replace(plain, decision=said, flags=3)
    assert buttons(pointed)[:2] == (Button.DISMISS, Button.DELETE) and Button.RIGHT not in buttons(pointed)
    say = texts("en")
    shown = card_of(pointed, NOBODY, say, "UTC")
    assert ("3" in {line.value for line in shown.lines}) and Button.DISMISS.call is Call.WRONG
    review = Review(incident_id=12, call=Call.WRONG, moderator_id="1", moderator_name="dal", at=NOW)
    dismissed = card_of(replace(pointed, review=review), NOBODY, say, "UTC")
    assert any(line.value.startswith(say["call.dismiss"]) for line in dismissed.lines)
    assert Button.DELETE in dismissed.buttons and Button.WRONG not in dismissed.buttons


def test_a_button_says_what_nobody_can_give_back() -> None:
    say = texts("en")
    for action, key in ((Ban(), "button.wrong_partly"), (Timeout(timedelta(hours=1)), "button.wrong")):
        shown = card_of(incident((Delete(), Done()), (action, Done())), NOBODY, say, "UTC")
        assert label(Button.WRONG, shown, say) == say[key]
        assert label(Button.RIGHT, shown, say) == say["button.right"]
    banned = card_of(incident((Ban(), Done())), NOBODY, say, "UTC")
    assert not any("role" in label(one, banned, texts_on("telegram", "en")) for one in (Button.WRONG, Button.ACCEPT))


def test_a_quarrels_card_names_the_other_as_long_as_that_may_be_known() -> None:
    def named(other: str) -> str:
        found = replace(incident(), decision=replace(incident().decision, findings=(quarrel(other),)))
        return card_of(found, NOBODY, texts("ko"), "UTC").other

    assert named("8") == "8" and named("-100200") == "-100200" and named("…") == "" == named("")
