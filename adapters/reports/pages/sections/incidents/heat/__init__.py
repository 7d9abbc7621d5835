"""When in the week incidents were decided."""

from collections.abc import Iterable, Sequence
from functools import cached_property

from adapters.reports.pages.look import ACCENT, FAMILY
from adapters.reports.pages.section import Section
from adapters.reports.pages.sections.incidents.heat.figures import incidents_by_hour
from bot.core.reporting.figures import Entry

_SHADES = 5


class Heat(Section):
    family, accent = FAMILY, ACCENT

    @property
    def is_shown(self) -> bool:
        return bool(self.report.live)

    @cached_property
    def grid(self) -> Sequence[Sequence[tuple[int, ...]]]:
        return incidents_by_hour(self.report)

    def shade(self, count: int) -> int:
        """From 1 to _SHADES, for 1 and more."""
        return -(-_SHADES * count // self._hottest)

    @cached_property
    def _hottest(self) -> int:
        return max([1, *(len(numbers) for row in self.grid for numbers in row)])

    def traces(self, entry: Entry) -> Iterable[tuple[str, object]]:
        moment = self.report.local(entry.decided_at)
        yield "hour", f"{moment.weekday()} {moment.hour}"
