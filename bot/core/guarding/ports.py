"""Who judges.

Every method may raise `Unavailable` (try again later) or `Broken` (never again in this process); nothing else
crosses a port.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

from bot.core.guarding.figures import ReplicaFigures
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


@runtime_checkable
class Replicated(Protocol):
    """A guard behind servers of its own, or one that asks such a guard."""

    def replica_figures(self) -> Sequence[ReplicaFigures]:
        """One a server, as they are now."""
        ...


def replica_figures(guards: Iterable[Guard]) -> Sequence[ReplicaFigures]:
    """Of all servers behind these guards."""
    return [figures for guard in guards if isinstance(guard, Replicated) for figures in guard.replica_figures()]
