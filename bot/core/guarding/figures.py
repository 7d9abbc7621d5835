"""What the running parts count about themselves, since the process started: numbers for health checks and metrics."""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

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
    """Counts of the exchanges that were brought to the guard queue; `waiting` and `judging` are of this moment, the
    `most_` of them so far."""

    asked: int = 0
    joined: int = 0  # once: shared a judgement that was under way
    remembered: int = 0  # once: answered from memory
    forgotten: int = 0  # verdicts that were remembered for long enough, or had to make room
    judged: int = 0
    unscreened: int = 0
    expired: int = 0  # patient: of the unscreened, those that nobody judged within the grace
    stood_in: int = 0  # stood in for: answered by the stand-in while the guard was away
    hurried: int = 0  # ... and because too much waited for it
    fresh: int = 0  # fresh first: had their turn as fresh messages
    backlog: int = 0  # ... and as a backlog
    turns: int = 0  # fair: had their turn while another community waited
    dropped: int = 0  # cancellable: nobody waited for them any more
    cancelled: int = 0  # calls of the guard that were broken off for that
    outages: int = 0  # times that the circuit opened
    probes: int = 0  # calls of the guard while it was open
    full: int = 0  # bounded: times that the last place in the queue was taken
    waiting: int = 0
    most_waiting: int = 0
    judging: int = 0
    most_judging: int = 0
    anomalies: Counter[str] = field(default_factory=Counter)  # of the guard's answers: what is odd, or makes no sense
    limit: int = 0  # tokens that the guard is given at once, as it is now
    seconds_waited: Histogram = field(default_factory=Histogram)  # in the queue, by exchange
    seconds_judged: Histogram = field(default_factory=Histogram)  # with the guard, by exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaFigures:
    """One guard server. `circuit` is "closed" (it works), "open" or "half_open"; `failures` are those in a row;
    `limit`: tokens that it is given at once, none while it is away."""

    server: str  # host:port
    circuit: str
    outstanding: int
    limit: int
    answered: int
    failures: int
