"""How things stand in the database, for those who look from outside: what waits, and who is there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bot.core.chat.message import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What is kept and not settled, decided and not done. `since`: when what has waited longest came; None: nothing
    waits."""

    messages: int = 0
    messages_since: datetime | None = None
    aside: int = 0  # of the messages, those that wait for the guard
    actions: int = 0
    actions_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """`database` and `schema` say which those are; `size` is in bytes; `processes`: that work on it; `works`, by kind
    of work: how many shares each process holds that takes part in it; `communities`, by platform: that have ever said
    or set something. `guard_away_since`: by any process's account."""

    database: str
    schema: str
    size: int
    processes: int
    works: Mapping[str, Sequence[int]] = field(default_factory=dict)
    communities: Mapping[Platform, int] = field(default_factory=dict)
    backlog: Backlog = field(default_factory=Backlog)
    last_settled: datetime | None = None
    guard_away_since: datetime | None = None


class Standings(Protocol):
    """Every method may raise `Unavailable` or `Broken`."""

    async def answers(self) -> bool:
        """Whether the database takes what is written, now and within a few seconds. Raises nothing."""
        ...

    async def backlog(self) -> Backlog: ...

    async def standing(self) -> Standing: ...
