"""What time it is where a network is, whatever our own clock says."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from adapters.chat.server_time import SECOND, NetworkClock
from tests.fakes.clock import ManualClock

THERE = datetime(2026, 11, 26, 12, tzinfo=UTC)


def test_it_goes_by_what_the_network_says_whatever_ours_is_set_to() -> None:
    own = ManualClock(THERE + timedelta(hours=1))
    clock = NetworkClock(own)
    assert clock.now() == own.now()
    clock.read(format_datetime(THERE, usegmt=True))
    assert clock.now() == THERE
    own.jump(timedelta(hours=-3))
    clock = NetworkClock(own)
    clock.read(format_datetime(THERE, usegmt=True))
    assert clock.now() == THERE
    clock.read(format_datetime(THERE - SECOND, usegmt=True))  # it took longer to come
    assert clock.now() == THERE
    clock.read(format_datetime(THERE + timedelta(hours=3), usegmt=True))  # we were asleep
    assert clock.now() == THERE + timedelta(hours=3)


def test_ours_is_more_exact_where_it_is_right() -> None:
    clock = NetworkClock(ManualClock(THERE + timedelta(milliseconds=700)))
    clock.read(format_datetime(THERE, usegmt=True))
    assert clock.now() == THERE + timedelta(milliseconds=700)


@pytest.mark.parametrize("odd", ["", "어제", "Thu, 26 Nov 2026 99:00:00 GMT", "Thu, 26 Nov 2026", "\x00"])
def test_an_odd_date_says_nothing(odd: str) -> None:
    clock = NetworkClock(ManualClock(THERE))
    clock.read(odd)
    assert clock.now() == THERE
