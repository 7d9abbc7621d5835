"""Texts to judge, each with everybody who waits for it -> who is next: communities in turn, fresh before backlog."""

import asyncio
import heapq
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

from bot.core.chat.message import CommunityRef
from bot.core.guarding.figures import QueueFigures
from bot.core.guarding.verdict import Exchange, Screening

#: An exchange and whether a stand-in will do, as a keyed hash: what was said is not kept to remember what was judged.
Key = tuple[bytes, bool]
Rank = tuple[int, float, float]
Answer = asyncio.Future[Screening]


@dataclass(slots=True, eq=False)
class Ticket:
    """One text to judge and everybody who waits for it."""

    key: Key
    exchange: Exchange
    community: CommunityRef
    fresh: bool
    urgent: bool
    asked_at: float
    waits: bool = True  # in line; else with the guard, or answered
    alone: bool = False  # the guard failed on it, or on it and others: it is not asked about others with it again
    faults: int = 0
    answers: list[Answer] = field(default_factory=list)
    call: "asyncio.Future[Sequence[Screening]] | None" = None
    companions: Sequence["Ticket"] = ()

    @property
    def provisional(self) -> bool:
        return self.key[1]

    def is_wanted(self) -> bool:
        return any(not answer.done() for answer in self.answers)

    def add(self, answer: Answer) -> None:
        self.answers.append(answer)
        answer.add_done_callback(self._left)

    def answer(self, screening: Screening, later: Screening) -> None:
        """The first who still waits gets the one, who joined afterwards the other."""
        for answer in self.answers:
            if not answer.done():
                answer.set_result(screening)
                screening = later

    def _left(self, answer: Answer) -> None:
        if answer.cancelled() and self.call and not any(ticket.is_wanted() for ticket in self.companions):
            self.call.cancel()


class Lines:
    """Tickets that wait, one line a community, the lowest rank first; the communities take turns."""

    def __init__(self) -> None:
        self._lines: OrderedDict[CommunityRef, list[tuple[Rank, int, Ticket]]] = OrderedDict()
        self._number = count()  # of equal ranks, who joined first

    @property
    def communities(self) -> int:
        return len(self._lines)

    def join(self, ticket: Ticket, rank: Rank) -> None:
        line = self._lines.setdefault(ticket.community, [])
        heapq.heappush(line, (rank, next(self._number), ticket))

    def next(self) -> Ticket | None:
        while self._lines:
            community, line = next(iter(self._lines.items()))
            *_, ticket = heapq.heappop(line)
            if not line:
                del self._lines[community]
            if ticket.waits:  # else its patience has ended
                if line:
                    self._lines.move_to_end(community)
                return ticket
        return None


@dataclass(slots=True, kw_only=True)
class Tickets:
    """All that is not answered yet. Once somebody waits for more than `behind` (seconds), those who come without a
    deadline are `unranked` until somebody says how harmful they may be."""

    behind: float
    figures: QueueFigures
    work: asyncio.Event = field(default_factory=asyncio.Event)
    newcomer: asyncio.Event = field(default_factory=asyncio.Event)
    unranked: list[Ticket] = field(default_factory=list)
    _open: dict[Key, Ticket] = field(default_factory=dict)
    _fresh: Lines = field(default_factory=Lines)
    _backlog: Lines = field(default_factory=Lines)
    _by_age: deque[Ticket] = field(default_factory=deque)  # those that wait, and some that do not any more

    def wanted(self, key: Key) -> Ticket | None:
        """The ticket of that text, where somebody still waits for it."""
        ticket = self._open.get(key)
        return ticket if ticket and ticket.is_wanted() else None

    def enter(self, ticket: Ticket) -> None:
        self._open[ticket.key] = ticket
        self._by_age.append(ticket)
        if ticket.urgent:
            self._join(ticket, (0, ticket.asked_at, 0.0))
        elif self._is_behind(ticket.asked_at):
            self.unranked.append(ticket)
        else:
            self._join(ticket, (1, ticket.asked_at, 0.0))
        self._waits()

    def rank(self, ticket: Ticket, harm: float) -> None:
        """In tenths, and the newest first."""
        if ticket.waits:
            self._join(ticket, (2, -round(harm, 1), -ticket.asked_at))

    def come_back(self, ticket: Ticket) -> None:
        """Before everybody else: it had its turn already."""
        ticket.call, ticket.companions, ticket.waits = None, (), True
        self._by_age.appendleft(ticket)
        self._first(ticket)
        self._waits()

    def waiting(self) -> list[Ticket]:
        """Once each: who came back stands there twice."""
        return list(dict.fromkeys(ticket for ticket in self._by_age if ticket.waits))

    def take(self, most: int, now: float) -> list[Ticket]:
        """Those whose turn it is, at most `most`; who must be asked about alone comes alone."""
        taken: list[Ticket] = []
        for lines in (self._fresh, self._backlog):
            while len(taken) < most:
                among = lines.communities
                ticket = lines.next()
                if ticket is None:
                    break
                if ticket.alone and taken:
                    self._first(ticket)
                    return taken
                self.leave(ticket)
                if not ticket.is_wanted():
                    self.drop(ticket)
                    continue
                self.figures.turns += among > 1
                self.figures.fresh += ticket.fresh
                self.figures.backlog += not ticket.fresh
                self.figures.seconds_waited.add(now - ticket.asked_at)
                taken.append(ticket)
                if ticket.alone:
                    return taken
        return taken

    def leave(self, ticket: Ticket) -> None:
        ticket.waits = False
        self.figures.waiting -= 1

    def drop(self, ticket: Ticket) -> None:
        """Nobody waits for it any more."""
        self.close(ticket)
        self.figures.dropped += 1

    def close(self, ticket: Ticket) -> None:
        if self._open.get(ticket.key) is ticket:
            del self._open[ticket.key]

    def _join(self, ticket: Ticket, rank: Rank) -> None:
        (self._fresh if ticket.fresh else self._backlog).join(ticket, rank)

    def _first(self, ticket: Ticket) -> None:
        self._join(ticket, (-1, ticket.asked_at, 0.0))

    def _is_behind(self, now: float) -> bool:
        while self._by_age and not self._by_age[0].waits:
            self._by_age.popleft()
        return bool(self._by_age) and self._by_age[0].asked_at < now - self.behind

    def _waits(self) -> None:
        self.figures.waiting += 1
        self.figures.most_waiting = max(self.figures.most_waiting, self.figures.waiting)
        self.work.set()
        self.newcomer.set()
