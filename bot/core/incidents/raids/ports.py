"""Where raids are written down, with who takes part in them.

Every method may raise `Unavailable` (try again later) or `Broken` (never again in this process); nothing else
crosses a port.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.core.chat.message import CommunityRef, Platform
from bot.core.incidents.case import Person
from bot.core.incidents.raids.raid import Raid, Raider, Remedy, Sign, Whom


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """What was ordered for one member of a raid and is still to be done. `case`: the number of the case that it is to
    take back."""

    id: int
    community: CommunityRef
    raid: int  # its number
    member: str
    remedy: Remedy
    by: Person
    at: datetime
    language: str
    case: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A raid that is on, for a process that has not seen it begin."""

    community: CommunityRef
    id: int
    sign: Sign
    began_at: datetime
    last_at: datetime
    members: Mapping[str, bool]  # whether each has broken a rule


class Raids(Protocol):
    async def running(self) -> Sequence[Running]:
        """Those that are not over."""
        ...

    async def join(
        self, community: CommunityRef, sign: Sign, raiders: Collection[Raider], *, language: str, at: datetime
    ) -> int:
        """Write down who takes part in the raid that is on, or begins with them, and plan to show it, in one
        transaction; its id. Two processes that notice it at once begin one. Who takes part in it twice does so once.
        The cards of what they did before it was noticed, as far as nobody has said anything to them, are taken away
        where it begins: it is one card."""
        ...

    async def get(self, platform: Platform, raid_id: int) -> Raid | None: ...

    async def numbered(self, community: CommunityRef, number: int) -> Raid | None: ...

    async def order(self, raid_id: int, remedy: Remedy, whom: Whom, most: int, *, by: Person, at: datetime) -> int:
        """Note what a moderator wants done to the first `most` for whom nothing was ordered yet (BAN), or to all
        for whom a ban was ordered and carried out or refused (UNDO); how many that are."""
        ...

    async def ordered(self, most: int) -> Sequence[Ordered]:
        """What is still to be done, oldest first."""
        ...

    async def done(self, order: Ordered, case: int) -> None:
        """It was: as the case of this number."""
        ...

    async def renew(self, now: datetime) -> int:
        """Close raids that are over, and plan to show anew those of which more is on record than on their card; how
        many are to be shown."""
        ...
