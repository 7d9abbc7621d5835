"""Conditions on who wrote the message, and where."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from annotated_types import Ge, Le, MinLen

from bot.core.rules.conditions.condition import Check, Condition, Explanation, Rank, Situation

MOST_FIRST = 20  # messages of a member that are counted at all


@dataclass(frozen=True, kw_only=True)
class Channel(Condition, key="channels", rank=Rank.CIRCUMSTANCE):
    """It was said in one of these channels, or in what lies within one (threads, the channels of a category)."""

    any_of: Annotated[frozenset[str], MinLen(1)]  # ids or names

    def check(self, situation: Situation) -> Check:
        message = situation.message
        channel = min(self.any_of & message.places, default=message.ref.channel_id)
        return channel in self.any_of, Explanation("channel", {"channel": channel})

    def implies(self, other: Condition) -> bool:
        return isinstance(other, Channel) and self.any_of <= other.any_of


@dataclass(frozen=True, kw_only=True)
class Role(Condition, key="roles", rank=Rank.CIRCUMSTANCE):
    any_of: Annotated[frozenset[str], MinLen(1)]

    def check(self, situation: Situation) -> Check:
        if situation.message.author.unmet:
            return True, Explanation("unmet")  # perhaps: they will be met before anything is done
        held = sorted(self.any_of & situation.message.author.roles)
        return bool(held), Explanation("role" if held else "other_role", {"role": ", ".join(held)})

    def implies(self, other: Condition) -> bool:
        return isinstance(other, Role) and self.any_of <= other.any_of


@dataclass(frozen=True, kw_only=True)
class NewAuthor(Condition, key="new_author", rank=Rank.CIRCUMSTANCE):
    """The author's account or membership is younger than `under`; false where the platform does not tell."""

    under: timedelta

    def check(self, situation: Situation) -> Check:
        author, sent = situation.message.author, situation.message.sent_at
        if author.unmet:
            return True, Explanation("unmet")
        known = [since for since in (author.since, author.account_since) if since]
        if not known:
            return False, Explanation("author_age_unknown")
        age = sent - max(known)
        young = age < self.under
        return young, Explanation("author_new" if young else "author_old", {"days": age.days})

    def implies(self, other: Condition) -> bool:
        return isinstance(other, NewAuthor) and self.under <= other.under


@dataclass(frozen=True, kw_only=True)
class FirstMessages(Condition, key="first_messages", rank=Rank.CIRCUMSTANCE):
    """The message is among the first so many of its author in this community; those about which a rule had something to
    say are not counted. False where nobody knows: for bots, and for who was there before the community was watched."""

    at_most: Annotated[int, Ge(1), Le(MOST_FIRST)]

    def check(self, situation: Situation) -> Check:
        heard = situation.past.heard
        if heard is None or heard >= self.at_most:
            return False, Explanation("known_member")
        return True, Explanation("first_messages", {"nth": heard + 1, "bar": self.at_most})

    def implies(self, other: Condition) -> bool:
        return isinstance(other, FirstMessages) and self.at_most <= other.at_most


@dataclass(frozen=True, kw_only=True)
class ByBot(Condition, key="by_bot", rank=Rank.CIRCUMSTANCE):
    bot: bool

    def check(self, situation: Situation) -> Check:
        bot = situation.message.author.bot
        return bot is self.bot, Explanation("by_bot" if bot else "by_person")


@dataclass(frozen=True, kw_only=True)
class ByStaff(Condition, key="by_staff", rank=Rank.CIRCUMSTANCE):
    """Of the community's own staff, whom no other rule looks at: accounts are stolen, and theirs are the worst."""

    def check(self, situation: Situation) -> Check:
        staff = situation.message.author.is_staff
        return staff, Explanation("by_staff" if staff else "not_staff")


CONDITIONS = (Channel, Role, NewAuthor, FirstMessages, ByBot, ByStaff)
