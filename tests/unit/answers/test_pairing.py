"""What a bot's message answers, whatever the platform."""

from dataclasses import replace

import pytest

from bot.core.answers.pairing import ANYBODY, LONG, Hints, Turn, Turns
from bot.core.chat.message import Pairing
from tests.builders import later

BOT, OTHER, NOTHING = "bot", "other", Hints()


def said(id: str, at: float, text: str = "", *, by: str = "민지", calls: str = "") -> Turn:
    return Turn(id=id, author=by, at=later(at), text=text or id, calls=frozenset(calls.split()))


def answer(id: str, at: float, text: str = "답", *, by: str = BOT) -> Turn:
    return Turn(id=id, author=by, at=later(at), text=text, bot=True)


def found(turns: Turns, turn: Turn, hints: Hints = NOTHING) -> tuple[str | None, Pairing | None]:
    paired = turns.answer("c", turn, hints)
    return paired.prompt, paired.pairing


def heard(*turns: Turn) -> Turns:
    memory = Turns()
    for turn in turns:
        memory.hear("c", turn)
    return memory


def test_a_reply_is_certain_and_outlives_the_prompts_deletion() -> None:
    turns = heard(said("q", 0, "질문"))  # nobody tells the memory of deletions: what was said was said
    assert found(turns, answer("a", 500), Hints(asked="q")) == ("질문", Pairing.CERTAIN)


def test_a_reply_to_what_nobody_kept_is_judged_alone() -> None:
    assert found(Turns(), answer("a", 1), Hints(asked="gone")) == (None, Pairing.HIDDEN)
    assert found(heard(replace(said("q", 0), text="")), answer("a", 1), Hints(asked="q")) == (None, Pairing.HIDDEN)


def test_an_unseen_command_is_hidden_even_where_somebody_else_waits() -> None:
    turns = heard(said("q", 0, calls=BOT))
    assert found(turns, answer("a", 1), Hints(unseen=True)) == (None, Pairing.HIDDEN)


def test_an_edit_answers_what_its_message_answered() -> None:
    turns = heard(said("q", 0, "질문", calls=BOT))
    assert found(turns, answer("a", 1, "생각 중")) == ("질문", Pairing.GUESSED)
    turns.hear("c", said("q2", 2, "딴 질문", by="준호", calls=BOT))
    assert found(turns, answer("a", 3, "다 썼다")) == ("질문", Pairing.GUESSED)


def test_follow_ups_and_buttons_go_back_to_the_first_prompt() -> None:
    turns = heard(said("q", 0, "질문"))
    turns.answer("c", answer("a1", 1), Hints(asked="q"))
    turns.answer("c", answer("a2", 60), Hints(answer="a1", unseen=True))
    assert found(turns, answer("a3", 90), Hints(answer="a2", unseen=True)) == ("질문", Pairing.CERTAIN)
    assert found(turns, answer("a4", 95), Hints(asked="a3")) == ("질문", Pairing.CERTAIN), "a bot replies to itself"
    assert found(turns, answer("b", 96, by=OTHER), Hints(asked="a3")) == (None, None), "bots among themselves"


@pytest.mark.parametrize(("seconds", "expected"), [(1, Pairing.GUESSED), (60, Pairing.GUESSED), (61, None)])
def test_a_mention_within_the_window_is_guessed(seconds: float, expected: Pairing | None) -> None:
    assert found(heard(said("q", 0, calls=BOT)), answer("a", seconds))[1] is expected


def test_nobody_is_paired_with_a_bot_that_they_did_not_call() -> None:
    assert found(heard(said("q", 0, calls=OTHER)), answer("a", 1)) == (None, None)
    assert found(heard(said("q", 0)), answer("a", 1)) == (None, None)


def test_a_command_without_a_name_is_for_the_bot_that_answers_first() -> None:
    turns = heard(said("q", 0, calls=ANYBODY))
    assert found(turns, answer("a", 1)) == ("q", Pairing.GUESSED)
    assert found(turns, answer("b", 2, by=OTHER)) == (None, None)


def test_what_was_answered_is_not_answered_again() -> None:
    turns = heard(said("q", 0, calls=BOT))
    assert found(turns, answer("a", 1)) == ("q", Pairing.GUESSED)
    assert found(turns, answer("b", 2)) == (None, None)


def test_two_who_ask_at_once_are_never_crossed() -> None:
    turns = heard(said("q1", 0, calls=BOT), said("q2", 0.5, by="준호", calls=BOT))
    assert found(turns, answer("a", 1)) == (None, Pairing.HIDDEN), "nobody knows whose question it answers"
    named = Hints(names=frozenset({"준호"}))
    assert found(turns, answer("b", 2), named) == ("q2", Pairing.GUESSED)
    assert found(turns, answer("c", 3)) == ("q1", Pairing.GUESSED), "only one still waits"


def test_who_asks_twice_gets_both_questions_judged() -> None:
    turns = heard(said("q1", 0, calls=BOT), said("q2", 1, calls=BOT))
    assert found(turns, answer("a", 2)) == ("q1\nq2", Pairing.GUESSED)
    assert found(turns, answer("b", 3)) == ("q2", Pairing.GUESSED)


def test_a_long_answers_next_piece_belongs_to_it() -> None:
    turns = heard(said("q", 0, "질문"))
    turns.answer("c", answer("a1", 1, "가" * LONG), Hints(asked="q"))
    turns.answer("c", answer("a2", 2, "나" * LONG), Hints())
    last = turns.answer("c", answer("a3", 3, "끝"), Hints())
    assert (last.prompt, last.pairing, last.pieces) == ("질문", Pairing.CERTAIN, ("a1", "a2"))
    assert last.lead == "가" * LONG + "\n" + "나" * LONG
    again = turns.answer("c", answer("a3", 9, "끝."), Hints())
    assert (again.lead, again.pieces) == (last.lead, last.pieces), "an edit of the last piece"


def test_a_long_answers_next_piece_may_reply_to_the_same_question() -> None:
    turns = heard(said("q", 0), said("q2", 0))
    turns.answer("c", answer("a1", 1, "가" * LONG), Hints(asked="q"))
    assert turns.answer("c", answer("b", 2), Hints(asked="q2")).pieces == ()
    turns.answer("c", answer("a1", 3, "가" * LONG), Hints(asked="q"))
    assert turns.answer("c", answer("a2", 4), Hints(asked="q")).pieces == ("a1",)


@pytest.mark.parametrize("between", ["short", "late", "asked"])
def test_what_does_not_go_on_a_long_answer(between: str) -> None:
    turns = heard(said("q", 0))
    turns.answer("c", answer("a1", 1, "가" * (10 if between == "short" else LONG)), Hints(asked="q"))
    if between == "asked":
        turns.hear("c", said("q2", 2, by="준호", calls=BOT))
    last = turns.answer("c", answer("a2", 30 if between == "late" else 3), Hints())
    assert last.pieces == () and last.lead == ""
    assert last.prompt == ("q2" if between == "asked" else None)


def test_turns_of_a_thread_make_the_prompt() -> None:
    turns = heard(*(said(f"q{n}", n) for n in range(5)))
    own = Hints(thread=True, own_thread=True)
    assert found(turns, answer("a", 300), own) == ("q2\nq3\nq4", Pairing.CERTAIN)
    turns.hear("c", said("q5", 310))
    assert found(turns, answer("b", 311), own) == ("q5", Pairing.CERTAIN), "since the bot spoke last"
    turns.hear("c", said("q6", 320))
    turns.hear("c", said("q7", 321, by="준호"))
    assert found(turns, answer("c", 322), own) == ("q6\nq7", Pairing.GUESSED), "two people talk there"
    turns.hear("c", said("q8", 330))
    assert found(turns, answer("d", 331), Hints(thread=True)) == ("q8", Pairing.GUESSED), "somebody else's thread"


def test_the_memory_is_bounded() -> None:
    turns = Turns(each=10, channels=3)
    for channel in "abcd":
        for n in range(20):
            turns.hear(channel, said(str(n), n))
    assert turns.said("a", "19") is None, "the channel that was silent for the longest is forgotten"
    assert turns.said("d", "9") is None and turns.said("d", "10") is not None
    turns.hear("d", said("late", 3600))
    assert turns.said("d", "19") is None, "too long ago"
