"""Texts to judge, each with everybody who waits for it -> who is next: deadlines, what is fresh, then a backlog."""

import asyncio
import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from bot.core.chat.message import CommunityRef
from bot.core.guarding.figures import QueueFigures
from bot.core.guarding.lines import Lines
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
    """Who waits for an answer, since when, until when at most, and when a stand-in's word is due."""

    answer: Answer
    community: CommunityRef
    standing: Class
    asked_at: float
    gone_at: float
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
    ends_at: float = math.inf  # nobody's time is over before
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
        self.ends_at = min(self.ends_at, waiter.gone_at, waiter.due_at)
        waiter.answer.add_done_callback(self._left)

    def _left(self, answer: Answer) -> None:
        if answer.cancelled() and self.call and not any(ticket.is_wanted() for ticket in self.companions):
            self.call.cancel()


@dataclass(slots=True, kw_only=True)
class Tickets:
    """All that is not answered yet. While somebody waits for more than `behind` (seconds), the newest go first among
    those without a deadline, and all of them are `unseen` until somebody says how harmful they look."""

    behind: float
    figures: QueueFigures
    work: asyncio.Event = field(default_factory=asyncio.Event)
    newcomer: asyncio.Event = field(default_factory=asyncio.Event)
    unseen: list[Ticket] = field(default_factory=list)  # the newest last, and some that do not wait any more
    to_see: asyncio.Event = field(default_factory=asyncio.Event)
    _open: dict[Key, Ticket] = field(default_factory=dict)
    _lines: tuple[Lines[Ticket], ...] = field(init=False)
    _by_age: deque[Ticket] = field(default_factory=deque)  # those that wait, and some that do not any more
    _backlog_by_age: deque[Ticket] = field(default_factory=deque)
    _newest_first: bool = False

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
        ticket.places.add((waiter.community, waiter.standing))
        self._lines[waiter.standing].join(waiter.community, ticket)
        (self._backlog_by_age if waiter.standing is Class.BACKLOG else self._by_age).append(ticket)
        self._order(now)
        if self._newest_first and waiter.standing is not Class.URGENT:
            self._not_seen([ticket])

    def lift(self, ticket: Ticket, harm: float) -> None:
        """It goes, while the newest go first, before those that look less harmful."""
        places = {(waiter.community, waiter.standing): waiter.asked_at for waiter in ticket.waiters}
        for (community, standing), asked_at in places.items() if ticket.waits else ():
            if standing is not Class.URGENT:
                self._lines[standing].lift(community, ticket, harm, asked_at)

    def come_back(self, ticket: Ticket) -> None:
        """Before everybody else: it had its turn already."""
        ticket.call, ticket.companions = None, ()
        self._waits(ticket)
        self._by_age.appendleft(ticket)
        for waiter in ticket.waiters:
            if not waiter.answer.done() and (waiter.community, waiter.standing) not in ticket.places:
                ticket.places.add((waiter.community, waiter.standing))
                self._lines[waiter.standing].come_back(waiter.community, ticket, waiter.asked_at)

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
        self._order(now)
        for standing, lines in zip(Class, self._lines, strict=True):
            while tokens > 0:
                among = lines.communities
                ticket = lines.next(oldest_first=standing is Class.URGENT or not self._newest_first)
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
        ticket.call, ticket.companions = None, ()  # else they would keep each other
        if self._open.get(ticket.key) is ticket:
            del self._open[ticket.key]

    def is_behind(self, now: float) -> bool:
        """Whether somebody waits for longer than everybody should; a backlog may."""
        while self._by_age and not self._by_age[0].waits:
            self._by_age.popleft()
        return bool(self._by_age) and self._by_age[0].asked_at < now - self.behind

    def _order(self, now: float) -> None:
        if self._newest_first is not self.is_behind(now):
            self._newest_first, self.unseen = not self._newest_first, []
            if self._newest_first:
                self._not_seen((*self._backlog_by_age, *self._by_age))

    def _not_seen(self, tickets: Iterable[Ticket]) -> None:
        self.unseen += tickets
        if len(self.unseen) > 2 * self.figures.waiting:
            self.unseen = [ticket for ticket in self.unseen if ticket.waits]
        self.to_see.set()

    def _waits(self, ticket: Ticket) -> None:
        ticket.waits = True
        self.figures.waiting += 1
        self.figures.most_waiting = max(self.figures.most_waiting, self.figures.waiting)
        self.work.set()
        self.newcomer.set()
