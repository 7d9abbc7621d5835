"""Incidents that moderators have reviewed -> which thresholds would have served better."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.core.reporting.figures import Entry
from bot.core.reporting.shares import MEANINGFUL


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Had the rule's threshold been `proposed`: `spared` are its incidents that moderators called wrong and that
    would not have been, `lost` those called right that would have been missed."""

    rule: str
    bar: float
    proposed: float
    wrong: int
    right: int
    spared: tuple[int, ...]
    lost: tuple[int, ...]


def advise(entries: Iterable[Entry]) -> tuple[Advice, ...]:
    """Thresholds that would have spared at least a third of what was called wrong, at the price of at most a tenth of
    what was called right."""
    judged: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.rule and entry.review and entry.bar is not None and entry.score is not None:
            judged[entry.rule].append(entry)
    return tuple(advice for rule, entries in sorted(judged.items()) if (advice := _for_rule(rule, entries)))


def _for_rule(rule: str, entries: Sequence[Entry]) -> Advice | None:
    wrong = [entry for entry in entries if entry.is_overturned]
    right = [entry for entry in entries if not entry.is_overturned]
    if len(entries) < MEANINGFUL or len(wrong) < 5:
        return None
    bar = max(entry.bar or 0.0 for entry in entries)
    best: Advice | None = None
    for proposed in (step / 100 for step in range(math.floor(bar * 100) + 1, 100)):
        spared = tuple(entry.id for entry in wrong if (entry.score or 0.0) < proposed)
        lost = tuple(entry.id for entry in right if (entry.score or 0.0) < proposed)
        if len(lost) * 10 > len(right):
            break
        if len(spared) * 3 >= len(wrong) and (best is None or len(spared) > len(best.spared)):
            best = Advice(
                rule=rule, bar=bar, proposed=proposed, wrong=len(wrong), right=len(right), spared=spared, lost=lost
            )
    return best
