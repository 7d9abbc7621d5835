"""The period beside those before it."""

from functools import cached_property, partial

from adapters.reports.pages.charts import svg, trend
from adapters.reports.pages.section import Section


class Trend(Section):
    @property
    def title(self) -> str:
        return self.say["report.trend"]

    @property
    def is_shown(self) -> bool:
        return bool(self.report.earlier)

    @cached_property
    def chart(self) -> str:
        return svg(self.name, self.say["alternative"], partial(trend, words=self.words))
