"""A guard that says what a test tells it to."""

import asyncio
from collections.abc import Mapping, Sequence

from bot.core.base.errors import BotError
from bot.core.guarding.verdict import Exchange, GuardVersion, Screening, Task, Verdict


class ScriptedGuard:
    """Scores every prompt 0.0 unless `answers` knows it; can be in `trouble`, `hang` for ever, or `hold` on."""

    version = GuardVersion(name="scripted", model="1", calibration="platt")
    tasks = frozenset({Task.PROMPT_HARM, Task.RESPONSE_HARM})

    def __init__(self, answers: Mapping[str, Screening | Exception | float] | None = None) -> None:
        self.answers = dict(answers or {})
        self.trouble: BotError | None = None
        self.hang = False
        self.hold: asyncio.Event | None = None
        self.asked: list[Sequence[Exchange]] = []
        self.cancelled = 0

    @property
    def count(self) -> int:
        return sum(map(len, self.asked))

    async def judge(self, exchanges: Sequence[Exchange]) -> Sequence[Screening]:
        self.asked.append(exchanges)
        try:
            if self.hang:
                await asyncio.Event().wait()
            if self.hold:
                await self.hold.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.trouble:
            raise self.trouble
        return [self._answer(exchange) for exchange in exchanges]

    def _answer(self, exchange: Exchange) -> Screening:
        answer = self.answers.get(exchange.response or exchange.prompt or "", 0.0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, float):
            task = Task.PROMPT_HARM if exchange.response is None else Task.RESPONSE_HARM
            return Verdict.of_scores({task: answer}, guard=self.version)
        return answer
