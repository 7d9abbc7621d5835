"""What the record holds about a period, as reports need it: counts of messages, and its incidents one by one.

Messages belong to the period in which they were sent, incidents to the one in which they were decided. Every number
about incidents can be traced: it is the length of a tuple of incident numbers, or a sum of such.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.core.answers.counting import PairCounts
from bot.core.communities.journal import AuditEntry, Outage
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import GuardVersion, Route
from bot.core.incidents.case import Look
from bot.core.incidents.review import Call
from bot.core.rules.actions import ACTIONS, Done, Escalate, Gone
from bot.core.rules.difference import Difference

#: How much of an answer of a bot an incident shows (characters).
LONGEST_EXAMPLE = 120

#: Kinds of actions that members notice: an incident with one of them was acted on.
USER_VISIBLE = frozenset(action.kind for action in ACTIONS if action.user_visible)
_CARRIED = timedelta(weeks=4)
_DONE = frozenset({Done.kind, Gone.kind})
_UPHELD = frozenset(call for call in Call if call.closes) - {Call.WRONG}


def carried_since(start: datetime, end: datetime) -> datetime:
    """From when on what waits is carried along to the end of a period."""
    return min(start, end - _CARRIED)


@dataclass(frozen=True, slots=True)
class ActionRecord:
    """An action and its state: an outcome's kind, or "planned" or "started"; `reason` is why it was refused."""

    kind: str
    state: str
    reason: str = ""

    @property
    def is_done(self) -> bool:
        return self.state in _DONE


@dataclass(frozen=True, slots=True)
class ReviewOutcome:
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

    id: int  # the number of its case
    decided_at: datetime
    sent_at: datetime
    channel: str
    author: str
    message: str = ""  # the platform's id
    card: str = ""  # of moderators: channel and message, with a slash between; "": none
    channel_name: str = ""
    author_name: str = ""
    bot: bool = False
    rule: str | None = None  # the first live rule that matched
    rules: tuple[str, ...] = ()  # every live rule that matched
    shadow: tuple[str, ...] = ()  # rules that would have matched, had they been live
    score: float | None = None  # the worst harm score, 0..1
    bar: float | None = None  # the threshold of `rule`
    kinds: tuple[HarmKind, ...] = ()
    unscreened: bool = False
    late: bool = False  # judged too late to sanction anybody
    actions: tuple[ActionRecord, ...] = ()
    withheld: tuple[str, ...] = ()  # kinds of actions that were held back
    policy: str = ""
    guard: GuardVersion | None = None
    review: ReviewOutcome | None = None
    answer: Answer | None = None  # where a bot's answer was judged
    appealed: bool = False  # its author objected

    @property
    def is_acted(self) -> bool:
        return any(action.is_done and action.kind in USER_VISIBLE for action in self.actions)

    @property
    def is_overturned(self) -> bool:
        return self.review is not None and not self.review.is_upheld

    @property
    def is_urgent(self) -> bool:
        """Somebody was called, and nobody has decided."""
        return self.review is None and any(one.kind == Escalate.kind and one.is_done for one in self.actions)

    @property
    def is_objected_to(self) -> bool:
        """And nobody has decided."""
        return self.review is None and self.appealed


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
    kinds: Mapping[str, int] = field(default_factory=dict)  # under an empty name what is of none


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What still waits for a moderator: incidents of the last four weeks of a period, and of the period itself, that
    were shown to them, closed by nobody, and not withdrawn."""

    count: int = 0
    oldest: int | None = None  # its number
    card: str = ""  # of the oldest: as of an `Entry`
    since: datetime | None = None
    asked_at: datetime | None = None

    def days(self, end: datetime) -> int:
        """How many the oldest has waited for by the end of the period, or by now, where that is still to come."""
        until = min(end, self.asked_at or end)
        return max(0, (until - self.since).days) if self.since else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """How often a moderator has looked at what is on record about members."""

    moderator: str  # the name, or the id where none is known
    looks: Mapping[Look, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialFigures:
    """Messages that a guard on trial judged, too, or for which there was no time; those of which something else would
    have become, by kind of harm; and incidents among these that moderators have called wrong, and right."""

    guard: str
    judged: int
    passed_over: int
    counts: Mapping[Difference, Mapping[HarmKind, int]]
    wrong: Mapping[Difference, int]
    right: Mapping[Difference, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The incidents whose words are still there: how many, since when, and how many of them are held as evidence."""

    texts: int = 0
    oldest: datetime | None = None
    held: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All that the record holds about start <= t < end in one community. `seen` counts revisions of messages that
    were sent, `waiting` those of them that are not settled yet, `judged` those that the guard scored, `late` those
    decided more than ten minutes after they were sent."""

    start: datetime
    end: datetime
    at: datetime | None = None  # when this was read
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
    amendments: tuple[AuditEntry, ...] = ()
    stored: Stored = field(default_factory=Stored)  # now, whatever the period
    looks: tuple[Looking, ...] = ()  # by moderator, who looked most first
    trials: tuple[TrialFigures, ...] = ()  # of guards

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
            reviewed=sum(entry.review is not None for entry in entries),
            overturned=sum(entry.is_overturned for entry in entries),
            actions=Counter(action.kind for entry in entries for action in entry.actions if action.is_done),
            rules=Counter(entry.rule or "" for entry in entries),
            kinds=Counter(str(kind) for entry in entries for kind in entry.kinds or ("",)),
        )
