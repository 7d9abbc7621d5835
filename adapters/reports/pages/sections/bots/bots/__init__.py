"""Which chat bots had incidents, out of what each wrote."""

from collections.abc import Iterable
from functools import cached_property

from adapters.reports.pages.section import Section
from bot.core.reporting.figures import Entry
from bot.core.reporting.rankings import Line, ranking


class Bots(Section):
    @property
    def is_shown(self) -> bool:
        return bool(self.report.live or self.lines)

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        pairs = ((entry.author, entry.id) for entry in self.report.live if entry.bot)
        return ranking(pairs, whole=self.report.figures.by_bot)

    def traces(self, entry: Entry) -> Iterable[tuple[str, object]]:
        if entry.bot:
            yield "bot", entry.author
