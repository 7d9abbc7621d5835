"""What moderators and members thought of what was decided."""

from collections.abc import Iterable
from functools import cached_property

from adapters.reports.pages.section import Section
from adapters.reports.pages.sections.moderation.quality.figures import Opinions, opinions
from bot.core.reporting.figures import Entry


class Quality(Section):
    @property
    def is_shown(self) -> bool:
        return bool(self.report.live or self.report.figures.backlog.count)

    @cached_property
    def opinions(self) -> Opinions:
        return opinions(self.report.live)

    def traces(self, entry: Entry) -> Iterable[tuple[str, object]]:
        if entry.is_overturned:
            yield "overturned", ""
        if entry.appealed:
            yield "appealed", ""
