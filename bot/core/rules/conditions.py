"""What a rule may ask about a message: typed conditions, each of which says why it does or does not hold."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property, lru_cache
from itertools import chain
from types import MappingProxyType
from typing import NamedTuple, Protocol

from bot.core.answers.bot import Bot
from bot.core.chat.links import host_of
from bot.core.chat.message import Kind, LinkKind, Message, Pairing
from bot.core.guarding.verdict import YES, Screening, Task, Unscreened
from bot.core.text.expressions import Found, NotLinear
from bot.core.text.patterns import Patterns, Signs, compiled, signs_of
from bot.core.text.views import overrides, readings, views

Fact = str | float | int


class Why(NamedTuple):
    """A reason as a code and its facts; the text catalogues turn it into a sentence."""

    code: str
    facts: Mapping[str, Fact] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What the same author did shortly before: when the same text was sent, when each rule last fired, when something
    in this channel made a rule act. Of a bot also what it has done at all."""

    repeats: tuple[datetime, ...] = ()
    fired: Mapping[str, datetime] = field(default_factory=dict)
    offences: tuple[datetime, ...] = ()
    bot: Bot | None = None


#: What was found of a `Text`: which words, in which view; None: nothing.
Words = Mapping[str, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything that a condition may look at. `searched`: what somebody else has found of the `Text`s that only an
    engine which may take for ever understands; one that is missing was given up."""

    message: Message
    screening: Screening
    late: bool = False
    answer: bool = False  # the message was judged as a bot's answer, not as an ordinary message
    past: Past = field(default_factory=Past)
    searched: Mapping["Text", Words] = field(default_factory=dict)
    readings: "Readings" = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "readings", readings_of(self.message.read))


Check = tuple[bool, Why]

_NOT_FOUND: Check = (False, Why("text_not_found"))
NOT_SEARCHED = Why("text_not_searched")
_NO_LINK: Check = (False, Why("no_link"))


class Condition(Protocol):
    """`implies(other)`: whenever this one holds, `other` holds too (used to find rules that can never matter)."""

    @property
    def bar(self) -> float | None:
        """The score threshold, where the condition has one."""
        ...

    def check(self, situation: Situation) -> Check: ...

    def contradiction(self) -> str | None: ...

    def implies(self, other: "Condition") -> bool: ...


class _Plain:
    """A condition without a threshold that cannot contradict itself and implies only its equal."""

    __slots__ = ()

    @property
    def bar(self) -> float | None:
        return None

    def contradiction(self) -> str | None:
        return None

    def implies(self, other: Condition) -> bool:
        same: object = other
        return self == same


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The guard's score for a task is at least `at_least` and, where given, below `below` (both 0..1)."""

    task: Task
    at_least: float
    below: float | None = None

    @property
    def bar(self) -> float | None:
        return self.at_least

    def check(self, situation: Situation) -> Check:
        screening = situation.screening
        if isinstance(screening, Unscreened):
            return False, Why("no_verdict", {"reason": screening.reason})
        if self.task is Task.PROMPT_HARM and situation.answer:
            return False, Why("prompt_of_another")  # how harmful it is what the bot was asked: see Pair
        score = screening.scores.get(self.task)
        if score is None:
            return False, Why("task_not_judged", {"task": self.task})
        facts: dict[str, Fact] = {"task": self.task, "score": score, "bar": self.at_least}
        if score < self.at_least:
            return False, Why("score_below", facts)
        if self.below is not None and score >= self.below:
            return False, Why("score_above", facts | {"bar": self.below})
        return True, Why("score_reached", facts)

    def contradiction(self) -> str | None:
        if self.below is not None and self.below <= self.at_least:
            return f"at_least {self.at_least:g} and below {self.below:g} leave nothing between them"
        return None

    def implies(self, other: Condition) -> bool:
        return (
            isinstance(other, Score)
            and self.task is other.task
            and self.at_least >= other.at_least
            and (other.below is None or (self.below is not None and self.below <= other.below))
        )


class PairIs(StrEnum):
    """What may be said of a bot's answer together with what it was asked."""

    HARMFUL_ANSWER = "harmful_answer"
    ANSWERED_HARM = "answered_harm"  # a harmful prompt that was not refused
    REFUSED_HARM = "refused_harm"
    OVER_REFUSAL = "over_refusal"  # a harmless prompt that was refused


#: For each PairIs the task whose score counts, and what else must be so: task -> yes or no.
_PAIRS: Mapping[PairIs, tuple[Task, Mapping[Task, bool]]] = {
    PairIs.HARMFUL_ANSWER: (Task.RESPONSE_HARM, {}),
    PairIs.ANSWERED_HARM: (Task.PROMPT_HARM, {Task.RESPONSE_REFUSAL: False}),
    PairIs.REFUSED_HARM: (Task.PROMPT_HARM, {Task.RESPONSE_REFUSAL: True}),
    PairIs.OVER_REFUSAL: (Task.RESPONSE_REFUSAL, {Task.PROMPT_HARM: False}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The message is a bot's answer and, together with what was asked, what `is_` says; the score of the task that
    matters is at least `at_least` (0..1). What the guard has not judged, or nobody could see, does not hold."""

    is_: PairIs
    at_least: float = YES

    @property
    def bar(self) -> float | None:
        return self.at_least

    def check(self, situation: Situation) -> Check:
        screening = situation.screening
        if not situation.answer:
            return False, Why("no_answer")
        if isinstance(screening, Unscreened):
            return False, Why("no_verdict", {"reason": screening.reason})
        task, others = _PAIRS[self.is_]
        for one in (task, *others):
            if one not in screening.scores:
                return False, Why("task_not_judged", {"task": one})
        for other, yes in others.items():
            if (screening.scores[other] >= YES) is not yes:
                facts: dict[str, Fact] = {"task": other, "score": screening.scores[other], "bar": YES}
                return False, Why("score_below" if yes else "score_above", facts)
        score = screening.scores[task]
        reached = score >= self.at_least
        return reached, Why(
            "score_reached" if reached else "score_below", {"task": task, "score": score, "bar": self.at_least}
        )

    def contradiction(self) -> str | None:
        return None

    def implies(self, other: Condition) -> bool:
        if isinstance(other, Pair):
            return self.is_ is other.is_ and self.at_least >= other.at_least
        if isinstance(other, Score):
            counts = _PAIRS[self.is_][0] is other.task is not Task.PROMPT_HARM
            return counts and self.at_least >= other.at_least and other.below is None
        return isinstance(other, ByBot) and other.bot


@dataclass(frozen=True, slots=True, kw_only=True)
class Category(_Plain):
    """The guard named one of these harm categories (guards without categories never do)."""

    any_of: frozenset[str]

    def check(self, situation: Situation) -> Check:
        screening = situation.screening
        if isinstance(screening, Unscreened):
            return False, Why("no_verdict", {"reason": screening.reason})
        named = sorted(self.any_of & screening.categories)
        return bool(named), Why("category" if named else "other_category", {"named": ", ".join(named)})

    def implies(self, other: Condition) -> bool:
        return isinstance(other, Category) and self.any_of <= other.any_of


@dataclass(frozen=True, slots=True, kw_only=True)
class IsUnscreened(_Plain):
    """The guard gave no verdict to rely on."""

    def check(self, situation: Situation) -> Check:
        if isinstance(situation.screening, Unscreened):
            return True, Why("unscreened", {"reason": situation.screening.reason})
        return False, Why("screened")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Patterns that ship with the product, under a name for people."""

    name: str
    any_of: tuple[str, ...]
    unless: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(_Plain):
    """A pattern stands in one of the normalised views of the text: an own one, or one of a shipped group. Patterns are
    plain text, or a regular expression between slashes. What `unless` matches is cut out first: the innocent reading
    wins, but only where it stands."""

    any_of: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    group: Group | None = None

    @property
    def is_linear(self) -> bool:
        """Whether it takes time in proportion to the text; of the others see `Situation.searched`."""
        return _compiled(self) is not None

    def check(self, situation: Situation) -> Check:
        if not self.is_linear and self not in situation.searched:
            return False, NOT_SEARCHED
        found = self.within(situation)
        return _NOT_FOUND if found is None else (True, Why("text_found", found))

    def within(self, situation: Situation) -> Words:
        return self._find(situation.readings) if self.is_linear else situation.searched[self]

    def find(self, text: str) -> Words:
        """Which words were found, in which view of the text; every view is read with and without its spaces. Raises
        NotLinear."""
        return self._find(readings_of(text))

    def trusted(self) -> "Text":
        """The same, with the own patterns taken for reviewed ones: only for who can be killed."""
        group = self.group or Group(name="", any_of=())
        return Text(group=Group(name="", any_of=self.any_of + group.any_of, unless=self.unless + group.unless))

    def implies(self, other: Condition) -> bool:
        return isinstance(other, Text) and self._sought() <= other._sought() and other._innocent() <= self._innocent()

    def _find(self, readings: "Readings") -> Words:
        both = _compiled(self)
        if both is None:
            raise NotLinear
        sought, innocent = both
        if not sought.may_stand_in(readings.signs):
            return None
        for reading in readings.each:
            if not (found := reading.search(sought)):
                continue
            if innocent and not (found := reading.without(innocent).search(sought)):
                continue
            return {"found": found.text, "view": reading.view}
        return None

    def _sought(self) -> frozenset[str]:
        return frozenset(self.any_of + (self.group.any_of if self.group else ()))

    def _innocent(self) -> frozenset[str]:
        return frozenset(self.unless + (self.group.unless if self.group else ()))


@lru_cache(maxsize=1024)
def _compiled(text: Text) -> tuple[Patterns, Patterns | None] | None:
    """What is sought and what is innocent; None where only an engine that may take for ever understands it."""
    group = text.group or Group(name="", any_of=())
    try:
        innocent = compiled(text.unless, group.unless) if text.unless or group.unless else None
        return compiled(text.any_of, group.any_of), innocent
    except NotLinear:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoText(_Plain):
    """None of the patterns stands in the text."""

    text: Text

    def check(self, situation: Situation) -> Check:
        holds, why = self.text.check(situation)
        if why is NOT_SEARCHED:
            return False, why
        return not holds, Why("text_forbids", why.facts) if holds else why

    def implies(self, other: Condition) -> bool:
        return isinstance(other, NoText) and other.text.implies(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides(_Plain):
    """Signs stand in the text that turn the letters after them round: nobody types them, they only hide words."""

    def check(self, situation: Situation) -> Check:
        count = overrides(situation.message.read)
        return bool(count), Why("overrides", {"count": count}) if count else Why("no_overrides")


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel(_Plain):
    """It was said in one of these channels, or in what lies within one (threads, the channels of a category)."""

    any_of: frozenset[str]  # ids or names

    def check(self, situation: Situation) -> Check:
        message = situation.message
        channel = min(self.any_of & message.places, default=message.ref.channel_id)
        return channel in self.any_of, Why("channel", {"channel": channel})

    def implies(self, other: Condition) -> bool:
        return isinstance(other, Channel) and self.any_of <= other.any_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Role(_Plain):
    any_of: frozenset[str]

    def check(self, situation: Situation) -> Check:
        if situation.message.author.unmet:
            return True, Why("unmet")  # perhaps: they will be met before anything is done
        held = sorted(self.any_of & situation.message.author.roles)
        return bool(held), Why("role" if held else "other_role", {"role": ", ".join(held)})

    def implies(self, other: Condition) -> bool:
        return isinstance(other, Role) and self.any_of <= other.any_of


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAuthor(_Plain):
    """The author's account or membership is younger than `under`; false where the platform does not tell."""

    under: timedelta

    def check(self, situation: Situation) -> Check:
        author, sent = situation.message.author, situation.message.sent_at
        if author.unmet:
            return True, Why("unmet")
        if author.since is None:
            return False, Why("author_age_unknown")
        young = sent - author.since < self.under
        return young, Why("author_new" if young else "author_old", {"days": (sent - author.since).days})

    def implies(self, other: Condition) -> bool:
        return isinstance(other, NewAuthor) and self.under <= other.under


@dataclass(frozen=True, slots=True, kw_only=True)
class ByBot(_Plain):
    bot: bool

    def check(self, situation: Situation) -> Check:
        bot = situation.message.author.bot
        return bot is self.bot, Why("by_bot" if bot else "by_person")


@dataclass(frozen=True, slots=True, kw_only=True)
class ByStaff(_Plain):
    """Of the community's own staff, whom no other rule looks at: accounts are stolen, and theirs are the worst."""

    def check(self, situation: Situation) -> Check:
        staff = situation.message.author.is_staff
        return staff, Why("by_staff" if staff else "not_staff")


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired(_Plain):
    """How sure it is what the message answers."""

    any_of: frozenset[Pairing]

    def check(self, situation: Situation) -> Check:
        pairing = situation.message.pairing
        if pairing is None:
            return False, Why("answers_nobody")
        return pairing in self.any_of, Why("paired", {"pairing": pairing})

    def implies(self, other: Condition) -> bool:
        return isinstance(other, Paired) and self.any_of <= other.any_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Offences(_Plain):
    """In this channel something that the author said made a rule act at least `at_least` times in the last `within`,
    this message not counted. Never holds for late messages."""

    at_least: int
    within: timedelta

    def check(self, situation: Situation) -> Check:
        if situation.late:
            return False, Why("late")
        since = situation.message.sent_at - self.within
        times = sum(moment >= since for moment in situation.past.offences)
        facts: dict[str, Fact] = {
            "times": times, "bar": self.at_least, "minutes": int(self.within.total_seconds() // 60)
        }  # fmt: skip
        return times >= self.at_least, Why("offences" if times >= self.at_least else "few_offences", facts)

    def implies(self, other: Condition) -> bool:
        return isinstance(other, Offences) and self.at_least >= other.at_least and self.within <= other.within


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited(_Plain):
    def check(self, situation: Situation) -> Check:
        edited = situation.message.kind is Kind.EDIT
        return edited, Why("edited" if edited else "not_edited")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filtered(_Plain):
    """The platform's own filter has stopped the message."""

    def check(self, situation: Situation) -> Check:
        found = situation.message.filtered
        return (False, Why("not_filtered")) if found is None else (True, Why("filtered", {"found": found}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Link(_Plain):
    """The message holds a link to a host that is neither one of `allowed` nor below one of them. A mention is none."""

    allowed: frozenset[str] = frozenset()

    def check(self, situation: Situation) -> Check:
        for address in _addresses(situation.message):
            host = host_of(address)  # a link nobody can read is not an allowed one
            if not any(host == name or host.endswith(f".{name}") for name in self.allowed):
                return True, Why("link", {"host": host})
        return _NO_LINK

    def implies(self, other: Condition) -> bool:
        return isinstance(other, Link) and other.allowed <= self.allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Mentions(_Plain):
    at_least: int

    def check(self, situation: Situation) -> Check:
        mentions = situation.message.mentions
        return mentions >= self.at_least, Why("mentions", {"mentions": mentions, "bar": self.at_least})

    def implies(self, other: Condition) -> bool:
        return isinstance(other, Mentions) and self.at_least >= other.at_least


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats(_Plain):
    """The same author sent the same text at least `at_least` times (this one included) in the last `within`.
    Never holds for late messages: a backlog is not a flood."""

    at_least: int
    within: timedelta

    def check(self, situation: Situation) -> Check:
        if situation.late:
            return False, Why("late")
        times = 1
        if situation.past.repeats:
            since = situation.message.sent_at - self.within
            times += sum(moment >= since for moment in situation.past.repeats)
        facts = {"times": times, "bar": self.at_least, "seconds": int(self.within.total_seconds())}
        return times >= self.at_least, Why("repeats" if times >= self.at_least else "few_repeats", facts)

    def implies(self, other: Condition) -> bool:
        return isinstance(other, Repeats) and self.at_least >= other.at_least and self.within <= other.within


_LINK = re.compile(
    r"https?://[^\s<>]+|(?<![\w.@/-])(?:www\.[^\s<>]+|(?:[\w-]{1,63}\.)++[a-z]{2,24}/[^\s<>]+)", re.IGNORECASE
)


def _addresses(message: Message) -> Iterator[str]:
    """What the platform marks as links, and what reads like one where nothing is marked."""
    yield from (link.target for link in message.links if link.kind is not LinkKind.MENTION)
    text = message.read
    if "." in text or "/" in text:
        yield from (match.group() for match in _LINK.finditer(text))


#: Stands where an innocent reading was cut out, so that what is left and right of it does not grow together.
_CUT = "\N{OBJECT REPLACEMENT CHARACTER}"


class _Reading:
    """One view of a text, with and without its spaces."""

    __slots__ = ("close", "open", "view")

    def __init__(self, view: str, text: str) -> None:
        self.view, self.open, self.close = view, text, text.replace(" ", "")

    def search(self, sought: Patterns) -> Found | None:
        found = sought.search(self.open)
        return found if found or len(self.close) == len(self.open) else sought.search(self.close)

    def without(self, innocent: Patterns) -> "_Reading":
        """Every innocent reading cut out, those that only show without spaces included."""
        letters = list(self.open)
        places = [place for place, letter in enumerate(letters) if letter != " "]
        spans: list[Sequence[int]] = [range(found.start, found.end) for found in innocent.finditer(self.open)]
        spans += [places[found.start : found.end] for found in innocent.finditer(self.close)]
        for place in chain.from_iterable(spans):
            letters[place] = _CUT
        return _Reading(self.view, "".join(letters))


class Readings:
    """Every view of everything that a text can be read as, and the signs of all of them; read when first asked for."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def each(self) -> tuple[_Reading, ...]:
        return tuple(_Reading(view, seen) for one in readings(self._text) for view, seen in views(one))

    @cached_property
    def signs(self) -> Signs | None:
        """None for a long text: gathering them takes longer than searching, and most patterns' signs stand in it."""
        if len(self._text) > 2_000:
            return None
        texts = {text for reading in self.each for text in (reading.open, reading.close)}
        return signs_of("\n".join(texts))


def readings_of(text: str) -> Readings:
    return _remembered(text) if len(text) <= 500 else Readings(text)


#: The same few texts come again and again; long ones are read once, and not kept alive.
_remembered = lru_cache(maxsize=1024)(Readings)
