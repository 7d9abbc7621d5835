"""A report and a language -> the words and numbers that every form of it shows, and the CSV file."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import ClassVar
from zoneinfo import ZoneInfo

from bot.domain.pairs import PairCounts
from bot.domain.report import Change, Entry, Line, Report, Sentence, Share
from bot.texts import Texts

#: What actions are shown as, in the order in which they are stacked.
GROUPS = {
    "delete": ("delete",),
    "sanction": ("warn", "timeout", "kick", "ban"),
    "escalate": ("escalate",),
    "flag": ("flag",),
}
ARROWS = {1: "▲", -1: "▼", 0: "–"}
_NUMBERS_SHOWN = 6


class Words:
    def __init__(self, report: Report, say: Texts, *, unmasked: bool = False) -> None:
        self.report = report
        self.say = say
        self._unmasked = unmasked
        self._zone = ZoneInfo(report.period.timezone)

    # ---- the whole ----------------------------------------------------------------------------------------------

    @property
    def title(self) -> str:
        return self.say[f"report.title_{self.report.period.span}"]

    @property
    def before(self) -> str:
        return self.say[f"report.before_{self.report.period.span}"]

    @property
    def dates(self) -> str:
        period = self.report.period
        if period.first == period.last:
            return self.full_date(period.first)
        return self.say("report.dates", first=self.full_date(period.first), last=self.full_date(period.last))

    @cached_property
    def headline(self) -> list[str]:
        return [self.sentence(sentence) for sentence in self.report.headline]

    def sentence(self, sentence: Sentence) -> str:
        return self.say(f"report.sentence.{sentence.code}", **sentence.facts, before_name=self.before)

    @property
    def alternative(self) -> dict[str, str]:
        """The facts of the picture's alternative text."""
        totals = self.report.totals
        return {
            "title": self.title,
            "dates": self.dates,
            "seen": f"{totals.seen:,}",
            "flagged": f"{totals.flagged:,}",
            "acted": f"{totals.acted:,}",
        }

    # ---- figures ------------------------------------------------------------------------------------------------

    @cached_property
    def figures(self) -> list[tuple[str, Change]]:
        """The headline figures, with what they are called."""
        report = self.report
        return [
            (self.say["report.seen"], report.change(lambda totals: totals.seen)),
            (self.say["report.flagged"], report.change(lambda totals: totals.flagged)),
            (self.say["report.acted"], report.change(lambda totals: totals.acted)),
            (self.say["report.reviewed"], report.change(lambda totals: totals.reviewed)),
        ]

    def arrow(self, change: Change) -> str:
        return ARROWS[(change.difference > 0) - (change.difference < 0)]

    def direction(self, change: Change) -> str:
        """What the arrow means, for those who cannot see it."""
        name = {1: "up", -1: "down", 0: "level"}[(change.difference > 0) - (change.difference < 0)]
        return self.say[f"report.{name}"]

    def moved(self, change: Change) -> str:
        if change.before is None:
            return ""
        return f"{change.percent:+d}%" if change.percent else f"{change.difference:+,}"

    def compared(self, change: Change) -> str:
        if change.before is None:
            return self.say["report.no_before"]
        return self.say("report.compared", before=self.before, number=f"{change.before:,}")

    def mean(self, change: Change) -> str:
        if change.mean is None or len(self.report.earlier) < 2:
            return ""
        mean = f"{change.mean:,.0f}" if change.mean >= 10 else f"{change.mean:,.1f}"
        return self.say("report.mean", count=len(self.report.earlier), mean=mean)

    @cached_property
    def stacks(self) -> list[tuple[date, dict[str, int]]]:
        """For every day the actions in the groups of GROUPS."""
        return [
            (of, {group: sum(done.get(kind, 0) for kind in kinds) for group, kinds in GROUPS.items()})
            for of, done in self.report.actions_by_day.items()
        ]

    def share(self, share: Share) -> str:
        if not share.whole:
            return self.say["report.no_reviews"]
        percent, interval = share.percent, share.interval
        if percent is None or interval is None:
            return self.say("report.share", part=share.part, whole=share.whole)
        facts = {"percent": percent, "low": interval.low, "high": interval.high}
        return self.say("report.share_percent", part=share.part, whole=share.whole, **facts)

    @property
    def latency(self) -> str | None:
        median, high = self.report.latency(0.5), self.report.latency(0.95)
        if median is None or high is None:
            return None
        return self.say("report.health_latency_value", median=_milliseconds(median), high=_milliseconds(high))

    # ---- names --------------------------------------------------------------------------------------------------

    @cached_property
    def _numbers(self) -> dict[str, int]:
        authors = dict.fromkeys(entry.author for entry in self.report.figures.entries)
        return {author: number for number, author in enumerate(authors, 1)}

    @cached_property
    def _names(self) -> dict[str, str]:
        seen = {entry.author: entry.author_name or entry.author for entry in self.report.figures.entries}
        return dict(self.report.figures.bot_names) | seen

    def member(self, author: str) -> str:
        if self._unmasked:
            return self._names.get(author, author)
        return self.say("report.member", number=self._numbers.get(author, 0))

    def bot(self, author: str) -> str:
        """Bots have nothing to hide."""
        return self._names.get(author, author)

    #: The columns of the pairs: how the texts call them, the part and the whole of PairCounts.
    PAIRS: ClassVar[dict[str, tuple[str, str]]] = {
        "unsafe": ("unsafe", "judged"),
        "answered": ("harm_answered", "harm_asked"),
        "refused": ("refused", "asked"),
        "over": ("over_refused", "harmless"),
    }

    def pair_shares(self, counts: PairCounts) -> list[str]:
        """For each of PAIRS; a dash where the guard could not tell."""
        parts = ((getattr(counts, part), getattr(counts, whole)) for part, whole in self.PAIRS.values())
        return [self.share(Share(part=part, whole=whole)) if whole else "–" for part, whole in parts]

    @property
    def unsafe_answers(self) -> str:
        """How many, and how that has changed."""
        change = self.report.change(lambda totals: totals.unsafe_answers)
        return f"{change.now:,} {self.arrow(change)} {self.moved(change)} ({self.compared(change)})"

    def action(self, kind: str) -> str:
        return self.say[f"action.{kind}"]

    def deeds(self, entry: Entry) -> str:
        done = [
            self.action(deed.kind) + ("" if deed.is_done else f" ({self._state(deed.state)})") for deed in entry.deeds
        ]
        return " · ".join(done) or self.say["action.nothing"]

    def review(self, entry: Entry) -> str:
        return self.say[f"call.{entry.ruling.call}"] if entry.ruling else ""

    def numbers(self, line: Line) -> str:
        """The incidents behind a number, as many as fit."""
        shown = " ".join(f"#{number}" for number in line.incidents[:_NUMBERS_SHOWN])
        left = line.count - _NUMBERS_SHOWN
        return f"{shown} {self.say('report.more', count=f'{left:,}')}" if left > 0 else shown

    def _state(self, state: str) -> str:
        return self.say["outcome.planned" if state == "started" else f"outcome.{state}"]

    # ---- time ---------------------------------------------------------------------------------------------------

    def full_date(self, of: date) -> str:
        weekday = self.say["report.weekdays"][of.weekday()]
        return f"{of.month}월 {of.day}일({weekday})" if self.say.language == "ko" else f"{of:%a} {of.day} {of:%b}"

    def day(self, of: date) -> str:
        weekday = self.say["report.weekdays"][of.weekday()]
        return f"{of.month}/{of.day} {weekday}" if self.say.language == "ko" else f"{of.day} {of:%b}"

    def time(self, moment: datetime) -> str:
        return f"{moment.astimezone(self._zone):%m-%d %H:%M}"

    def duration(self, long: timedelta) -> str:
        minutes = round(long.total_seconds() / 60)
        korean = self.say.language == "ko"
        if minutes < 60:
            return f"{minutes}분" if korean else f"{minutes} min"
        if minutes < 48 * 60:
            return f"{minutes / 60:.1f}시간" if korean else f"{minutes / 60:.1f} h"
        return f"{minutes / 1440:.1f}일" if korean else f"{minutes / 1440:.1f} days"

    # ---- the file -----------------------------------------------------------------------------------------------

    def csv(self) -> str:
        """Every incident, those of rules on trial included, one a row; never a message's text."""
        names = "number decided sent channel member rule score bar categories actions withheld review moderator shadow"
        stream = io.StringIO()
        writer = csv.writer(stream)
        writer.writerow([self.say[f"report.csv_{name}"] for name in names.split()])
        for entry in self.report.figures.entries:
            writer.writerow(_harmless(self._cells(entry)))
        return stream.getvalue()

    def _cells(self, entry: Entry) -> Sequence[object]:
        return (
            entry.id,
            entry.decided_at.astimezone(self._zone).isoformat(" ", "seconds"),
            entry.sent_at.astimezone(self._zone).isoformat(" ", "seconds"),
            entry.channel,
            self.bot(entry.author) if entry.bot else self.member(entry.author),
            " ".join(entry.rules),
            "" if entry.score is None else f"{entry.score:.3f}",
            "" if entry.bar is None else f"{entry.bar:.3f}",
            " ".join(entry.categories),
            self.deeds(entry),
            " · ".join(map(self.action, entry.withheld)),
            self.review(entry),
            entry.ruling.moderator if entry.ruling else "",
            " ".join(entry.shadow),
        )


def _harmless(cells: Iterable[object]) -> list[object]:
    """No cell that a spreadsheet would take for a formula."""
    return [f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t") else cell for cell in cells]


def _milliseconds(edge: float) -> str:
    if edge == float("inf"):
        return "> 60 s"
    return f"{edge:g} ms" if edge < 1000 else f"{edge / 1000:g} s"
