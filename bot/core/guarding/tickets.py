"""Texts to judge, each with everybody who waits for it -> who is next: deadlines, what is fresh, then a backlog."""

import asyncio
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from bot.core.chat.message import CommunityRef
from bot.core.guarding.figures import QueueFigures
from bot.core.guarding.lines import Lines, Rank
from bot.core.guarding.verdict import Exchange, Screening

#: An exchange and whether a stand-in will do, as a keyed hash: what was said is not kept to remember what was judged.
Key = tuple[bytes, bool]
Answer = asyncio.Future[Screening]


class Class(IntEnum):
    """Whoever waits in an earlier one goes first."""

    URGENT = 0  # worth something only for a short time
    FRESH = 1
    BACKLOG = 2


@dataclass(frozen=True, slots=True)
class Waiter:
    """Who waits for an answer, and since when."""

    answer: Answer
    community: CommunityRef
    standing: Class
    asked_at: float
    due_at: float


@dataclass(slots=True, eq=False)
class Ticket:
    """One text to judge and everybody who waits for it."""

    key: Key
    exchange: Exchange
    tokens: int
    waits: bool = False  # in line; else with the guard, or answered
    alone: bool = False  # the guard failed on it, or on it and others: it is not asked about others with it again
    faults: int = 0
    opinion: Screening | None = None  # the stand-in's, where it was asked
    waiters: list[Waiter] = field(default_factory=list)
    places: set[tuple[CommunityRef, Class]] = field(default_factory=set)  # where it stands
    call: "asyncio.Task[None] | None" = None
    companions: Sequence["Ticket"] = ()

    @property
    def provisional(self) -> bool:
        return self.key[1]

    @property
    def standing(self) -> Class:
        """Of the one in the earliest who still waits."""
        return min((waiter.standing for waiter in self.waiters if not waiter.answer.done()), default=Class.BACKLOG)

    @property
    def asked_at(self) -> float:
        """When the one asked who has waited longest."""
        return next((waiter.asked_at for waiter in self.waiters if not waiter.answer.done()), math.inf)

    def is_wanted(self) -> bool:
        return any(not waiter.answer.done() for waiter in self.waiters)

    def add(self, waiter: Waiter) -> None:
        self.waiters.append(waiter)
        waiter.answer.add_done_callback(self._left)

    def _left(self, answer: Answer) -> None:
        if answer.cancelled() and self.call and not any(ticket.is_wanted() for ticket in self.companions):
            self.call.cancel()


@dataclass(slots=True, kw_only=True)
class Tickets:
    """All that is not answered yet. Once somebody waits for more than `behind` (seconds), those who come without a
    deadline are `unranked` until somebody says how harmful they may be."""

    behind: float
    figures: QueueFigures
    work: asyncio.Event = field(default_factory=asyncio.Event)
    newcomer: asyncio.Event = field(default_factory=asyncio.Event)
    unranked: list[tuple[Ticket, Waiter]] = field(default_factory=list)
    _open: dict[Key, Ticket] = field(default_factory=dict)
    _lines: tuple[Lines[Ticket], ...] = field(init=False)
    _by_age: deque[Ticket] = field(default_factory=deque)  # those that wait, and some that do not any more
    _backlog_by_age: deque[Ticket] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._lines = tuple(Lines[Ticket](lambda ticket: ticket.waits) for _ in Class)

    def wanted(self, key: Key) -> Ticket | None:
        """The ticket of that text, where somebody still waits for it."""
        ticket = self._open.get(key)
        return ticket if ticket and ticket.is_wanted() else None

    def enter(self, ticket: Ticket, waiter: Waiter, now: float) -> None:
        """`waiter` waits for it, too, in a line of its own unless it stands there already."""
        ticket.add(waiter)
        if self._open.get(ticket.key) is not ticket:
            self._open[ticket.key] = ticket
            self._waits(ticket)
        if not ticket.waits or (waiter.community, waiter.standing) in ticket.places:
            return
        if waiter.standing is not Class.URGENT and self.is_behind(now):
            ticket.places.add((waiter.community, waiter.standing))
            self.unranked.append((ticket, waiter))
        else:
            self._stand(ticket, waiter, (1, waiter.asked_at, 0.0))
        (self._backlog_by_age if waiter.standing is Class.BACKLOG else self._by_age).append(ticket)

    def rank(self, ticket: Ticket, waiter: Waiter, harm: float) -> None:
        """In tenths, and the newest first."""
        if ticket.waits:
            self._stand(ticket, waiter, (2, -round(harm, 1), -waiter.asked_at))

    def come_back(self, ticket: Ticket) -> None:
        """Before everybody else: it had its turn already."""
        ticket.call, ticket.companions = None, ()
        self._waits(ticket)
        self._by_age.appendleft(ticket)
        for waiter in ticket.waiters:
            if not waiter.answer.done() and (waiter.community, waiter.standing) not in ticket.places:
                self._stand(ticket, waiter, (0, waiter.asked_at, 0.0))

    def waiting(self) -> list[Ticket]:
        """Once each, those who ask for something fresh first."""
        for ages in (self._by_age, self._backlog_by_age):
            waiting = dict.fromkeys(ticket for ticket in ages if ticket.waits)
            ages.clear()
            ages.extend(waiting)
        return list(dict.fromkeys((*self._by_age, *self._backlog_by_age)))

    def take(self, tokens: float, now: float) -> list[Ticket]:
        """Those whose turn it is, as many as there is room for: the last one may need more than that."""
        taken: list[Ticket] = []
        for standing, lines in zip(Class, self._lines, strict=True):
            while tokens > 0:
                among = lines.communities
                ticket = lines.next()
                if ticket is None:
                    break
                self.leave(ticket)
                if not ticket.is_wanted():
                    self.drop(ticket)
                    continue
                self.figures.turns += among > 1
                self.figures.fresh += standing is not Class.BACKLOG
                self.figures.backlog += standing is Class.BACKLOG
                self.figures.seconds_waited.add(now - ticket.asked_at)
                tokens -= ticket.tokens
                taken.append(ticket)
        return taken

    def expire(self, ticket: Ticket, *, asked_before: float = math.inf, due_before: float = math.inf) -> list[Answer]:
        """Of those who asked, and are due, before that; where nobody else waits, the ticket leaves."""
        waiters = [waiter for waiter in ticket.waiters if not waiter.answer.done()]
        late = [one for one in waiters if one.asked_at < asked_before and one.due_at <= due_before]
        ticket.waiters = [waiter for waiter in waiters if waiter not in late] if late else waiters
        if ticket.waits and not ticket.waiters:
            self.leave(ticket)
            self.close(ticket)
        return [waiter.answer for waiter in late]

    def leave(self, ticket: Ticket) -> None:
        ticket.waits = False
        ticket.places.clear()
        self.figures.waiting -= 1

    def drop(self, ticket: Ticket) -> None:
        """Nobody waits for it any more."""
        self.close(ticket)
        self.figures.dropped += 1

    def close(self, ticket: Ticket) -> None:
        if self._open.get(ticket.key) is ticket:
            del self._open[ticket.key]

    def is_behind(self, now: float) -> bool:
        """Whether somebody waits for longer than everybody should; a backlog may."""
        while self._by_age and not self._by_age[0].waits:
            self._by_age.popleft()
        return bool(self._by_age) and self._by_age[0].asked_at < now - self.behind

    def _stand(self, ticket: Ticket, waiter: Waiter, rank: Rank) -> None:
        ticket.places.add((waiter.community, waiter.standing))
        self._lines[waiter.standing].join(waiter.community, ticket, rank)

    def _waits(self, ticket: Ticket) -> None:
        ticket.waits = True
        self.figures.waiting += 1
        self.figures.most_waiting = max(self.figures.most_waiting, self.figures.waiting)
        self.work.set()
        self.newcomer.set()
