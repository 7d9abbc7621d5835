"""How long a guard took for how much at once -> how much it may be given at once."""

import math
from dataclasses import dataclass

_SMOOTHING = 0.1  # of the latency: the newest sample's share


@dataclass(slots=True, kw_only=True)
class Limit:
    """Tokens in flight. It grows with what is answered in time: doubled in each round trip (TCP's slow start, Jacobson
    1988) until an answer takes so long that it would be late with twice as much, then by GROWTH of it (Scalable TCP,
    Kelly 2003). A late answer lowers it, once a round trip, to so much of what was in flight beside it as would have
    been answered in time (latency is the sign of congestion, as for AIMDLimit and GradientLimit of Netflix'
    concurrency-limits). Late is what takes longer than `aim` (seconds), for what is with the guard is beyond our order,
    and longer than `PATIENT` times what one exchange took at best."""

    PATIENT = 4.0
    GROWTH = 0.02

    aim: float
    tokens: float
    latency: float = 0.0  # seconds, smoothed
    _best: float = math.inf  # seconds
    _late: float = -math.inf  # when it was lowered last
    _doubles: bool = True

    def answered(self, tokens: int, *, began: float, now: float, in_flight: int, together: int = 1) -> None:
        """`in_flight`: with the guard when it was given these, themselves among them; `together`: exchanges that share
        this answer's latency because they were answered at once."""
        seconds = max(now - began, 1e-6)
        self.latency += (seconds - self.latency) * (_SMOOTHING if self.latency else 1.0)
        is_alone = in_flight <= tokens * together  # what it takes now, whatever it took in better times
        self._best = seconds / together if is_alone else min(self._best, seconds / together)
        late = max(self.aim, self.PATIENT * self._best)
        self._doubles &= 2 * seconds <= late
        if seconds > late:
            if began >= self._late:  # else it was given before that had its effect
                self.tokens = max(1.0, min(0.9 * self.tokens, max(0.5 * self.tokens, in_flight * late / seconds)))
                self._late = now
        elif 2 * in_flight >= self.tokens:  # else it says nothing about more
            self.tokens += tokens * (1.0 if self._doubles else self.GROWTH)
