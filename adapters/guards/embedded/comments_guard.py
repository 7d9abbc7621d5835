"""The guard of comments, which shipped before and can be pinned: exchanges come in, verdicts of the model of comments
on news, which knows no kinds of harm, go out."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from adapters.guards.embedded.model import SHIPPED, Model, Score
from bot.core.base.errors import Broken
from bot.core.guarding.ports import overheard
from bot.core.guarding.verdict import Exchange, GuardVersion, Task, Unscreened, Verdict

LONG = 2_000  # characters


class CommentsGuard:
    """Judges prompts and responses alike by their text alone. A refusal is beyond it and stays absent."""

    def __init__(self, path: Path = SHIPPED) -> None:
        """Reads the model file. Raises Broken where that file is missing or not a model."""
        try:
            self.model = Model.load(path)
        except (OSError, ValueError, KeyError) as error:
            raise Broken("{file} is no model that this version can read ({why})", file=path.name, why=error) from error

    @property
    def version(self) -> GuardVersion:
        return GuardVersion(name="embedded", model=self.model.revision, calibration="platt")

    @property
    def tasks(self) -> frozenset[Task]:
        return frozenset({Task.PROMPT_HARM, Task.RESPONSE_HARM})

    @property
    def thresholds(self) -> Mapping[str, float]:
        """Recommended probabilities to act from: "flag" (a person should look) and "delete" (very sure)."""
        return self.model.thresholds

    async def judge(self, exchanges: Sequence[Exchange]) -> Sequence[Verdict | Unscreened]:
        """One verdict for each exchange, in order. Lets others run every few milliseconds; may be cancelled there. Long
        texts are read beside the event loop, as far as the next such place."""
        asked = [
            (index, task, text)
            for index, exchange in enumerate(exchanges)
            for task, text in ((Task.PROMPT_HARM, exchange.prompt), (Task.RESPONSE_HARM, exchange.response))
            if text is not None
        ]
        scores: list[Score] = []
        steps = self.model.steps([text for _, _, text in asked], scores)
        if any(len(text) > LONG for _, _, text in asked):
            while await asyncio.to_thread(next, steps, True) is None:
                pass
        for _ in steps:
            await asyncio.sleep(0)

        judged: list[dict[Task, Score]] = [{} for _ in exchanges]
        for (index, task, _), score in zip(asked, scores, strict=True):
            judged[index][task] = score
            overheard(task, {"embedded": {"harm": score.probability}}, ", ".join(self._evidence(score)))
        return [self._verdict(by_task) for by_task in judged]

    def _verdict(self, by_task: Mapping[Task, Score]) -> Verdict | Unscreened:
        if not by_task:
            return Unscreened(reason="nothing to judge", guard=self.version)
        return Verdict.of_scores(
            {task: score.probability for task, score in by_task.items()},
            guard=self.version,
            evidence=tuple(piece for score in by_task.values() for piece in self._evidence(score)),
            windows=max(score.windows for score in by_task.values()),
        )

    def _evidence(self, score: Score) -> tuple[str, ...]:
        return self.model.evidence(score.worst) if score.worst and score.probability >= 0.5 else ()
