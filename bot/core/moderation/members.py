"""Messages and settlements -> how many messages of its author a community has seen; the store counts as it settles."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.core.base.bounded import Bounded
from bot.core.chat.message import CommunityRef, Kind, Message
from bot.core.incidents.incident import Settlement
from bot.core.moderation.ports import Member, MemberRoll
from bot.core.rules.conditions import Past
from bot.core.rules.conditions.author import MOST_FIRST
from bot.core.rules.policy import Policy

KNOWN = 100_000  # members, and how often each was heard: who is not among them is asked for once more
#: In a community that has not been watched for so long, who has not been seen to join was there before.
LEARNING = timedelta(days=7)


@dataclass(slots=True, kw_only=True)
class Members:
    """Only what moderators let stand is counted, and only the first MOST_FIRST: whoever has said so much is known and
    costs nothing more."""

    roll: MemberRoll
    _heard: Bounded[Member, int] = field(default_factory=lambda: Bounded(KNOWN))
    _watched: Bounded[CommunityRef, datetime] = field(default_factory=lambda: Bounded(10_000))

    async def look_up(self, messages: Collection[Message], policy_of: Callable[[Message], Policy]) -> None:
        """Those of their authors that are not in mind, all in one go, where rules ask who is new."""
        asking = (message for message in messages if _counts(message) and policy_of(message).asks_who_is_new)
        wanted = {_member(message) for message in asking} - self._heard.keys()
        places = {community for community, _ in wanted} - self._watched.keys()
        if places:
            self._watched.update(await self.roll.watched_since(places))
        if wanted:
            heard = await self.roll.heard(wanted)
            self._heard.update({member: heard.get(member, 0) for member in wanted})

    def heard(self, message: Message) -> int | None:
        """How many messages of its author were seen before; MOST_FIRST stands for all from that on. None where nobody
        has asked."""
        heard = self._heard.get(_member(message)) if _counts(message) else None
        return MOST_FIRST if heard == 0 and self._was_there(message) else heard

    def weight(self, message: Message, past: Past) -> int:
        """How many messages this one counts for, if nothing is wrong with it. Who says the same again and again does
        not become known by that."""
        if past.heard is None or message.kind is not Kind.NEW or message.is_name or past.repeats:
            return 0
        heard, at_all = past.heard, self._heard.get(_member(message), 0)
        return MOST_FIRST - at_all if heard >= MOST_FIRST > at_all else int(at_all < MOST_FIRST)

    def note(self, settled: Iterable[Settlement]) -> None:
        for settlement in settled:
            if settlement.counts_for:
                message = settlement.decision.message
                member = _member(message)
                self._heard[member] = min(MOST_FIRST, self._heard.get(member, 0) + settlement.counts_for)
                self._watched.setdefault(message.community, message.sent_at)

    def forget(self, community: CommunityRef, is_theirs: Callable[[str], bool]) -> None:
        for member in [one for one in self._heard if one[0] == community and is_theirs(one[1])]:
            del self._heard[member]

    def leave(self, communities: Collection[CommunityRef]) -> None:
        """Another process counts on: here it is asked for again."""
        for member in [member for member in self._heard if member[0] in communities]:
            del self._heard[member]

    def _was_there(self, message: Message) -> bool:
        since, watched = message.author.since, self._watched.get(message.community, message.sent_at)
        if since is not None:
            return since < watched
        return message.sent_at - watched < LEARNING


def _member(message: Message) -> Member:
    return (message.community, message.author.id)


def _counts(message: Message) -> bool:
    author = message.author
    return message.kind is not Kind.DELETE and not (author.bot or author.no_account or author.is_staff)
