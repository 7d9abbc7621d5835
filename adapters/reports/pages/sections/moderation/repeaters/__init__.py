"""Members with several incidents."""

from collections.abc import Iterable, Sequence
from functools import cached_property

from adapters.reports.pages.section import Section
from adapters.reports.pages.sections.moderation.repeaters.figures import repeaters
from bot.core.reporting.figures import Entry
from bot.core.reporting.rankings import Line

_MOST = 10


class Repeaters(Section):
    @property
    def is_shown(self) -> bool:
        return bool(self.report.live)

    @cached_property
    def lines(self) -> Sequence[Line]:
        return repeaters(self.report.live)[:_MOST]

    def traces(self, entry: Entry) -> Iterable[tuple[str, object]]:
        if not entry.bot and not entry.is_overturned:
            yield "member", entry.author
