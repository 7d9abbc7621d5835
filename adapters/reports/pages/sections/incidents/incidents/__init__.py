"""The incidents one by one, the latest first."""

from collections.abc import Sequence

from adapters.reports.pages.section import Section
from bot.core.reporting.figures import Entry

#: How many a page lists; the CSV file has all of them.
ON_SCREEN, ON_PAPER = 500, 34


class Incidents(Section):
    is_long = True

    @property
    def is_shown(self) -> bool:
        return bool(self.report.live)

    def latest(self, *, on_paper: bool) -> Sequence[Entry]:
        return self.report.live[::-1][: ON_PAPER if on_paper else ON_SCREEN]
