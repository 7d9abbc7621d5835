"""What a guard is asked, and what it said or why it said nothing."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, NamedTuple, Self

from bot.core.guarding.kinds import HarmKind


class Task(StrEnum):
    """What a guard can be asked to score. The names are the field's (WildGuard, Qwen3Guard, datasets)."""

    PROMPT_HARM = "prompt_harm"
    RESPONSE_REFUSAL = "response_refusal"
    RESPONSE_HARM = "response_harm"


class Part(StrEnum):
    """Of an exchange: what a person says, to people or to an LLM bot; what the bot answers."""

    PROMPT = "prompt"
    RESPONSE = "response"

    @property
    def task(self) -> Task:
        """That scores how harmful it is."""
        return _HARM[self]


_HARM = {Part.PROMPT: Task.PROMPT_HARM, Part.RESPONSE: Task.RESPONSE_HARM}


@dataclass(frozen=True, slots=True, weakref_slot=True, kw_only=True)
class Exchange:
    """What is put before a guard: a prompt alone (a person's message), a prompt with the response of an
    LLM bot, or a response alone (the prompt is not known: None)."""

    prompt: str | None
    response: str | None = None
    is_chat: bool = False  # what people say to people, and not to an LLM


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardVersion:
    """Exactly what judged, so that a decision can be explained years later."""

    name: str  # "embedded", "wildguard-ko"
    model: str = ""  # revision of the weights, or the hash of the model file
    dialect: str = ""  # hash of the prompt templates
    calibration: str = ""  # fingerprint of temperature and bias per task; empty: raw scores


class Route(StrEnum):
    """How two guards came by a verdict. In a cascade all but SECOND were surely benign by the first guard's score;
    of those the second guard is asked about a random sample all the same, to learn what the others hide."""

    SECOND = "second"  # the second guard judged
    SKIPPED = "skipped"  # the first guard's word was enough
    CLEARED = "cleared"  # sampled: the second guard found it benign, too
    MISSED = "missed"  # sampled: the second guard found it harmful
    STOOD_IN = "stood_in"  # no cascade: the guard was away, and the embedded one judged in its place
    HURRIED = "hurried"  # no cascade: more waited than the guard could judge in time, and the embedded one judged


class Judgement(NamedTuple):
    """One thing that a guard has found, or has looked for and hardly found."""

    part: Part
    kind: HarmKind
    probability: float  # 0..1
    guard: str  # its name


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What guards found, at most once for each part, kind and guard. A part that was not judged has no judgement, a
    task that the guard cannot do is absent: neither is ever guessed. `guard` is who answers for it. `evidence` is what
    weighed most, in the guard's own words; it may quote the message and is stored only with an incident."""

    guard: GuardVersion
    found: tuple[Judgement, ...] = ()
    refusal: float | None = None  # that the response refuses what the prompt asks, 0..1
    quotes: float | None = None  # that the text quotes or reports somebody rather than says it itself, 0..1
    categories: frozenset[str] = frozenset()  # as the guard itself calls them
    evidence: tuple[str, ...] = ()
    windows: int = 1  # how many overlapping windows a long text was judged in; the worst counts
    route: Route | None = None  # None: the guard judged, and is no cascade
    anomalies: tuple[str, ...] = field(default=(), compare=False)  # odd about the guard's answer: phrases to count

    #: Of each part that was judged the probability of every kind looked for, the highest of all guards.
    kinds: Mapping[Part, Mapping[HarmKind, float]] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        kinds: dict[Part, dict[HarmKind, float]] = {}
        for one in self.found:
            of_part = kinds.setdefault(one.part, {})
            of_part[one.kind] = max(one.probability, of_part.get(one.kind, 0.0))
        object.__setattr__(self, "kinds", kinds)
        for score in (self.refusal, self.quotes, *[one.probability for one in self.found]):
            if score is not None and not math.isfinite(score):
                raise ValueError("a score is not a number")

    @classmethod
    def of_scores(cls, scores: Mapping[Task, float], *, guard: GuardVersion, **others: Any) -> Self:
        """Of a guard that says how harmful a part is, and of which kind not."""
        harm = [(part, scores[task]) for part, task in _HARM.items() if task in scores]
        found = tuple([Judgement(part, HarmKind.UNSPECIFIED, score, guard.name) for part, score in harm])
        return cls(guard=guard, found=found, refusal=scores.get(Task.RESPONSE_REFUSAL), **others)

    @property
    def scores(self) -> Mapping[Task, float]:
        """The probability for exactly the tasks that were judged; of harm, that any kind of it holds."""
        scores: dict[Task, float] = {}
        for one in self.found:
            scores[one.part.task] = max(one.probability, scores.get(one.part.task, 0.0))
        return scores if self.refusal is None else {**scores, Task.RESPONSE_REFUSAL: self.refusal}

    @property
    def harm(self) -> float | None:
        """The worst harm score, of an answer and what was asked alike; None where no harm task was judged."""
        return max((one.probability for one in self.found), default=None)

    def scaled(self, scale: Callable[[Task, float], float]) -> "Verdict":
        """With each score put through `scale`, that of harm by its part's task."""
        return replace(
            self,
            found=tuple(one._replace(probability=scale(one.part.task, one.probability)) for one in self.found),
            refusal=None if self.refusal is None else scale(Task.RESPONSE_REFUSAL, self.refusal),
        )

    @property
    def is_raw(self) -> bool:
        """A guard model has judged whose scores nobody has calibrated: they are no probabilities."""
        return bool(self.guard.dialect) and not self.guard.calibration

    def without_raw(self) -> "Verdict":
        """What the other guards have found."""
        others = tuple(one for one in self.found if one.guard != self.guard.name)
        return replace(self, found=others, refusal=None, categories=frozenset())

    def again(self) -> "Verdict":
        """The same for another message with the same text: one draw of the sample stays one, while what the second
        guard was not asked about is skipped each time."""
        return replace(self, route=Route.SECOND) if self.route in (Route.CLEARED, Route.MISSED) else self


@dataclass(frozen=True, slots=True)
class Unscreened:
    """The guard did not answer, or not in a way to rely on. Never means safe and never means guilty:
    a rule must say what to do. `reason` is a short stable phrase, without any of the message's text."""

    reason: str
    guard: GuardVersion


Screening = Verdict | Unscreened


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What a guard says that has read a community's own written rules: whether a text is `against` them, and then what
    it quotes: a piece of the rules, and words of the text."""

    guard: GuardVersion
    against: bool
    rule: str = ""
    words: str = ""

    def checked(self, text: str, rules: str) -> "Opinion | Unscreened":
        """The same where what it quotes stands there, but for spaces and line breaks; nothing is quoted at length."""
        if not self.against:
            return replace(self, rule="", words="")
        rule, words = (" ".join(quoted.split()) for quoted in (self.rule, self.words))
        if not (rule and words and rule in " ".join(rules.split()) and words in " ".join(text.split())):
            return Unscreened(QUOTES_NOTHING, self.guard)
        return replace(self, rule=_cut(rule), words=_cut(words))


def _cut(quoted: str) -> str:
    return quoted if len(quoted) <= LONGEST_QUOTE else quoted[: LONGEST_QUOTE - 1] + "…"


#: The reason of an Unscreened that no guard was there to judge; it may be judged later.
AWAY = "the guard is away"

LATE = "no verdict in time"

# Reasons of Unscreened where a guard gave a verdict, but not everything was read.
TOO_LONG = "too long: only its beginning and end were read"
TOO_SLOW = "a rule's expression took too long"

#: The reason of an Unscreened whose guard has made its quotations up.
QUOTES_NOTHING = "the guard quotes what is not there"
LONGEST_QUOTE = 200  # characters

#: For a message without anything to judge: a deletion, a sticker.
NOTHING_TO_JUDGE = Verdict(guard=GuardVersion(name="none"))

#: For a revision of a bot's answer that was followed by another one before anybody judged it.
SUPERSEDED = Verdict(guard=GuardVersion(name="superseded"))


def is_provisional(screening: Screening) -> bool:
    """Whether it was given because the guard had no time for it, which may have another word to say."""
    if isinstance(screening, Unscreened):
        return screening.reason == AWAY
    return screening.route in (Route.STOOD_IN, Route.HURRIED)


def rounded(scores: Mapping[Any, float]) -> dict[str, float]:
    """By name and to six digits, for programs that read them."""
    return {str(what): round(score, 6) for what, score in scores.items()}


def as_shown(score: float, decimals: int = 2) -> float:
    """To so many decimals, and never up: it might seem to have reached its bar."""
    return math.floor(score * 10.0**decimals + 1e-9) / 10.0**decimals


#: From here on a guard rather says yes than no.
YES = 0.5
