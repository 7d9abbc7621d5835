"""How chat bots answered what they were asked, and the worst of their answers."""

from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar

from adapters.reports.pages.section import Section
from adapters.reports.pages.sections.bots.pairs.figures import pairs, worst_answers
from bot.core.answers.counting import PairCounts
from bot.core.guarding.verdict import as_shown
from bot.core.reporting.figures import Entry
from bot.core.reporting.shares import Share


class Pairs(Section):
    shown = staticmethod(as_shown)
    #: The columns: how the sentences call them, the part and the whole of PairCounts.
    columns: ClassVar[Mapping[str, tuple[str, str]]] = {
        "unsafe": ("unsafe", "judged"),
        "harm_answered": ("harm_answered", "harm_asked"),
        "refused": ("refused", "asked"),
        "over_refused": ("over_refused", "harmless"),
    }

    @property
    def is_shown(self) -> bool:
        return bool(self.bots)

    @cached_property
    def bots(self) -> tuple[tuple[str, PairCounts], ...]:
        return pairs(self.report.figures.pairs)

    @cached_property
    def worst(self) -> tuple[Entry, ...]:
        return worst_answers(self.report.live)

    def shares(self, counts: PairCounts) -> list[str]:
        """For each column; a dash where the guard could not tell."""
        parts = ((getattr(counts, part), getattr(counts, whole)) for part, whole in self.columns.values())
        return [self.words.share(Share(part=part, whole=whole)) if whole else "–" for part, whole in parts]

    @property
    def unsafe(self) -> str:
        """How many harmful answers, and how that has changed."""
        change, words = self.report.change(lambda totals: totals.unsafe_answers), self.words
        moved = f" {words.arrow(change)} {words.moved(change)}" if change.difference else ""
        return f"{change.now:,}{moved}" + (f" ({words.compared(change)})" if words.compared(change) else "")
