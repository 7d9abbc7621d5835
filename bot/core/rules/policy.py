"""Rules are data, and a policy is a community's rules."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from functools import cached_property

from bot.core.answers.bot import Bot, is_answer
from bot.core.chat.message import Message
from bot.core.guarding.kinds import HarmKind
from bot.core.rules.actions import Action, Escalate, Timeout
from bot.core.rules.conditions import (
    ByBot,
    ByStaff,
    Condition,
    FirstMessages,
    Flood,
    IsUnscreened,
    Kind,
    Listed,
    NoKind,
    Offences,
    Pair,
    Pieces,
    Quarrel,
    Recurring,
    SameText,
    Sought,
)
from bot.core.rules.ladder import USUAL, Ladder
from bot.core.text.words import WordList, word_list

#: Quoting these does what saying them does: a quotation is no cloak for them.
AS_SAID = frozenset({HarmKind.DOXXING, HarmKind.ADVERTISING, HarmKind.FRAUD})


class Mode(StrEnum):
    LIVE = "live"
    SHADOW = "shadow"  # evaluated and recorded, never acted on


class Watch(StrEnum):
    """What a community has asked for: to be protected, or first to see what would have been done."""

    LIVE = "live"
    WATCH = "watch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a rule acts, in the words that a member reads."""

    ko: str
    en: str

    def in_(self, language: str) -> str:
        """For who reads that language; Korean or, whatever else it is, English."""
        return self.ko if language == "ko" else self.en


@dataclass(frozen=True, kw_only=True)
class Rule:
    """All conditions of `when` must hold. Every live rule that matches contributes its actions, so a stronger
    rule never hides a weaker one and an exemption can only take actions away. What follows from its conditions is asked
    with every message, and found once."""

    name: str
    when: tuple[Condition, ...]
    then: tuple[Action, ...]
    reason: Reason
    kind: HarmKind | None = None  # what it looks for, where no condition of its says so
    mode: Mode = Mode.LIVE
    exempt_roles: frozenset[str] = frozenset()
    exempt_channels: frozenset[str] = frozenset()
    cooldown: timedelta = timedelta(0)  # how long a member is not sanctioned again by this rule
    strike: int = 0  # how much it counts against the member
    shipped: bool = False  # its bars are for calibrated scores, and nobody here has chosen them

    def contradiction(self) -> str | None:
        """Why no message could ever match, or None."""
        for condition in self.when:
            if problem := condition.contradiction():
                return problem
        if ByBot(bot=False) in self.when and any(isinstance(one, Pair) for one in self.when):
            return "pair is about bots, by_bot = false about people"
        return None

    @cached_property
    def relies_on_a_verdict(self) -> bool:
        return any(condition.relies_on_verdict for condition in self.when)

    @cached_property
    def kinds(self) -> frozenset[HarmKind]:
        """The kinds of harm that it is about, as far as it says."""
        asked = (condition.any_of for condition in self.when if isinstance(condition, Kind | Recurring | Quarrel))
        return frozenset({self.kind} if self.kind else set()).union(*asked)

    @property
    def is_met_by_quotation(self) -> bool:
        """It asks what a text says, and quoting that is something else than saying it."""
        return self.is_about_words and not (self.kinds and self.kinds <= AS_SAID)

    @property
    def spares_despair(self) -> bool:
        """It asks what a text says, and not for self-harm itself: who writes such a rule means those in despair."""
        return self.is_about_words and HarmKind.SELF_HARM not in self.kinds

    @cached_property
    def is_about_words(self) -> bool:
        """It asks what a text says."""
        return self.relies_on_a_verdict or any(one.sought or isinstance(one, Listed) for one in self.when)

    @cached_property
    def calls_people(self) -> bool:
        return Escalate() in self.then

    @property
    def sought(self) -> Iterator[Sought]:
        """Everything that it searches a text for."""
        return (sought for condition in self.when if (sought := condition.sought))

    @property
    def is_about_offences(self) -> bool:
        """It acts because of earlier offences: what it acts on is none itself."""
        return any(isinstance(condition, Offences) for condition in self.when)

    @cached_property
    def is_about_staff(self) -> bool:
        return ByStaff() in self.when

    @property
    def is_about_no_verdict(self) -> bool:
        return any(isinstance(condition, IsUnscreened) for condition in self.when)

    def makes_pointless(self, later: "Rule") -> bool:
        """Whether this rule already does all that `later` would, whenever `later` matches."""
        return (
            self.mode is later.mode
            and {action.kind for action in later.then} <= {action.kind for action in self.then}
            and all(any(narrow.implies(wide) for narrow in later.when) for wide in self.when)
            and self.exempt_roles <= later.exempt_roles
            and self.exempt_channels <= later.exempt_channels
            and _longest(later.then) <= _longest(self.then)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A community's rules. `version` names this exact content."""

    rules: tuple[Rule, ...]
    version: str = ""
    mode: Watch = Watch.LIVE
    preset: str = "balanced"  # that its shipped rules are of
    exempt_roles: frozenset[str] = frozenset()
    exempt_channels: frozenset[str] = frozenset()
    late_after: timedelta = timedelta(minutes=10)  # older messages are judged but nobody is punished for them
    language: str = "ko"
    timezone: str = "Asia/Seoul"
    bots: Mapping[str, bool] = field(default_factory=dict)  # bot -> whether what it says is judged as answers
    bot_owners: Mapping[str, str] = field(default_factory=dict)  # bot -> the channel in which its owner is told
    allowed_words: tuple[str, ...] = ()  # which no search for words sees
    allowed_links: frozenset[str] = frozenset()  # places that are no link to any rule
    no_despair: NoKind | None = None  # where it does not hold, nobody is sanctioned or deleted for what they say
    care: bool = False  # whether who is in despair is told in private where somebody listens
    judge_other_bots: bool = False  # whether what other bots say is judged like a person's message, or not at all
    ladder: Ladder = USUAL

    #: What rules look for that must be searched where a search can be given up: see `Situation.searched`.
    to_search: tuple[Sought, ...] = field(init=False, compare=False, repr=False)
    allowed: WordList = field(init=False, compare=False, repr=False)

    #: Whether a rule asks for it; else nothing of the kind is remembered.
    asks_what_was_said: bool = field(init=False, compare=False, repr=False)
    asks_what_was_found: bool = field(init=False, compare=False, repr=False)
    asks_who_says_the_same: bool = field(init=False, compare=False, repr=False)
    asks_who_is_new: bool = field(init=False, compare=False, repr=False)
    asks_how_much: bool = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        asked = {type(condition) for rule in self.rules for condition in rule.when}
        object.__setattr__(self, "asks_what_was_said", Pieces in asked)
        object.__setattr__(self, "asks_what_was_found", bool(asked & {Recurring, Quarrel}))
        object.__setattr__(self, "asks_who_says_the_same", SameText in asked)
        object.__setattr__(self, "asks_who_is_new", FirstMessages in asked)
        object.__setattr__(self, "asks_how_much", Flood in asked)
        slow = {sought: None for rule in self.rules for sought in rule.sought if not sought.is_linear}
        object.__setattr__(self, "to_search", tuple(slow))
        object.__setattr__(self, "allowed", word_list(self.allowed_words))

    @property
    def by_name(self) -> Mapping[str, Rule]:
        return {rule.name: rule for rule in self.rules}

    def takes_for_answer(self, message: Message, bot: Bot | None) -> bool:
        """Whether a message is judged as a bot's answer. `bot` is what is known of its author."""
        return is_answer(message, self.bots, bot)

    def while_guard_is_away(self) -> "Policy":
        """That nobody has judged a message yet is no reason to show it."""
        return replace(self, rules=tuple(rule for rule in self.rules if not rule.is_about_no_verdict))

    def in_mode(self, mode: Watch) -> "Policy":
        return replace(self, mode=mode)


def _longest(actions: Iterable[Action]) -> timedelta:
    return max((action.lasting for action in actions if isinstance(action, Timeout)), default=timedelta(0))
