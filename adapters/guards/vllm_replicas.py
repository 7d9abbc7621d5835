"""HTTP requests -> the replies of whichever replica of a server gives one, each behind its own circuit and limit.

    replica            closed --3 failures in a row or Retry-After--> open --pause--> half open --one answer--> closed
    a request          goes to the replica with the fewest open requests; after a failure to another one
    Unavailable        every circuit is open, or three replicas in a row failed
    Broken             the server does not know the model, or not our token
    NoAnswer           it is there, and has no answer to this one: it refuses to, or says what makes no sense. One that
                       says so of several texts in a row has failed

aiohttp, because with 256 requests in flight httpx takes 6 ms of processor time for each, aiohttp 0.1 (measured).
"""

import asyncio
import json
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar

import structlog
from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, InvalidURL, TCPConnector
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from bot.core.base.bounded import beginning
from bot.core.base.clock import Clock
from bot.core.base.errors import Broken, Unavailable
from bot.core.base.waiting import Backoff, seconds_asked
from bot.core.guarding.figures import ReplicaFigures
from bot.core.guarding.limit import Limit

_log = structlog.get_logger(__name__)

ATTEMPTS = 3  # of one request, each on another replica where there is one
FAILURES = 3  # in a row open a replica's circuit
OPEN_FOR = Backoff(first=0.5, longest=30.0)  # how long a circuit stays open
ASKED = 60.0  # seconds at most that it stays open because the server asks for it
AIM = 0.5  # seconds that a server may take for what it is given at once
LARGEST = 64 << 20  # bytes of an answer
FIRST = 512  # tokens that it is given at once, until it has shown what it can
ODD = 3  # texts without a sensible answer between them make it the server's trouble

#: What reading an answer raises that has another shape.
NOT_ITS_SHAPE = (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, RecursionError)

Found = TypeVar("Found")

#: Paths and what is sent there, each asking for the same; the first one that is served counts.
Ways = Sequence[tuple[str, Mapping[str, Any]]]


class NoAnswer(StrEnum):
    """Why a server that is there has none to a text: the reason of its `Unscreened`."""

    REFUSED = "the guard's server refused the request"
    NO_SENSE = "the guard's answer does not parse"


@dataclass(slots=True, kw_only=True, eq=False)
class _Replica:
    """One server and its circuit breaker; times are the clock's monotonic seconds."""

    url: str
    limit: Limit
    outstanding: int = 0
    in_flight: int = 0  # tokens
    answered: int = 0
    failures: int = 0  # in a row
    opened: int = 0  # times its circuit opened since it last answered
    open_until: float | None = None  # None: closed
    lacks: set[str] = field(default_factory=set)  # paths that it does not serve
    odd: set[int] = field(default_factory=set)  # texts, hashed, that it made no sense of since its last answer
    probe: asyncio.Event | None = None  # set when the request that tries the half-open circuit has ended

    @property
    def name(self) -> str:
        """Without what of its address is secret."""
        return _shown(self.url)

    def admits(self, now: float) -> bool:
        return self.open_until is None or (now >= self.open_until and self.probe is None)

    def circuit(self, now: float) -> str:
        if self.open_until is None:
            return "closed"
        return "half_open" if self.probe or now >= self.open_until else "open"

    def makes_no_sense(self, alone: Hashable) -> bool:
        """Whether it is its own trouble by now, and not that of the text, asked about `alone`."""
        if alone is not None and len(self.odd) < ODD:
            self.odd.add(hash(alone))
        return len(self.odd) >= ODD

    def succeed(self) -> None:
        if self.open_until is not None:
            _log.info("guard server is back", server=self.name)
        self.answered += 1
        self.failures, self.opened, self.open_until = 0, 0, None

    def fail(self, error: "_Failed", now: float, *, probe: bool) -> None:
        self.failures += 1
        if self.open_until is not None and not probe:
            return  # sent before the circuit opened: says nothing new
        if probe or self.failures >= FAILURES or error.retry_after:
            if not self.opened:
                _log.warning("guard server is away", server=self.name, reason=error)
            self.opened += 1
            self.open_until = now + OPEN_FOR.after(self.opened, asked=error.retry_after)


class _Failed(Unavailable):
    """A replica did not answer this time."""


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    retry_after: str
    content: bytes


@dataclass(slots=True, kw_only=True, eq=False)
class Replicas:
    """Servers of the same model. `timeout` is for one request, in seconds; `start`: the command that starts one, said
    where none answers; `section`: of the configuration, in which they stand."""

    servers: Sequence[str]
    clock: Clock
    token: str = field(default="", repr=False)
    timeout: float
    start: str
    section: str = "guard"
    _replicas: tuple[_Replica, ...] = field(init=False)
    _session: ClientSession | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        self._replicas = tuple(
            _Replica(url=url.rstrip("/").removesuffix("/v1"), limit=Limit(aim=AIM, tokens=FIRST))
            for url in self.servers
        )

    def figures(self) -> Sequence[ReplicaFigures]:
        """How each server is doing."""
        now = self.clock.monotonic()
        return [
            ReplicaFigures(
                server=replica.name,
                circuit=replica.circuit(now),
                outstanding=replica.outstanding,
                limit=int(replica.limit.tokens) if replica.admits(now) else 0,
                answered=replica.answered,
                failures=replica.failures,
            )
            for replica in self._replicas
        ]

    async def ask(
        self, ways: Ways, tokens: int, read: Callable[[Any], Found], *, alone: Hashable = None
    ) -> Found | NoAnswer:
        """What `read` makes of the answer, from whichever replica gives one, by the first of the ways that it serves.
        `tokens`: about so many are read. `alone`: what is asked about, where nothing else is with it. Of another shape
        `read` raises."""
        tried: set[_Replica] = set()
        reading = partial(_read, read=read, alone=alone)
        try:
            async for attempt in AsyncRetrying(
                stop=stop_after_attempt(ATTEMPTS),
                wait=wait_random_exponential(multiplier=0.05, max=1.0),
                retry=retry_if_exception_type(_Failed),
                reraise=True,
            ):
                with attempt:
                    replica = await self._choose(tried)
                    tried.add(replica)
                    found = await self._send(replica, ways, tokens, reading)
        except _Failed as error:
            raise Unavailable(
                "no guard server answers ({why}); start one: {start}", why=error, start=self.start
            ) from None
        return found

    async def ask_each(
        self,
        texts: Sequence[str],
        body: Callable[[Sequence[str]], tuple[str, Mapping[str, Any]]],
        read: Callable[[Any, int], Sequence[Found]],
    ) -> Sequence[Found | NoAnswer]:
        """Of each text what `read` makes of its part of one answer. Where there is none each is asked about alone: one
        of them may be to blame."""
        found = await self.ask(
            [body(texts)],
            sum(len(text.encode()) for text in texts) // 3,
            lambda answer: read(answer, len(texts)),
            alone=texts[0] if len(texts) == 1 else None,
        )
        if not isinstance(found, NoAnswer):
            return found
        if len(texts) == 1:
            return [found]
        return [one for text in texts for one in await self.ask_each([text], body, read)]

    async def look_up(self, path: str, body: Mapping[str, Any]) -> Any:
        """What some replica answers beside its work, as JSON; None where none does. It counts for no circuit."""
        for replica in self._replicas:
            try:
                reply = await self._post(replica.url + path, body)
                if reply.status == 200:
                    return json.loads(reply.content)
            except (_Failed, Broken, ValueError, RecursionError):
                continue
        return None

    async def _choose(self, tried: set[_Replica]) -> _Replica:
        """Of the replicas whose circuits let a request through: one to be probed, else the one with the fewest open
        requests. Where there is none, what a probe under way brings is waited for; then raises Unavailable."""
        while not (admitting := [r for r in self._replicas if r.admits(self.clock.monotonic())]):
            if probe := next((replica.probe for replica in self._replicas if replica.probe), None):
                await probe.wait()
                continue
            soonest = min(replica.open_until or math.inf for replica in self._replicas)
            wait = max(soonest - self.clock.monotonic(), 0.1)
            raise Unavailable("no guard server answers; start one: {start}", start=self.start, retry_after=wait)
        fresh = [replica for replica in admitting if replica not in tried] or admitting
        return min(fresh, key=lambda replica: (replica.open_until is None, replica.outstanding, replica.answered))

    async def _send(
        self, replica: _Replica, ways: Ways, tokens: int, reading: "Callable[[_Replica, _Reply], Found | NoAnswer]"
    ) -> Found | NoAnswer:
        probe = replica.probe = None if replica.open_until is None else asyncio.Event()
        replica.outstanding += 1
        replica.in_flight += tokens
        began, in_flight = self.clock.monotonic(), replica.in_flight
        try:
            found = reading(replica, await self._by_any(replica, ways))
        except _Failed as error:
            replica.fail(error, self.clock.monotonic(), probe=probe is not None)
            raise
        else:
            replica.succeed()
            replica.limit.answered(tokens, began=began, now=self.clock.monotonic(), in_flight=in_flight)
            return found
        finally:
            replica.outstanding -= 1
            replica.in_flight -= tokens
            if probe:
                replica.probe = None
                probe.set()

    async def _by_any(self, replica: _Replica, ways: Ways) -> "_Reply":
        for path, body in ways:
            if path in replica.lacks:
                continue
            reply = await self._post(replica.url + path, body)
            if reply.status != 404:
                return reply
            replica.lacks.add(path)
        replica.lacks.clear()  # it may only be starting
        raise _Failed("HTTP 404")

    async def _post(self, url: str, body: Mapping[str, Any]) -> "_Reply":
        """A reply of 200, of 404 where there is nothing, or of a 4xx that is about this one request. Raises _Failed or
        Broken."""
        if self._session is None:
            self._session = ClientSession(
                headers={"Authorization": f"Bearer {self.token}"} if self.token else {},
                timeout=ClientTimeout(total=self.timeout),
                connector=TCPConnector(limit=0, keepalive_timeout=4.0),  # vLLM's own server closes after 5 s
                cookie_jar=DummyCookieJar(),
            )
        try:
            async with self._session.post(url, json=body) as response:
                content = await beginning(response.content, LARGEST + 1)
                reply = _Reply(response.status, response.headers.get("Retry-After", ""), content)
        except TimeoutError:
            raise _Failed("no answer within {seconds:g} s", seconds=self.timeout) from None
        except InvalidURL:
            raise Broken(
                "[{section}] servers: {server} is not an address", section=self.section, server=_shown(url)
            ) from None
        except ClientError as error:
            raise _Failed(type(error).__name__) from None
        if len(content) > LARGEST:
            raise _Failed("an endless answer")
        if reply.status in (401, 403):
            raise Broken(
                "{server}: the guard server refuses our token; set {variable} or [{section}] token",
                server=_shown(url),
                variable=f"JIKIMI_{self.section.upper()}_TOKEN",
                section=self.section,
            )
        if reply.status == 404 and _knows_no_such_model(reply.content):
            raise Broken(
                "{server}: the guard server does not serve {model}; set [{section}] model to what it serves",
                server=_shown(url),
                model=body["model"],
                section=self.section,
            )
        if reply.status == 200 and not reply.content[:64].lstrip().startswith((b"{", b"[")):
            raise _Failed("a page instead of an answer")  # by what stands before a server that is gone
        if reply.status in (200, 400, 404, 413, 422):
            return reply
        raise _Failed(f"HTTP {reply.status}", retry_after=seconds_asked(reply.retry_after, ASKED))

    async def aclose(self) -> None:
        if self._session:
            await self._session.close()


def _read(replica: _Replica, reply: _Reply, *, read: Callable[[Any], Found], alone: Hashable) -> Found | NoAnswer:
    """Raises _Failed where it is the replica that makes no sense."""
    if reply.status != 200:
        return NoAnswer.REFUSED
    try:
        found = read(json.loads(reply.content))
    except NOT_ITS_SHAPE:
        if replica.makes_no_sense(alone):
            raise _Failed("answers that make no sense") from None
        return NoAnswer.NO_SENSE
    replica.odd.clear()
    return found


def _shown(url: str) -> str:
    return url.partition("//")[2].partition("/")[0].rpartition("@")[2]


def _knows_no_such_model(content: bytes) -> bool:
    """vLLM's own 404; a server that is still starting answers another one."""
    try:
        return "does not exist" in json.loads(content)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        return False
