"""Urgent cases that nobody has taken, and appeals that nobody has answered -> moderators hear of them again."""

from datetime import timedelta
from functools import partial

from bot.core.base.clock import Clock
from bot.core.base.waiting import Wakeup, patiently
from bot.core.incidents.ports import Cases

LOOK = 30.0  # seconds between two looks
TOGETHER = 50  # cases in one look

#: People are called so often, so long after one another.
MOST_CALLS, CALL_AGAIN = 4, timedelta(minutes=5)

#: An appeal is shown so often, so long after one another.
MOST_SHOWN, SHOW_AGAIN = 3, timedelta(days=1)


async def remind(cases: Cases, clock: Clock, planned: Wakeup) -> None:
    """Without end."""
    while True:
        if await patiently(partial(cases.remind, clock.now(), TOGETHER), clock):
            planned.wake()
        await clock.sleep(LOOK)
