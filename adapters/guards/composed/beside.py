"""A guard model and the embedded guard as one: both judge everything, and each is heard on the kinds of harm it knows.

Guards of requests to LLMs were not taught what is said in a chat, and the embedded guard does not know which requests
are dangerous. The model commands: where it is away or gives no verdict, there is none.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import structlog

from adapters.guards.composed.once import OnceGuard
from bot.core.base.errors import raised
from bot.core.guarding.figures import ReplicaFigures
from bot.core.guarding.ports import Answered, Guard, counting, is_continuous, judge_each, replica_figures
from bot.core.guarding.verdict import Exchange, GuardVersion, Screening, Task, Unscreened, Verdict

_log = structlog.get_logger(__name__)


def beside(model: Guard, embedded: Guard) -> tuple[Guard, Guard]:
    """Who judges, and who stands in for it: of what one of them asks the embedded guard, it need not ask it again."""
    stand_in = OnceGuard(embedded)
    return BesideGuard(model, stand_in), stand_in


class BesideGuard:
    """Verdicts are the model's, with what the embedded guard has found."""

    def __init__(self, model: Guard, embedded: Guard) -> None:
        self._model, self._embedded = model, embedded

    @property
    def version(self) -> GuardVersion:
        return self._model.version

    @property
    def tasks(self) -> frozenset[Task]:
        return self._model.tasks | self._embedded.tasks

    def replica_figures(self) -> Sequence[ReplicaFigures]:
        return replica_figures((self._model,))

    def tokens(self, exchange: Exchange) -> int:
        return counting(self._model)(exchange)

    @property
    def is_continuous(self) -> bool:
        return is_continuous(self._model)

    async def judge(self, exchanges: Sequence[Exchange]) -> Sequence[Screening]:
        found: dict[int, Screening] = {}
        await self.judge_each(exchanges, found.__setitem__)
        return [found[place] for place in range(len(exchanges))]

    async def judge_each(self, exchanges: Sequence[Exchange], answered: Answered) -> None:
        """What the model says before the embedded guard is done waits for that: a few milliseconds."""
        beside, early = asyncio.create_task(self._beside(exchanges)), dict[int, Screening]()

        def judged(place: int, screening: Screening) -> None:
            if beside.done():
                answered(place, _together(screening, beside.result()[place]))
            else:
                early[place] = screening

        def told(task: asyncio.Task[Sequence[Screening]]) -> None:
            while early and not task.cancelled():
                place, screening = early.popitem()
                answered(place, _together(screening, task.result()[place]))

        beside.add_done_callback(told)
        try:
            await judge_each(self._model, exchanges, judged)
            await beside
        finally:
            beside.cancel()
        told(beside)

    async def _beside(self, exchanges: Sequence[Exchange]) -> Sequence[Screening]:
        try:
            found = await self._embedded.judge(exchanges)
            if len(found) == len(exchanges):
                return found
        except Exception as error:
            _log.error("the embedded guard failed beside the model", error=raised(error), exchanges=len(exchanges))
        return [Unscreened("failed", self._embedded.version)] * len(exchanges)


def _together(model: Screening, embedded: Screening) -> Screening:
    if not isinstance(model, Verdict) or not isinstance(embedded, Verdict):
        return model
    return replace(
        model,
        found=(*model.found, *embedded.found),
        quotes=embedded.quotes if model.quotes is None else model.quotes,
        evidence=(*model.evidence, *embedded.evidence),
    )
