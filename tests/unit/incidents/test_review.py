"""After any calls, in any order and whatever is under way meanwhile, things come to be as the last call says."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.incidents.review import AT_ONCE, SILENCED_FOR, TIMEOUT, Call, Review, Step, consequences, standing, wanted
from bot.core.rules.actions import (
    Action,
    Answer,
    Ban,
    CalledOff,
    Delete,
    DeletePost,
    Done,
    Escalate,
    Flag,
    Kick,
    Notice,
    Outcome,
    Refused,
    Restore,
    Timeout,
    Unsanction,
    Warn,
)
from tests.builders import NOW

SHORT, LONG = Timeout(timedelta(minutes=1)), Timeout(timedelta(days=1))
DECIDED = st.lists(st.sampled_from([Delete(), SHORT, LONG, Ban(), Kick(), Notice(), Warn(), Flag()]), unique=True).map(
    lambda actions: [action for action in actions if action != LONG or SHORT not in actions]
)


@dataclass
class Place:
    """A platform with one message and its author, and the record of what was done there."""

    steps: list[Step]
    calls: list[Call] = field(default_factory=list)
    stands: bool = True
    under: Action | None = None  # what the member is under
    posted: list[str] = field(default_factory=list)  # receipts of restored messages and notices that stand
    appealed: bool = False

    def call(self, call: Call) -> None:
        self.calls.append(call)
        self.follow(call)

    def follow(self, called: Call | None = None) -> None:
        if not self.calls:
            return
        follows = consequences(self.calls, self.steps, called=called, appealed=self.appealed)
        for place in follows.called_off:
            assert self.steps[place].waits
            self.steps[place] = replace(self.steps[place], outcome=CalledOff())
        self.steps += [Step(action=action) for action in follows.then]

    def begin(self, place: int) -> None:
        if self.steps[place].waits:
            self.steps[place] = replace(self.steps[place], begun=True)

    def finish(self, place: int, *, refused: bool = False) -> None:
        step = self.steps[place]
        if step.outcome is None and step.begun:
            outcome: Outcome = Refused("no") if refused else self._do(step.action, place)
            self.steps[place] = replace(step, outcome=outcome)
            self.follow()

    def _do(self, action: Action, place: int) -> Outcome:
        match action:
            case Delete():
                self.stands = False
            case Restore() | Notice():
                self.posted.append(f"r{place}")
                self.stands = self.stands or isinstance(action, Restore)
                return Done(f"r{place}")
            case DeletePost(receipt):
                self.posted.remove(receipt)
                self.stands = self.stands and not isinstance(self.steps[int(receipt[1:])].action, Restore)
            case Timeout() if self.under != Ban():
                self.under = action
            case Ban():
                self.under = action
            case Unsanction():
                self.under = None
        return Done()

    def come_to_rest(self) -> None:
        for _ in range(100):
            open_ = [place for place, step in enumerate(self.steps) if step.outcome is None]
            if not open_:
                return
            for place in open_:
                self.begin(place)
                self.finish(place)
        raise AssertionError("never comes to rest")


def decided(*actions: Action) -> Place:
    return Place([Step(action=action, decided=True) for action in actions])


@given(st.data(), DECIDED, st.lists(st.sampled_from(Call), max_size=6))
def test_the_platform_comes_to_the_state_of_the_last_call(
    data: st.DataObject, actions: Sequence[Action], calls: Sequence[Call]
) -> None:
    place, left = decided(*actions), list(calls)
    while bool(left) or data.draw(st.booleans()):
        numbers = st.integers(0, max(0, len(place.steps) - 1))
        match data.draw(st.sampled_from(["call", "begin", "finish"])):
            case "call" if left:
                place.call(left.pop(0))
            case "begin" if place.steps:
                place.begin(data.draw(numbers))
            case "finish" if place.steps:
                place.finish(data.draw(numbers))
    place.come_to_rest()
    want = wanted(place.calls, place.steps)
    assert (not place.stands, place.under) == (want.hidden, want.sanction)
    assert standing(place.steps).sanction == place.under
    lifting = (Call.LIFT, Call.SOFTEN)
    effective = [call for call in calls if call not in (Call.ESCALATE, Call.UPHOLD, *lifting)]
    match effective[-1:]:
        case [Call.WRONG]:
            assert place.stands and place.under is None
            assert not [one for one in place.posted if isinstance(place.steps[int(one[1:])].action, Notice)]
        case [Call.BAN] if not {*lifting} & {*calls}:
            assert not place.stands and place.under == Ban()
        case [Call.TIMEOUT | Call.HOUR | Call.DAY as timeout] if not {*lifting} & {*calls}:
            assert not place.stands and isinstance(place.under, Timeout)
            assert place.under.lasting >= SILENCED_FOR[timeout] or SHORT in actions
        case [Call.DELETE]:
            assert not place.stands


@given(st.data(), DECIDED, st.lists(st.sampled_from(Call), max_size=4))
def test_what_is_refused_is_not_tried_for_ever(
    data: st.DataObject, actions: Sequence[Action], calls: Sequence[Call]
) -> None:
    place = decided(*actions)
    for call in calls:
        place.call(call)
        for number in range(len(place.steps)):
            place.begin(number)
            place.finish(number, refused=data.draw(st.booleans()))
    for _ in range(20):
        for number in range(len(place.steps)):
            place.begin(number)
            place.finish(number, refused=True)
    assert len(place.steps) <= len(actions) + 6 * len(calls)


def performed(place: Place) -> list[Action]:
    place.come_to_rest()
    return [step.action for step in place.steps if isinstance(step.outcome, Done)]


def test_a_buttons_sanction_is_told_before_it_comes() -> None:
    """Discord review, H3 and H4."""
    for call, sanction in ((Call.BAN, Ban()), (Call.TIMEOUT, Timeout(TIMEOUT))):
        place = decided(Flag())
        place.call(call)
        assert performed(place) == [Flag(), Delete(), Warn(), sanction]


def test_who_accepts_an_appeal_after_a_ban_undoes_it() -> None:
    """Discord review, H2: a moderator bans, the member appeals, and the appeal can win."""
    place = decided(Delete(), Flag())
    place.call(Call.BAN)
    place.come_to_rest()
    place.appealed = True
    place.call(Call.WRONG)
    assert performed(place)[-3:] == [Restore(), Unsanction(), Answer(accepted=True)]
    assert place.stands and place.under is None


def test_an_appeal_that_is_turned_down_changes_nothing_and_is_answered_once() -> None:
    place = decided(Delete(), Flag())
    place.call(Call.BAN)
    place.appealed = True
    for _ in range(2):
        place.call(Call.UPHOLD)
    assert performed(place) == [Delete(), Flag(), Warn(), Ban(), Answer(accepted=False)]
    place.call(Call.WRONG)
    assert performed(place)[-1] == Answer(accepted=True)


def test_an_appeal_that_is_partly_accepted_lifts_the_sanction_alone() -> None:
    place = decided(Delete(), SHORT, Flag())
    place.come_to_rest()
    place.appealed = True
    place.call(Call.SOFTEN)
    assert performed(place)[-2:] == [Unsanction(), Answer(accepted=False, softened=True)]
    assert not place.stands and place.under is None
    place.call(Call.WRONG)
    assert performed(place)[-1] == Answer(accepted=True) and place.stands


def test_a_notice_that_still_stands_does_not_keep_a_message_from_being_restored() -> None:
    """It takes itself away after half a minute; nobody waits for that."""
    told = Step(action=Warn(), outcome=Done("notice"), begun=True, decided=True)
    steps = [Step(action=Delete(), outcome=Done(), begun=True, decided=True), told, Step(action=DeletePost("notice"))]
    assert consequences([Call.WRONG], steps, called=Call.WRONG).then == (Restore(),)
    assert consequences([Call.WRONG], steps).then == (Restore(),)


def test_what_was_wrongly_called_wrong_is_done_again() -> None:
    place = decided(Delete(), LONG)
    place.come_to_rest()
    place.call(Call.WRONG)
    place.come_to_rest()
    place.call(Call.RIGHT)
    assert performed(place) == [Delete(), LONG, Restore(), Unsanction(), DeletePost("r2"), LONG]
    assert not place.stands and place.under == LONG


def test_a_ban_becomes_a_timeout_step_by_step() -> None:
    place = decided(Delete())
    place.call(Call.BAN)
    place.come_to_rest()
    place.call(Call.TIMEOUT)
    assert [step.action for step in place.steps if step.outcome is None] == [Warn(), Unsanction()]
    assert performed(place)[-3:] == [Warn(), Unsanction(), Timeout(TIMEOUT)]


def test_lifting_leaves_the_message_as_it_is() -> None:
    place = decided(Delete())
    place.call(Call.TIMEOUT)
    place.come_to_rest()
    place.call(Call.LIFT)
    assert performed(place)[-1] == Unsanction()
    assert not place.stands and place.under is None


def test_right_does_nothing_and_an_escalation_calls() -> None:
    place = decided(Delete(), Ban())
    place.steps[1] = replace(place.steps[1], outcome=Refused("no right to ban"))
    place.call(Call.RIGHT)
    place.call(Call.ESCALATE)
    assert performed(place) == [Delete(), Escalate()]


@pytest.mark.parametrize(
    ("moderator", "seconds", "overrules"), [("dal", 1, True), ("byul", 1, False), ("byul", AT_ONCE.seconds, True)]
)
def test_of_two_at_the_same_moment_the_first_counts(moderator: str, seconds: float, overrules: bool) -> None:
    first = Review(incident_id=1, call=Call.RIGHT, moderator_id="dal", moderator_name="달", at=NOW)
    then = replace(first, call=Call.BAN, moderator_id=moderator, at=NOW + timedelta(seconds=seconds))
    assert then.overrules(first) is overrules
