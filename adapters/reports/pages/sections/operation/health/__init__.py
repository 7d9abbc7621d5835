"""What went wrong, how fast decisions came, and who changed which setting."""

import math
from datetime import datetime, timedelta

from adapters.reports.pages.section import Section
from adapters.reports.pages.sections.operation.health import figures
from bot.core.communities import journal
from bot.core.communities.journal import AuditEntry, Outage
from bot.core.reporting.rankings import Line
from bot.core.rules.actions import Refused, Unconfirmed


class Health(Section):
    @property
    def is_shown(self) -> bool:
        return True

    @property
    def downtime(self) -> timedelta:
        return journal.downtime(self.report.figures.outages)

    def outage(self, outage: Outage) -> str:
        lasting = self.words.duration((outage.end or outage.begin) - outage.begin)
        return self.say("outage", begin=self.words.time(outage.begin), lasting=lasting)

    @property
    def refused(self) -> tuple[Line, ...]:
        return self.report.failed(Refused.kind)

    @property
    def unconfirmed(self) -> tuple[Line, ...]:
        return self.report.failed(Unconfirmed.kind)

    @property
    def latency(self) -> str | None:
        median, high = (figures.latency(self.report.figures, quantile) for quantile in (0.5, 0.95))
        if median is None or high is None:
            return None
        return self.say("latency_value", median=_milliseconds(median), high=_milliseconds(high))

    @property
    def cascade(self) -> str | None:
        """What a cascade of guards skipped and is thought to have missed."""
        unasked, missed = figures.unasked(self.report.figures), figures.missed(self.report.figures)
        if not unasked and not missed.whole:
            return None
        skipped = self.say("skipped_value", skipped=f"{unasked:,}")
        if not missed.whole:
            return f"{skipped} {self.say['unsampled']}"
        sentences = [skipped, self.say("sampled", sampled=f"{missed.whole:,}", missed=f"{missed.part:,}")]
        if estimate := figures.missed_unasked(self.report.figures):
            number, interval = estimate
            bounds = {"low": f"{math.floor(interval.low):,}", "high": f"{math.ceil(interval.high):,}"}
            sentences.append(self.say("missed", number=f"{number:,.0f}", **bounds))
        return " ".join(sentences)

    @property
    def stored(self) -> str | None:
        """What words are kept, and since when."""
        stored = self.report.figures.stored
        if stored.oldest is None:
            return None
        told = self.say("texts_value", number=stored.texts, oldest=self.words.time(stored.oldest))
        return f"{told}. {self.say('held', number=stored.held)}" if stored.held else told

    @property
    def policies(self) -> tuple[tuple[str, datetime, int], ...]:
        return figures.policies(self.report.figures.entries)

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
        return self.say.get(f"report.value.{setting}.{value}", value)


def _milliseconds(edge: float) -> str:
    if edge == float("inf"):
        return "> 60 s"
    return f"{edge:g} ms" if edge < 1000 else f"{edge / 1000:g} s"
