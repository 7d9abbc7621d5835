"""Where incidents happened, out of the messages there."""

from collections.abc import Iterable, Sequence

from adapters.reports.pages.section import Section
from bot.core.reporting.figures import Entry
from bot.core.reporting.rankings import Line, ranking

_MOST = 12


class Channels(Section):
    @property
    def is_shown(self) -> bool:
        return True

    @property
    def lines(self) -> Sequence[Line]:
        """Channels without an incident included."""
        pairs = ((entry.channel, entry.id) for entry in self.report.live)
        return ranking(pairs, whole=self.report.figures.by_channel)[:_MOST]

    def traces(self, entry: Entry) -> Iterable[tuple[str, object]]:
        yield "channel", entry.channel
