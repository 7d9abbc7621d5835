"""Tickets whose turn it is -> calls of the guard, as much at once as it answers promptly -> each answer as it comes."""

import asyncio
from collections.abc import Callable, Sequence
from contextvars import copy_context
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter

import structlog

from bot.core.base.clock import Clock
from bot.core.base.errors import BotError, Unavailable, raised
from bot.core.base.waiting import outlasting
from bot.core.guarding.circuit import Circuit
from bot.core.guarding.figures import QueueFigures
from bot.core.guarding.limit import Limit
from bot.core.guarding.ports import PRIORITY, Answered, Guard, Replicated, is_continuous, judge_each
from bot.core.guarding.tickets import Ticket, Tickets
from bot.core.guarding.verdict import Exchange, Screening, Unscreened

_log = structlog.get_logger(__name__)

MOST_FAULTS = 3

_GREETING = Exchange(prompt="안녕하세요")


class _TooSlow(Unavailable):
    """The guard had not answered when patience ended: none, or all but these."""

    def __init__(self, reason: str, *, answers_others: bool) -> None:
        super().__init__(reason)
        self.answers_others = answers_others


@dataclass(slots=True, kw_only=True)
class Calls:
    """`answer` takes what the guard said, or that it fails on this. `batch`: the most exchanges of a call. One is lost
    when nothing has been answered for `patience` (seconds), or OVERTAKEN times as much as was with the guard when it
    began: a guard that is slow gets there."""

    OVERTAKEN = 4

    guard: Guard
    clock: Clock
    tickets: Tickets
    circuit: Circuit
    limit: Limit
    patience: float
    batch: int
    figures: QueueFigures
    answer: Callable[[Ticket, Screening], None]
    in_flight: int = 0  # tokens
    returned: asyncio.Event = field(default_factory=asyncio.Event)  # an answer has come, or will not
    _replicas: Replicated | None = field(init=False)
    _is_continuous: bool = field(init=False)
    _greeting: asyncio.Lock = field(default_factory=asyncio.Lock)
    _meeting: "asyncio.Task[bool] | None" = None
    _answered: int = 0  # tokens
    _answered_at: float = 0.0  # in the time of the event loop, as patience is

    def __post_init__(self) -> None:
        self._replicas = self.guard if isinstance(self.guard, Replicated) else None
        self._is_continuous = is_continuous(self.guard)

    @property
    def is_remote(self) -> bool:
        return bool(self._replicas and self._replicas.replica_figures())

    @property
    def room(self) -> float:
        """Tokens that the guard may be given now. One that has nothing may always be given something."""
        replicas = self._replicas.replica_figures() if self._replicas else ()
        limit = sum(replica.limit for replica in replicas) if replicas else self.limit.tokens
        self.figures.limit = int(limit)
        return max(limit, 1.0) - self.in_flight

    def begin(self, tickets: Sequence[Ticket], group: asyncio.TaskGroup) -> None:
        """Without waiting for the answers. They come in the order of their standing; equals go together."""
        calls = [
            together[start : start + self.batch]
            for _, some in groupby((ticket for ticket in tickets if not ticket.alone), attrgetter("standing"))
            for together in [list(some)]
            for start in range(0, len(together), self.batch)
        ]
        for call in [*calls, *([ticket] for ticket in tickets if ticket.alone)]:
            self.in_flight += sum(ticket.tokens for ticket in call)
            self.figures.judging += len(call)
            context = copy_context()
            context.run(PRIORITY.set, call[0].standing)
            task = group.create_task(self._judge(call), context=context)
            for ticket in call:
                ticket.call, ticket.companions = task, call
        self.figures.most_judging = max(self.figures.most_judging, self.figures.judging)

    async def greet_while_away(self) -> None:
        """After each pause; an answer closes the circuit. What waits is not asked about: the guard may have gone
        because of it."""
        while True:
            await self.circuit.open.wait()
            await self.clock.sleep(self.circuit.pause)
            self.figures.probes += 1
            await self._greet()

    async def meet(self) -> bool:
        """Whether the guard answers. One that was never called is greeted, once, however many wait for that."""
        if not self.circuit.has_answered and not self.circuit.is_open:
            self._meeting = self._meeting or asyncio.create_task(self._greet())
            await outlasting(self._meeting)
        return not self.circuit.is_open

    async def _judge(self, tickets: Sequence[Ticket]) -> None:
        began, in_flight = self.clock.monotonic(), self.in_flight
        together = 1 if self._is_continuous else len(tickets)
        left = dict(enumerate(tickets))

        def answered(place: int, screening: Screening) -> None:
            ticket, now = left.pop(place), self.clock.monotonic()
            self.limit.answered(ticket.tokens, began=began, now=now, in_flight=in_flight, together=together)
            self.figures.seconds_judged.add(now - began)
            self._return(ticket)
            self._answered += ticket.tokens
            self._answered_at = asyncio.get_running_loop().time()
            self.circuit.recovered()
            self.answer(ticket, screening)

        try:
            await self._call([ticket.exchange for ticket in tickets], in_flight, answered)
            if left:
                raise ValueError(f"{len(left)} exchanges without a screening")
        except asyncio.CancelledError:
            if any(ticket.is_wanted() for ticket in left.values()):
                raise  # it is the queue that stops
            self.figures.cancelled += 1
            for ticket in left.values():
                self.tickets.drop(ticket)
        except Exception as error:
            for ticket in left.values():
                ticket.call = None  # nobody's leaving shall break off what comes now
            await self._judge_again(list(left.values()), error)
        finally:
            for ticket in left.values():
                self._return(ticket)

    def _return(self, ticket: Ticket) -> None:
        self.in_flight -= ticket.tokens
        self.figures.judging -= 1
        self.returned.set()

    async def _judge_again(self, tickets: Sequence[Ticket], error: Exception) -> None:
        """The guard failed on these. Whether it is away, or one of them is to blame, its other answers tell, and a
        greeting."""
        is_fault, is_suspect = False, True
        if isinstance(error, _TooSlow):
            is_fault = True  # of an outage, too: but it takes three, with answers between them
            if not error.answers_others:
                self.circuit.failed(error)
        elif isinstance(error, Unavailable):
            is_suspect = False
            self.circuit.failed(error)
        else:
            _log.error("guard failed", error=raised(error), exchanges=len(tickets))
            is_fault = len(tickets) == 1 and await self._is_there()
        for ticket in tickets:
            ticket.faults += is_fault and (ticket.alone or not isinstance(error, Unavailable))
            ticket.alone |= is_suspect
            if ticket.faults < MOST_FAULTS:
                self.tickets.come_back(ticket)
            else:
                reason = f"defect: the guard fails ({type(error).__name__})"
                self.answer(ticket, Unscreened(reason, self.guard.version))

    async def _is_there(self) -> bool:
        """Whether the guard answers at all; many ask for one greeting."""
        async with self._greeting:
            return not self.circuit.is_open and await self._greet()

    async def _greet(self) -> bool:
        """Whether the guard answers at all. Raises `Broken` where it never will again."""
        try:
            await self._call([_GREETING], 1, lambda place, screening: None)
        except Unavailable as error:
            self.circuit.failed(error, greeted=True)
        except BotError:
            raise
        except Exception as error:
            _log.error("guard failed", error=raised(error), exchanges=1)
            self.circuit.failed(Unavailable(type(error).__name__), greeted=True)
        else:
            self.circuit.recovered()
        return not self.circuit.is_open

    async def _call(self, exchanges: Sequence[Exchange], in_flight: int, answered: Answered) -> None:
        call = asyncio.ensure_future(judge_each(self.guard, exchanges, answered))
        clock, before = asyncio.get_running_loop(), self._answered
        try:
            while not (await asyncio.wait([call], timeout=self.patience))[0]:
                is_silent = clock.time() - self._answered_at >= self.patience
                if is_silent or self._answered - before > self.OVERTAKEN * in_flight:
                    raise _TooSlow(f"no answer within {self.patience:g} s", answers_others=not is_silent)
            call.result()
        finally:
            if call.cancel():
                await asyncio.wait([call])
