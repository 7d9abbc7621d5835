"""What a condition may look at, what it answers, and what it must say of itself."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from types import MappingProxyType
from typing import ClassVar, NamedTuple

from bot.core.answers.bot import Bot
from bot.core.chat.amounts import Amounts
from bot.core.chat.message import Message
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import Screening
from bot.core.rules.conditions.searching import Readings, Sought, Words, readings_of
from bot.core.rules.precedent import Precedent
from bot.core.text.words import NO_WORDS, WordList

Fact = str | float | int


class Explanation(NamedTuple):
    """A reason as a code and its facts; the text catalogues turn it into a sentence."""

    code: str
    facts: Mapping[str, Fact] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What the same author did shortly before: when the same text was sent, when each rule last fired, when something
    in this channel made a rule act, what was said here, the oldest first, and what the guard found in it, and in what
    `others` said here lately, by author. Of a bot also
    what it has done at all; of others, when each last said nearly the same; `posted`: how much of what
    rooms are flooded with; `heard`: how many messages of a new member were there before."""

    repeats: tuple[datetime, ...] = ()
    fired: Mapping[str, datetime] = field(default_factory=dict)
    offences: tuple[datetime, ...] = ()
    said: tuple[tuple[datetime, str], ...] = ()
    found: tuple[tuple[datetime, Mapping[HarmKind, float]], ...] = ()
    others: Mapping[str, tuple[tuple[datetime, Mapping[HarmKind, float]], ...]] = field(default_factory=dict)
    echoes: Mapping[str, datetime] = field(default_factory=dict)
    posted: tuple[tuple[datetime, Amounts], ...] = ()
    heard: int | None = None
    bot: Bot | None = None
    precedent: Precedent | None = None  # what moderators have said of nearly the same


#: Nobody is known to have said anything.
NOTHING_BEFORE = Past()


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything that a condition may look at. `searched`: what somebody else has found of the `Sought`s that only an
    engine which may take for ever understands; one that is missing was given up. `allowed`: words that the community
    allows, which no search for words sees; `allowed_links`: places."""

    message: Message
    screening: Screening
    late: bool = False
    answer: bool = False  # the message was judged as a bot's answer, not as an ordinary message
    past: Past = field(default_factory=Past)
    searched: Mapping[Sought, Words] = field(default_factory=dict)
    allowed: WordList = NO_WORDS
    allowed_links: frozenset[str] = frozenset()
    readings: Readings = field(init=False)

    def __post_init__(self) -> None:
        readings = readings_of(self.message.read)
        object.__setattr__(self, "readings", readings.without(self.allowed) if self.allowed else readings)


Check = tuple[bool, Explanation]


class Rank(IntEnum):
    """The first of a rule's conditions gives the reason that people read, so what says most is asked first."""

    WHAT = 0  # is wrong with the message
    HOW_SURE = 1
    CONDUCT = 2
    CIRCUMSTANCE = 3  # where, by whom, in which way
    ABSENCE = 4


@dataclass(frozen=True, slots=True)
class Written:
    """Of a field: what it is called in a rule, where that is not its own name."""

    name: str


@dataclass(frozen=True)
class Condition(ABC):
    """A frozen dataclass. Its fields are what a rule writes below `key`: `true` where it has none, the value itself
    where it has one that must be given, and else a table; `Annotated` says what bounds they have (annotated_types).
    docs/adding/condition.md.

    What the methods here say holds for a condition without a threshold that looks for no text, cannot contradict
    itself and implies only its equal.
    """

    key: ClassVar[str]
    rank: ClassVar[Rank]
    relies_on_verdict: ClassVar[bool]

    def __init_subclass__(cls, *, key: str, rank: Rank, relies_on_verdict: bool = False) -> None:
        cls.key, cls.rank, cls.relies_on_verdict = key, rank, relies_on_verdict

    @abstractmethod
    def check(self, situation: Situation) -> Check: ...

    @property
    def bar(self) -> float | None:
        """The score threshold; its field is called `at_least`."""
        return None

    @property
    def sought(self) -> Sought | None:
        """What it searches the text for."""
        return None

    def contradiction(self) -> str | None:
        """Why it can never hold, or None."""
        return None

    def implies(self, other: "Condition") -> bool:
        """Whenever this one holds, `other` holds too (used to find rules that can never matter)."""
        return self == other
