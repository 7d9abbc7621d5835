"""Conditions on what the guard said."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from annotated_types import Ge, Le, MinLen

from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import YES, Part, Task, Unscreened
from bot.core.rules.conditions.author import ByBot
from bot.core.rules.conditions.condition import Check, Condition, Explanation, Fact, Rank, Situation, Written
from bot.core.rules.conditions.searching import Sought
from bot.core.rules.conditions.text import NOT_SEARCHED, Text

Probability = Annotated[float, Ge(0), Le(1)]


@dataclass(frozen=True, kw_only=True)
class IsUnscreened(Condition, key="unscreened", rank=Rank.WHAT):
    """The guard gave no verdict to rely on."""

    def check(self, situation: Situation) -> Check:
        if isinstance(situation.screening, Unscreened):
            return True, Explanation("unscreened", {"reason": situation.screening.reason})
        return False, Explanation("screened")


@dataclass(frozen=True, kw_only=True)
class Category(Condition, key="categories", rank=Rank.WHAT, relies_on_verdict=True):
    """The guard named one of these harm categories (guards without categories never do)."""

    any_of: Annotated[frozenset[str], MinLen(1)]

    def check(self, situation: Situation) -> Check:
        screening = situation.screening
        if isinstance(screening, Unscreened):
            return False, Explanation("no_verdict", {"reason": screening.reason})
        named = sorted(self.any_of & screening.categories)
        return bool(named), Explanation("category" if named else "other_category", {"named": ", ".join(named)})

    def implies(self, other: Condition) -> bool:
        return isinstance(other, Category) and self.any_of <= other.any_of


@dataclass(frozen=True, kw_only=True)
class Score(Condition, key="score", rank=Rank.HOW_SURE, relies_on_verdict=True):
    """The guard's score for a task is at least `at_least` and, where given, below `below` (both 0..1)."""

    task: Task = Task.PROMPT_HARM
    at_least: Probability
    below: Probability | None = None

    @property
    def bar(self) -> float | None:
        return self.at_least

    def check(self, situation: Situation) -> Check:
        screening = situation.screening
        if isinstance(screening, Unscreened):
            return False, Explanation("no_verdict", {"reason": screening.reason})
        if self.task is Task.PROMPT_HARM and situation.answer:
            return False, Explanation("prompt_of_another")  # how harmful it is what the bot was asked: see Pair
        score = screening.scores.get(self.task)
        if score is None:
            return False, Explanation("task_not_judged", {"task": self.task})
        facts: dict[str, Fact] = {"task": self.task, "score": score, "bar": self.at_least}
        if score < self.at_least:
            return False, Explanation("score_below", facts)
        if self.below is not None and score >= self.below:
            return False, Explanation("score_above", facts | {"bar": self.below})
        return True, Explanation("score_reached", facts)

    def contradiction(self) -> str | None:
        return _nothing_between(self.at_least, self.below)

    def implies(self, other: Condition) -> bool:
        return (
            isinstance(other, Score)
            and self.task is other.task
            and self.at_least >= other.at_least
            and (other.below is None or (self.below is not None and self.below <= other.below))
        )


@dataclass(frozen=True, kw_only=True)
class Kind(Condition, key="kind", rank=Rank.HOW_SURE, relies_on_verdict=True):
    """The message, or what a bot answers, is harmful in one of these ways; the probability of that one is at least
    `at_least` and, where given, below `below` (both 0..1). A guard that does not know a kind never finds it. `part`:
    only where the message is that, a person's or a bot's answer."""

    any_of: Annotated[frozenset[HarmKind], MinLen(1)]
    at_least: Probability
    below: Probability | None = None
    part: Part | None = None

    @property
    def bar(self) -> float | None:
        return self.at_least

    def check(self, situation: Situation) -> Check:
        screening = situation.screening
        if isinstance(screening, Unscreened):
            return False, Explanation("no_verdict", {"reason": screening.reason})
        part = Part.RESPONSE if situation.answer else Part.PROMPT
        if self.part not in (None, part):
            return False, Explanation("prompt_of_another" if situation.answer else "no_answer")
        found = screening.kinds.get(part, {})
        score, kind = max([(found[kind], kind) for kind in self.any_of if kind in found], default=(0.0, None))
        if kind is None:
            return False, Explanation("kind_not_judged", {"kind": min(self.any_of)})
        facts: dict[str, Fact] = {"kind": kind, "score": score, "bar": self.at_least}
        if score < self.at_least:
            return False, Explanation("kind_below", facts)
        if self.below is not None and score >= self.below:
            return False, Explanation("kind_above", facts | {"bar": self.below})
        return True, Explanation("kind_reached", facts)

    def contradiction(self) -> str | None:
        return _nothing_between(self.at_least, self.below)

    def implies(self, other: Condition) -> bool:
        return (
            isinstance(other, Kind)
            and self.any_of <= other.any_of
            and self.at_least >= other.at_least
            and other.below is None
            and other.part in (None, self.part)
        )


@dataclass(frozen=True, kw_only=True)
class Recurring(Condition, key="recurring", rank=Rank.HOW_SURE, relies_on_verdict=True):
    """The message, and others that its author sent in this channel in the last `within`, `times` in all, are harmful in
    one of these ways with a probability of `at_least` each: harassment in pieces, of which none is bad enough.
    Never holds for late messages."""

    any_of: Annotated[frozenset[HarmKind], MinLen(1)]
    at_least: Probability
    times: Annotated[int, Ge(2)]
    within: timedelta

    @property
    def bar(self) -> float | None:
        return self.at_least

    def check(self, situation: Situation) -> Check:
        if situation.late:
            return False, Explanation("late")
        found, why = Kind(any_of=self.any_of, at_least=self.at_least, part=Part.PROMPT).check(situation)
        if not found:
            return False, why
        since = situation.message.sent_at - self.within
        times = 1 + len(_harmful(situation.past.found, since, self.any_of, self.at_least))
        facts: dict[str, Fact] = {
            "times": times, "bar": self.times, "minutes": int(self.within.total_seconds() // 60),
            "kind": why.facts["kind"],
        }  # fmt: skip
        return times >= self.times, Explanation("recurring" if times >= self.times else "not_recurring", facts)

    def implies(self, other: Condition) -> bool:
        if isinstance(other, Recurring):
            return (
                self.any_of <= other.any_of
                and self.at_least >= other.at_least
                and self.times >= other.times
                and self.within <= other.within
            )
        return Kind(any_of=self.any_of, at_least=self.at_least, part=Part.PROMPT).implies(other)


@dataclass(frozen=True, kw_only=True)
class Quarrel(Condition, key="quarrel", rank=Rank.HOW_SURE, relies_on_verdict=True):
    """With this message its author and somebody else have each said `times` things in this channel in the last `within`
    that are harmful in one of these ways with a probability of `at_least`, and the other has answered: neither is alone
    to blame. Found once, with the message that completes it. Never holds for late messages."""

    any_of: Annotated[frozenset[HarmKind], MinLen(1)]
    at_least: Probability
    times: Annotated[int, Ge(2)]
    within: timedelta

    @property
    def bar(self) -> float | None:
        return self.at_least

    def check(self, situation: Situation) -> Check:
        if situation.late:
            return False, Explanation("late")
        found, why = Kind(any_of=self.any_of, at_least=self.at_least, part=Part.PROMPT).check(situation)
        if not found:
            return False, why
        since = situation.message.sent_at - self.within
        own = _harmful(situation.past.found, since, self.any_of, self.at_least)
        others = {
            who: _harmful(finds, since, self.any_of, self.at_least) for who, finds in situation.past.others.items()
        }
        answering = {who: len(one) for who, one in others.items() if one and own and max(one) >= min(own)}
        other = max(answering, key=lambda who: answering[who], default="")
        theirs = answering.get(other, 0)
        facts: dict[str, Fact] = {
            "times": 1 + len(own), "theirs": theirs, "bar": self.times,
            "minutes": int(self.within.total_seconds() // 60), "kind": why.facts["kind"],
        }  # fmt: skip
        holds = 1 + len(own) == self.times <= theirs
        return holds, Explanation("quarrel", facts | {"other": other}) if holds else Explanation("no_quarrel", facts)

    def implies(self, other: Condition) -> bool:
        return self == other or Kind(any_of=self.any_of, at_least=self.at_least, part=Part.PROMPT).implies(other)


@dataclass(frozen=True, kw_only=True)
class Possible(Condition, key="possible", rank=Rank.ABSENCE):
    """Nobody denies that it is one of these kinds of harm: a guard that knows one gives it a probability of `at_least`
    or more, or nobody who knows them has judged the message."""

    any_of: Annotated[frozenset[HarmKind], MinLen(1)]
    at_least: Probability

    def check(self, situation: Situation) -> Check:
        holds, why = Kind(any_of=self.any_of, at_least=self.at_least).check(situation)
        return holds or why.code in ("no_verdict", "kind_not_judged"), why

    def implies(self, other: Condition) -> bool:
        return isinstance(other, Possible) and self.any_of <= other.any_of and self.at_least >= other.at_least


@dataclass(frozen=True, kw_only=True)
class NoKind(Condition, key="no_kind", rank=Rank.ABSENCE):
    """No guard that knows one of these kinds of harm gives it a probability of `at_least` or more. Where `text` stands
    in the message `with_text` is enough, and so is `text` alone where nobody who knows these kinds has judged it."""

    any_of: Annotated[frozenset[HarmKind], MinLen(1)]
    at_least: Probability
    text: Text | None = None
    with_text: Probability = 0.0

    @property
    def sought(self) -> Sought | None:
        return self.text

    def check(self, situation: Situation) -> Check:
        found, why = Kind(any_of=self.any_of, at_least=self.at_least).check(situation)
        if found:
            return False, Explanation("kind_forbids", why.facts)
        if self.text and Possible(any_of=self.any_of, at_least=self.with_text).check(situation)[0]:
            worded, words = self.text.check(situation)
            if worded or words is NOT_SEARCHED:
                return False, Explanation("text_forbids", words.facts) if worded else words
        return True, why

    def implies(self, other: Condition) -> bool:
        return (
            isinstance(other, NoKind)
            and self.any_of >= other.any_of
            and self.at_least <= other.at_least
            and (other.text is None or (self.text == other.text and self.with_text <= other.with_text))
        )


@dataclass(frozen=True, kw_only=True)
class Calibrated(Condition, key="calibrated", rank=Rank.ABSENCE, relies_on_verdict=True):
    """The guard's scores were calibrated: they are probabilities, and not only an order."""

    def check(self, situation: Situation) -> Check:
        calibrated = bool(situation.screening.guard.calibration)
        return calibrated, Explanation("calibrated" if calibrated else "not_calibrated")


def _harmful(
    finds: Iterable[tuple[datetime, Mapping[HarmKind, float]]],
    since: datetime,
    any_of: frozenset[HarmKind],
    at_least: float,
) -> list[datetime]:
    """When what is harmful in one of these ways was said, from then on."""
    recent = ((moment, kinds) for moment, kinds in finds if moment >= since)
    return [moment for moment, kinds in recent if any(kinds.get(one, 0.0) >= at_least for one in any_of)]


def _nothing_between(at_least: float, below: float | None) -> str | None:
    return "nothing lies between at_least and below" if below is not None and below <= at_least else None


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


@dataclass(frozen=True, kw_only=True)
class Pair(Condition, key="pair", rank=Rank.HOW_SURE, relies_on_verdict=True):
    """The message is a bot's answer and, together with what was asked, what `is_` says; the score of the task that
    matters is at least `at_least` (0..1). What the guard has not judged, or nobody could see, does not hold."""

    is_: Annotated[PairIs, Written("is")]
    at_least: Probability = YES

    @property
    def bar(self) -> float | None:
        return self.at_least

    def check(self, situation: Situation) -> Check:
        screening = situation.screening
        if not situation.answer:
            return False, Explanation("no_answer")
        if isinstance(screening, Unscreened):
            return False, Explanation("no_verdict", {"reason": screening.reason})
        task, others = _PAIRS[self.is_]
        for one in (task, *others):
            if one not in screening.scores:
                return False, Explanation("task_not_judged", {"task": one})
        for other, yes in others.items():
            if (screening.scores[other] >= YES) is not yes:
                facts: dict[str, Fact] = {"task": other, "score": screening.scores[other], "bar": YES}
                return False, Explanation("score_below" if yes else "score_above", facts)
        score = screening.scores[task]
        reached = score >= self.at_least
        return reached, Explanation(
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


CONDITIONS = (IsUnscreened, Category, Score, Kind, Recurring, Quarrel, Pair, Possible, NoKind, Calibrated)
