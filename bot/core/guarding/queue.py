"""Exchanges of all platforms and communities -> one shared, fair, bounded queue -> screenings.

What it promises:
  fair           communities take turns, so a raid in one does not starve the others
  fresh first    a backlog is judged only when nothing fresh waits
  prompt         in one line the oldest goes first; once somebody waits for more than `behind`, the line is too long for
                 everybody to be served at once: then those with a deadline go first, then what a cheap guard finds
                 most harmful, the newest first
  once           identical texts are judged once: asked at the same time they share a judgement, asked again
                 soon they get the remembered one
  bounded        at most `lanes` calls of `batch` exchanges are with the guard, fewer where it is slow: what is with
                 it is beyond our order; `room` tells who feeds the queue how many more may wait
  no poison      an exchange that the guard fails on fails alone; three times, while a greeting passes, and it is
                 `Unscreened`
  patient        while the guard is away the circuit is open, exchanges wait, and the guard is greeted until it answers;
                 who has waited for `grace` gets `Unscreened`, never a guess
  stood in for   who has said that it will do gets the word of a stand-in at once while the guard is away
  cancellable    an exchange that nobody waits for any more is dropped, in the engine too
"""

import asyncio
from dataclasses import dataclass, field

from bot.core.base.clock import Clock
from bot.core.chat.message import CommunityRef
from bot.core.guarding.circuit import Circuit
from bot.core.guarding.figures import QueueFigures
from bot.core.guarding.lanes import Lanes, Pace
from bot.core.guarding.ports import Guard
from bot.core.guarding.remembered import Remembered
from bot.core.guarding.stand_in import StandIn
from bot.core.guarding.tickets import Answer, Ticket, Tickets
from bot.core.guarding.verdict import AWAY, Exchange, Route, Screening, Unscreened, Verdict


@dataclass(slots=True, kw_only=True)
class GuardQueue:
    """`patience` is for one call of the guard, `grace` for an exchange from asking to `Unscreened` (seconds).
    `stand_in` is a cheap guard that is never away."""

    guard: Guard
    clock: Clock
    stand_in: Guard | None = None
    batch: int = 64
    lanes: int = 4
    capacity: int = 10_000
    patience: float = 30.0
    grace: float = 60.0
    behind: float = 1.0
    remember: int = 10_000  # verdicts
    remember_for: float = 600.0  # seconds
    figures: QueueFigures = field(default_factory=QueueFigures)
    _tickets: Tickets = field(init=False)
    _remembered: Remembered = field(init=False)
    _circuit: Circuit = field(init=False)
    _stand_in: StandIn = field(init=False)
    _lanes: Lanes = field(init=False)

    def __post_init__(self) -> None:
        self._tickets = Tickets(behind=self.behind, figures=self.figures)
        self._remembered = Remembered(
            most=self.remember, lasting=self.remember_for, clock=self.clock, figures=self.figures
        )
        self._circuit = Circuit(clock=self.clock, figures=self.figures)
        self._stand_in = StandIn(guard=self.stand_in, away=self.guard)
        self._lanes = Lanes(
            guard=self.guard,
            clock=self.clock,
            tickets=self._tickets,
            circuit=self._circuit,
            pace=Pace(most=self.batch, aim=self.behind / 2, size=min(8, self.batch)),
            patience=self.patience,
            figures=self.figures,
            answer=self._answer,
        )

    @property
    def room(self) -> int:
        return max(0, self.capacity - self.figures.waiting)

    @property
    def is_away(self) -> bool:
        """Whether the guard did not answer the last call (the circuit is open)."""
        return self._circuit.is_open

    async def answers(self) -> bool | None:
        """Whether the guard answered the last call; None before the first."""
        return False if self.is_away else self._circuit.has_answered or None

    def is_stood_in_for(self, exchange: Exchange) -> bool:
        """Whether the stand-in can judge all of an exchange."""
        return self._stand_in.can_judge(exchange)

    def submit(
        self,
        exchange: Exchange,
        *,
        community: CommunityRef,
        fresh: bool = True,
        urgent: bool = False,
        provisional: bool = False,
    ) -> Answer:
        """A future with the screening; cancel it when nobody needs it any more. `urgent`: it is worth something only
        for a short time. `provisional`: while the guard is away the stand-in's word will do (`Route.STOOD_IN`), and
        `Unscreened(AWAY)` where there is none."""
        self.figures.asked += 1
        answer: Answer = asyncio.get_running_loop().create_future()
        key = (self._remembered.key(exchange), provisional)
        if known := self._remembered.recall(key[0]):
            self.figures.remembered += 1
            answer.set_result(known)
            return answer
        if ticket := self._tickets.wanted(key):
            self.figures.joined += 1
        else:
            ticket = Ticket(key, exchange, community, fresh, urgent, self.clock.monotonic())
            self._tickets.enter(ticket)
            self.figures.full += not self.room
        ticket.add(answer)
        return answer

    async def run(self) -> None:
        """Serve until cancelled; raises `Broken` when the guard will never answer again."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self.lanes):
                group.create_task(self._serve())
            group.create_task(self._lanes.greet_while_away())
            group.create_task(self._let_stand_in())
            group.create_task(self._lose_patience())

    async def _serve(self) -> None:
        while True:
            await self._circuit.closed.wait()
            await self._rank()
            if tickets := self._tickets.take(self._lanes.pace.size, self.clock.monotonic()):
                await self._lanes.judge(tickets)
            else:
                self._tickets.work.clear()
                await self._tickets.work.wait()

    async def _rank(self) -> None:
        """What came while the line was too long goes by how harmful the stand-in finds it."""
        while unranked := self._tickets.unranked:
            some, self._tickets.unranked = unranked[: self.batch], unranked[self.batch :]
            found = await self._stand_in.judge([ticket.exchange for ticket in some])
            harms = [one.harm if isinstance(one, Verdict) else None for one in found]
            for ticket, harm in zip(some, harms or [None] * len(some), strict=True):
                self._tickets.rank(ticket, harm or 0.0)

    async def _let_stand_in(self) -> None:
        """While the guard is away: answer those for whom the stand-in's word will do."""
        while True:
            await self._circuit.open.wait()
            self._tickets.newcomer.clear()
            able = [one for one in self._tickets.waiting() if one.provisional and self.is_stood_in_for(one.exchange)]
            if not able:
                await self._tickets.newcomer.wait()
            able = able[: self.batch]
            for ticket in able:
                self._tickets.leave(ticket)
            found = await self._stand_in.judge([ticket.exchange for ticket in able])
            for ticket, screening in zip(able, found, strict=True):
                self._answer(ticket, screening)
            await asyncio.sleep(0)

    async def _lose_patience(self) -> None:
        while True:
            await self.clock.sleep(min(1.0, self.grace / 4))
            now = self.clock.monotonic()
            for_long = self._circuit.is_open_for(self.grace)
            for ticket in self._tickets.waiting():
                if ticket.asked_at < now - self.grace or (for_long and ticket.provisional):
                    self._tickets.leave(ticket)
                    self.figures.expired += len(ticket.answers)
                    reason = AWAY if self.is_away and ticket.provisional else f"no verdict within {self.grace:g} s"
                    self._answer(ticket, Unscreened(reason, self.guard.version))

    def _answer(self, ticket: Ticket, screening: Screening) -> None:
        self._tickets.close(ticket)
        later: Screening = screening
        if isinstance(screening, Unscreened):
            self.figures.unscreened += len(ticket.answers)
        elif screening.route is Route.STOOD_IN:
            self.figures.stood_in += len(ticket.answers)
        else:
            self.figures.judged += 1
            later = screening.again()
            self._remembered.keep(ticket.key[0], later)
        ticket.answer(screening, later)
