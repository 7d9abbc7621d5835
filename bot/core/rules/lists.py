"""What a community itself forbids and allows, and the rules that follow from that."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta

from bot.core.rules.actions import Delete, Flag, Warn
from bot.core.rules.conditions import Condition, Link, Listed
from bot.core.rules.policy import Mode, Reason, Rule

MOST = 5_000  # entries of one list

_LINKS = Reason(ko="이 커뮤니티에서 막은 링크", en="a link that this community does not want")
_WORDS = Reason(ko="이 커뮤니티에서 쓰지 않기로 한 말", en="a word that this community does not want")


@dataclass(frozen=True, kw_only=True)
class Lists:
    """In the order in which they were added. What is allowed is left alone wherever a rule searches for words or
    looks for links."""

    forbidden_words: tuple[str, ...] = ()
    allowed_words: tuple[str, ...] = ()
    forbidden_links: tuple[str, ...] = ()  # places (`chat.links.place_of`)
    allowed_links: tuple[str, ...] = ()
    #: What forbidding them would find is recorded, and nothing is done. A policy without any keeps its version.
    tried_words: tuple[str, ...] = field(default=(), repr=False)

    def __iter__(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Each list by its name."""
        yield from ((one.name, getattr(self, one.name)) for one in fields(self))

    def rules(self, shadow: Collection[str] = ()) -> Iterator[Rule]:
        """Those of the community's own, which go before all others; in `shadow` those of these names."""
        for rule in self._rules():
            yield replace(rule, mode=Mode.SHADOW) if rule.name in shadow else rule

    def _rules(self) -> Iterator[Rule]:
        if self.forbidden_words:
            yield _rule("forbidden-words", Listed(any_of=self.forbidden_words), _WORDS)
        if self.tried_words:
            yield replace(_rule("tried-words", Listed(any_of=self.tried_words), _WORDS), mode=Mode.SHADOW)
        if self.forbidden_links:
            yield _rule("forbidden-links", Link(to=frozenset(self.forbidden_links)), _LINKS)


def _rule(name: str, what: Condition, reason: Reason) -> Rule:
    then = (Delete(), Warn(), Flag())
    return Rule(name=name, when=(what,), then=then, reason=reason, cooldown=timedelta(minutes=10))


NO_LISTS = Lists()
