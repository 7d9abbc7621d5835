"""Incidents that moderators have reviewed -> which thresholds would have served better."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bot.core.evaluation.calibration import FEWEST
from bot.core.evaluation.measures import Interval, wilson
from bot.core.reporting.figures import Entry
from bot.core.reporting.shares import MEANINGFUL
from bot.core.reporting.what_if import Scored


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


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnBar:
    """Where a rule's threshold would stand by what moderators have called of all that its kinds of harm were found in:
    `right` and `wrong` of it lie above `bar`, where it stands now. `proposed`: from there on at least the share that is
    `wanted` is right, by the lower end of its interval; None: nowhere, or too little was called. `spared` and `lost`
    are found no more there, `more` besides."""

    bar: float
    right: int
    wrong: int
    proposed: float | None = None
    spared: int = 0
    lost: int = 0
    more: int = 0

    @property
    def share(self) -> Interval | None:
        called = self.right + self.wrong
        return wilson(self.right, called) if called else None


def own_bar(bar: float, incidents: Iterable[Scored], wanted: float) -> OwnBar:
    """Nothing is proposed below what anybody has called: there nobody knows."""
    rows = [
        (one.probability, not one.wrong) for one in incidents if one.probability is not None and one.wrong is not None
    ]
    right, wrong = _called(rows, bar)
    now = OwnBar(bar=bar, right=right, wrong=wrong)
    for proposed in (step / 100 for step in range(1, 100)):
        kept, amiss = _called(rows, proposed)
        if kept + amiss < FEWEST:
            break
        if proposed >= min(score for score, _ in rows) - 0.01 and wilson(kept, kept + amiss).low >= wanted:
            lost, spared, more = right - kept, wrong - amiss, kept + amiss - right - wrong
            return replace(now, proposed=proposed, spared=max(spared, 0), lost=max(lost, 0), more=max(more, 0))
    return now


def _called(rows: Iterable[tuple[float, bool]], bar: float) -> tuple[int, int]:
    """Right and wrong, from there on."""
    among = [was_right for score, was_right in rows if score >= bar]
    return sum(among), len(among) - sum(among)


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
