"""Which kinds of harm there were, beside the period before."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property

from adapters.reports.pages.charts import ranking_svg
from adapters.reports.pages.section import Section
from bot.core.reporting.figures import Entry


class Kinds(Section):
    @property
    def is_shown(self) -> bool:
        return bool(self.report.live and self.report.kinds)

    @cached_property
    def chart(self) -> str:
        lines = [replace(line, name=self.words.names.kind(line.name)) for line in self.report.kinds]
        return ranking_svg(self.name, lines, self.words)

    def traces(self, entry: Entry) -> Iterable[tuple[str, object]]:
        return (("kind", kind) for kind in entry.kinds)
