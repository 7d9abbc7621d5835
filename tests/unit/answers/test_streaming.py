"""Bots that write by editing: what of it is judged, and when."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.answers.streaming import Streams
from bot.core.chat.message import Author, Kind, Message
from tests.builders import later, message


def revision(number: int, at: float, text: str = "글", *, bot: bool = True, kind: Kind | None = None) -> Message:
    said = message("m", text, revision=number, sent_at=later(at), kind=kind or (Kind.EDIT if number else Kind.NEW))
    return replace(said, author=Author(id="bot", bot=bot))


def played(streams: Streams, *revisions: Message, end: float) -> tuple[list[tuple[int, float]], list[int]]:
    """Revision and second of everything that is judged, and the revisions that were not. Time goes by in tenths."""
    judged, superseded, coming = list[tuple[int, float]](), list[int](), list(revisions)
    for tenth in range(int(end * 10) + 1):
        now = later(tenth / 10)
        while coming and coming[0].sent_at <= now:
            at_once, passed = streams.sift(coming.pop(0), now)
            judged += [(one.ref.revision, tenth / 10) for one in at_once]
            superseded += [one.ref.revision for one in passed]
        judged += [(one.ref.revision, tenth / 10) for one in streams.due(now)]
    return judged, superseded


@pytest.mark.parametrize("edits", [1, 5])
def test_only_the_first_and_the_last_text_are_judged(edits: int) -> None:
    revisions = [revision(n, n) for n in range(edits + 1)]
    judged, superseded = played(Streams(), *revisions, end=30)
    assert judged == [(0, 0.0), (edits, edits + 4.0)]
    assert superseded == list(range(1, edits))


def test_who_never_stops_editing_is_judged_every_half_minute() -> None:
    judged, superseded = played(Streams(), *(revision(n, n) for n in range(71)), end=80)
    assert judged == [(0, 0.0), (31, 31.0), (62, 62.0), (70, 74.0)]
    assert len(judged) + len(superseded) == 71, "nothing is lost"


def test_a_text_that_has_grown_long_is_looked_at_in_between() -> None:
    growing = [revision(n, n * 0.2, "가" * 60 * n) for n in range(51)]
    judged, superseded = played(Streams(), *growing, end=30)
    assert [number for number, _ in judged] == [0, 9, 18, 27, 36, 45, 50]
    assert len(judged) + len(superseded) == 51


def test_people_and_first_texts_are_never_held_back() -> None:
    streams = Streams()
    person = [revision(n, 0, bot=False) for n in range(4)]
    assert [streams.sift(one, later(0)) for one in person] == [([one], []) for one in person]
    assert not streams


def test_a_backlog_is_not_held_up_and_still_judged_once() -> None:
    streams, now = Streams(), later(3600)
    for number in range(1, 6):
        streams.sift(revision(number, number), now)
    assert [one.ref.revision for one in streams.due(now)] == [5]


def test_an_older_revision_that_comes_late_is_not_judged() -> None:
    streams = Streams()
    streams.sift(revision(0, 0), later(0))
    streams.sift(revision(3, 3), later(3))
    assert streams.sift(revision(2, 2), later(3)) == ([], [revision(2, 2)])
    assert [one.ref.revision for one in streams.due(later(7))] == [3]


def test_of_two_edits_in_one_second_the_one_that_came_last_counts() -> None:
    streams = Streams()
    for number in (7, 3):  # on Telegram their numbers say nothing about their order
        streams.sift(revision(number, 1), later(1))
    assert [one.ref.revision for one in streams.due(later(5))] == [3]


def test_an_answer_that_is_taken_away_is_judged_before() -> None:
    streams = Streams()
    streams.sift(revision(1, 1), later(1))
    gone = revision(2**53, 2, "", kind=Kind.DELETE)
    assert streams.sift(gone, later(2)) == ([revision(1, 1), gone], [])
    assert not streams


def test_everything_that_is_held_can_be_let_go() -> None:
    streams = Streams()
    streams.sift(revision(1, 1), later(1))
    assert [*streams.due(later(1), all_of_them=True)] == [revision(1, 1)] and not streams


def test_no_more_is_held_than_was_allowed() -> None:
    streams = Streams(most=3)
    held = [replace(revision(1, 0), ref=replace(revision(1, 0).ref, message_id=str(n))) for n in range(5)]
    for one in held:
        assert streams.sift(one, later(0)) == ([], [])
    assert [*streams.due(later(0))] == held[:2]
    assert [*streams.due(later(4))] == held[2:]


def test_quiet_can_be_switched_off() -> None:
    streams = Streams(quiet=timedelta(0))
    assert streams.sift(revision(1, 0), later(0)) == ([revision(1, 0)], [])


def test_a_clock_that_is_set_back_holds_nothing_up() -> None:
    streams = Streams()
    streams.sift(revision(0, 0), later(0))
    streams.sift(revision(1, 1), later(1))
    assert [*streams.due(later(-3600))] == [revision(1, 1)]
