"""An Authorization header -> the key's community with its share of the service, or a refusal."""

import asyncio
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from adapters.http_api.wire.problems import Problem
from adapters.http_api.wire.shapes import MOST_INPUTS
from bot.core.base.clock import Clock
from bot.core.base.errors import BotError
from bot.core.operations import keys as keys_
from bot.core.operations.keys import ApiKey, Scope
from bot.core.operations.ports import ApiKeys

EVERY = 5.0  # seconds after which a revoked key is refused at the latest
SOONEST = 1.0  # seconds between two looks for a key that is not known yet
AT_ONCE = 448  # requests in work: fewer than connections, so that health checks and refusals always find one
OF_ONE_KEY = 64
STREAMS = AT_ONCE // 2  # of those: a stream holds its place for minutes
STREAMS_OF_ONE_KEY = 8
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="jikimi"'}  # without a realm, Google's client cannot read it
A_TOKEN_BUYS = 1000  # characters, beside the request itself

_log = structlog.get_logger(__name__)


def worth(*texts: str | None) -> float:
    """The tokens of one request about these texts."""
    return 1 + sum(len(text) for text in texts if text) / A_TOKEN_BUYS


@dataclass(slots=True, eq=False)
class Visitor:
    """A key with its share: a bucket of `burst` tokens that fills up by `rate` a second. A request costs one, and one
    more for every A_TOKEN_BUYS characters: work grows with them. `among`: processes that divide what a key may."""

    key: ApiKey
    per_second: float
    clock: Clock
    among: Callable[[], int] = lambda: 1
    in_work: int = 0
    streams: int = 0
    _tokens: float = field(init=False)
    _at: float = field(init=False)

    def __post_init__(self) -> None:
        self._tokens, self._at = self.burst, self.clock.monotonic()

    @property
    def rate(self) -> float:
        return self.per_second / self.among()

    @property
    def burst(self) -> float:
        return self.rate + MOST_INPUTS

    def take(self, tokens: float = 1, *, paid: float = 0) -> float:
        """0 where they were taken, else in how many seconds they can be, all of them; `paid` were taken before. More
        than the bucket holds are taken from a full one, which then owes the rest."""
        now = self.clock.monotonic()
        self._tokens, self._at = min(self.burst, self._tokens + (now - self._at) * self.rate), now
        missing = min(tokens, self.burst) - self._tokens
        if missing <= paid:
            self._tokens -= tokens - paid
            return 0.0
        return missing / self.rate

    def headers(self) -> dict[str, str]:
        """How much of the share is left; Reset is in how many seconds it is whole again."""
        self.take(0)
        whole = math.ceil((self.burst - self._tokens) / self.rate)
        left = max(0, math.floor(self._tokens))
        names = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
        return dict(zip(names, map(str, (math.floor(self.burst), left, whole)), strict=True))

    def spend(self, tokens: float = 1, *, paid: float = 0) -> None:
        if wait := self.take(tokens, paid=paid):
            raise Problem("too_many", retry_after=wait)

    def speaks_for(self, community: str | None) -> None:
        if community is not None and community != self.key.community.id:
            raise Problem("wrong_community", param="community")


@dataclass(slots=True, kw_only=True, eq=False)
class Admission:
    """Keys are held in memory and read again every few seconds: a flood of wrong keys reaches no database, and a
    database that is away locks nobody out."""

    keys: ApiKeys
    clock: Clock
    rate: float
    among: Callable[[], int] = lambda: 1
    in_work: int = 0
    streams: int = 0
    _visitors: dict[str, Visitor] = field(default_factory=dict)
    _uses: dict[str, datetime] = field(default_factory=dict)
    _read_at: float | None = None
    _is_blind: bool = True  # the last look for keys failed
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def admit(self, authorization: str, scope: Scope = Scope.CHECK) -> Visitor:
        scheme, _, given = authorization.partition(" ")
        id_and_secret = keys_.read(given.strip()) if scheme.lower() == "bearer" else None
        if id_and_secret is None:
            raise Problem("unauthorized", headers=CHALLENGE)
        key_id, secret = id_and_secret
        if key_id not in self._visitors:
            await self._look_again()
        visitor = self._visitors.get(key_id)
        if visitor is None and self._is_blind:
            raise Problem("database_away", retry_after=EVERY)
        if visitor is None or not visitor.key.opens_with(secret):
            raise Problem("unauthorized", headers=CHALLENGE)
        if visitor.key.is_over(now := self.clock.now()):
            raise Problem("expired", headers=CHALLENGE)
        if scope not in visitor.key.scope:
            raise Problem("wrong_scope", facts={"scope": scope})
        self._uses[key_id] = now
        return visitor

    @contextmanager
    def place(self, visitor: Visitor, *, stream: bool = False) -> Iterator[None]:
        """One of the places for requests in work."""
        if self.in_work >= AT_ONCE or (stream and self.streams >= STREAMS):
            raise Problem("too_busy", retry_after=1)
        if visitor.in_work >= OF_ONE_KEY or (stream and visitor.streams >= STREAMS_OF_ONE_KEY):
            raise Problem("too_many_at_once", retry_after=1)
        for one in (self, visitor):
            one.in_work += 1
            one.streams += stream
        try:
            yield
        finally:
            for one in (self, visitor):
                one.in_work -= 1
                one.streams -= stream

    def expect(self, visitor: Visitor) -> None:
        """Raises Problem where the key was revoked since, or is over."""
        if self._visitors.get(visitor.key.id) is not visitor:
            raise Problem("unauthorized", headers=CHALLENGE)
        if visitor.key.is_over(self.clock.now()):
            raise Problem("expired", headers=CHALLENGE)

    async def run(self, closing: asyncio.Event) -> None:
        """Keeps the keys fresh, and notes which were used, until `closing` is set."""
        while not closing.is_set():
            async with self._reading:
                await self._refresh()
            with suppress(TimeoutError):
                async with asyncio.timeout(EVERY):
                    await closing.wait()
        await self._note()

    async def _look_again(self) -> None:
        async with self._reading:
            if self._read_at is None or self.clock.monotonic() - self._read_at >= SOONEST:
                await self._refresh()

    async def _refresh(self) -> None:
        self._read_at = self.clock.monotonic()
        await self._note()
        try:
            held = await self.keys.all()
        except BotError as error:
            _log.warning("keys not read again", reason=error)
            self._is_blind = True
            return
        self._is_blind = False
        before, self._visitors = self._visitors, {}
        for key in held:
            if key.revoked_at is None:
                visitor = before.get(key.id) or Visitor(key, self.rate, self.clock, self.among)
                visitor.key = key
                self._visitors[key.id] = visitor

    async def _note(self) -> None:
        uses, self._uses = self._uses, {}
        if not uses:
            return
        try:
            await self.keys.note_use(uses)
        except BotError:
            self._uses = uses | self._uses
