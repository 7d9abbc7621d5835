"""What rules and guards on trial would have caught."""

from functools import cached_property

from adapters.reports.pages.section import Section
from adapters.reports.pages.sections.operation.shadow.figures import shadow
from bot.core.reporting.rankings import Line
from bot.wording.trials import trial_lines


class Shadow(Section):
    @property
    def is_shown(self) -> bool:
        return bool(self.lines or self.trials)

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        return shadow(self.report.figures.entries)

    @cached_property
    def trials(self) -> tuple[tuple[str, ...], ...]:
        """Sentences, by guard."""
        return tuple(tuple(trial_lines(one, self.words.say)) for one in self.report.figures.trials)
