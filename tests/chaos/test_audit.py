"""The audit of chaos finds each broken promise, and none where all were kept."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bot.core.incidents.raids.noticing import BARS
from bot.core.incidents.raids.raid import Sign
from tests.builders import NOW, later
from tests.chaos.audit import Planned, Said, Seen, floods, logged, problems
from tests.chaos.crew import Worker
from tests.chaos.world import AUTHORS, FLOODERS, OTHERS
from tests.courses.product import Product

DELETED = Planned("2", 1, 7, "BCDF", "delete", "done")
WARNED = Planned("2", 1, 7, "BCDF", "warn", "done")
SHOWN = Planned("2", 1, 7, "BCDF", "flag", "done")
WELL = Seen(
    written={"1": "좋은 말 1", "2": "나쁜 말 2", "3": "이상한 말 3"},
    kept={"1": (1, True, True), "2": (1, True, True), "3": (1, True, False)},
    actions=[DELETED, WARNED, SHOWN],
    left={"1", "3"},
    warnings={"BCDF": 1},
    cards={7: {"90"}},
    alarms=["guard_away", "database_away", "database_away", "guard_back", "database_back", "guard_away"],
    outages=2,
    processes=2,
)


def test_nothing_is_found_where_every_promise_was_kept() -> None:
    assert list(problems(WELL)) == []
    refused = replace(DELETED, state="refused", reason="no right to")
    unsure = replace(WARNED, state="unconfirmed")
    again = replace(SHOWN, attempts=2)
    bad_day = replace(
        WELL, actions=[refused, unsure, again], left={"1", "2", "3"}, warnings={}, cards={7: {"90", "91"}}
    )
    assert list(problems(bad_day)) == []
    unsaid = ["guard_away", "guard_back", "guard_back"]  # who was to tell of the second outage died before
    assert list(problems(replace(WELL, alarms=unsaid))) == []


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda: replace(WELL, kept={**WELL.kept, "9": (2, True, True)}), "1 kept twice (9)"),
        (lambda: replace(WELL, written={**WELL.written, "9": "좋은 말"}, left={"1", "3", "9"}), "1 never kept (9)"),
        (lambda: replace(WELL, kept={**WELL.kept, "3": (1, False, False)}), "1 not settled (3)"),
        (lambda: replace(WELL, kept={**WELL.kept, "1": (1, True, False)}), "1 unjudged (1)"),
        (lambda: replace(WELL, actions=[], warnings={}), "1 harmful without an incident (2)"),
        (lambda: replace(WELL, actions=[*WELL.actions, replace(DELETED, incident=2)]), "1 with two incidents (2)"),
        (lambda: replace(WELL, actions=[*WELL.actions, Planned("1", 2, 8, "X", "delete", "gone")]), "harmless with"),
        (lambda: replace(WELL, actions=[replace(DELETED, state="refused"), WARNED, SHOWN]), "because: -"),
        (lambda: replace(WELL, actions=[replace(DELETED, state="unconfirmed"), WARNED, SHOWN]), "is unconfirmed"),
        (lambda: replace(WELL, actions=[DELETED, WARNED, replace(SHOWN, state="started")]), "is started"),
        (lambda: replace(WELL, left={"1", "2", "3"}), "1 deleted on record only (2)"),
        (lambda: replace(WELL, left={"3"}), "1 harmless and gone (1)"),
        (lambda: replace(WELL, warnings={"BCDF": 2}), "1 warned twice (BCDF)"),
        (lambda: replace(WELL, warnings={}), "1 warned on record only (BCDF)"),
        (lambda: replace(WELL, actions=[DELETED, SHOWN]), "1 warned, and not on record (BCDF)"),
        (lambda: replace(WELL, cards={}), "1 shown on no card (7)"),
        (lambda: replace(WELL, cards={7: {"90", "91"}}), "1 shown on two cards (7)"),
        (lambda: replace(WELL, alarms=["guard_away", "guard_away"], outages=1), "told twice: guard_away"),
        (lambda: replace(WELL, alarms=["guard_back"] * 3), "told twice: guard_back"),
        (lambda: replace(WELL, alarms=["guard_away", "guard_back", "guard_back", "guard_away"]), "told twice: guard_b"),
        (lambda: replace(WELL, alarms=["database_away"] * 3), "more often than there are processes"),
    ],
)
def test_it_is_found(spoil: Callable[[], Seen], said: str) -> None:
    found = list(problems(spoil()))
    assert any(said in one for one in found), found


def test_who_writes_is_no_raid_whether_new_or_harmful() -> None:
    """All of a raid is on one card, which is none of those that are looked for."""
    offences, joins = (min(number for number, _ in BARS[sign]) for sign in (Sign.OFFENCES, Sign.JOINS))
    assert offences > AUTHORS + FLOODERS and joins > AUTHORS + FLOODERS + OTHERS


def said(*hits: bool, at: float = 0.0, takes: float = 1.0) -> list[Said]:
    """The same, a second apart; whoever is found for the first time is warned."""
    return [
        Said(later(at + place), later(at + place + takes), hit, "7", hit and hit not in hits[:place])
        for place, hit in enumerate(hits)
    ]


FLOOD, MISSED = said(False, False, False, True, True), said(False, False, False, False, True)


def test_floods_are_decided_as_one_process_decides_but_for_the_seconds_of_a_hand_over() -> None:
    assert floods(replace(WELL, floods=[FLOOD, MISSED])) == ([FLOOD], [MISSED])
    missed = replace(WELL, floods=[MISSED])
    assert "was not taken for one" in next(iter(problems(missed)))
    assert not list(problems(replace(missed, handed_over=[(later(2), later(3))])))
    assert list(problems(replace(missed, handed_over=[(later(60), later(61))])))
    late = said(False, False, False, False, True, takes=40.0)
    assert not list(problems(replace(WELL, floods=[FLOOD, late])))


def test_nobody_is_warned_of_a_flood_twice_in_a_while_but_for_the_seconds_of_a_hand_over() -> None:
    again = replace(WELL, floods=[FLOOD, said(False, False, False, True, True, at=30.0)])
    assert "7 was warned of a flood" in next(iter(problems(again)))
    assert not list(problems(replace(again, handed_over=[(NOW, later(1))])))
    assert not list(problems(replace(again, floods=[FLOOD, said(False, False, False, True, True, at=90.0)])))


def test_who_was_warned_by_a_wrong_clock_was_told_all_the_same() -> None:
    told = replace(WARNED, author="7", at=later(1_000), sent=NOW)
    unsaid = replace(told, incident=2, message="4", number=8, code="XY", at=NOW, sent=later(9))
    kept, written = {**WELL.kept, "4": (1, True, True)}, {**WELL.written, "4": "나쁜 말 4"}
    seen = replace(WELL, kept=kept, written=written, actions=[DELETED, told, SHOWN, unsaid])
    assert not list(problems(seen))
    apart = replace(unsaid, sent=later(900))
    assert "warned on record only" in next(iter(problems(replace(seen, actions=[DELETED, told, SHOWN, apart]))))


def test_what_people_said_is_found_in_a_log_and_so_is_a_log_without_end(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("begun\nstored 나쁜 말 3\n", "utf-8")
    assert [*logged([tmp_path / "log"], 10)] == ["log says what somebody wrote (나쁜 말)"]
    (tmp_path / "log").write_text("again\n" * 31, "utf-8")
    assert [*logged([tmp_path / "log"], 10)] == ["31 lines were logged of 10 messages"]


@pytest.mark.parametrize(("after", "grew"), [(640.0, False), (1100.0, True)])
def test_what_a_process_needs_to_begin_is_no_growth(tmp_path: Path, after: float, grew: bool) -> None:
    """Who takes over while much is missed has more memory a minute later, and then no more."""
    worker = Worker(Product(folder=tmp_path))
    worker.memory = [80.0, 230.0, 250.0, 470.0, 580.0, *[600.0] * 10]
    assert not worker.grew
    worker.memory += [after]
    assert worker.grew is grew
