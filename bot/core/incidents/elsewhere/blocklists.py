"""Who comes in -> looked up in a public blocklist by their number, where the community wants that -> a case."""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.chat.message import CommunityRef
from bot.core.communities.community import Community, Listing
from bot.core.incidents.case import CaseKind, Order, Person, Search, measures
from bot.core.incidents.deeds import Deeds
from bot.core.rules.actions import Action
from bot.core.rules.policy import Policy, Watch
from bot.core.text.catalogue import Texts, texts

RESTRICTED_FOR = timedelta(days=7)  # a moderator who looks in between may end it, or go further
KEPT = {True: 86_400.0, False: 21_600.0}  # seconds for which an answer holds
REMEMBERED = 20_000  # answers
AT_ONCE = 8  # questions under way; who comes then is not asked about
FAILURES, PAUSE = 5, 60.0  # failures in a row after which nobody is asked about for so many seconds
#: A list that has most people on it is mistaken, or not what it says it is: of the last so many asked, so many.
LOOKED_AT, TOO_MANY, DISTRUSTED = 40, 20, 3600.0
CASES = 20  # of a member, among which one of ours would be

_log = structlog.get_logger(__name__)


class Blocklist(Protocol):
    """Somebody's public list of accounts. `host`: who hears which account is asked about."""

    name: str

    @property
    def host(self) -> str: ...

    async def lists(self, member: str) -> bool | None:
        """By the network's number. None: it does not say; nothing is raised, and it takes no more than seconds."""
        ...


@dataclass(slots=True, kw_only=True)
class Blocklists:
    """Nothing but the number of whoever comes in leaves this machine, and only for a community that has asked for it.
    What it says sanctions nobody by itself: the community has chosen between a note and a time-out, which is a case
    like every other. Whom it was noted of once, or who was freed, is left alone."""

    blocklist: Blocklist
    community_of: Callable[[CommunityRef], Community]
    policy_of: Callable[[CommunityRef], Policy]
    deeds: Deeds
    tell: Callable[[str, str], Awaitable[None]]  # a channel, what
    clock: Clock
    _known: Bounded[str, tuple[float, bool]] = field(default_factory=lambda: Bounded(REMEMBERED))
    _lately: deque[bool] = field(default_factory=lambda: deque(maxlen=LOOKED_AT))
    _under_way: int = 0
    _failures: int = 0
    _not_before: float = float("-inf")
    _distrusted_until: float = float("-inf")

    async def came(self, here: CommunityRef, who: Person, at: datetime) -> None:
        community = self.community_of(here)
        if community.blocklist is None or community.left_at or not await self._lists(who.id):
            return
        policy = self.policy_of(here)
        language = community.language or policy.language
        restricts = community.blocklist is Listing.RESTRICT and policy.mode is Watch.LIVE
        kind = CaseKind.MUTE if restricts else CaseKind.NOTE
        words = texts(language)("blocklist.because", name=self.blocklist.name)
        if await self._is_known(here, who.id, words):
            return
        actions: tuple[Action, ...] = measures(kind, RESTRICTED_FOR) if restricts else ()
        order = Order(
            kind=kind, member=who, moderator=Person(""), at=at, words=words, language=language, channel=here.id,
            actions=actions,
        )  # fmt: skip
        case = await self.deeds.take_in(here, order)
        self.deeds.planned.wake()
        if community.moderators_channel:
            key = "blocklist.restricted" if restricts else "blocklist.flagged"
            await self.tell(community.moderators_channel, self._told(key, texts(language), case.number))

    def _told(self, key: str, say: Texts, number: int) -> str:
        return say(key, name=self.blocklist.name, case=number)

    async def _is_known(self, here: CommunityRef, member: str, words: str) -> bool:
        theirs = await self.deeds.cases.find(here, Search(member=member), most=CASES)
        return any(not one.moderator.id and one.words == words for one in theirs)

    async def _lists(self, member: str) -> bool:
        """Whether it is on the list, as far as that is known and to be believed."""
        now = self.clock.monotonic()
        known = self._known.get(member)
        if known and now - known[0] < KEPT[known[1]]:
            return known[1] and now >= self._distrusted_until
        if now < max(self._not_before, self._distrusted_until) or self._under_way >= AT_ONCE:
            return False
        self._under_way += 1
        try:
            found = await self.blocklist.lists(member)
        finally:
            self._under_way -= 1
        if found is None:
            self._failures += 1
            if self._failures >= FAILURES:
                self._failures, self._not_before = 0, now + PAUSE
                _log.warning("a blocklist does not answer", host=self.blocklist.host)
            return False
        self._failures = 0
        self._known[member] = now, found
        self._lately.append(found)
        if self._lately.count(True) >= TOO_MANY:
            self._lately.clear()
            self._distrusted_until = now + DISTRUSTED
            _log.warning("a blocklist has most people on it: not asked for a while", host=self.blocklist.host)
            return False
        return found
