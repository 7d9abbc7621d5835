"""What a guard is asked, and what it said or why it said nothing."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum


class Task(StrEnum):
    """What a guard can be asked to score. The names are the field's (WildGuard, Qwen3Guard, datasets)."""

    PROMPT_HARM = "prompt_harm"
    RESPONSE_REFUSAL = "response_refusal"
    RESPONSE_HARM = "response_harm"


#: Tasks whose score says how harmful something is (a refusal is not harm).
HARM = (Task.PROMPT_HARM, Task.RESPONSE_HARM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What is put before a guard: a prompt alone (a person's message), a prompt with the response of an
    LLM bot, or a response alone (the prompt is not known: None)."""

    prompt: str | None
    response: str | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Scores a guard gave. `scores` holds probabilities (0..1) for exactly the tasks that were judged: a task
    that the guard cannot do is absent, never guessed. `evidence` is what weighed most, in the guard's own
    words; it may quote the message and is stored only with an incident."""

    guard: GuardVersion
    scores: Mapping[Task, float] = field(default_factory=dict)
    categories: frozenset[str] = frozenset()
    evidence: tuple[str, ...] = ()
    windows: int = 1  # how many overlapping windows a long text was judged in; the worst counts
    route: Route | None = None  # None: the guard judged, and is no cascade

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, self.scores.values())):
            raise ValueError("a score is not a number")

    @property
    def harm(self) -> float | None:
        """The worst harm score, of an answer and what was asked alike; None where no harm task was judged."""
        return max((self.scores[task] for task in HARM if task in self.scores), default=None)

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

#: The reason of an Unscreened that no guard was there to judge; it may be judged later.
AWAY = "the guard is away"

# Reasons of Unscreened where a guard gave a verdict, but not everything was read.
TOO_LONG = "too long: only its beginning and end were read"
TOO_SLOW = "a rule's expression took too long"

#: For a message without anything to judge: a deletion, a sticker.
NOTHING_TO_JUDGE = Verdict(guard=GuardVersion(name="none"))

#: For a revision of a bot's answer that was followed by another one before anybody judged it.
SUPERSEDED = Verdict(guard=GuardVersion(name="superseded"))


def is_provisional(screening: Screening) -> bool:
    """Whether it was given because the guard was away, which may have another word to say."""
    return screening.reason == AWAY if isinstance(screening, Unscreened) else screening.route is Route.STOOD_IN


#: From here on a guard rather says yes than no.
YES = 0.5
