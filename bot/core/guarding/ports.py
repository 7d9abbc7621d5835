"""Who judges.

Every method may raise `Unavailable` (try again later) or `Broken` (never again in this process); nothing else
crosses a port.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from bot.core.guarding.figures import ReplicaFigures
from bot.core.guarding.verdict import Exchange, GuardVersion, Opinion, Screening, Task, Unscreened

#: Takes the screening of the exchange in that place.
Answered = Callable[[int, Screening], None]

#: Of what a guard is asked about: whose engine takes priorities passes it on. The lowest goes first, whichever of
#: several processes asks.
PRIORITY: ContextVar[int] = ContextVar("priority", default=0)


@dataclass(frozen=True, slots=True)
class Said:
    """What a guard itself has to say to one question, before anything is made of it: uncalibrated, unweighed."""

    asked: str  # about "prompt" or "response", and by which policy
    window: int  # of a long text, from 0
    text: str  # as it was written; empty where the guard gives numbers alone
    labels: Mapping[str, Mapping[str, float]]  # of each answer that it gives, the number of each label


#: Takes down what guards say, where somebody wants to see it.
OVERHEARD: ContextVar[list[Said] | None] = ContextVar("overheard", default=None)


def overheard(asked: str, labels: Mapping[str, Mapping[str, float]], text: str = "", window: int = 0) -> None:
    """A guard calls it with each answer."""
    if (taken := OVERHEARD.get()) is not None:
        taken.append(Said(asked, window, text, labels))


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


class PolicyGuard(Protocol):
    """One model that reads rules which people have written for people."""

    @property
    def version(self) -> GuardVersion: ...

    async def read(self, exchange: Exchange, rules: str) -> Opinion | Unscreened:
        """Of the response, or else the prompt. What it quotes is its own word: nobody has looked it up. Must be
        cancellable."""
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


@runtime_checkable
class Continuous(Protocol):
    """A guard that can tell its answers one by one, or one that asks another guard."""

    @property
    def is_continuous(self) -> bool:
        """Whether the engine behind it is not done with everything at once."""
        ...

    async def judge_each(self, exchanges: Sequence[Exchange], answered: Answered) -> None:
        """As `judge`; tells each screening, once, as soon as it is there."""
        ...


def is_continuous(guard: Guard) -> bool:
    return isinstance(guard, Continuous) and guard.is_continuous


async def judge_each(guard: Guard, exchanges: Sequence[Exchange], answered: Answered) -> None:
    """Each screening as soon as this guard has it."""
    if isinstance(guard, Continuous):
        return await guard.judge_each(exchanges, answered)
    screenings = await guard.judge(exchanges)
    if len(screenings) != len(exchanges):
        raise ValueError(f"{len(screenings)} screenings of {len(exchanges)} exchanges")
    for place, screening in enumerate(screenings):
        answered(place, screening)
    return None


_TEMPLATE = 48  # tokens of a question without the texts


@runtime_checkable
class Tokenising(Protocol):
    """A guard that knows how much it has to read, or one that asks such a guard."""

    def tokens(self, exchange: Exchange) -> int:
        """About so many, all its questions about the exchange together."""
        ...


def counting(guard: Guard) -> Callable[[Exchange], int]:
    """What it costs to judge an exchange: by its length where the guard does not say."""
    if isinstance(guard, Tokenising):
        return guard.tokens
    return lambda exchange: _TEMPLATE + len(exchange.prompt or "") + len(exchange.response or "")
