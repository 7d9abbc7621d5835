"""A community or a member asks to be forgotten -> at once, in every table and in what every process remembers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.base.errors import Unavailable
from bot.core.chat.message import CommunityRef
from bot.core.incidents.ports import Changed

FOLLOW = 3.0  # seconds between two looks at what was erased meanwhile
OVERLAP = timedelta(minutes=1)  # what was written earlier may be seen later
REMEMBERED = 10_000  # erasures that were heard of

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Of an erasure: what it is called, how many rows went, and how many incidents and sanctions name the member still,
    because they are held, open or running. Those follow by themselves."""

    code: str
    at: datetime
    rows: int = 0
    left: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """Whose words went: those of everybody whom `is_theirs` knows by the platform's id. `incidents`: theirs."""

    receipt: str
    community: CommunityRef
    is_theirs: Callable[[str], bool]
    incidents: Sequence[int] = ()


#: Something that a process remembers of members, and forgets of these.
Memory = Callable[[Erased], None]


class Erasing(Protocol):
    async def erase_community(self, community: CommunityRef) -> Receipt | None:
        """Everything of it. None: there was nothing."""
        ...

    async def erase_member(self, community: CommunityRef, member: str) -> Receipt | None:
        """The words, name and id of a member, everywhere. What counts against them stays, under a keyed hash: nobody
        gets rid of that by being erased. None: nothing is known of the community."""
        ...

    async def go_on(self) -> int:
        """What had to stay when it was asked for, as far as it need not any more. Returns how many rows that were."""
        ...

    async def since(self, moment: datetime) -> Sequence[Erased]:
        """What was erased at or after that moment, by whomever, oldest first."""
        ...


@dataclass(slots=True, kw_only=True)
class Forgetful:
    """What a process remembers of members beside the tables forgets with them, whichever process has erased them."""

    erasing: Erasing
    memories: Sequence[Memory]
    changed: Changed  # what was posted about an incident is drawn anew, without its words
    clock: Clock
    _heard: Bounded[str, None] = field(default_factory=lambda: Bounded(REMEMBERED))
    _since: datetime | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.follow()
            except Unavailable as error:
                _log.warning("erasures not looked at", reason=error)
            await self.clock.sleep(FOLLOW)

    async def follow(self) -> None:
        now = self.clock.now()
        for erased in await self.erasing.since((self._since or now) - OVERLAP):
            if erased.receipt in self._heard:
                continue
            self._heard[erased.receipt] = None
            for forget in self.memories:
                forget(erased)
            for incident in erased.incidents:
                self.changed(erased.community, incident)
        self._since = now
