"""Which kinds of harm there were, beside the period before."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property

from adapters.reports.pages.charts import ranking_svg
from adapters.reports.pages.section import Section
from bot.core.reporting.figures import Entry


class Kinds(Section):
    @property
    def is_shown(self) -> bool:
        return any(line.count and line.name for line in self.report.kinds)

    @property
    def title(self) -> str:
        return self.say["report.about"]

    def called(self, kind: str) -> str:
        return self.words.names.kind(kind) if kind else self.say["report.others"]

    @cached_property
    def chart(self) -> str:
        lines = [replace(line, name=self.called(line.name)) for line in self.report.kinds]
        return ranking_svg(self.name, lines, self.words)

    def traces(self, entry: Entry) -> Iterable[tuple[str, object]]:
        return (("kind", kind) for kind in entry.kinds or ("",))
