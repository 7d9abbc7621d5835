"""The guard that ships with the product and knows kinds of harm: exchanges come in, verdicts of the n-grams and the
encoder go out."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from adapters.guards.embedded.kinds import SHIPPED, KindModel
from bot.core.base.errors import Broken
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.ports import overheard
from bot.core.guarding.verdict import YES, Exchange, GuardVersion, Judgement, Part, Task, Unscreened, Verdict

NAME = "embedded"
BATCH = 32  # texts between which it may be cancelled


class KindsGuard:
    """Judges prompts and responses alike by their text alone, beside the event loop. A refusal is beyond it."""

    def __init__(self, path: Path = SHIPPED, *, encoder: bool = True) -> None:
        """Reads the model file and, where the encoder has a say, that of the encoder. Raises Broken where a file is
        missing or not a model."""
        try:
            self.model = KindModel.load(path, encoder=encoder)
        except (OSError, ValueError, KeyError) as error:
            raise Broken("{file} is no model that this version can read ({why})", file=path.name, why=error) from error

    @property
    def version(self) -> GuardVersion:
        return GuardVersion(name=NAME, model=self.model.revision, calibration="platt")

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
        parts: list[list[Verdict]] = [[] for _ in exchanges]
        for start in range(0, len(asked), BATCH):
            batch = asked[start : start + BATCH]
            said = await asyncio.to_thread(self._said, [(part, text) for _, part, text in batch])
            for (index, _, _), one in zip(batch, said, strict=True):
                parts[index].append(one)
        return [self._verdict(each) for each in parts]

    def _said(self, asked: Sequence[tuple[Part, str]]) -> list[Verdict]:
        """Of each part of an exchange by itself."""
        judged = self.model.judged([text for _, text in asked])
        verdicts = []
        for (part, text), kinds, quotes, windows in zip(
            asked, judged.kinds.tolist(), judged.quotes.tolist(), judged.windows, strict=True
        ):
            found = [
                Judgement(part, HarmKind(kind), one, NAME) for kind, one in zip(self.model.kinds, kinds, strict=True)
            ]
            numbers = {str(one.kind): one.probability for one in found} | {"quotes": quotes}
            worst = max(found, key=lambda one: one.probability)
            evidence = self.model.evidence(text, worst.kind) if worst.probability >= YES else ()
            overheard(part, {NAME: numbers}, ", ".join(evidence))
            verdicts.append(
                Verdict(guard=self.version, found=tuple(found), quotes=quotes, evidence=evidence, windows=windows)
            )
        return verdicts

    def _verdict(self, parts: Sequence[Verdict]) -> Verdict | Unscreened:
        """Of a whole exchange: it quotes where all of its parts do."""
        if not parts:
            return Unscreened(reason="nothing to judge", guard=self.version)
        return Verdict(
            guard=self.version,
            found=tuple(one for part in parts for one in part.found),
            quotes=min(part.quotes or 0.0 for part in parts),
            evidence=tuple(piece for part in parts for piece in part.evidence),
            windows=max(part.windows for part in parts),
        )
