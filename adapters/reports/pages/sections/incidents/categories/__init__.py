"""Which kinds of harm the guard named, beside the period before."""

from collections.abc import Iterable
from functools import cached_property

from adapters.reports.pages.charts import ranking_svg
from adapters.reports.pages.section import Section
from bot.core.reporting.figures import Entry


class Categories(Section):
    @property
    def is_shown(self) -> bool:
        return bool(self.report.live and self.report.categories)

    @cached_property
    def chart(self) -> str:
        return ranking_svg(self.name, self.report.categories, self.words)

    def traces(self, entry: Entry) -> Iterable[tuple[str, object]]:
        return (("category", name) for name in entry.categories)
