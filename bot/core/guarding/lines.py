"""Tickets, each standing in the line of everybody who waits for it -> whose turn it is, by deficit round robin."""

import heapq
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Generic, Protocol, TypeVar

from bot.core.chat.message import CommunityRef

#: Tokens that a community gets at each turn: about one line of chat.
QUANTUM = 64

Rank = tuple[int, float, float]


class Costs(Protocol):
    @property
    def tokens(self) -> int: ...


Waiting = TypeVar("Waiting", bound=Costs)


@dataclass(slots=True)
class _Line(Generic[Waiting]):
    credit: int = QUANTUM
    waiting: list[tuple[Rank, int, Waiting]] = field(default_factory=list)  # a heap


class Lines(Generic[Waiting]):
    """One line a community, the lowest rank first. The communities take turns, each with as many tokens as the others
    (Shreedhar and Varghese 1995). `waits`: whether somebody still stands there, or was served in another line."""

    def __init__(self, waits: Callable[[Waiting], bool]) -> None:
        self._waits = waits
        self._lines: OrderedDict[CommunityRef, _Line[Waiting]] = OrderedDict()
        self._number = count()  # of equal ranks, who joined first
        self._standing, self._most = 0, 64  # entries, and how many there may be until those are swept out who left

    @property
    def communities(self) -> int:
        return len(self._lines)

    def join(self, community: CommunityRef, one: Waiting, rank: Rank) -> None:
        self._standing += 1
        if self._standing > self._most:
            self._sweep()
        heapq.heappush(self._lines.setdefault(community, _Line()).waiting, (rank, next(self._number), one))

    def next(self) -> Waiting | None:
        while self._lines:
            community, line = next(iter(self._lines.items()))
            while line.waiting and not self._waits(line.waiting[0][-1]):
                self._leave(line)
            if not line.waiting:
                del self._lines[community]
            elif (tokens := line.waiting[0][-1].tokens) > line.credit:
                line.credit += QUANTUM
                self._lines.move_to_end(community)
            else:
                line.credit -= tokens
                one = self._leave(line)
                if not line.waiting:
                    del self._lines[community]
                return one
        return None

    def _leave(self, line: _Line[Waiting]) -> Waiting:
        self._standing -= 1
        return heapq.heappop(line.waiting)[-1]

    def _sweep(self) -> None:
        for line in self._lines.values():
            line.waiting = [entry for entry in line.waiting if self._waits(entry[-1])]
            heapq.heapify(line.waiting)
        self._standing = 1 + sum(len(line.waiting) for line in self._lines.values())
        self._most = max(64, 2 * self._standing)
