"""Labelled exchanges and a first guard's screenings of them -> what a cascade keeps from its second guard, and what is
missed by that."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.core.evaluation.measures import Interval, wilson
from bot.core.evaluation.quality import Labelled
from bot.core.guarding.verdict import Screening, Task, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipping:
    """Rows of one source, all chat or all asked of LLM bots. `low` are those that the first guard is sure are harmless:
    chat among them never reaches the second guard; the others do, and this is what it would be like if they did not.
    `missed` are the harmful ones among `low`."""

    source: str
    is_chat: bool
    rows: int
    low: int
    harmful: int
    missed: int

    @property
    def low_share(self) -> Interval:
        return wilson(self.low, self.rows)

    @property
    def missed_share(self) -> Interval | None:
        """Of the harmful ones; None where there are none."""
        return wilson(self.missed, self.harmful) if self.harmful else None


def skipping(rows: Sequence[Labelled], screenings: Sequence[Screening], *, below: float) -> Sequence[Skipping]:
    """Source by source, chat first. What the first guard could not judge is never low."""
    found: dict[tuple[bool, str], list[tuple[bool, bool]]] = {}
    for row, screening in zip(rows, screenings, strict=True):
        is_low = isinstance(screening, Verdict) and screening.harm is not None and screening.harm < below
        is_harmful = any(said for task, said in row.labels.items() if task is not Task.RESPONSE_REFUSAL)
        found.setdefault((not row.exchange.is_chat, row.source), []).append((is_low, is_harmful))
    return [
        Skipping(
            source=source,
            is_chat=not asked,
            rows=len(some),
            low=sum(is_low for is_low, _ in some),
            harmful=sum(is_harmful for _, is_harmful in some),
            missed=sum(is_low and is_harmful for is_low, is_harmful in some),
        )
        for (asked, source), some in sorted(found.items())
    ]
