"""The incidents one by one, the latest first; of too many those that somebody has to decide on stay."""

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

    def listed(self, *, on_paper: bool) -> Sequence[Entry]:
        most = ON_PAPER if on_paper else ON_SCREEN
        latest = self.report.live[::-1]
        pressing = [entry for entry in latest if entry.is_urgent or entry.is_objected_to][:most]
        kept = {entry.id for entry in pressing}
        kept.update(entry.id for entry in [entry for entry in latest if entry.id not in kept][: most - len(kept)])
        return [entry for entry in latest if entry.id in kept]
