"""Who came and who broke rules lately, and whether that is a raid."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.incidents.incident import Settlement
from bot.core.incidents.raids.noticing import BARS, NEW, Crowd, seen
from bot.core.incidents.raids.raid import Press, Remedy, Sign, Whom, pressed
from bot.core.rules.actions import Delete, Flag
from bot.core.rules.policy import Mode
from tests.builders import NOW, decision, later, message, settlement

FEW, MINUTE = BARS[Sign.OFFENCES][0]
MANY, LONG = BARS[Sign.OFFENCES][1]


def noticed_at(times: Sequence[float]) -> int | None:
    """With the how-manieth of different members, one at each of these seconds, it is a raid."""
    crowd = Crowd()
    for number, at in enumerate(times, 1):
        crowd.add(str(number), later(at))
        if crowd.is_too_many(Sign.OFFENCES, later(at)):
            return number
    return None


def test_many_within_a_minute_are_a_raid_and_as_many_in_an_hour_are_none() -> None:
    assert noticed_at([number * 5 for number in range(FEW)]) == FEW
    assert noticed_at([number * 360 for number in range(10)]) is None


def test_waves_just_below_the_rate_are_found_by_the_longer_span() -> None:
    waves = [wave * 61 + number for wave in range(9) for number in range(FEW - 1)]
    assert noticed_at(waves) == MANY


def test_where_as_many_come_every_day_it_is_none() -> None:
    every_ten_seconds = [number * 10 for number in range(180, 720)]
    usual, crowd = [number * 25 for number in range(140)], Crowd()  # 24 in ten minutes
    assert noticed_at(usual) is None
    assert noticed_at(every_ten_seconds) is not None, "from one moment to the next"
    for number, at in enumerate(usual):
        crowd.add(f"usual {number}", later(at))
    end = usual[-1]
    for number in range(FEW):
        crowd.add(f"more {number}", later(end + number))
    assert crowd.is_too_many(Sign.OFFENCES, later(end + FEW))


def test_one_member_is_one_however_much_they_do() -> None:
    crowd = Crowd()
    assert [crowd.add("same", later(number)) for number in range(100)].count(True) == 1
    assert not crowd.is_too_many(Sign.OFFENCES, later(100))


def offence(**more: object) -> Settlement:
    return settlement(message(**more), Delete(), Flag())  # type: ignore[arg-type]


def of_author(given: Settlement, **more: object) -> Settlement:
    author = replace(given.decision.message.author, **more)  # type: ignore[arg-type]
    said = replace(given.decision.message, author=author)
    return replace(given, decision=replace(given.decision, message=said))


def test_who_has_just_come_and_who_breaks_a_rule_is_seen() -> None:
    harmless = replace(offence(), decision=decision(message()))
    new = of_author(harmless, since=NOW - NEW / 2)
    assert seen(offence()) == {Sign.OFFENCES}
    assert seen(harmless) == frozenset() == seen(of_author(harmless, since=NOW - NEW))
    assert seen(new) == {Sign.JOINS}
    assert seen(of_author(offence(), since=NOW)) == {Sign.JOINS, Sign.OFFENCES}


@pytest.mark.parametrize("who", [{"bot": True}, {"no_account": True}, {"roles": frozenset({"admin"})}, {"id": ""}])
def test_staff_bots_and_webhooks_are_no_raiders(who: dict[str, object]) -> None:
    assert seen(of_author(offence(), **who)) == frozenset()


def test_a_backlog_is_no_raid_and_a_rule_that_is_only_tried_out_finds_none() -> None:
    late = offence()
    assert seen(replace(late, decided_at=NOW + timedelta(minutes=3))) == frozenset()
    shadow = [finding._replace(mode=Mode.SHADOW) for finding in late.decision.findings]
    assert seen(replace(late, decision=replace(late.decision, findings=tuple(shadow)))) == frozenset()


@pytest.mark.parametrize("press", [Press(Remedy.BAN, Whom.ALL, 12, 300), Press(Remedy.UNDO, Whom.OFFENDERS, 10**17, 0)])
def test_a_button_carries_what_it_is_pressed_for(press: Press) -> None:
    assert pressed(str(press)) == press and len(str(press)) <= 64


@pytest.mark.parametrize("carried", ["", "jikimi:ban:1", "jikimi:raid:ban:all:1", "jikimi:raid:kick:all:1:1", "x" * 99])
def test_other_buttons_are_not_ours(carried: str) -> None:
    assert pressed(carried) is None
