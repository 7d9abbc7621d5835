"""Tickets in their turn -> calls of the guard, so many at once and each as large as it answers promptly -> answers."""

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from bot.core.base.clock import Clock
from bot.core.base.errors import BotError, Unavailable, raised
from bot.core.guarding.circuit import Circuit
from bot.core.guarding.figures import QueueFigures
from bot.core.guarding.ports import Guard
from bot.core.guarding.tickets import Ticket, Tickets
from bot.core.guarding.verdict import Exchange, Screening, Unscreened

_log = structlog.get_logger(__name__)

MOST_FAULTS = 3

_GREETING = Exchange(prompt="안녕하세요")


class _TooSlow(Unavailable):
    """The guard had not answered when patience ended."""


@dataclass(slots=True)
class Pace:
    """How many exchanges one call brings, so that it takes at most `aim` seconds, or `PATIENT` times what one exchange
    took at best. It doubles while that takes half as long."""

    PATIENT = 4.0

    most: int
    aim: float
    size: int
    quickest: float = math.inf  # seconds an exchange

    def took(self, seconds: float, exchanges: int) -> None:
        self.quickest = min(self.quickest, seconds / exchanges)
        slow = max(self.aim, self.PATIENT * self.quickest)
        if seconds > slow:
            self.size = max(1, min(self.size, int(exchanges * max(0.5, slow / seconds))))
        elif exchanges >= self.size:
            self.size = min(self.most, self.size * 2 if seconds * 2 < slow else self.size + 1)


@dataclass(slots=True, kw_only=True)
class Lanes:
    """`answer` takes what the guard said, or that it fails on this."""

    guard: Guard
    clock: Clock
    tickets: Tickets
    circuit: Circuit
    pace: Pace
    patience: float  # seconds, for one call
    figures: QueueFigures
    answer: Callable[[Ticket, Screening], None]

    async def greet_while_away(self) -> None:
        """After each pause; an answer closes the circuit. What waits is not asked about: the guard may have gone
        because of it."""
        while True:
            await self.circuit.open.wait()
            await self.clock.sleep(self.circuit.pause)
            self.figures.probes += 1
            await self._greet()

    async def judge(self, tickets: list[Ticket]) -> None:
        self.figures.judging += len(tickets)
        self.figures.most_judging = max(self.figures.most_judging, self.figures.judging)
        call = asyncio.ensure_future(self._call([ticket.exchange for ticket in tickets]))
        for ticket in tickets:
            ticket.call, ticket.companions = call, tickets
        try:
            screenings = await call
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) and task.cancelling():
                call.cancel()
                raise  # it is the queue that stops
            self.figures.cancelled += 1
            for ticket in tickets:
                self.tickets.drop(ticket)
        except Exception as error:
            await self._judge_again(tickets, error)
        else:
            self.circuit.recovered()
            for ticket, screening in zip(tickets, screenings, strict=True):
                self.answer(ticket, screening)
        finally:
            self.figures.judging -= len(tickets)

    async def _judge_again(self, tickets: list[Ticket], error: Exception) -> None:
        """The guard failed on these. Whether it is away, or one of them is to blame, a greeting tells."""
        if isinstance(error, Unavailable):
            self.circuit.failed(error)
            for ticket in tickets:
                if isinstance(error, _TooSlow):
                    ticket.faults += ticket.alone  # of an outage, too: but it takes three, with answers between them
                    ticket.alone = True
                self._try_again(ticket, error)
            return
        _log.error("guard failed", error=raised(error), exchanges=len(tickets))
        if len(tickets) > 1:
            for ticket in tickets:
                if self.circuit.is_open:
                    self.tickets.come_back(ticket)
                else:
                    await self.judge([ticket])
            return
        (ticket,) = tickets
        ticket.call, ticket.alone = None, True  # nobody's leaving shall break off the greeting
        ticket.faults += await self._greet()
        self._try_again(ticket, error)

    def _try_again(self, ticket: Ticket, error: Exception) -> None:
        if ticket.faults < MOST_FAULTS:
            self.tickets.come_back(ticket)
        else:
            self.answer(ticket, Unscreened(f"defect: the guard fails ({type(error).__name__})", self.guard.version))

    async def _greet(self) -> bool:
        """Whether the guard answers at all. Raises `Broken` where it never will again."""
        try:
            await self._call([_GREETING])
        except Unavailable as error:
            self.circuit.failed(error)
        except BotError:
            raise
        except Exception as error:
            _log.error("guard failed", error=raised(error), exchanges=1)
            self.circuit.failed(Unavailable(type(error).__name__))
        else:
            self.circuit.recovered()
        return not self.circuit.is_open

    async def _call(self, exchanges: Sequence[Exchange]) -> Sequence[Screening]:
        began = self.clock.monotonic()
        try:
            async with asyncio.timeout(self.patience):
                screenings = await self.guard.judge(exchanges)
        except TimeoutError:
            raise _TooSlow(f"no answer within {self.patience:g} s") from None
        if len(screenings) != len(exchanges):
            raise ValueError(f"{len(screenings)} screenings of {len(exchanges)} exchanges")
        took = self.clock.monotonic() - began
        self.pace.took(took, len(exchanges))
        self.figures.seconds_judged.add(took, len(exchanges))
        return screenings
