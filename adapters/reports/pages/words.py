"""A report and a language -> the words and numbers that every form of it shows."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cached_property

from markupsafe import Markup, escape

from adapters.reports.pages.names import Address, Names
from bot.core.guarding.kinds import HarmKind
from bot.core.reporting.headline import Sentence, headline
from bot.core.reporting.periods import Period, Span
from bot.core.reporting.rankings import Line
from bot.core.reporting.report import Report
from bot.core.reporting.shares import Change, Share, course, half_up
from bot.core.rules.actions import ACTIONS, Counted
from bot.core.text.catalogue import Texts

#: What actions are shown as, in the order in which they are stacked.
GROUPS = {group.value: tuple(one.kind for one in ACTIONS if one.counted is group) for group in Counted}
ARROWS = {1: "▲", -1: "▼", 0: ""}
#: Kinds of harm that are shown however few there were.
GRAVE = (
    HarmKind.SELF_HARM,
    HarmKind.THREAT,
    HarmKind.GROOMING,
    HarmKind.SEXUAL_HARASSMENT,
    HarmKind.DOXXING,
)


def percent(value: float) -> str:
    """Of 0..100, with as many digits as tell it from none and from all."""
    near = min(value, 100 - value)
    return f"{value:.{-math.floor(math.log10(near)) if 0.001 < near < 1 else 0}f}"


class Words:
    def __init__(self, report: Report, say: Texts, address: Address, *, unmasked: bool = False) -> None:
        self.report = report
        self.say = say
        self.names = Names(report, say, address, unmasked=unmasked)

    @property
    def title(self) -> str:
        return self.say[f"report.title_{self.report.period.span}"]

    @property
    def before(self) -> str:
        return self.say[f"report.before_{self.report.period.span}"]

    @property
    def dates(self) -> str:
        period = self.report.period
        dates = self.full_date(period.first)
        if period.first != period.last:
            dates = self.say("report.dates", first=dates, last=self.full_date(period.last))
        return self.say("report.so_far", dates=dates) if self.report.is_unfinished else dates

    @cached_property
    def headline(self) -> list[str]:
        said = [self._sentence(one) for one in headline(self.report)]
        if self._course:
            said[1] += f" {self._course}"
        return said

    def _sentence(self, sentence: Sentence) -> str:
        facts = {name: self.names.rule(str(fact)) if name == "rule" else fact for name, fact in sentence.facts.items()}
        return self.say(f"report.sentence.{sentence.code}", **facts, before_name=self.before)

    @property
    def _course(self) -> str:
        """Whether it has become better or worse."""
        if (shares := self.report.flagged_before) is None:
            return ""
        code = {1: "worse", 0: "alike", -1: "better"}[course(*shares)]
        now, before = (str(half_up(1000 * one.part / one.whole, 1)) for one in shares)
        return self.say(f"report.course.{code}", now=now, before=before, before_name=self.before)

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

    @property
    def about(self) -> str:
        """The heading of `about_first`."""
        return self.say["report.about" if self._is_of_kinds else "digest.by_rule"]

    @property
    def _is_of_kinds(self) -> bool:
        return any(line.count and line.name for line in self.report.kinds)

    def about_first(self, most: int) -> list[Line]:
        """What it was about, as it is called: kinds of harm where any are known, the rules otherwise. No more lines
        than that, but never without a kind that cannot wait, as long as there is room; the last is whatever of the
        incidents stands in no other."""
        named: Callable[[str], str] = self.names.kind if self._is_of_kinds else self.names.rule
        lines = self.report.kinds if self._is_of_kinds else self.report.rules
        known = [line for line in lines if line.name and (line.count or line.before)]
        first = self._first(known, most)
        if left := self._left(first):
            first = self._first(known, most - 1)
            left = self._left(first)
        said = [replace(line, name=named(line.name)) for line in first]
        before = next((line.before for line in lines if not line.name and line.incidents == left), None)
        return [*said, Line(name=self.say["report.others"], incidents=left, before=before)] if left else said

    def _first(self, lines: Sequence[Line], most: int) -> list[Line]:
        first = [line for line in lines if line.name.replace("-", "_") in GRAVE and line.count][:most]
        first += [line for line in lines if line not in first][: most - len(first)]
        return [line for line in lines if line in first]

    def _left(self, lines: Sequence[Line]) -> tuple[int, ...]:
        shown = {number for line in lines for number in line.incidents}
        return tuple(entry.id for entry in self.report.live if entry.id not in shown)

    # ---- numbers ------------------------------------------------------------------------------------------------

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

    def moved(self, change: Change) -> str:
        if change.before is None:
            return ""
        if not change.difference:
            return self.say["report.unchanged"]
        moved = f"{change.percent:+d}%" if change.percent else f"{change.difference:+,}"
        return moved.replace("-", "−")

    def compared(self, change: Change) -> str:
        if change.before is None:
            return ""
        return self.say("report.compared", before=self.before, number=f"{change.before:,}")

    @cached_property
    def stacks(self) -> list[tuple[date, dict[str, int]]]:
        """For every day the actions in the groups of GROUPS."""
        return [
            (of, {group: sum(done.get(kind, 0) for kind in kinds) for group, kinds in GROUPS.items()})
            for of, done in self.report.actions_by_day.items()
        ]

    @property
    def by_day(self) -> str:
        """What the bars of the days count: an incident may have had several actions, or none."""
        done = sum(number for _, stack in self.stacks for number in stack.values())
        return self.say("report.by_day_counted", actions=f"{done:,}", flagged=f"{self.report.totals.flagged:,}")

    @property
    def has_actions(self) -> bool:
        return any(number for _, stack in self.stacks for number in stack.values())

    def share(self, share: Share) -> str:
        if not share.whole:
            return self.say["report.no_reviews"]
        of_all, interval = share.percent, share.interval
        if of_all is None or interval is None:
            return self.say("report.share", part=share.part, whole=share.whole)
        facts = {"percent": percent(of_all), "low": percent(interval.low), "high": percent(interval.high)}
        return self.say("report.share_percent", part=share.part, whole=share.whole, **facts)

    def numbers(self, incidents: Sequence[int], most: int = 6) -> Markup:
        """The incidents behind a number, as many as fit, each leading to its card."""
        shown = Markup(" ").join(map(self.number, incidents[:most]))
        left = len(incidents) - most
        return Markup("{} {}").format(shown, self.say("report.more", count=f"{left:,}")) if left > 0 else shown

    def number(self, incident: int) -> Markup:
        """Of an incident, leading to its card."""
        return self.leading(f"#{incident}", self.names.card(incident))

    def leading(self, words: str, address: str) -> Markup:
        """A link, where there is somewhere to go."""
        return Markup('<a href="{}" rel="noreferrer">{}</a>').format(address, words) if address else escape(words)

    # ---- time ---------------------------------------------------------------------------------------------------

    def full_date(self, of: date) -> str:
        weekday = self.say["report.weekdays"][of.weekday()]
        return f"{of.month}월 {of.day}일({weekday})" if self.say.language == "ko" else f"{of:%a} {of.day} {of:%b}"

    def day(self, of: date) -> str:
        weekday = self.say["report.weekdays"][of.weekday()]
        return f"{of.month}/{of.day} {weekday}" if self.say.language == "ko" else f"{of.day} {of:%b}"

    def days(self, period: Period) -> str:
        """As short as it goes: of a day, "10/19 월"; of a week or a range, "10/19–25"; of a month, "10월"."""
        first, last, korean = period.first, period.last, self.say.language == "ko"
        if period.span is Span.MONTH:
            return f"{first.month}월" if korean else f"{first:%b}"
        if first == last:
            return self.day(first)
        is_one_month = (first.year, first.month) == (last.year, last.month)
        if korean:
            return f"{first.month}/{first.day}–{'' if is_one_month else f'{last.month}/'}{last.day}"
        return f"{first.day}{'' if is_one_month else f' {first:%b}'}–{last.day} {last:%b}"

    def time(self, moment: datetime) -> str:
        """With the year where it is not the period's."""
        local = self.report.local(moment)
        is_near = local.year in (self.report.period.first.year, self.report.period.last.year)
        return f"{local:{'' if is_near else '%Y-'}%m-%d %H:%M}"

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
