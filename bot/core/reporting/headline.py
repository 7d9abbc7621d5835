"""A report -> its three sentences: what happened, what changed, what needs the reader."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.core.reporting.report import Report


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence as a code and its facts; the text catalogues say it (report.sentence.CODE)."""

    code: str
    facts: Mapping[str, str | int | float] = field(default_factory=dict)


def headline(report: Report) -> tuple[Sentence, ...]:
    """What there is none of makes no sentence."""
    if report.is_ahead:
        return (Sentence("ahead"),)
    if report.is_empty:
        return Sentence("empty"), _needs(report)
    return _happened(report), _changed(report), _needs(report)


def _happened(report: Report) -> Sentence:
    totals = report.totals
    facts = {"seen": totals.seen, "flagged": totals.flagged, "acted": totals.acted}
    if not totals.flagged:
        return Sentence("quiet", facts)
    if not totals.acted and (held := sum(bool(entry.withheld) for entry in report.live)):
        return Sentence("watched", facts | {"held": held})
    return Sentence("happened" if totals.acted else "untouched", facts)


def _changed(report: Report) -> Sentence:
    if report.is_first:
        return Sentence("first")
    if report.is_unfinished:
        return Sentence("unfinished")
    flagged = report.change(lambda totals: totals.flagged)
    facts = {"difference": abs(flagged.difference), "now": flagged.now, "before": flagged.before or 0}
    if not flagged.difference:
        return Sentence("same", facts)
    code = "more" if flagged.difference > 0 else "fewer"
    if not flagged.percent:  # too few, or less than half a percent
        return Sentence(code, facts)
    return Sentence(f"{code}_percent", facts | {"percent": abs(flagged.percent)})


def _needs(report: Report) -> Sentence:
    backlog = report.figures.backlog
    if report.refused:
        return Sentence("needs_permission", {"count": report.refused})
    if report.unshown:
        return Sentence("needs_room", {"count": report.unshown})
    if backlog.count and backlog.since:
        days = backlog.days(report.figures.end)
        return Sentence("needs_review" if days else "needs_review_new", {"count": backlog.count, "days": days})
    if report.figures.unscreened:
        return Sentence("needs_a_look", {"count": report.figures.unscreened})
    if report.advice:
        return Sentence("needs_advice", {"rule": report.advice[0].rule, "proposed": report.advice[0].proposed})
    return Sentence("needs_nothing")
