"""Which guards and which versions of the policy judged, and who changed which setting."""

from collections.abc import Sequence
from datetime import datetime

from adapters.reports.pages.section import Section
from adapters.reports.pages.sections.operation.changes.figures import Judging, guards, policies
from bot.core.communities.journal import AuditEntry
from bot.wording.changes import value_line


class Changes(Section):
    @property
    def is_shown(self) -> bool:
        return bool(self.report.figures.entries or self.report.figures.amendments)

    @property
    def guards(self) -> Sequence[str]:
        return [self._guard(one) for one in guards(self.report.figures.entries)]

    def _guard(self, judging: Judging) -> str:
        guard = judging.guard
        facts = {
            "name": guard.name,
            "model": f" {guard.model}" if guard.model else "",
            "calibrated": self.say["calibrated" if guard.calibration else "raw"],
            "when": self.words.time(judging.since),
            "count": f"{judging.incidents:,}",
        }
        return self.say("guard", **facts)

    @property
    def policies(self) -> Sequence[tuple[str, datetime, int]]:
        return policies(self.report.figures.entries)

    def amendment(self, amendment: AuditEntry) -> str:
        setting, _, about = amendment.setting.partition(".")
        key, names = f"report.setting.{setting}", self.words.names
        known = key in self.say
        return self.say(
            "amendment",
            when=self.words.time(amendment.at),
            by=amendment.by or self.say["by_itself"],
            setting=self.say(key, rule=names.rule(about), bot=names.bot(about)) if known else amendment.setting,
            before=self._value(setting, amendment.before, amendment.at),
            after=self._value(setting, amendment.after, amendment.at),
        )

    def _value(self, setting: str, value: str, at: datetime) -> str:
        return value_line(setting, value, self.say, self.report.period.timezone, at)
