"""Keys, and how the application is doing.

Every method may raise `Unavailable` (try again later) or `Broken` (never again in this process); nothing else
crosses a port.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from bot.core.chat.message import Message
from bot.core.incidents.incident import PlannedAction, Settlement
from bot.core.operations.health import HealthSnapshot
from bot.core.operations.keys import ApiKey
from bot.core.operations.outside.standing import Standings
from bot.core.rules.actions import Outcome


class ApiKeys(Protocol):
    """Keys to the HTTP API. What a key opens with is never kept, only its hash."""

    async def all(self) -> Sequence[ApiKey]:
        """Oldest first, the revoked ones too."""
        ...

    async def add(self, key: ApiKey) -> None: ...

    async def revoke(self, key_id: str, at: datetime) -> bool:
        """False where there is no such key, or it was revoked before."""
        ...

    async def replace(self, key_id: str, successor: ApiKey, until: datetime) -> bool:
        """Add the successor, and let the key be valid until then at the latest, in one transaction. False where there
        is no such key, or it was revoked before: then nothing is written."""
        ...

    async def note_use(self, uses: Mapping[str, datetime]) -> None:
        """When keys (by id) were used last. An earlier use than the noted one changes nothing."""
        ...


class Traces(Protocol):
    """Hears of each step of a message's way, just after it."""

    async def kept(self, messages: Sequence[Message], new: Sequence[bool]) -> None: ...

    def settled(self, settlements: Sequence[Settlement]) -> None: ...

    def done(self, planned: PlannedAction, outcome: Outcome) -> None: ...


class Resealing(Protocol):
    """What is stored, sealed anew while everybody works with it."""

    async def reseal(self, periods: Collection[int], *, openly: bool = False) -> int:
        """In the present period, what is sealed in these, and with `openly` what is not sealed at all. Returns how many
        rows that were. Broken off, it goes on where it was when it is called again."""
        ...


class HealthSource(Protocol):
    """How the application is doing, for health checks and metrics."""

    @property
    def standings(self) -> Standings:
        """Asks the database."""
        ...

    def snapshot(self) -> HealthSnapshot: ...

    async def guard_answers(self) -> bool:
        """As at its last call; before the first it is asked, which takes as long as it does."""
        ...
