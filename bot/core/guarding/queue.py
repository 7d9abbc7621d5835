"""Exchanges of all platforms and communities -> one shared, fair, bounded queue -> screenings.

What it promises:
  fair           communities take turns by tokens, so neither a raid nor long texts in one starve the others; a text
                 that several wait for stands in the line of each
  fresh first    deadlines go before what is fresh, and a backlog is judged only when nothing else waits
  prompt         in one line the oldest goes first; once somebody waits for more than half of `behind`, the line is too
                 long for everybody to be answered within that: then of all who wait, and of who comes, what a cheap
                 guard finds most harmful, the newest first
  once           identical texts are judged once: asked at the same time they share a judgement, asked again
                 soon they get the remembered one
  continuous     each answer returns on its own, and makes room for what waits; what comes within `gather` goes together
  bounded        the guard is given as many tokens at once as it answers promptly: what is with it is beyond our order;
                 `room` tells who feeds the queue how many more may wait
  no poison      an exchange that the guard fails on fails alone; three times, while a greeting passes, and it is
                 `Unscreened`
  patient        while the guard is away the circuit is open, exchanges wait, and the guard is greeted until it answers;
                 who has waited for `grace` gets `Unscreened`, never a guess
  stood in for   who has said that it will do gets the word of a stand-in: at once while the guard is away, and after
                 `deadline` where more waits than it can judge
  cancellable    an exchange that nobody waits for any more is dropped, in the engine too
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from bot.core.base.clock import Clock
from bot.core.chat.message import CommunityRef
from bot.core.guarding.calls import Calls
from bot.core.guarding.circuit import Circuit
from bot.core.guarding.figures import QueueFigures
from bot.core.guarding.limit import Limit
from bot.core.guarding.ports import Guard, counting
from bot.core.guarding.remembered import Remembered
from bot.core.guarding.stand_in import StandIn
from bot.core.guarding.tickets import Answer, Class, Ticket, Tickets, Waiter
from bot.core.guarding.verdict import AWAY, LATE, Exchange, Route, Screening, Unscreened, Verdict


@dataclass(slots=True, kw_only=True)
class GuardQueue:
    """Times in seconds: `patience` is the least for one call of the guard, `grace` for an exchange from asking to
    `Unscreened`, `deadline` from when it came up; an answer after `behind` is late, for half of which it may wait here;
    `gather` is the most that it waits for others to go with. `batch`: the most exchanges of a call. `stand_in` is a
    cheap guard that is never away."""

    GATHERED = 0.05  # of the guard's latency, if that is less than `gather`
    GATHERED_FOR_SERVERS = 0.005

    guard: Guard
    clock: Clock
    stand_in: Guard | None = None
    batch: int = 64
    gather: float = 0.002  # in this process; a request to a server costs more
    first: int = 512  # tokens that the guard is given at once, until it has shown what it can
    capacity: int = 10_000
    patience: float = 30.0
    grace: float = 60.0
    deadline: float = 10.0
    behind: float = 1.0
    remember: int = 10_000  # verdicts
    remember_for: float = 600.0  # seconds
    figures: QueueFigures = field(default_factory=QueueFigures)
    _tokens: Callable[[Exchange], int] = field(init=False)
    _tickets: Tickets = field(init=False)
    _remembered: Remembered = field(init=False)
    _circuit: Circuit = field(init=False)
    _stand_in: StandIn = field(init=False)
    _calls: Calls = field(init=False)

    def __post_init__(self) -> None:
        self._tokens = counting(self.guard)
        self._tickets = Tickets(behind=self.behind / 2, figures=self.figures)
        self._remembered = Remembered(
            most=self.remember, lasting=self.remember_for, clock=self.clock, figures=self.figures
        )
        self._circuit = Circuit(clock=self.clock, figures=self.figures)
        self._stand_in = StandIn(guard=self.stand_in, away=self.guard)
        self._calls = Calls(
            guard=self.guard,
            clock=self.clock,
            tickets=self._tickets,
            circuit=self._circuit,
            limit=Limit(aim=self.behind / 2, tokens=self.first),
            patience=self.patience,
            batch=self.batch,
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

    @property
    def is_behind(self) -> bool:
        """Whether what is fresh has to wait."""
        return self._tickets.is_behind(self.clock.monotonic())

    async def answers(self) -> bool | None:
        """Whether the guard answered the last call; None before the first."""
        return False if self.is_away else self._circuit.has_answered or None

    async def meet(self) -> bool:
        """Whether the guard answers; one that was never called is asked. Raises `Broken` when it never will."""
        return await self._calls.meet()

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
        age: float = 0.0,
    ) -> Answer:
        """A future with the screening; cancel it when nobody needs it any more. `urgent`: it is worth something only
        for a short time. `provisional`: while the guard is away, or has no time, the stand-in's word will do
        (`Route.STOOD_IN`, `Route.HURRIED`), and `Unscreened(AWAY)` where there is none. `age`: seconds that it has
        waited elsewhere, which count towards the deadline."""
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
            ticket = Ticket(key, exchange, self._tokens(exchange))
        now = self.clock.monotonic()
        standing = Class.URGENT if urgent else Class.FRESH if fresh else Class.BACKLOG
        due_at = now - age + self.deadline if provisional and self.is_stood_in_for(exchange) else inf
        self._tickets.enter(ticket, Waiter(answer, community, standing, now, now + self.grace, due_at), now)
        self.figures.full += not self.room
        return answer

    async def run(self) -> None:
        """Serve until cancelled; raises `Broken` when the guard will never answer again."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._serve(group))
            group.create_task(self._calls.greet_while_away())
            group.create_task(self._let_stand_in())
            group.create_task(self._lose_patience())
            if self.stand_in:
                group.create_task(self._stand_in.rank(self._tickets))

    async def _serve(self, group: asyncio.TaskGroup) -> None:
        while True:
            await self._circuit.closed.wait()
            self._tickets.work.clear()
            self._calls.returned.clear()
            if taken := self._tickets.take(self._calls.room, self.clock.monotonic()):
                self._calls.begin(taken, group)
                await self._gather()
            elif self._calls.room <= 0:
                await self._calls.returned.wait()
            else:
                await self._tickets.work.wait()

    async def _gather(self) -> None:
        """What comes in a moment goes together; an answer ends it, for then the guard has time."""
        try:
            most = self.GATHERED_FOR_SERVERS if self._calls.is_remote else self.gather
            async with asyncio.timeout(min(most, self.GATHERED * self._calls.limit.latency)):
                await self._calls.returned.wait()
        except TimeoutError:
            pass

    async def _let_stand_in(self) -> None:
        """While the guard is away: answer those for whom the stand-in's word will do."""
        while True:
            await self._circuit.open.wait()
            self._tickets.newcomer.clear()
            able = [one for one in self._tickets.waiting() if one.provisional and self.is_stood_in_for(one.exchange)]
            if not able:
                await self._tickets.newcomer.wait()
            await self._settle({one: self._tickets.expire(one) for one in able[: self.batch]})

    async def _settle(self, answers: Mapping[Ticket, Sequence[Answer]]) -> None:
        """With the stand-in's word, and by which route it came."""
        route = Route.STOOD_IN if self.is_away else Route.HURRIED
        await self._stand_in.look_at(answers)
        for ticket, some in answers.items():
            opinion = ticket.opinion or Unscreened(AWAY, self.guard.version)
            self._tell(some, replace(opinion, route=route) if isinstance(opinion, Verdict) else opinion)
        await asyncio.sleep(0)

    async def _lose_patience(self) -> None:
        while True:
            await self.clock.sleep(min(0.5, self.grace / 4))
            now, is_away, for_long = self.clock.monotonic(), self.is_away, self._circuit.is_open_for(self.grace)
            overdue: dict[Ticket, Sequence[Answer]] = {}
            for ticket in self._tickets.waiting():
                if not is_away and ticket.ends_at > now:
                    continue  # most of them, and looked at twice a second
                if not is_away and (due := self._tickets.expire(ticket, due_before=now)):
                    overdue[ticket] = due
                away = is_away and ticket.provisional
                old = self._tickets.expire(ticket, asked_before=inf if away and for_long else now - self.grace)
                self.figures.expired += len(old)
                reason = AWAY if away else LATE
                self._tell(old, Unscreened(reason, self.guard.version))
            while overdue:
                some = [overdue.popitem() for _ in range(min(self.batch, len(overdue)))]
                await self._settle(dict(some))

    def _answer(self, ticket: Ticket, screening: Screening) -> None:
        """With what the guard said."""
        self._tickets.close(ticket)
        later = screening
        self.figures.anomalies.update(screening.anomalies if isinstance(screening, Verdict) else (screening.reason,))
        if isinstance(screening, Verdict):
            self.figures.judged += 1
            later = screening.again()
            self._remembered.keep(ticket.key[0], later)
        self._tell([waiter.answer for waiter in ticket.waiters], screening, later)

    def _tell(self, answers: Sequence[Answer], screening: Screening, later: Screening | None = None) -> None:
        """The first who still waits gets the one, who joined afterwards the other."""
        for answer in answers:
            if answer.done():
                continue
            answer.set_result(screening)
            self.figures.unscreened += isinstance(screening, Unscreened)
            if isinstance(screening, Verdict):
                self.figures.stood_in += screening.route is Route.STOOD_IN
                self.figures.hurried += screening.route is Route.HURRIED
            screening = later or screening
