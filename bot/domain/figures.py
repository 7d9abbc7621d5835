"""What the running parts count about themselves, since the process started: numbers for health checks and metrics."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.domain.evaluation import CascadeFigures
from bot.domain.verdict import GuardVersion

#: Upper edges, in seconds.
_EDGES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


@dataclass(slots=True)
class Histogram:
    """How often something took how long: `counts` has one place for each edge and one for what is beyond all."""

    edges: tuple[float, ...] = _EDGES
    counts: list[int] = field(default_factory=lambda: [0] * (len(_EDGES) + 1))
    total: float = 0.0

    def add(self, seconds: float, times: int = 1) -> None:
        self.counts[bisect_left(self.edges, seconds)] += times
        self.total += seconds * times


@dataclass(slots=True, kw_only=True)
class QueueFigures:
    """The guard queue. `waiting` and `judging` are of this moment."""

    asked: int = 0
    joined: int = 0  # shared a judgement that was under way
    remembered: int = 0  # answered from memory
    judged: int = 0
    unscreened: int = 0
    dropped: int = 0  # nobody waited for them any more
    outages: int = 0
    waiting: int = 0
    judging: int = 0
    seconds_waited: Histogram = field(default_factory=Histogram)  # in the queue, by exchange
    seconds_judged: Histogram = field(default_factory=Histogram)  # with the guard, by exchange


@dataclass(slots=True, kw_only=True)
class FlowFigures:
    """Messages and actions. `actions` counts by kind of action and kind of outcome."""

    settled: int = 0
    incidents: int = 0
    actions: Counter[tuple[str, str]] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaFigures:
    """One guard server. `circuit` is "closed" (it works), "open" or "half_open"; `failures` are those in a row."""

    server: str  # host:port
    circuit: str
    outstanding: int
    answered: int
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """All of them at this moment. `guard_is_away`: the circuit in front of the guard is open."""

    guard: GuardVersion
    guard_is_away: bool
    has_room: bool  # the queue takes more
    queue: QueueFigures
    flow: FlowFigures
    cascade: CascadeFigures | None = None
    replicas: Sequence[ReplicaFigures] = ()
