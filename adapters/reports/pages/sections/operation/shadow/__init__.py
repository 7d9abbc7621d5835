"""What rules on trial would have caught."""

from functools import cached_property

from adapters.reports.pages.section import Section
from adapters.reports.pages.sections.operation.shadow.figures import shadow
from bot.core.reporting.rankings import Line


class Shadow(Section):
    @property
    def is_shown(self) -> bool:
        return bool(self.lines)

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        return shadow(self.report.figures.entries)
