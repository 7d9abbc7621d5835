"""What each moderator closed, and how long that took."""

from collections.abc import Iterable
from functools import cached_property

from adapters.reports.pages.section import Section
from adapters.reports.pages.sections.moderation.moderators.figures import Load, loads
from bot.core.reporting.figures import Entry


class Moderators(Section):
    @property
    def is_shown(self) -> bool:
        return bool(self.loads)

    @cached_property
    def loads(self) -> tuple[Load, ...]:
        return loads(self.report.live)

    def traces(self, entry: Entry) -> Iterable[tuple[str, object]]:
        if entry.review:
            yield "moderator", entry.review.moderator
        if entry.is_overturned:
            yield "overturned", ""
