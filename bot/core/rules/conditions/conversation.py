"""Conditions on what stands around the message: what its author said before, and what it answers."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from annotated_types import Ge, Le, MinLen

from bot.core.chat.amounts import Amount, amount
from bot.core.chat.message import Kind, Pairing
from bot.core.rules.conditions.condition import Check, Condition, Explanation, Fact, Rank, Situation, Written
from bot.core.rules.conditions.searching import Sought


@dataclass(frozen=True, kw_only=True)
class Offences(Condition, key="offences", rank=Rank.CONDUCT):
    """In this channel something that the author said made a rule act at least `at_least` times in the last `within`,
    this message not counted. Never holds for late messages."""

    at_least: Annotated[int, Ge(1), Written("times")]
    within: timedelta

    def check(self, situation: Situation) -> Check:
        if situation.late:
            return False, Explanation("late")
        since = situation.message.sent_at - self.within
        times = sum(moment >= since for moment in situation.past.offences)
        facts: dict[str, Fact] = {
            "times": times, "bar": self.at_least, "minutes": int(self.within.total_seconds() // 60)
        }  # fmt: skip
        return times >= self.at_least, Explanation("offences" if times >= self.at_least else "few_offences", facts)

    def implies(self, other: Condition) -> bool:
        return isinstance(other, Offences) and self.at_least >= other.at_least and self.within <= other.within


@dataclass(frozen=True, kw_only=True)
class Paired(Condition, key="pairing", rank=Rank.CONDUCT):
    """How sure it is what the message answers."""

    any_of: Annotated[frozenset[Pairing], MinLen(1)]

    def check(self, situation: Situation) -> Check:
        pairing = situation.message.pairing
        if pairing is None:
            return False, Explanation("answers_nobody")
        return pairing in self.any_of, Explanation("paired", {"pairing": pairing})

    def implies(self, other: Condition) -> bool:
        return isinstance(other, Paired) and self.any_of <= other.any_of


@dataclass(frozen=True, kw_only=True)
class Repeats(Condition, key="repeats", rank=Rank.CONDUCT):
    """The same author sent the same text at least `at_least` times (this one included) in the last `within`.
    Never holds for late messages: a backlog is not a flood."""

    at_least: Annotated[int, Ge(2), Written("times")]
    within: timedelta

    def check(self, situation: Situation) -> Check:
        if situation.late:
            return False, Explanation("late")
        times = 1
        if situation.past.repeats:
            since = situation.message.sent_at - self.within
            times += sum(moment >= since for moment in situation.past.repeats)
        facts = {"times": times, "bar": self.at_least, "seconds": int(self.within.total_seconds())}
        return times >= self.at_least, Explanation("repeats" if times >= self.at_least else "few_repeats", facts)

    def implies(self, other: Condition) -> bool:
        return isinstance(other, Repeats) and self.at_least >= other.at_least and self.within <= other.within


REMEMBERED = 64  # messages of one member, of the last ten minutes


@dataclass(frozen=True, kw_only=True)
class Flood(Condition, key="flood", rank=Rank.CONDUCT):
    """At least so much of something stands in this message, or with `within` in all that its author posted in this
    community since then. A late message floods nobody: a backlog comes all at once."""

    of: Amount
    at_least: Annotated[int, Ge(2), Le(10_000)]
    within: Annotated[timedelta, Le(timedelta(minutes=10))] = timedelta()

    def check(self, situation: Situation) -> Check:
        message, found = situation.message, amount(self.of, situation.message)
        if self.within and (situation.late or message.kind is not Kind.NEW or message.is_name):
            return False, Explanation("late" if situation.late else "no_flood")
        since = message.sent_at - self.within
        # What comes is what makes it one: who has stopped is not followed by what they say next.
        if self.within and found:
            found += sum(one.of(self.of) for at, one in situation.past.posted if since <= at <= message.sent_at)
        if found < self.at_least:
            return False, Explanation("no_flood")
        facts: dict[str, Fact] = {
            "amount": self.of.value, "found": found, "bar": self.at_least, "seconds": int(self.within.total_seconds())
        }  # fmt: skip
        return True, Explanation("flood_within" if self.within else "flood", facts)

    def contradiction(self) -> str | None:
        if self.of is Amount.MESSAGES and not self.within:
            return "one message is one message: flood needs within"
        if self.of is Amount.MESSAGES and self.at_least > REMEMBERED:
            return "so many messages of a member are not remembered"
        return None

    def implies(self, other: Condition) -> bool:
        return (
            isinstance(other, Flood)
            and self.of is other.of
            and self.at_least >= other.at_least
            and self.within == other.within
        )


@dataclass(frozen=True, kw_only=True)
class SameText(Condition, key="same_text_by", rank=Rank.CONDUCT):
    """At least so many members (this one counted) said nearly the same in this community in the last `within`. What
    everybody says, greetings and congratulations, is not counted."""

    at_least: Annotated[int, Ge(2), Written("members")]
    within: timedelta

    def check(self, situation: Situation) -> Check:
        sent = situation.message.sent_at
        members = 1 + sum(abs(sent - at) <= self.within for at in situation.past.echoes.values())
        facts = {"members": members, "bar": self.at_least, "minutes": int(self.within.total_seconds() // 60)}
        return members >= self.at_least, Explanation("campaign" if members >= self.at_least else "no_campaign", facts)

    def implies(self, other: Condition) -> bool:
        return isinstance(other, SameText) and self.at_least >= other.at_least and self.within <= other.within


@dataclass(frozen=True, kw_only=True)
class Pieces(Sought, Condition, key="pieces", rank=Rank.WHAT):
    """A pattern stands in what the author said in this channel in the last `within`, read as one, and would not without
    this message: words said in pieces are found once, with the last piece."""

    within: timedelta

    def check(self, situation: Situation) -> Check:
        message, since = situation.message, situation.message.sent_at - self.within
        before = " ".join(text for at, text in situation.past.said if at >= since)
        if not before or not self.is_linear or self.find(before):
            return False, Explanation("no_pieces")
        found = self.find(f"{before} {message.read}")
        return (False, Explanation("no_pieces")) if found is None else (True, Explanation("pieces", found))

    def implies(self, other: Condition) -> bool:
        return isinstance(other, Pieces) and self.within <= other.within and other.finds_all_of(self)


CONDITIONS = (Offences, Paired, Repeats, Flood, SameText, Pieces)
