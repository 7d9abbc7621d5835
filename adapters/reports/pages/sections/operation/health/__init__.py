"""What went wrong, how fast decisions came, and what is kept."""

import math
from datetime import timedelta

from adapters.reports.pages.section import Section
from adapters.reports.pages.sections.operation.health import figures
from bot.core.communities import journal
from bot.core.communities.journal import Outage
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


def _milliseconds(edge: float) -> str:
    if edge == float("inf"):
        return "> 60 s"
    return f"{edge:g} ms" if edge < 1000 else f"{edge / 1000:g} s"
