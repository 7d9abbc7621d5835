"""Our own calls -> when they may go: fewer a second than Discord counts, what protects people first.

discord.py keeps to the limit of each route by itself, but learns of the global one (50 requests a second, fact D18)
only by going beyond it, and every 429 counts towards a ban of our address (D19).
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum
from heapq import heappop, heappush
from itertools import count
from types import SimpleNamespace

import aiohttp

from adapters.chat.discord.errors import InvalidAnswers
from adapters.chat.pacing import alone
from adapters.chat.server_time import NetworkClock
from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.base.errors import Unavailable
from bot.core.base.waiting import seconds_asked

LONGEST_TIMEOUT = timedelta(days=27, hours=23)  # 28 days and more are refused (D27)
PER_SECOND = 45.0  # of Discord's 50: both clocks and every network hop add some unevenness
SLOWEST = 0.2  # a second, however many processes share that
BURST = 3  # requests that may go at once after a quiet moment
FAIR = 15  # every so many turns the longest wait is ended, whatever comes first otherwise
KEYS = 10_000  # whose next turns are remembered


_RESETS = ("X-RateLimit-Reset", "X-RateLimit-Reset-After")  # since 1970, and from now


class Rank(IntEnum):
    """Who goes first where not all may go at once."""

    DELETION = 0
    SANCTION = 1
    NOTICE = 2  # whatever is written somewhere, and everything else
    READING = 3


def rank_of(method: str, path: str) -> Rank:
    """`path` as Discord writes it, with or without what comes before."""
    if (method == "DELETE" and "/messages/" in path) or path.endswith("/messages/bulk-delete"):
        return Rank.DELETION
    if "/members/" in path or "/bans/" in path:
        return Rank.SANCTION
    return Rank.READING if method == "GET" else Rank.NOTICE


@dataclass(slots=True, kw_only=True)
class Limiter:
    """In front of every request that discord.py makes, repeated ones included: `trace` is its way in. Answers to
    interactions do not count for Discord and do not wait here; `application_id` tells them apart, once it is known.
    `clock` hears what time it is there."""

    clock: NetworkClock
    invalid: InvalidAnswers
    among: Callable[[], int] = alone  # processes that share what Discord takes of one bot
    application_id: int | None = None
    _allowance: float = BURST
    _as_of: float = field(init=False)
    _closed_until: float = 0.0
    _turns: int = 0
    _arrived: Iterator[int] = field(default_factory=count)
    _waiting: dict[int, "tuple[Rank, asyncio.Future[None]]"] = field(default_factory=dict)  # in the order of arrival
    _ranked: list[tuple[Rank, int]] = field(default_factory=list)  # a heap; who has gone meanwhile is passed over
    _opening: "asyncio.Task[None] | None" = None

    def __post_init__(self) -> None:
        self._as_of = self.clock.monotonic()

    def trace(self) -> aiohttp.TraceConfig:
        config = aiohttp.TraceConfig()
        config.on_request_start.append(self._before)
        config.on_request_end.append(self._after)
        return config

    async def turn(self, rank: Rank) -> None:
        """Return when one request of this rank may go."""
        if not self._waiting and self._wait() <= 0:
            self._allowance -= 1
            return
        number, mine = next(self._arrived), asyncio.get_running_loop().create_future()
        self._waiting[number] = (rank, mine)
        heappush(self._ranked, (rank, number))
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._open())
        try:
            await mine
        except asyncio.CancelledError:
            if self._waiting.pop(number, None) is None:
                self._allowance += 1  # it had been given a turn that nobody takes
            raise

    async def _open(self) -> None:
        """Let everybody who waits go, one after the other."""
        while self._waiting:
            if (pause := self._wait()) > 0:
                await self.clock.sleep(max(pause, 0.001))
                continue
            self._allowance -= 1
            _, mine = self._waiting.pop(self._next())
            if mine.cancelled():
                self._allowance += 1
            else:
                mine.set_result(None)
        self._ranked.clear()

    def _next(self) -> int:
        self._turns += 1
        if self._turns % FAIR == 0:
            return next(iter(self._waiting))
        while (number := heappop(self._ranked)[1]) not in self._waiting:
            pass
        return number

    def _wait(self) -> float:
        """Seconds until a request may go."""
        now = self.clock.monotonic()
        among = self.among()
        burst = max(1, BURST // among)  # so that all together never send more in a second than one alone
        per_second = max(SLOWEST, (PER_SECOND + BURST) / among - burst)
        self._allowance = min(burst, self._allowance + (now - self._as_of) * per_second)
        self._as_of = now
        return max(self._closed_until - now, (1 - self._allowance) / per_second)

    async def _before(
        self, session: aiohttp.ClientSession, __: SimpleNamespace, request: aiohttp.TraceRequestStartParams
    ) -> None:
        if request.url.scheme in ("http", "https") and not self._is_answer(request.url.path):
            await self.turn(rank_of(request.method, request.url.path))
            if session.closed:  # while we waited; aiohttp has looked before
                raise RuntimeError("Session is closed")

    async def _after(
        self, _: aiohttp.ClientSession, __: SimpleNamespace, request: aiohttp.TraceRequestEndParams
    ) -> None:
        answer = request.response
        if "/api/v" in request.url.path and answer.status < 429 and not await _is_from_discord(answer):
            raise aiohttp.ClientPayloadError("an answer that is not Discord's")
        if not all(seconds_asked(wait) is not None for wait in await _waits(answer)):
            raise aiohttp.ClientPayloadError("a wait that is not a number of seconds")  # discord.py would do so
        self.clock.read(answer.headers.get("Date", ""))
        self.invalid.note(answer.status, answer.headers.get("X-RateLimit-Scope", ""))
        if answer.status == 429 and "X-RateLimit-Global" in answer.headers:
            # Somebody else uses our address, or Discord counts otherwise: whoever waits would only be sent back, too.
            self._closed_until = self.clock.monotonic() + (seconds_asked(answer.headers.get("Retry-After")) or 1.0)

    def _is_answer(self, path: str) -> bool:
        return "/interactions/" in path or f"/webhooks/{self.application_id}/" in path


async def _is_from_discord(answer: aiohttp.ClientResponse) -> bool:
    """Hotels, proxies and cut connections answer, too: then nobody knows what Discord would have said, and it must not
    be taken for a refusal, a missing message or a wrong token."""
    said = (await answer.read()).strip()
    lists = answer.status < 300 and answer.method in ("GET", "PUT")  # what was done or refused is told of in an object
    whole = (b"{}", b"[]") if lists else (b"{}",)
    return not said or (answer.content_type == "application/json" and said[:1] + said[-1:] in whole)


async def _waits(answer: aiohttp.ClientResponse) -> list[object]:
    """All that discord.py goes by."""
    waits: list[object] = [answer.headers[name] for name in _RESETS if name in answer.headers]
    if answer.status == 429 and "Via" in answer.headers and answer.content_type == "application/json":
        with suppress(ValueError, RecursionError, AttributeError):
            waits.append(json.loads(await answer.read()).get("retry_after"))
    return waits


@dataclass(slots=True, kw_only=True)
class Room:
    """So many may be under way at a time, in all and for each key (a channel, a server); whoever finds no room is told
    when to come back: one after the other, so that they do not all come at once. Nobody waits here, because who waits
    takes up the place of a deletion."""

    clock: Clock
    at_once: int
    each: int
    apart: float = 1.0  # seconds between two who are told to come back
    _under_way: dict[object, int] = field(default_factory=dict)
    _next: Bounded[object, float] = field(default_factory=lambda: Bounded(KEYS))

    @contextmanager
    def taken(self, key: object, *, spare: int = 0) -> Iterator[None]:
        """Raises `Unavailable` where there is none. `spare`: so many places more, for who is urgent."""
        here = self._under_way.get(key, 0)
        if here >= self.each + spare or sum(self._under_way.values()) >= self.at_once + spare:
            raise Unavailable("others come first", retry_after=self._book(key))
        self._under_way[key] = here + 1
        try:
            yield
        finally:
            self._under_way[key] -= 1
            if not self._under_way[key]:
                del self._under_way[key]

    def _book(self, key: object) -> float:
        now = self.clock.monotonic()
        self._next[key] = at = max(now, self._next.get(key, now)) + self.apart
        return at - now
