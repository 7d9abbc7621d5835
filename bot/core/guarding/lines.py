"""Tickets, each standing in the line of everybody who waits for it -> whose turn it is, by deficit round robin."""

import heapq
import math
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Generic, Protocol, TypeVar

from bot.core.chat.message import CommunityRef

#: Tokens that a community gets at each turn: about one line of chat.
QUANTUM = 64

_BACK = -math.inf  # before any harm


class Costs(Protocol):
    @property
    def tokens(self) -> int: ...


Waiting = TypeVar("Waiting", bound=Costs)


@dataclass(slots=True)
class _Line(Generic[Waiting]):
    credit: int = QUANTUM
    by_age: deque[Waiting] = field(default_factory=deque)
    lifted: list[tuple[float, float, int, Waiting]] = field(default_factory=list)  # a heap


class Lines(Generic[Waiting]):
    """One line a community, in which either the oldest goes first, or the most harmful and of equals the newest. The
    communities take turns, each with as many tokens as the others (Shreedhar and Varghese 1995). `waits`: whether
    somebody still stands there, or was served in another line."""

    def __init__(self, waits: Callable[[Waiting], bool]) -> None:
        self._waits = waits
        self._lines: OrderedDict[CommunityRef, _Line[Waiting]] = OrderedDict()
        self._number = count()  # of equals, who was lifted first
        self._standing, self._most = 0, 64  # entries, and how many there may be until those are swept out who left

    @property
    def communities(self) -> int:
        return len(self._lines)

    def join(self, community: CommunityRef, one: Waiting) -> None:
        self._entered(community).by_age.append(one)

    def come_back(self, community: CommunityRef, one: Waiting, asked_at: float) -> None:
        """Before everybody else, whoever goes first."""
        heapq.heappush(self._entered(community).lifted, (_BACK, asked_at, next(self._number), one))

    def lift(self, community: CommunityRef, one: Waiting, harm: float, asked_at: float) -> None:
        """Who has joined: where the oldest do not go first."""
        heapq.heappush(self._entered(community).lifted, (-harm, -asked_at, next(self._number), one))

    def next(self, *, oldest_first: bool) -> Waiting | None:
        while self._lines:
            community, line = next(iter(self._lines.items()))
            first = self._first(line, oldest_first=oldest_first)
            if first is None:
                del self._lines[community]
            elif (tokens := first[0].tokens) > line.credit:
                line.credit += QUANTUM
                self._lines.move_to_end(community)
            else:
                one, leave = first
                line.credit -= tokens
                leave()
                self._standing -= 1
                if not line.by_age and not line.lifted:
                    del self._lines[community]
                return one
        return None

    def _first(self, line: _Line[Waiting], *, oldest_first: bool) -> tuple[Waiting, Callable[[], object]] | None:
        """And what takes it out of its line."""
        lifted, by_age = line.lifted, line.by_age
        while lifted and not self._waits(lifted[0][-1]):
            heapq.heappop(lifted)
            self._standing -= 1
        if lifted and (not oldest_first or lifted[0][0] == _BACK):
            return lifted[0][-1], partial(heapq.heappop, lifted)
        end, leave = (0, by_age.popleft) if oldest_first else (-1, by_age.pop)
        while by_age and not self._waits(by_age[end]):
            leave()
            self._standing -= 1
        return (by_age[end], leave) if by_age else None

    def _entered(self, community: CommunityRef) -> _Line[Waiting]:
        self._standing += 1
        if self._standing > self._most:
            self._sweep()
        return self._lines.setdefault(community, _Line())

    def _sweep(self) -> None:
        for line in self._lines.values():
            line.by_age = deque(filter(self._waits, line.by_age))
            line.lifted = [entry for entry in line.lifted if self._waits(entry[-1])]
            heapq.heapify(line.lifted)
        self._standing = 1 + sum(len(line.by_age) + len(line.lifted) for line in self._lines.values())
        self._most = max(64, 2 * self._standing)
