"""Exchanges of all platforms and communities -> one shared, fair, bounded queue -> screenings.

What it promises:
  fair           communities take turns, so a raid in one does not starve the others
  fresh first    a backlog is judged only when nothing fresh waits
  once           identical texts are judged once: asked at the same time they share a judgement, asked again
                 soon they get the remembered one
  bounded        at most `lanes` calls of `batch` exchanges are with the guard; `room` tells who feeds the
                 queue how many more may wait
  patient        while the guard is away the circuit is open and exchanges wait, one probe at a time is sent (a
                 greeting where nobody waits); who has waited for `grace` gets `Unscreened`, never a guess
  cancellable    an exchange that nobody waits for any more is dropped, in the engine too
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import structlog

from bot.domain.figures import QueueFigures
from bot.domain.verdict import Exchange, Screening, Unscreened, Verdict
from bot.errors import BotError, Unavailable
from bot.pipeline.bell import LONGEST_PAUSE
from bot.ports import Clock, Guard

_log = structlog.get_logger(__name__)

Key = bytes
Answer = asyncio.Future[Screening]

_GREETING = Exchange(prompt="안녕하세요")


@dataclass(slots=True, eq=False)
class _Ticket:
    """One text to judge and everybody who waits for it."""

    key: Key
    exchange: Exchange
    community_id: str
    fresh: bool
    asked_at: float
    answers: list[Answer] = field(default_factory=list)
    call: "asyncio.Future[Sequence[Screening]] | None" = None
    companions: Sequence["_Ticket"] = ()

    def is_wanted(self) -> bool:
        return any(not answer.done() for answer in self.answers)

    def add(self, answer: Answer) -> None:
        self.answers.append(answer)
        answer.add_done_callback(self._left)

    def _left(self, answer: Answer) -> None:
        if answer.cancelled() and self.call and not any(ticket.is_wanted() for ticket in self.companions):
            self.call.cancel()


class _Lines:
    """Tickets that wait, one line a community; the communities take turns."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str, deque[_Ticket]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._lines)

    @property
    def communities(self) -> int:
        return len(self._lines)

    def join(self, ticket: _Ticket) -> None:
        self._lines.setdefault(ticket.community_id, deque()).append(ticket)

    def return_to_front(self, ticket: _Ticket) -> None:
        self._lines.setdefault(ticket.community_id, deque()).appendleft(ticket)

    def next(self) -> _Ticket:
        community_id, line = next(iter(self._lines.items()))
        ticket = line.popleft()
        if line:
            self._lines.move_to_end(community_id)
        else:
            del self._lines[community_id]
        return ticket

    def take_older(self, moment: float) -> list[_Ticket]:
        """Take out the tickets that were asked before `moment`."""
        old = []
        for community_id, line in list(self._lines.items()):
            while line and line[0].asked_at < moment:
                old.append(line.popleft())
            if not line:
                del self._lines[community_id]
        return old


@dataclass(slots=True, kw_only=True)
class GuardQueue:
    """`patience` is for one call of the guard, `grace` for an exchange from asking to `Unscreened` (seconds)."""

    guard: Guard
    clock: Clock
    batch: int = 64
    lanes: int = 4
    capacity: int = 10_000
    patience: float = 30.0
    grace: float = 60.0
    remember: int = 10_000  # verdicts
    remember_for: float = 600.0  # seconds
    figures: QueueFigures = field(default_factory=QueueFigures)
    _fresh: _Lines = field(default_factory=_Lines)
    _backlog: _Lines = field(default_factory=_Lines)
    _tickets: dict[Key, _Ticket] = field(default_factory=dict)
    _verdicts: OrderedDict[Key, tuple[float, Verdict]] = field(default_factory=OrderedDict)
    _work: asyncio.Event = field(default_factory=asyncio.Event)
    _well: asyncio.Event = field(default_factory=asyncio.Event)  # the circuit is closed
    _away: asyncio.Event = field(default_factory=asyncio.Event)  # the circuit is open
    _pause: float = 0.0
    _has_answered: bool = False

    def __post_init__(self) -> None:
        self._well.set()

    @property
    def room(self) -> int:
        return max(0, self.capacity - self.figures.waiting)

    @property
    def is_away(self) -> bool:
        """Whether the guard did not answer the last call (the circuit is open)."""
        return self._away.is_set()

    async def answers(self) -> bool | None:
        """Whether the guard answered the last call; None before the first."""
        return False if self.is_away else self._has_answered or None

    def submit(self, exchange: Exchange, *, community_id: str, fresh: bool = True) -> Answer:
        """A future with the screening; cancel it when nobody needs it any more."""
        self.figures.asked += 1
        answer: Answer = asyncio.get_running_loop().create_future()
        key = _key(exchange)
        now = self.clock.monotonic()
        if known := self._recall(key, now):
            self.figures.remembered += 1
            answer.set_result(known)
            return answer
        ticket = self._tickets.get(key)
        if ticket and ticket.is_wanted():
            self.figures.joined += 1
        else:
            ticket = self._tickets[key] = _Ticket(key, exchange, community_id, fresh, now)
            (self._fresh if fresh else self._backlog).join(ticket)
            self._waits()
            self.figures.full += not self.room
            self._work.set()
        ticket.add(answer)
        return answer

    async def run(self) -> None:
        """Serve until cancelled; raises `Broken` when the guard will never answer again."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self.lanes):
                group.create_task(self._serve())
            group.create_task(self._probe())
            group.create_task(self._lose_patience())

    async def _serve(self) -> None:
        while True:
            await self._well.wait()
            if tickets := self._take(self.batch):
                await self._judge(tickets)
            else:
                self._work.clear()
                await self._work.wait()

    async def _probe(self) -> None:
        """While the guard is away: ask it one exchange after each pause, and close the circuit on an answer."""
        while True:
            await self._away.wait()
            await self.clock.sleep(self._pause)
            if tickets := self._take(1):
                self.figures.probes += 1
                await self._judge(tickets)
            else:
                await self._greet()

    async def _greet(self) -> None:
        """Whether the guard is back is not left to the next who comes: they may have been told to come later."""
        self.figures.probes += 1
        try:
            await self._call([_GREETING])
        except Unavailable as error:
            self._failed(error)
        except BotError:
            raise
        except Exception as error:  # as in _judge
            _log.error("guard failed", error=type(error).__name__, exchanges=1)
            self._failed(Unavailable(type(error).__name__))
        else:
            self._recovered()

    def _waits(self) -> None:
        self.figures.waiting += 1
        self.figures.most_waiting = max(self.figures.most_waiting, self.figures.waiting)

    def _take(self, most: int) -> list[_Ticket]:
        taken: list[_Ticket] = []
        now = self.clock.monotonic()
        for lines in (self._fresh, self._backlog):
            while lines and len(taken) < most:
                among = lines.communities
                ticket = lines.next()
                self.figures.waiting -= 1
                if ticket.is_wanted():
                    self.figures.turns += among > 1
                    self.figures.fresh += ticket.fresh
                    self.figures.backlog += not ticket.fresh
                    taken.append(ticket)
                    self.figures.seconds_waited.add(now - ticket.asked_at)
                else:
                    self._drop(ticket)
        return taken

    async def _judge(self, tickets: list[_Ticket]) -> None:
        self.figures.judging += len(tickets)
        self.figures.most_judging = max(self.figures.most_judging, self.figures.judging)
        call = asyncio.ensure_future(self._call([ticket.exchange for ticket in tickets]))
        for ticket in tickets:
            ticket.call, ticket.companions = call, tickets
        try:
            screenings = await call
        except Unavailable as error:
            self._failed(error)
            for ticket in reversed(tickets):
                self._return(ticket)
        except BotError:
            raise
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) and task.cancelling():
                call.cancel()
                raise  # it is the queue that stops
            self.figures.cancelled += 1
            for ticket in tickets:
                self._drop(ticket)
        except Exception as error:  # a defect of the adapter; the message must not take everybody down with it
            _log.error("guard failed", error=type(error).__name__, exchanges=len(tickets))
            if len(tickets) > 1:
                for ticket in tickets:
                    await self._judge([ticket])
            else:
                self._answer(tickets[0], Unscreened(f"guard failed: {type(error).__name__}", self.guard.version))
        else:
            self._recovered()
            for ticket, screening in zip(tickets, screenings, strict=True):
                self._answer(ticket, screening)
        finally:
            self.figures.judging -= len(tickets)

    async def _call(self, exchanges: Sequence[Exchange]) -> Sequence[Screening]:
        began = self.clock.monotonic()
        try:
            async with asyncio.timeout(self.patience):
                screenings = await self.guard.judge(exchanges)
                self.figures.seconds_judged.add(self.clock.monotonic() - began, len(exchanges))
                return screenings
        except TimeoutError:
            raise Unavailable(f"no answer within {self.patience:g} s") from None

    def _answer(self, ticket: _Ticket, screening: Screening) -> None:
        self._forget(ticket)
        later: Screening = screening
        if isinstance(screening, Unscreened):
            self.figures.unscreened += len(ticket.answers)
        else:
            self.figures.judged += 1
            later = screening.again()
            self._verdicts[ticket.key] = (self.clock.monotonic() + self.remember_for, later)
            if len(self._verdicts) > self.remember:
                self._verdicts.popitem(last=False)
                self.figures.forgotten += 1
        for answer in ticket.answers:
            if not answer.done():
                answer.set_result(screening)
                screening = later

    def _recall(self, key: Key, now: float) -> Verdict | None:
        until, verdict = self._verdicts.get(key, (0.0, None))
        if verdict and until <= now:
            del self._verdicts[key]
            self.figures.forgotten += 1
            return None
        return verdict

    def _return(self, ticket: _Ticket) -> None:
        ticket.call, ticket.companions = None, ()
        (self._fresh if ticket.fresh else self._backlog).return_to_front(ticket)
        self._waits()

    def _drop(self, ticket: _Ticket) -> None:
        self._forget(ticket)
        self.figures.dropped += 1

    def _forget(self, ticket: _Ticket) -> None:
        if self._tickets.get(ticket.key) is ticket:
            del self._tickets[ticket.key]

    def _failed(self, error: Unavailable) -> None:
        if self._well.is_set():
            self.figures.outages += 1
            _log.warning("guard is away", reason=str(error))
        self._well.clear()
        self._away.set()
        self._pause = error.retry_after or min(max(self._pause * 2, 0.25), LONGEST_PAUSE)

    def _recovered(self) -> None:
        if not self._well.is_set():
            _log.info("guard is back")
        self._has_answered = True
        self._away.clear()
        self._well.set()
        self._pause = 0.0

    async def _lose_patience(self) -> None:
        while True:
            await self.clock.sleep(min(1.0, self.grace / 4))
            before = self.clock.monotonic() - self.grace
            for ticket in self._fresh.take_older(before) + self._backlog.take_older(before):
                self.figures.waiting -= 1
                self.figures.expired += len(ticket.answers)
                self._answer(ticket, Unscreened(f"no verdict within {self.grace:g} s", self.guard.version))


def _key(exchange: Exchange) -> Key:
    """Of what the guard is asked, to the letter: what only looks the same may be judged otherwise, and one community's
    text must not decide another's. A hash, so that what is remembered takes the same room however long texts are."""
    parts = ("-" if text is None else f"{len(text)} {text}" for text in (exchange.prompt, exchange.response))
    return blake2b("\n".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).digest()
