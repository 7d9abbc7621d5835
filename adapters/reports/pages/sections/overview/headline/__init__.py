"""The three sentences, and the headline figures beside those before."""

from collections.abc import Iterable

from adapters.reports.pages.section import Section
from bot.core.reporting.figures import Entry
from bot.core.reporting.periods import Span
from bot.core.reporting.shares import Change, half_up

MEANS = {Span.DAY: "mean_day", Span.WEEK: "mean_week", Span.MONTH: "mean_month", Span.RANGE: "mean_range"}


class Headline(Section):
    #: What each of the headline figures counts, as `traces` names it; "": no incidents.
    traced = ("", "flagged", "acted", "reviewed")

    @property
    def title(self) -> str:
        return self.words.headline[0]

    @property
    def is_shown(self) -> bool:
        return True

    def direction(self, change: Change) -> str:
        """What the arrow means, for those who cannot see it; nothing where there is none."""
        return self.say["up" if change.difference > 0 else "down"] if change.difference else ""

    def mean(self, change: Change) -> str:
        if change.mean is None or len(self.report.earlier) < 2:
            return ""
        mean = f"{half_up(change.mean, 0 if change.mean >= 10 else 1):,}"
        return self.say(MEANS[self.report.period.span], count=len(self.report.earlier), mean=mean)

    def traces(self, entry: Entry) -> Iterable[tuple[str, object]]:
        yield "flagged", ""
        if entry.is_acted:
            yield "acted", ""
        if entry.review:
            yield "reviewed", ""
