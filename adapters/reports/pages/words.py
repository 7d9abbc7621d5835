"""A report and a language -> the words and numbers that every form of it shows, and the CSV file."""

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import ClassVar
from zoneinfo import ZoneInfo

from bot.core.answers.counting import PairCounts
from bot.core.communities.journal import Amendment, Outage
from bot.core.reporting.report import Change, Deed, Entry, Line, Report, Sentence, Share
from bot.core.rules.actions import ACTIONS, Counted
from bot.core.text.catalogue import Texts

#: What actions are shown as, in the order in which they are stacked.
GROUPS = {group.value: tuple(one.kind for one in ACTIONS if one.counted is group) for group in Counted}
ARROWS = {1: "▲", -1: "▼", 0: "–"}
_NUMBERS_SHOWN = 6


class Words:
    def __init__(self, report: Report, say: Texts, *, unmasked: bool = False) -> None:
        self.report = report
        self.say = say
        self._unmasked = unmasked
        self._zone = ZoneInfo(report.period.timezone)
        self._said: dict[tuple[Deed, ...], str] = {}  # thousands of incidents have the same few deeds

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
        facts = {name: self.rule(str(fact)) if name == "rule" else fact for name, fact in sentence.facts.items()}
        return self.say(f"report.sentence.{sentence.code}", **facts, before_name=self.before)

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
        moved = f"{change.percent:+d}%" if change.percent else f"{change.difference:+,}"
        return moved.replace("-", "−")

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

    @property
    def has_actions(self) -> bool:
        return any(number for _, stack in self.stacks for number in stack.values())

    def share(self, share: Share) -> str:
        if not share.whole:
            return self.say["report.no_reviews"]
        percent, interval = share.percent, share.interval
        if percent is None or interval is None:
            return self.say("report.share", part=share.part, whole=share.whole)
        facts = {"percent": percent, "low": interval.low, "high": interval.high}
        return self.say("report.share_percent", part=share.part, whole=share.whole, **facts)

    def part(self, number: int, of: str, whole: int) -> str:
        """How much of the step before a step of the funnel is; nothing where the whole is too small for it."""
        percent = Share(part=number, whole=whole).percent
        if percent is None:
            return ""
        shown = f"{percent:.0f}%" if percent >= 10 or not percent else f"{percent:.1f}%"
        return self.say("report.funnel_share", of=self.say[f"report.{of}"], percent=shown)

    def outage(self, outage: Outage) -> str:
        lasting = self.duration((outage.end or outage.begin) - outage.begin)
        return self.say("report.downtime_line", begin=self.time(outage.begin), lasting=lasting)

    def amendment(self, amendment: Amendment) -> str:
        setting, _, about = amendment.setting.partition(".")
        key = f"report.setting.{setting}"
        return self.say(
            "report.amendment_line",
            when=self.time(amendment.at),
            by=amendment.by or self.say["report.by_itself"],
            setting=self.say(key, rule=self.rule(about), bot=self.bot(about)) if key in self.say else amendment.setting,
            before=self._value(setting, amendment.before),
            after=self._value(setting, amendment.after),
        )

    def _value(self, setting: str, value: str) -> str:
        if not value:
            return self.say["report.unset"]
        if setting == "paused_until":
            return self.time(datetime.fromisoformat(value))
        return self.say.get(f"report.value.{setting}.{value}", value)

    @property
    def latency(self) -> str | None:
        median, high = self.report.latency(0.5), self.report.latency(0.95)
        if median is None or high is None:
            return None
        return self.say("report.health_latency_value", median=_milliseconds(median), high=_milliseconds(high))

    @property
    def cascade(self) -> str | None:
        """What a cascade of guards skipped and is thought to have missed."""
        report, missed = self.report, self.report.missed
        if not report.unasked and not missed.whole:
            return None
        skipped = self.say("report.health_skipped_value", skipped=f"{report.unasked:,}")
        if not missed.whole:
            return f"{skipped} {self.say['report.health_unsampled']}"
        facts = {"sampled": f"{missed.whole:,}", "missed": f"{missed.part:,}"}
        sentences = [skipped, self.say("report.health_sampled", **facts)]
        if estimate := report.missed_unasked:
            number, interval = estimate
            bounds = {"low": f"{math.floor(interval.low):,}", "high": f"{math.ceil(interval.high):,}"}
            sentences.append(self.say("report.health_missed", number=f"{number:,.0f}", **bounds))
        return " ".join(sentences)

    # ---- names --------------------------------------------------------------------------------------------------

    @cached_property
    def _numbers(self) -> dict[str, int]:
        authors = dict.fromkeys(entry.author for entry in self.report.figures.entries)
        return {author: number for number, author in enumerate(authors, 1)}

    @cached_property
    def _names(self) -> dict[str, str]:
        seen = {entry.author: entry.author_name or entry.author for entry in self.report.figures.entries}
        return dict(self.report.figures.bot_names) | seen

    @property
    def is_masked(self) -> bool:
        return not self._unmasked

    def member(self, author: str) -> str:
        if self._unmasked:
            return self._names.get(author, author)
        return self.say("report.member", number=self._numbers.get(author, 0))

    @cached_property
    def _channels(self) -> dict[str, str]:
        """What channels are called now; of one without an incident only the id is on record."""
        return {entry.channel: entry.channel_name for entry in self.report.figures.entries if entry.channel_name}

    def channel(self, channel: str) -> str:
        return self._channels.get(channel, channel)

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

    def rule(self, name: str) -> str:
        """The shipped rules have names in both languages, those that somebody wrote have their own."""
        return self.say.get(f"rule_name.{name}", name)

    @property
    def kinds(self) -> list[Line]:
        """Report.kinds as they are called."""
        return [replace(line, name=self.rule(line.name)) for line in self.report.kinds]

    def deeds(self, entry: Entry) -> str:
        if entry.deeds not in self._said:
            done = (
                self.action(deed.kind) + ("" if deed.is_done else f" ({self._state(deed.state)})")
                for deed in entry.deeds
            )
            self._said[entry.deeds] = " · ".join(done) or self.say["action.nothing"]
        return self._said[entry.deeds]

    def review(self, entry: Entry) -> str:
        return self.say[f"call.{entry.ruling.call}"] if entry.ruling else ""

    def numbers(self, incidents: Sequence[int]) -> str:
        """The incidents behind a number, as many as fit."""
        shown = " ".join(f"#{number}" for number in incidents[:_NUMBERS_SHOWN])
        left = len(incidents) - _NUMBERS_SHOWN
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

    def local(self, moment: datetime) -> datetime:
        return moment.astimezone(self._zone)

    def time(self, moment: datetime) -> str:
        return f"{self.local(moment):%m-%d %H:%M}"

    def duration(self, long: timedelta) -> str:
        minutes = round(long.total_seconds() / 60)
        korean = self.say.language == "ko"
        if minutes < 60:
            return f"{minutes}분" if korean else f"{minutes} min"
        if minutes < 48 * 60:
            hours, rest = divmod(minutes, 60)
            left = (f" {rest}분" if korean else f" {rest} min") if rest else ""
            return (f"{hours}시간" if korean else f"{hours} h") + left
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
            self.channel(entry.channel),
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


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_FORMULA = re.compile(r"\W*[=+\-@|%＝＋－＠]|.*[;,\t]\s*[=+\-@＝＋－＠]")


def _harmless(cells: Iterable[object]) -> list[object]:
    """No cell that a spreadsheet would take for a formula, whichever sign parts its columns."""
    texts = (_CONTROL.sub(" ", cell).strip() if isinstance(cell, str) else cell for cell in cells)
    return [f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell for cell in texts]


def _milliseconds(edge: float) -> str:
    if edge == float("inf"):
        return "> 60 s"
    return f"{edge:g} ms" if edge < 1000 else f"{edge / 1000:g} s"
