"""Two guards as one: the first, cheap one judges everything; the chat that it finds surely benign never reaches the
second. What is asked of LLM bots and what they answer always does: that is what the second is there for.

A share of what is skipped goes to the second guard all the same, drawn at random, so that reports can say how much is
missed. Each verdict names the guard that judged and the route it took. Where the second guard is away everything waits,
the surely benign too: it loses nothing by waiting, and whoever asks sees one outage instead of a flicker.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from bot.core.base.errors import Unavailable
from bot.core.guarding.figures import ReplicaFigures
from bot.core.guarding.ports import Answered, Guard, counting, judge_each, replica_figures
from bot.core.guarding.verdict import Exchange, GuardVersion, Route, Screening, Task, Verdict

MISSED = 0.5  # a skipped exchange that the second guard scores this high was missed


class CascadeGuard:
    """Skips the chat that the first guard scores below `threshold` (worst harm score), save for the share `sample` of
    it. `draw` gives numbers from 0 to 1. Tasks that only the second guard can do are absent where it was not asked."""

    def __init__(
        self, first: Guard, second: Guard, *, threshold: float, sample: float, draw: Callable[[], float] = random.random
    ) -> None:
        self._first, self._second = first, second
        self._threshold, self._sample, self._draw = threshold, sample, draw
        self._second_is_away = False

    @property
    def version(self) -> GuardVersion:
        first, second = self._first.version, self._second.version
        return GuardVersion(
            name="cascade",
            model=f"{first.name} {first.model} < {self._threshold:g}, else {second.name} {second.model}",
            dialect=second.dialect,
            calibration=second.calibration,
        )

    @property
    def tasks(self) -> frozenset[Task]:
        return self._first.tasks | self._second.tasks

    def replica_figures(self) -> Sequence[ReplicaFigures]:
        return replica_figures((self._first, self._second))

    def tokens(self, exchange: Exchange) -> int:
        return counting(self._second)(exchange)

    @property
    def is_continuous(self) -> bool:
        return True

    async def judge(self, exchanges: Sequence[Exchange]) -> Sequence[Screening]:
        found: dict[int, Screening] = {}
        await self.judge_each(exchanges, found.__setitem__)
        return [found[place] for place in range(len(exchanges))]

    async def judge_each(self, exchanges: Sequence[Exchange], answered: Answered) -> None:
        """The surely benign do not wait for the second guard while it is there."""
        screenings = await self._first.judge(exchanges)
        skipped = [
            place
            for place, screening in enumerate(screenings)
            if exchanges[place].is_chat and self._is_surely_benign(screening)
        ]
        sampled = {place for place in skipped if self._draw() < self._sample}
        asked = sorted(set(range(len(screenings))).difference(skipped) | sampled)
        if self._second_is_away and skipped and not asked:
            asked = [skipped[0]]  # whether it is back is known only by asking
        cleared = [place for place in skipped if place not in asked]

        def skip() -> None:
            while cleared:
                place = cleared.pop()
                answered(place, _by_way_of(Route.SKIPPED, screenings[place]))

        def judged(number: int, answer: Screening) -> None:
            place = asked[number]
            answered(place, _by_way_of(_found(answer) if place in sampled else Route.SECOND, answer))

        if not self._second_is_away:
            skip()
        if asked:
            try:
                await judge_each(self._second, [exchanges[place] for place in asked], judged)
            except Unavailable:
                self._second_is_away = True
                raise
            self._second_is_away = False
        skip()

    def _is_surely_benign(self, screening: Screening) -> bool:
        return isinstance(screening, Verdict) and screening.harm is not None and screening.harm < self._threshold


def _found(answer: Screening) -> Route:
    is_harmful = isinstance(answer, Verdict) and answer.harm is not None and answer.harm >= MISSED
    return Route.MISSED if is_harmful else Route.CLEARED


def _by_way_of(route: Route, screening: Screening) -> Screening:
    return replace(screening, route=route) if isinstance(screening, Verdict) else screening
