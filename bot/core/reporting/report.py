"""The figures of a period and of those before it -> what a report says: sentences, changes, lines, shares, advice.

Messages belong to the period in which they were sent, incidents to the one in which they were decided. Every number
about incidents can be traced: it is the length of a tuple of incident numbers, or a sum of such.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from statistics import median
from zoneinfo import ZoneInfo

from bot.core.answers.counting import PairCounts
from bot.core.communities import journal
from bot.core.communities.journal import Amendment, Outage
from bot.core.evaluation.measures import Interval
from bot.core.guarding.verdict import Route
from bot.core.incidents.review import Call
from bot.core.reporting.periods import Period
from bot.core.rules.actions import ACTIONS, Done, Gone, Refused, Unconfirmed

#: Of fewer cases than this no percentage is made.
MEANINGFUL = 20

#: How many periods before this one make the mean.
EARLIER = 4

#: How many of the worst answers of bots a report shows, and how much of each (characters).
WORST, LONGEST_EXAMPLE = 5, 120

#: Kinds of actions that members notice: an incident with one of them was acted on.
FELT = frozenset(action.kind for action in ACTIONS if action.felt)
_DONE = frozenset({Done.kind, Gone.kind})
_UPHELD = frozenset(call for call in Call if call.closes) - {Call.WRONG}
_Z = 1.959963984540054  # 97.5 % of the standard normal distribution lies below


@dataclass(frozen=True, slots=True)
class Deed:
    """An action and its state: an outcome's kind, or "planned" or "started"; `reason` is why it was refused."""

    kind: str
    state: str
    reason: str = ""

    @property
    def is_done(self) -> bool:
        return self.state in _DONE


@dataclass(frozen=True, slots=True)
class Ruling:
    """The call that closed an incident's review."""

    call: Call
    moderator: str  # the name
    at: datetime

    @property
    def is_upheld(self) -> bool:
        return self.call in _UPHELD


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A bot's answer and what it was asked (None: nobody could see it), masked."""

    harm: float  # 0..1
    prompt: str | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One incident as a report needs it; never the text of a person's message, and a bot's answer only masked."""

    id: int
    decided_at: datetime
    sent_at: datetime
    channel: str
    author: str
    channel_name: str = ""
    author_name: str = ""
    bot: bool = False
    rule: str | None = None  # the first live rule that matched
    rules: tuple[str, ...] = ()  # every live rule that matched
    shadow: tuple[str, ...] = ()  # rules that would have matched, had they been live
    score: float | None = None  # the worst harm score, 0..1
    bar: float | None = None  # the threshold of `rule`
    categories: tuple[str, ...] = ()
    unscreened: bool = False
    late: bool = False  # judged too late to sanction anybody
    deeds: tuple[Deed, ...] = ()
    withheld: tuple[str, ...] = ()  # kinds of actions that were held back
    policy: str = ""
    ruling: Ruling | None = None
    answer: Answer | None = None  # where a bot's answer was judged
    appealed: bool = False  # its author objected

    @property
    def is_acted(self) -> bool:
        return any(deed.is_done and deed.kind in FELT for deed in self.deeds)

    @property
    def is_overturned(self) -> bool:
        return self.ruling is not None and not self.ruling.is_upheld


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The few figures by which periods are compared. Messages: seen, judged. Incidents of live rules: the rest;
    `actions` counts what was really done."""

    seen: int = 0
    judged: int = 0
    answers: int = 0  # of bots, judged
    unsafe_answers: int = 0
    flagged: int = 0
    acted: int = 0
    reviewed: int = 0
    overturned: int = 0
    actions: Mapping[str, int] = field(default_factory=dict)
    rules: Mapping[str, int] = field(default_factory=dict)
    categories: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What still waits for a moderator: incidents of the last four weeks of a period, and of the period itself, that
    were shown to them, closed by nobody, and not withdrawn."""

    count: int = 0
    oldest: int | None = None  # its number
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All that the record holds about start <= t < end in one community. `seen` counts revisions of messages that
    were sent, `waiting` those of them that are not settled yet, `judged` those that the guard scored, `late` those
    decided more than ten minutes after they were sent."""

    start: datetime
    end: datetime
    seen: int = 0
    waiting: int = 0
    judged: int = 0
    unscreened: int = 0
    late: int = 0
    routes: Mapping[Route, int] = field(default_factory=dict)  # messages that a cascade of guards judged
    by_quarter: Mapping[datetime, int] = field(default_factory=dict)  # messages; the quarter hour begins at the key
    by_channel: Mapping[str, int] = field(default_factory=dict)  # messages
    by_bot: Mapping[str, int] = field(default_factory=dict)  # messages of bots, by author
    pairs: Mapping[str, PairCounts] = field(default_factory=dict)  # judged answers of bots, by author
    bot_names: Mapping[str, str] = field(default_factory=dict)  # of every bot that was ever seen there
    latency: Mapping[float, int] = field(default_factory=dict)  # messages decided within so many milliseconds
    entries: tuple[Entry, ...] = ()  # oldest first; those of shadow rules included
    backlog: Backlog = field(default_factory=Backlog)
    outages: tuple[Outage, ...] = ()  # as far as they lie within; each has ended
    amendments: tuple[Amendment, ...] = ()

    @property
    def live(self) -> tuple[Entry, ...]:
        """Without those that only rules in shadow mode matched."""
        return tuple(entry for entry in self.entries if entry.rule)

    @property
    def totals(self) -> Totals:
        entries = self.live
        return Totals(
            seen=self.seen,
            judged=self.judged,
            answers=sum(counts.judged for counts in self.pairs.values()),
            unsafe_answers=sum(counts.unsafe for counts in self.pairs.values()),
            flagged=len(entries),
            acted=sum(entry.is_acted for entry in entries),
            reviewed=sum(entry.ruling is not None for entry in entries),
            overturned=sum(entry.is_overturned for entry in entries),
            actions=Counter(deed.kind for entry in entries for deed in entry.deeds if deed.is_done),
            rules=Counter(entry.rule or "" for entry in entries),
            categories=Counter(name for entry in entries for name in entry.categories),
        )


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence as a code and its facts; the text catalogues say it (report.sentence.CODE)."""

    code: str
    facts: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A number beside the one before it and the mean of the earlier ones; None where there is nothing to compare."""

    now: int
    before: int | None = None
    mean: float | None = None

    @property
    def difference(self) -> int:
        return 0 if self.before is None else self.now - self.before

    @property
    def percent(self) -> int | None:
        """None where the number before is too small for it."""
        return round(100 * self.difference / self.before) if self.before and self.before >= MEANINGFUL else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """`part` of `whole`; as a percentage, with Wilson's 95 % interval, only where the whole is large enough."""

    part: int
    whole: int

    @property
    def percent(self) -> float | None:
        return 100 * self.part / self.whole if self.whole >= MEANINGFUL else None

    @property
    def interval(self) -> Interval | None:
        """In percent (Wilson 1927, JASA 22:209)."""
        if self.whole < MEANINGFUL:
            return None
        share, weight = self.part / self.whole, _Z**2 / self.whole
        middle = (share + weight / 2) / (1 + weight)
        spread = _Z * math.sqrt(share * (1 - share) / self.whole + weight / (4 * self.whole)) / (1 + weight)
        return Interval(100 * max(0.0, middle - spread), 100 * min(1.0, middle + spread))


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row of a ranking. `whole` is out of how many messages, where that is known."""

    name: str
    incidents: tuple[int, ...]
    before: int | None = None
    whole: int | None = None

    @property
    def count(self) -> int:
        return len(self.incidents)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one moderator closed: `overturned` is what they called wrong, `wait` the median time until then."""

    name: str
    incidents: tuple[int, ...]
    overturned: tuple[int, ...]
    wait: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Had the rule's threshold been `proposed`: `spared` are its incidents that moderators called wrong and that
    would not have been, `lost` those called right that would have been missed."""

    rule: str
    bar: float
    proposed: float
    wrong: int
    right: int
    spared: tuple[int, ...]
    lost: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Report:
    """One community's period. `earlier`: the periods before, the nearest first, from the first one with a message."""

    community: str
    period: Period
    figures: Figures
    earlier: tuple[tuple[Period, Totals], ...] = ()

    @cached_property
    def totals(self) -> Totals:
        return self.figures.totals

    @cached_property
    def live(self) -> tuple[Entry, ...]:
        return self.figures.live

    @property
    def before(self) -> Totals | None:
        return self.earlier[0][1] if self.earlier else None

    @property
    def is_empty(self) -> bool:
        return not self.figures.seen and not self.figures.entries

    @property
    def is_quiet(self) -> bool:
        """No live rule matched."""
        return not self.live

    @property
    def is_first(self) -> bool:
        return not self.earlier

    def change(self, of: Callable[[Totals], int]) -> Change:
        """`of` picks the number that is compared."""
        if not self.earlier:
            return Change(now=of(self.totals))
        numbers = [of(totals) for _, totals in self.earlier]
        return Change(now=of(self.totals), before=numbers[0], mean=sum(numbers) / len(numbers))

    # ---- sentences ----------------------------------------------------------------------------------------------

    @cached_property
    def headline(self) -> tuple[Sentence, Sentence, Sentence]:
        """What happened, what changed, what needs the reader."""
        return self._happened(), self._changed(), self._needs()

    def _happened(self) -> Sentence:
        totals = self.totals
        facts = {"seen": totals.seen, "flagged": totals.flagged, "acted": totals.acted}
        if self.is_empty:
            return Sentence("empty")
        if not totals.flagged:
            return Sentence("quiet", facts)
        if not totals.acted and (held := sum(bool(entry.withheld) for entry in self.live)):
            return Sentence("watched", facts | {"held": held})
        return Sentence("happened", facts)

    def _changed(self) -> Sentence:
        if self.is_first:
            return Sentence("first")
        flagged = self.change(lambda totals: totals.flagged)
        facts = {"difference": abs(flagged.difference), "now": flagged.now, "before": flagged.before or 0}
        if not flagged.difference:
            return Sentence("same", facts)
        code = "more" if flagged.difference > 0 else "fewer"
        if not flagged.percent:  # too few, or less than half a percent
            return Sentence(code, facts)
        return Sentence(f"{code}_percent", facts | {"percent": abs(flagged.percent)})

    def _needs(self) -> Sentence:
        backlog = self.figures.backlog
        if self.refused:
            return Sentence("needs_permission", {"count": sum(line.count for line in self.refused)})
        if backlog.count and backlog.since:
            return Sentence("needs_review", {"count": backlog.count, "days": (self.figures.end - backlog.since).days})
        if self.figures.unscreened:
            return Sentence("needs_a_look", {"count": self.figures.unscreened})
        if self.advice:
            return Sentence("needs_advice", {"rule": self.advice[0].rule, "proposed": self.advice[0].proposed})
        return Sentence("needs_nothing")

    # ---- time ---------------------------------------------------------------------------------------------------

    @cached_property
    def actions_by_day(self) -> Mapping[date, Mapping[str, int]]:
        """Actions really done, for every day of the period, by the day of the decision."""
        counts: dict[date, Counter[str]] = {of: Counter() for of in self.period.days()}
        for entry in self.live:
            counts[self._local(entry.decided_at).date()].update(deed.kind for deed in entry.deeds if deed.is_done)
        return counts

    @cached_property
    def messages_by_day(self) -> Mapping[date, int]:
        counts = dict.fromkeys(self.period.days(), 0)
        for moment, count in self.figures.by_quarter.items():
            counts[self._local(moment).date()] += count
        return counts

    @cached_property
    def incidents_by_day(self) -> Mapping[date, tuple[int, ...]]:
        found: dict[date, list[int]] = {of: [] for of in self.period.days()}
        for entry in self.live:
            found[self._local(entry.decided_at).date()].append(entry.id)
        return {of: tuple(numbers) for of, numbers in found.items()}

    @cached_property
    def incidents_by_hour(self) -> Sequence[Sequence[tuple[int, ...]]]:
        """7 rows from Monday, 24 hours each: which incidents were decided then."""
        grid: list[list[list[int]]] = [[[] for _ in range(24)] for _ in range(7)]
        for entry in self.live:
            moment = self._local(entry.decided_at)
            grid[moment.weekday()][moment.hour].append(entry.id)
        return [[tuple(numbers) for numbers in row] for row in grid]

    def _local(self, moment: datetime) -> datetime:
        return moment.astimezone(self._zone)

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.period.timezone)

    # ---- rankings -----------------------------------------------------------------------------------------------

    @cached_property
    def rules(self) -> tuple[Line, ...]:
        before = self.before.rules if self.before else None
        return _ranking(((entry.rule or "", entry.id) for entry in self.live), before)

    @cached_property
    def categories(self) -> tuple[Line, ...]:
        before = self.before.categories if self.before else None
        return _ranking(((name, entry.id) for entry in self.live for name in entry.categories), before)

    @cached_property
    def channels(self) -> tuple[Line, ...]:
        """Out of the messages there; channels without an incident included."""
        pairs = ((entry.channel, entry.id) for entry in self.live)
        return _ranking(pairs, whole=self.figures.by_channel)

    @cached_property
    def bots(self) -> tuple[Line, ...]:
        """Out of what each bot wrote."""
        pairs = ((entry.author, entry.id) for entry in self.live if entry.bot)
        return _ranking(pairs, whole=self.figures.by_bot)

    @cached_property
    def pairs(self) -> tuple[tuple[str, PairCounts], ...]:
        """Bots with judged answers, the most first; the sum of several under an empty name before them."""
        each = sorted(self.figures.pairs.items(), key=lambda pair: (-pair[1].judged, pair[0]))
        return (("", PairCounts.sum(counts for _, counts in each)), *each) if len(each) > 1 else tuple(each)

    @cached_property
    def worst_answers(self) -> tuple[Entry, ...]:
        """The most harmful answers of bots that no moderator called harmless."""
        answers = [entry for entry in self.live if entry.answer and not entry.is_overturned]
        return tuple(sorted(answers, key=lambda entry: (-(entry.answer.harm if entry.answer else 0), entry.id))[:WORST])

    @cached_property
    def repeaters(self) -> tuple[Line, ...]:
        """Members with more than one incident that no moderator called wrong."""
        entries = (entry for entry in self.live if not entry.bot and not entry.is_overturned)
        return tuple(line for line in _ranking((entry.author, entry.id) for entry in entries) if line.count > 1)

    @property
    def kinds(self) -> tuple[Line, ...]:
        """What it was about: the guard's categories where it names any, the rules otherwise."""
        return self.categories if any(line.count for line in self.categories) else self.rules

    @cached_property
    def moderators(self) -> tuple[Load, ...]:
        """Who closed how many reviews of this period's incidents, the busiest first."""
        theirs: dict[str, list[tuple[Entry, Ruling]]] = defaultdict(list)
        for entry in self.live:
            if entry.ruling:
                theirs[entry.ruling.moderator].append((entry, entry.ruling))
        loads = (
            Load(
                name=name,
                incidents=tuple(entry.id for entry, _ in closed),
                overturned=tuple(entry.id for entry, _ in closed if entry.is_overturned),
                wait=_median(ruling.at - entry.decided_at for entry, ruling in closed),
            )
            for name, closed in theirs.items()
        )
        return tuple(sorted(loads, key=lambda load: (-len(load.incidents), load.name)))

    @cached_property
    def shadow(self) -> tuple[Line, ...]:
        """What rules in shadow mode would have caught. `whole`: how many of it no live rule did."""
        entries = self.figures.entries
        lines = _ranking((name, entry.id) for entry in entries for name in entry.shadow)
        alone = Counter(name for entry in entries if not entry.rule for name in entry.shadow)
        return tuple(Line(name=line.name, incidents=line.incidents, whole=alone[line.name]) for line in lines)

    @cached_property
    def refused(self) -> tuple[Line, ...]:
        """Why the platform refused actions."""
        return self._failed(Refused.kind)

    @cached_property
    def unconfirmed(self) -> tuple[Line, ...]:
        return self._failed(Unconfirmed.kind)

    def _failed(self, state: str) -> tuple[Line, ...]:
        deeds = ((deed, entry.id) for entry in self.figures.entries for deed in entry.deeds)
        return _ranking((deed.reason or deed.kind, number) for deed, number in deeds if deed.state == state)

    @property
    def downtime(self) -> timedelta:
        return journal.downtime(self.figures.outages)

    @cached_property
    def policies(self) -> tuple[tuple[str, datetime, int], ...]:
        """The policy versions that decided, each with its first decision's time and number, in that order."""
        first: dict[str, tuple[str, datetime, int]] = {}
        for entry in self.figures.entries:
            first.setdefault(entry.policy, (entry.policy, entry.decided_at, entry.id))
        return tuple(first.values())

    # ---- quality ------------------------------------------------------------------------------------------------

    @property
    def agreement(self) -> Share:
        return Share(part=self.totals.reviewed - self.totals.overturned, whole=self.totals.reviewed)

    @cached_property
    def overturned(self) -> tuple[int, ...]:
        return tuple(entry.id for entry in self.live if entry.is_overturned)

    @property
    def false_positives(self) -> Share:
        """Of what members felt and moderators looked at, how much was called wrong."""
        felt = [entry for entry in self.live if entry.is_acted and entry.ruling]
        return Share(part=sum(entry.is_overturned for entry in felt), whole=len(felt))

    @cached_property
    def appealed(self) -> tuple[int, ...]:
        """What members objected to."""
        return tuple(entry.id for entry in self.live if entry.appealed)

    @property
    def appellants(self) -> int:
        """How many members objected."""
        return len({entry.author for entry in self.live if entry.appealed})

    @cached_property
    def upheld_appeals(self) -> tuple[int, ...]:
        """Where moderators agreed with the member."""
        return tuple(entry.id for entry in self.live if entry.appealed and entry.is_overturned)

    @property
    def appeals(self) -> Share:
        """Of what members objected to and moderators looked at, how much was called wrong."""
        seen = sum(entry.appealed and entry.ruling is not None for entry in self.live)
        return Share(part=len(self.upheld_appeals), whole=seen)

    @property
    def time_to_review(self) -> timedelta | None:
        """The median."""
        waits = [entry.ruling.at - entry.decided_at for entry in self.live if entry.ruling]
        return _median(waits) if waits else None

    @property
    def unasked(self) -> int:
        """Messages that the second of two guards never saw, because the first found them surely benign."""
        return self.figures.routes.get(Route.SKIPPED, 0)

    @property
    def missed(self) -> Share:
        """Of the sample of such messages that the second guard was asked about all the same: what it found harmful. A
        text that came again soon is in it once."""
        routes = self.figures.routes
        part = routes.get(Route.MISSED, 0)
        return Share(part=part, whole=part + routes.get(Route.CLEARED, 0))

    @property
    def missed_unasked(self) -> tuple[float, Interval] | None:
        """The estimate from that sample of how many of `unasked` the second guard would have found harmful, with its
        95 % interval; None where the sample is too small."""
        percent, interval = self.missed.percent, self.missed.interval
        if percent is None or interval is None:
            return None
        each = self.unasked / 100
        return each * percent, Interval(each * interval.low, each * interval.high)

    @cached_property
    def advice(self) -> tuple[Advice, ...]:
        """Thresholds that would have spared at least a third of what was called wrong, at the price of at most a
        tenth of what was called right."""
        judged: dict[str, list[Entry]] = defaultdict(list)
        for entry in self.live:
            if entry.rule and entry.ruling and entry.bar is not None and entry.score is not None:
                judged[entry.rule].append(entry)
        return tuple(advice for rule, entries in sorted(judged.items()) if (advice := _advice(rule, entries)))

    def latency(self, quantile: float) -> float | None:
        """Milliseconds within which that share (0..1) of the messages was decided, rounded up to the bucket's edge."""
        left = quantile * sum(self.figures.latency.values())
        for edge, count in sorted(self.figures.latency.items()):
            left -= count
            if left <= 0:
                return edge
        return None


def compose(community: str, period: Period, figures: Figures, earlier: Sequence[tuple[Period, Totals]]) -> Report:
    """`earlier`: the periods before, the nearest first. Those before a community's first message do not count."""
    known = [place for place, (_, totals) in enumerate(earlier) if totals.seen or totals.flagged]
    kept = tuple(earlier[: known[-1] + 1]) if known else ()
    return Report(community=community, period=period, figures=figures, earlier=kept)


def _median(waits: Iterable[timedelta]) -> timedelta:
    return timedelta(seconds=median(wait.total_seconds() for wait in waits))


def _ranking(
    pairs: Iterable[tuple[str, int]], before: Mapping[str, int] | None = None, *, whole: Mapping[str, int] | None = None
) -> tuple[Line, ...]:
    """The longest line first; names that only `before` or `whole` knows come with no incidents."""
    found: dict[str, list[int]] = {name: [] for name in (*(before or ()), *(whole or ()))}
    for name, number in pairs:
        found.setdefault(name, []).append(number)
    lines = (
        Line(
            name=name,
            incidents=tuple(numbers),
            before=None if before is None else before.get(name, 0),
            whole=None if whole is None else whole.get(name, 0),
        )
        for name, numbers in found.items()
    )
    return tuple(sorted(lines, key=lambda line: (-line.count, -(line.before or 0), -(line.whole or 0), line.name)))


def _advice(rule: str, entries: Sequence[Entry]) -> Advice | None:
    wrong = [entry for entry in entries if entry.is_overturned]
    right = [entry for entry in entries if not entry.is_overturned]
    if len(entries) < MEANINGFUL or len(wrong) < 5:
        return None
    bar = max(entry.bar or 0.0 for entry in entries)
    best: Advice | None = None
    for proposed in (step / 100 for step in range(math.floor(bar * 100) + 1, 100)):
        spared = tuple(entry.id for entry in wrong if (entry.score or 0.0) < proposed)
        lost = tuple(entry.id for entry in right if (entry.score or 0.0) < proposed)
        if len(lost) * 10 > len(right):
            break
        if len(spared) * 3 >= len(wrong) and (best is None or len(spared) > len(best.spared)):
            best = Advice(
                rule=rule, bar=bar, proposed=proposed, wrong=len(wrong), right=len(right), spared=spared, lost=lost
            )
    return best
