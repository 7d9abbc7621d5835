"""A server with OpenAI's moderation endpoint, hosted or one's own: exchanges in, verdicts of its categories out.

What is judged is sent to it, which `check-config`, /privacy and the report say where it is another machine.
"""

import asyncio
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

from adapters.guards.vllm_replicas import Replicas
from bot.core.base.clock import Clock
from bot.core.guarding.figures import ReplicaFigures
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.ports import overheard
from bot.core.guarding.verdict import Exchange, GuardVersion, Judgement, Part, Screening, Task, Unscreened, Verdict

NAME = "moderations"
MODEL = "omni-moderation-latest"
TOGETHER = 32  # texts of a request
START = "any server with /v1/moderations, see [guard] servers"

#: OpenAI's names. What is none of them, a server's own, is harm of no kind that we know.
CATEGORIES: Mapping[str, HarmKind] = {
    "harassment": HarmKind.ABUSE,
    "harassment/threatening": HarmKind.THREAT,
    "hate": HarmKind.HATE,
    "hate/threatening": HarmKind.HATE,
    "illicit": HarmKind.DANGEROUS,
    "illicit/violent": HarmKind.DANGEROUS,
    "self-harm": HarmKind.SELF_HARM,
    "self-harm/intent": HarmKind.SELF_HARM,
    "self-harm/instructions": HarmKind.SELF_HARM,
    "sexual": HarmKind.SEXUAL,
    "sexual/minors": HarmKind.GROOMING,
    "violence": HarmKind.VIOLENCE,
    "violence/graphic": HarmKind.VIOLENCE,
}
_MAPPING = hashlib.sha256(json.dumps(CATEGORIES, sort_keys=True).encode()).hexdigest()[:12]


class ModerationsGuard:
    """`model` is the name that the servers know it by. Use it with `async with`. Raises as `vllm_replicas` says."""

    def __init__(
        self, servers: Sequence[str], *, clock: Clock, model: str = "", token: str = "", timeout: float = 10.0
    ):
        self._model = model or MODEL
        self._replicas = Replicas(servers=servers, clock=clock, token=token, timeout=timeout, start=START)

    @property
    def version(self) -> GuardVersion:
        """The mapping of categories is its dialect: until it is calibrated its scores are raw ones."""
        return GuardVersion(name=NAME, model=self._model, dialect=_MAPPING)

    @property
    def tasks(self) -> frozenset[Task]:
        return frozenset({Task.PROMPT_HARM, Task.RESPONSE_HARM})

    def replica_figures(self) -> Sequence[ReplicaFigures]:
        return self._replicas.figures()

    async def judge(self, exchanges: Sequence[Exchange]) -> Sequence[Screening]:
        """One screening for each exchange, in order: each part is judged by itself."""
        parts = [_parts(exchange) for exchange in exchanges]
        texts = list(dict.fromkeys(text for some in parts for text in some.values()))
        calls = [self._asked(texts[start : start + TOGETHER]) for start in range(0, len(texts), TOGETHER)]
        found = dict(zip(texts, [one for some in await asyncio.gather(*calls) for one in some], strict=True))
        return [self._screening({part: found[text] for part, text in some.items()}) for some in parts]

    async def _asked(self, texts: Sequence[str]) -> Sequence[Mapping[str, float] | str]:
        """Of each text the scores by category, or why there are none."""
        return await self._replicas.ask_each(
            texts, lambda some: ("/v1/moderations", {"model": self._model, "input": some}), _results
        )

    def _screening(self, answers: Mapping[Part, Mapping[str, float] | str]) -> Screening:
        kinds: dict[tuple[Part, HarmKind], float] = {}
        for part, scores in answers.items():
            if isinstance(scores, str):
                return Unscreened(scores, self.version)
            overheard(part, {"category_scores": scores})
            for category, score in scores.items():
                what = part, CATEGORIES.get(category, HarmKind.UNSPECIFIED)
                kinds[what] = max(score, kinds.get(what, 0.0))
        if not kinds:
            return Unscreened("nothing to judge", self.version)
        named = {
            name for scores in answers.values() if not isinstance(scores, str) for name in scores if scores[name] >= 0.5
        }
        found = tuple(Judgement(*what, score, NAME) for what, score in kinds.items())
        return Verdict(guard=self.version, found=found, categories=frozenset(named))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._replicas.aclose()


def _parts(exchange: Exchange) -> dict[Part, str]:
    said = {Part.PROMPT: exchange.prompt, Part.RESPONSE: exchange.response}
    return {part: text.encode("utf-8", "replace").decode() for part, text in said.items() if text is not None}


def _results(answer: Any, count: int) -> Sequence[Mapping[str, float]]:
    """Raises what `NOT_ITS_SHAPE` names where that are none."""
    found = [_scores(result["category_scores"]) for result in answer["results"]]
    if len(found) != count:
        raise ValueError("not of every text")
    return found


def _scores(given: Mapping[str, Any]) -> dict[str, float]:
    """Raises ValueError where that are none."""
    scores = {str(name): float(score) for name, score in given.items()}
    if not scores or not all(math.isfinite(score) and 0 <= score <= 1 for score in scores.values()):
        raise ValueError("not a probability")
    return scores
