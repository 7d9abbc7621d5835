"""What was done on each day, or how much was written where nothing was."""

from collections.abc import Iterable, Mapping
from datetime import date
from functools import cached_property, partial

from adapters.reports.pages.charts import by_day, messages_by_day, svg
from adapters.reports.pages.section import Section
from adapters.reports.pages.sections.overview.days.figures import incidents_by_day
from adapters.reports.pages.words import GROUPS
from bot.core.reporting.figures import Entry


class Days(Section):
    groups = tuple(GROUPS)

    @property
    def title(self) -> str:
        return self.say["report.by_day" if self.words.has_actions else "report.messages_by_day"]

    @property
    def is_shown(self) -> bool:
        return True

    @cached_property
    def chart(self) -> str:
        if self.words.has_actions:
            return svg(self.name, self.say["alternative"], partial(by_day, words=self.words))
        if len(self.report.messages_by_day) > 1:
            return svg(self.name, self.say["report.messages_by_day"], partial(messages_by_day, words=self.words))
        return ""

    @cached_property
    def incidents(self) -> Mapping[date, tuple[int, ...]]:
        return incidents_by_day(self.report)

    def traces(self, entry: Entry) -> Iterable[tuple[str, object]]:
        yield "day", self.report.local(entry.decided_at).date()
        done = {action.kind for action in entry.actions if action.is_done}
        yield from (("kind", group) for group, kinds in GROUPS.items() if done & set(kinds))
