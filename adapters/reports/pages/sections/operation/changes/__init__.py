"""Which guards and which versions of the policy judged, and who changed which setting."""

from collections.abc import Sequence
from datetime import datetime

from adapters.reports.pages.section import Section
from adapters.reports.pages.sections.operation.changes.figures import Judging, guards, policies
from bot.core.communities.journal import AuditEntry

LONGEST = 120  # characters of a value


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
            before=self._value(setting, amendment.before),
            after=self._value(setting, amendment.after),
        )

    def _value(self, setting: str, value: str) -> str:
        if not value:
            return self.say["unset"]
        if setting == "paused_until":
            return self.words.time(datetime.fromisoformat(value))
        shown = self.say.get(f"report.value.{setting}.{value}", value)
        return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}…"
