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
import heapq
import json
import math
import secrets
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import count

import structlog

from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.base.errors import BotError, Unavailable, raised
from bot.core.base.waiting import Backoff
from bot.core.chat.message import CommunityRef
from bot.core.guarding.figures import QueueFigures
from bot.core.guarding.ports import Guard
from bot.core.guarding.verdict import AWAY, Exchange, Route, Screening, Task, Unscreened, Verdict

_log = structlog.get_logger(__name__)

#: An exchange and whether a stand-in will do, as a keyed hash: what was said is not kept to remember what was judged.
Key = tuple[bytes, bool]
Rank = tuple[int, float, float]
Answer = asyncio.Future[Screening]

MOST_FAULTS = 3
GREETING_AGAIN = Backoff(first=0.25, longest=5.0)  # a guard that was away shall be back soon after it is back

_GREETING = Exchange(prompt="안녕하세요")


class _TooSlow(Unavailable):
    """The guard had not answered when patience ended."""


@dataclass(slots=True, eq=False)
class _Ticket:
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
    companions: Sequence["_Ticket"] = ()

    @property
    def provisional(self) -> bool:
        return self.key[1]

    def is_wanted(self) -> bool:
        return any(not answer.done() for answer in self.answers)

    def add(self, answer: Answer) -> None:
        self.answers.append(answer)
        answer.add_done_callback(self._left)

    def _left(self, answer: Answer) -> None:
        if answer.cancelled() and self.call and not any(ticket.is_wanted() for ticket in self.companions):
            self.call.cancel()


class _Lines:
    """Tickets that wait, one line a community, the lowest rank first; the communities take turns."""

    def __init__(self) -> None:
        self._lines: OrderedDict[CommunityRef, list[tuple[Rank, int, _Ticket]]] = OrderedDict()
        self._number = count()  # of equal ranks, who joined first

    @property
    def communities(self) -> int:
        return len(self._lines)

    def join(self, ticket: _Ticket, rank: Rank) -> None:
        line = self._lines.setdefault(ticket.community, [])
        heapq.heappush(line, (rank, next(self._number), ticket))

    def next(self) -> _Ticket | None:
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


@dataclass(slots=True)
class _Pace:
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
    _fresh: _Lines = field(default_factory=_Lines)
    _backlog: _Lines = field(default_factory=_Lines)
    _unranked: list[_Ticket] = field(default_factory=list)  # came while the line was too long
    _by_age: deque[_Ticket] = field(default_factory=deque)  # those that wait, and some that do not any more
    _tickets: dict[Key, _Ticket] = field(default_factory=dict)
    _verdicts: Bounded[bytes, tuple[float, Verdict]] = field(init=False)
    _secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    _work: asyncio.Event = field(default_factory=asyncio.Event)
    _newcomer: asyncio.Event = field(default_factory=asyncio.Event)
    _well: asyncio.Event = field(default_factory=asyncio.Event)  # the circuit is closed
    _away: asyncio.Event = field(default_factory=asyncio.Event)  # the circuit is open
    _away_since: float = 0.0
    _pause: float = 0.0
    _failures: int = 0  # in a row
    _has_answered: bool = False
    _pace: _Pace = field(init=False)

    def __post_init__(self) -> None:
        self._verdicts = Bounded(self.remember)
        self._pace = _Pace(most=self.batch, aim=self.behind / 2, size=min(8, self.batch))
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

    def is_stood_in_for(self, exchange: Exchange) -> bool:
        """Whether the stand-in can judge all of an exchange."""
        task = Task.PROMPT_HARM if exchange.response is None else Task.RESPONSE_HARM
        return self.stand_in is not None and task in self.stand_in.tasks

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
        key = (self._hash(exchange), provisional)
        now = self.clock.monotonic()
        if known := self._recall(key[0], now):
            self.figures.remembered += 1
            answer.set_result(known)
            return answer
        ticket = self._tickets.get(key)
        if ticket and ticket.is_wanted():
            self.figures.joined += 1
        else:
            ticket = self._tickets[key] = _Ticket(key, exchange, community, fresh, urgent, now)
            self._enter(ticket)
            self.figures.full += not self.room
        ticket.add(answer)
        return answer

    async def run(self) -> None:
        """Serve until cancelled; raises `Broken` when the guard will never answer again."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self.lanes):
                group.create_task(self._serve())
            group.create_task(self._probe())
            group.create_task(self._stand_in())
            group.create_task(self._lose_patience())

    async def _serve(self) -> None:
        while True:
            await self._well.wait()
            if tickets := await self._take(self._pace.size):
                await self._judge(tickets)
            else:
                self._work.clear()
                await self._work.wait()

    async def _probe(self) -> None:
        """While the guard is away: greet it after each pause, and close the circuit on an answer. What waits is not
        asked about: the guard may have gone because of it."""
        while True:
            await self._away.wait()
            await self.clock.sleep(self._pause)
            self.figures.probes += 1
            await self._greet()

    async def _greet(self) -> bool:
        """Whether the guard answers at all. Raises `Broken` where it never will again."""
        try:
            await self._call([_GREETING])
        except Unavailable as error:
            self._failed(error)
        except BotError:
            raise
        except Exception as error:
            _log.error("guard failed", error=raised(error), exchanges=1)
            self._failed(Unavailable(type(error).__name__))
        else:
            self._recovered()
        return not self.is_away

    async def _stand_in(self) -> None:
        """While the guard is away: answer those for whom the stand-in's word will do."""
        while True:
            await self._away.wait()
            self._newcomer.clear()
            able = [one for one in self._waiting() if one.provisional and self.is_stood_in_for(one.exchange)]
            if not able:
                await self._newcomer.wait()
            for ticket in able[: self.batch]:
                self._leave(ticket)
            for ticket, screening in zip(able, await self._stood_in(able[: self.batch]), strict=False):
                self._answer(ticket, screening)
            await asyncio.sleep(0)

    async def _stood_in(self, tickets: Sequence[_Ticket]) -> Sequence[Screening]:
        """What the stand-in says; where even that fails, that nobody could judge."""
        if not tickets or not self.stand_in:
            return []
        try:
            found = await self.stand_in.judge([ticket.exchange for ticket in tickets])
            stood = [replace(one, route=Route.STOOD_IN) if isinstance(one, Verdict) else one for one in found]
            if len(stood) == len(tickets):
                return stood
        except Exception as error:
            _log.error("stand-in failed", error=raised(error), exchanges=len(tickets))
        if len(tickets) == 1:
            return [Unscreened(AWAY, self.guard.version)]
        return [screening for ticket in tickets for screening in await self._stood_in([ticket])]

    def _enter(self, ticket: _Ticket) -> None:
        self._by_age.append(ticket)
        if ticket.urgent:
            self._join(ticket, (0, ticket.asked_at, 0.0))
        elif self._is_behind(ticket.asked_at):
            self._unranked.append(ticket)
        else:
            self._join(ticket, (1, ticket.asked_at, 0.0))
        self._waits()
        self._work.set()
        self._newcomer.set()

    def _join(self, ticket: _Ticket, rank: Rank) -> None:
        (self._fresh if ticket.fresh else self._backlog).join(ticket, rank)

    def _is_behind(self, now: float) -> bool:
        while self._by_age and not self._by_age[0].waits:
            self._by_age.popleft()
        return bool(self._by_age) and self._by_age[0].asked_at < now - self.behind

    def _waiting(self) -> list[_Ticket]:
        """Once each: who was returned stands there twice."""
        return list(dict.fromkeys(ticket for ticket in self._by_age if ticket.waits))

    def _waits(self) -> None:
        self.figures.waiting += 1
        self.figures.most_waiting = max(self.figures.most_waiting, self.figures.waiting)

    def _leave(self, ticket: _Ticket) -> None:
        ticket.waits = False
        self.figures.waiting -= 1

    async def _rank(self) -> None:
        """What came while the line was too long goes by how harmful it may be, in tenths, and the newest first."""
        while self._unranked:
            some, self._unranked = self._unranked[: self.batch], self._unranked[self.batch :]
            harms = [one.harm if isinstance(one, Verdict) else None for one in await self._stood_in(some)]
            for ticket, harm in zip(some, harms or [None] * len(some), strict=True):
                if ticket.waits:
                    self._join(ticket, (2, -round(harm or 0.0, 1), -ticket.asked_at))

    async def _take(self, most: int) -> list[_Ticket]:
        await self._rank()
        taken: list[_Ticket] = []
        now = self.clock.monotonic()
        for lines in (self._fresh, self._backlog):
            while len(taken) < most:
                among = lines.communities
                ticket = lines.next()
                if ticket is None:
                    break
                if ticket.alone and taken:
                    self._join(ticket, (-1, ticket.asked_at, 0.0))
                    return taken
                self._leave(ticket)
                if ticket.is_wanted():
                    self.figures.turns += among > 1
                    self.figures.fresh += ticket.fresh
                    self.figures.backlog += not ticket.fresh
                    taken.append(ticket)
                    self.figures.seconds_waited.add(now - ticket.asked_at)
                else:
                    self._drop(ticket)
                if ticket.alone and taken:
                    return taken
        return taken

    async def _judge(self, tickets: list[_Ticket]) -> None:
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
                self._drop(ticket)
        except Exception as error:
            await self._judge_again(tickets, error)
        else:
            self._recovered()
            for ticket, screening in zip(tickets, screenings, strict=True):
                self._answer(ticket, screening)
        finally:
            self.figures.judging -= len(tickets)

    async def _judge_again(self, tickets: list[_Ticket], error: Exception) -> None:
        """The guard failed on these. Whether it is away, or one of them is to blame, a greeting tells."""
        if isinstance(error, Unavailable):
            self._failed(error)
            for ticket in tickets:
                if isinstance(error, _TooSlow):
                    ticket.faults += ticket.alone  # of an outage, too: but it takes three, with answers between them
                    ticket.alone = True
                self._try_again(ticket, error)
            return
        _log.error("guard failed", error=raised(error), exchanges=len(tickets))
        if len(tickets) > 1:
            for ticket in tickets:
                if self.is_away:
                    self._return(ticket)
                else:
                    await self._judge([ticket])
            return
        (ticket,) = tickets
        ticket.call, ticket.alone = None, True  # nobody's leaving shall break off the greeting
        ticket.faults += await self._greet()
        self._try_again(ticket, error)

    def _try_again(self, ticket: _Ticket, error: Exception) -> None:
        if ticket.faults < MOST_FAULTS:
            self._return(ticket)
        else:
            self._answer(ticket, Unscreened(f"defect: the guard fails ({type(error).__name__})", self.guard.version))

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
        self._pace.took(took, len(exchanges))
        self.figures.seconds_judged.add(took, len(exchanges))
        return screenings

    def _answer(self, ticket: _Ticket, screening: Screening) -> None:
        self._forget(ticket)
        later: Screening = screening
        if isinstance(screening, Unscreened):
            self.figures.unscreened += len(ticket.answers)
        elif screening.route is Route.STOOD_IN:
            self.figures.stood_in += len(ticket.answers)
        else:
            self.figures.judged += 1
            later = screening.again()
            if len(self._verdicts) == self.remember and ticket.key[0] not in self._verdicts:
                self.figures.forgotten += 1
            self._verdicts[ticket.key[0]] = (self.clock.monotonic() + self.remember_for, later)
        for answer in ticket.answers:
            if not answer.done():
                answer.set_result(screening)
                screening = later

    def _hash(self, exchange: Exchange) -> bytes:
        """Of exactly what the guard is asked: what looks alike to people may not look alike to it."""
        said = json.dumps([exchange.prompt, exchange.response], ensure_ascii=True).encode()
        return blake2b(said, digest_size=16, key=self._secret).digest()

    def _recall(self, key: bytes, now: float) -> Verdict | None:
        until, verdict = self._verdicts.get(key, (0.0, None))
        if verdict and until <= now:
            del self._verdicts[key]
            self.figures.forgotten += 1
            return None
        return verdict

    def _return(self, ticket: _Ticket) -> None:
        ticket.call, ticket.companions, ticket.waits = None, (), True
        self._by_age.appendleft(ticket)
        self._join(ticket, (-1, ticket.asked_at, 0.0))
        self._waits()
        self._work.set()
        self._newcomer.set()

    def _drop(self, ticket: _Ticket) -> None:
        self._forget(ticket)
        self.figures.dropped += 1

    def _forget(self, ticket: _Ticket) -> None:
        if self._tickets.get(ticket.key) is ticket:
            del self._tickets[ticket.key]

    def _failed(self, error: Unavailable) -> None:
        if self._well.is_set():
            self.figures.outages += 1
            self._away_since = self.clock.monotonic()
            _log.warning("guard is away", reason=str(error))
        self._well.clear()
        self._away.set()
        self._failures += 1
        self._pause = GREETING_AGAIN.after(self._failures, asked=error.retry_after)

    def _recovered(self) -> None:
        if not self._well.is_set():
            _log.info("guard is back")
        self._has_answered = True
        self._away.clear()
        self._well.set()
        self._failures = 0

    async def _lose_patience(self) -> None:
        while True:
            await self.clock.sleep(min(1.0, self.grace / 4))
            now = self.clock.monotonic()
            for_long = self.is_away and now - self._away_since >= self.grace
            for ticket in self._waiting():
                if ticket.asked_at < now - self.grace or (for_long and ticket.provisional):
                    self._leave(ticket)
                    self.figures.expired += len(ticket.answers)
                    reason = AWAY if self.is_away and ticket.provisional else f"no verdict within {self.grace:g} s"
                    self._answer(ticket, Unscreened(reason, self.guard.version))
