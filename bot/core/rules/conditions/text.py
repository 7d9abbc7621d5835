"""Conditions on the words of the message."""

from dataclasses import dataclass

from bot.core.rules.conditions.condition import Check, Condition, Explanation, Rank, Situation
from bot.core.rules.conditions.searching import Sought
from bot.core.text.views import overrides

_NOT_FOUND: Check = (False, Explanation("text_not_found"))
NOT_SEARCHED = Explanation("text_not_searched")


@dataclass(frozen=True, kw_only=True)
class Text(Sought, Condition, key="text", rank=Rank.WHAT):
    """A pattern stands in one of the normalised views of the text."""

    @property
    def sought(self) -> Sought:
        return self

    def check(self, situation: Situation) -> Check:
        if not self.is_linear and self not in situation.searched:
            return False, NOT_SEARCHED
        found = self.find_in(situation.readings) if self.is_linear else situation.searched[self]
        return _NOT_FOUND if found is None else (True, Explanation("text_found", found))

    def implies(self, other: Condition) -> bool:
        return isinstance(other, Text) and other.finds_all_of(self)


@dataclass(frozen=True, kw_only=True)
class NoText(Condition, key="no_text", rank=Rank.ABSENCE):
    """None of the patterns stands in the text."""

    text: Text

    @property
    def sought(self) -> Sought:
        return self.text

    def check(self, situation: Situation) -> Check:
        holds, why = self.text.check(situation)
        if why is NOT_SEARCHED:
            return False, why
        return not holds, Explanation("text_forbids", why.facts) if holds else why

    def implies(self, other: Condition) -> bool:
        return isinstance(other, NoText) and other.text.implies(self.text)


@dataclass(frozen=True, kw_only=True)
class Named(Sought, Condition, key="name", rank=Rank.WHAT):
    """A pattern stands in the name that the author bears, whatever the message says."""

    def check(self, situation: Situation) -> Check:
        found = self.find(situation.message.author.name) if self.is_linear else None
        return (False, Explanation("name_not_found")) if found is None else (True, Explanation("name_found", found))

    def implies(self, other: Condition) -> bool:
        return isinstance(other, Named) and other.finds_all_of(self)


@dataclass(frozen=True, kw_only=True)
class Overrides(Condition, key="overrides", rank=Rank.CIRCUMSTANCE):
    """Signs stand in the text that turn the letters after them round: nobody types them, they only hide words."""

    def check(self, situation: Situation) -> Check:
        count = overrides(situation.message.read)
        return bool(count), Explanation("overrides", {"count": count}) if count else Explanation("no_overrides")


CONDITIONS = (Text, Named, Overrides, NoText)
