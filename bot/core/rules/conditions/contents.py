"""Conditions on what the message holds beside its words, and on the way it came."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, MinLen

from bot.core.chat.links import LinkKind, links_in, place_of
from bot.core.chat.message import Kind, Media, OriginKind
from bot.core.rules.conditions.condition import Check, Condition, Explanation, Rank, Situation

_NO_LINK: Check = (False, Explanation("no_link"))
_ANY = frozenset(LinkKind) - {LinkKind.MENTION}


@dataclass(frozen=True, kw_only=True)
class Link(Condition, key="link", rank=Rank.CONDUCT):
    """The message holds a link, however it is spelled: of one of `kinds` (empty: of any but mentions), to one of the
    places `to` (empty: to anywhere), and not to one nearer to it that is `allowed`, here or by the community. Places
    as `place_of` gives them; a host stands for all below it."""

    kinds: frozenset[LinkKind] = frozenset()
    to: frozenset[str] = frozenset()
    allowed: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for name in ("to", "allowed"):
            object.__setattr__(self, name, frozenset(place_of(one) or one.lower() for one in getattr(self, name)))

    def check(self, situation: Situation) -> Check:
        for link in links_in(situation.message.read, situation.message.links):
            # Of a link that nobody can read there is no place: it is not an allowed one. The nearest counts.
            allowed = self.allowed, situation.allowed_links
            named = next((one for one in link.places if one in self.to or any(one in places for places in allowed)), "")
            if link.kind in (self.kinds or _ANY) and (named in self.to if self.to else not named):
                return True, Explanation("linked", {"link": link.kind, "host": link.host or link.target})
        return _NO_LINK

    def implies(self, other: Condition) -> bool:
        return (
            isinstance(other, Link)
            and (self.kinds or _ANY) <= (other.kinds or _ANY)
            and (not other.to or frozenset() < self.to <= other.to)
            and other.allowed <= self.allowed
        )


@dataclass(frozen=True, kw_only=True)
class Mentions(Condition, key="mentions", rank=Rank.CONDUCT):
    at_least: Annotated[int, Ge(1)]

    def check(self, situation: Situation) -> Check:
        mentions = situation.message.mentions
        return mentions >= self.at_least, Explanation("mentions", {"mentions": mentions, "bar": self.at_least})

    def implies(self, other: Condition) -> bool:
        return isinstance(other, Mentions) and self.at_least >= other.at_least


@dataclass(frozen=True, kw_only=True)
class Edited(Condition, key="edited", rank=Rank.CIRCUMSTANCE):
    def check(self, situation: Situation) -> Check:
        edited = situation.message.kind is Kind.EDIT
        return edited, Explanation("edited" if edited else "not_edited")


@dataclass(frozen=True, kw_only=True)
class Filtered(Condition, key="filtered", rank=Rank.CIRCUMSTANCE):
    """The platform's own filter has stopped the message."""

    def check(self, situation: Situation) -> Check:
        found = situation.message.filtered
        return (
            (False, Explanation("not_filtered")) if found is None else (True, Explanation("filtered", {"found": found}))
        )


@dataclass(frozen=True, kw_only=True)
class Carries(Condition, key="media", rank=Rank.CIRCUMSTANCE):
    """The message carries one of these beside its text."""

    any_of: Annotated[frozenset[Media], MinLen(1)]

    def check(self, situation: Situation) -> Check:
        carried = sorted(self.any_of & situation.message.media)
        return bool(carried), Explanation("media", {"media": carried[0]}) if carried else Explanation("no_media")

    def implies(self, other: Condition) -> bool:
        return isinstance(other, Carries) and self.any_of <= other.any_of


@dataclass(frozen=True, kw_only=True)
class Forwarded(Condition, key="forwarded", rank=Rank.CIRCUMSTANCE):
    """The message is passed on from elsewhere, or answers something of elsewhere and shows it; from one of these."""

    any_of: Annotated[frozenset[OriginKind], MinLen(1)]

    def check(self, situation: Situation) -> Check:
        origins = filter(None, (situation.message.forwarded, situation.message.quoted))
        for origin in origins:
            if origin.kind in self.any_of:
                return True, Explanation("forwarded", {"origin": origin.kind})
        return False, Explanation("not_forwarded")

    def implies(self, other: Condition) -> bool:
        return isinstance(other, Forwarded) and self.any_of <= other.any_of


@dataclass(frozen=True, kw_only=True)
class ViaBot(Condition, key="via_bot", rank=Rank.CIRCUMSTANCE):
    """A bot has composed the message for its author."""

    def check(self, situation: Situation) -> Check:
        bot = situation.message.via_bot
        return (False, Explanation("not_via_bot")) if bot is None else (True, Explanation("via_bot", {"bot": bot}))


CONDITIONS = (Mentions, Link, Carries, Forwarded, ViaBot, Edited, Filtered)
