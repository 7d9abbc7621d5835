"""Precedents as they are made anywhere, and messages -> the newest precedent that says the same: of their own community
or, where there is none, of those that share theirs with it."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

import structlog

from bot.core.base.clock import Clock
from bot.core.base.errors import Unavailable
from bot.core.chat.message import CommunityRef, Message
from bot.core.incidents.ports import MOST, Called
from bot.core.rules.precedent import Mark, Precedent, likeness

FOLLOW = 3.0  # seconds between two looks at what was called meanwhile
ANEW = 100  # looks after which all is read again: a group may have become another meanwhile
OVERLAP = timedelta(minutes=1)  # what was written earlier may be seen later

_log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Rulings:
    """Of each community at most as many as are kept; they speak for another one only while both share them."""

    store: Called
    mark: Mark
    clock: Clock
    partners: Callable[[CommunityRef], Iterable[CommunityRef]] = lambda community: ()
    _known: dict[CommunityRef, dict[Hashable, Precedent]] = field(default_factory=dict)
    _seen: datetime | None = None

    async def load(self, *, anew: bool = False) -> None:
        """What was called since the last look; `anew`: all of it."""
        if anew:
            self._known, self._seen = {}, None
        now = self.clock.now()
        since = datetime.fromtimestamp(0, now.tzinfo) if self._seen is None else self._seen - OVERLAP
        for community, about, precedent in await self.store.since(since):
            known = self._known.setdefault(community, {})
            known.pop(about, None)
            if precedent and precedent.until > now:
                known[about] = precedent
            while len(known) > MOST:
                del known[next(iter(known))]
            if not known:
                del self._known[community]
        self._seen = now

    async def run(self) -> None:
        """Follow what is called, here and in other processes, until cancelled."""
        for look in count(1):
            await self.clock.sleep(FOLLOW)
            try:
                await self.load(anew=look % ANEW == 0)
            except Unavailable as error:
                _log.warning("precedents not looked at", reason=error)

    def of(self, message: Message) -> Precedent | None:
        places = (message.community, *self.partners(message.community))
        known = [there for place in places if (there := self._known.get(place))]
        seen = likeness(message, self.mark) if known else None
        if seen is None:
            return None
        held = (one for there in known for one in reversed(there.values()) if one.until > message.sent_at)
        return next((one for one in held if one.likeness.covers(seen)), None)
