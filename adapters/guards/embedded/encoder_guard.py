"""The guard that knows kinds of harm: exchanges come in, verdicts of the encoder go out."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from adapters.guards.embedded.encoder import SHIPPED, EncoderModel
from bot.core.base.errors import Broken
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import Exchange, GuardVersion, Judgement, Part, Task, Unscreened, Verdict

BATCH = 16  # texts between which it may be cancelled


class EncoderGuard:
    """Judges prompts and responses alike by their text alone, beside the event loop."""

    def __init__(self, path: Path = SHIPPED) -> None:
        """Reads the model file. Raises Broken where that file is missing or not a model."""
        try:
            self.model = EncoderModel.load(path)
        except (OSError, ValueError, KeyError) as error:
            raise Broken(f"{path.name}: {error}") from error

    @property
    def version(self) -> GuardVersion:
        return GuardVersion(name="encoder", model=self.model.revision, calibration="platt")

    @property
    def tasks(self) -> frozenset[Task]:
        return frozenset({Task.PROMPT_HARM, Task.RESPONSE_HARM})

    async def judge(self, exchanges: Sequence[Exchange]) -> Sequence[Verdict | Unscreened]:
        """One verdict for each exchange, in order; may be cancelled between batches."""
        asked = [
            (index, part, text)
            for index, exchange in enumerate(exchanges)
            for part, text in ((Part.PROMPT, exchange.prompt), (Part.RESPONSE, exchange.response))
            if text is not None
        ]
        found: list[list[Judgement]] = [[] for _ in exchanges]
        quotes = [1.0] * len(exchanges)  # that all of its parts do
        for start in range(0, len(asked), BATCH):
            batch = asked[start : start + BATCH]
            judged = await asyncio.to_thread(self.model.judged, [text for _, _, text in batch])
            for (index, part, _), kinds, quoting in zip(batch, *(each.tolist() for each in judged), strict=True):
                probabilities = zip(self.model.kinds, kinds, strict=True)
                found[index] += (Judgement(part, HarmKind(kind), one, self.version.name) for kind, one in probabilities)
                quotes[index] = min(quoting, quotes[index])
        return [
            Verdict(guard=self.version, found=tuple(one), quotes=quotes[index])
            if one
            else Unscreened(reason="nothing to judge", guard=self.version)
            for index, one in enumerate(found)
        ]
