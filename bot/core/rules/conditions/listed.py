"""Conditions on words that stand in a list, as words."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

from annotated_types import MinLen

from bot.core.rules.conditions.condition import Check, Condition, Explanation, Rank, Situation
from bot.core.text.words import WordList, word_list

_NOT_FOUND: Check = (False, Explanation("text_not_found"))


@dataclass(frozen=True, kw_only=True)
class Listed(Condition, key="words", rank=Rank.WHAT):
    """One of these words stands in the text as a word, with particles or without, in any of its views."""

    any_of: Annotated[tuple[str, ...], MinLen(1)]

    @cached_property
    def _words(self) -> WordList:
        return word_list(self.any_of)

    def check(self, situation: Situation) -> Check:
        found = situation.readings.hit(self._words)
        return _NOT_FOUND if found is None else (True, Explanation("text_found", found))

    def implies(self, other: Condition) -> bool:
        return isinstance(other, Listed) and set(self.any_of) <= set(other.any_of)


CONDITIONS = (Listed,)
