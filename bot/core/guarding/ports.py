"""Who judges.

Every method may raise `Unavailable` (try again later) or `Broken` (never again in this process); nothing else
crosses a port.
"""

from collections.abc import Sequence
from typing import Protocol

from bot.core.guarding.verdict import Exchange, GuardVersion, Screening, Task


class Guard(Protocol):
    """One model that judges."""

    @property
    def version(self) -> GuardVersion: ...

    @property
    def tasks(self) -> frozenset[Task]:
        """What it can judge at all."""
        ...

    async def judge(self, exchanges: Sequence[Exchange]) -> Sequence[Screening]:
        """One screening for each exchange, in order. Must be cancellable."""
        ...
