"""Work in shares, and the processes that take part in it -> the shares of this one: taken once nobody else holds them,
drained and given back as soon as somebody else should hold them."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple, Protocol

import structlog

from bot.core.base.clock import Clock
from bot.core.base.errors import BotError, Unavailable
from bot.core.chat.message import CommunityRef

PARTS = 64  # that communities are divided into
LOOK = 1.0  # seconds between two looks at who is there
DRAINING = 5.0  # seconds that what is in hand of a share may take before the share is given back all the same
LEAVING = 2.0  # seconds for all of it where the process stops

_log = structlog.get_logger(__name__)


class Taking(NamedTuple):
    """Which processes take part, `me` among them unless it is thought dead; and which of the living holds a share."""

    me: int
    part: Collection[int]
    held: Mapping[int, int]


class Shares(Protocol):
    """One kind of work in `parts` shares, each of which one process holds at a time. Its epoch counts how often it was
    taken: whoever works on it says under which one that began. Every method may raise `Unavailable` or `Broken`."""

    parts: int
    refused: int  # pieces of work that were begun under an epoch that was over when they were done

    async def look(self, *, joins: bool = True) -> Taking:
        """As it is now; who `joins` takes part from now on."""
        ...

    async def take(self, wanted: Collection[int]) -> Collection[int]:
        """Those of them that no other living process holds are this one's."""
        ...

    def begin(self, taken: Collection[int]) -> None:
        """From now on, what belongs to them is claimed."""
        ...

    def end(self, shares: Collection[int]) -> None:
        """Nothing more is."""
        ...

    async def give_back(self, shares: Collection[int]) -> None:
        """Those that this process holds are nobody's."""
        ...

    async def leave(self) -> None:
        """This process takes part no more, and holds nothing."""
        ...

    async def communities(self, shares: Collection[int]) -> Collection[CommunityRef]:
        """That belong to them."""
        ...


@dataclass(slots=True, kw_only=True)
class Division:
    """Who holds which share is computed from who is there, in every process alike: nobody hands them out. `begin` hears
    what was taken, before anything of it is claimed; `end` what is over, once nothing is `under_way` of it any more, or
    for too long."""

    shares: Shares
    clock: Clock
    begin: Callable[[Collection[int]], Awaitable[None]]
    end: Callable[[Collection[int]], Awaitable[None]]
    under_way: Callable[[Collection[int]], int]
    mine: set[int] = field(default_factory=set)
    taken: int = 0  # how often a share was begun with: of each, some seconds are not remembered

    async def run(self) -> None:
        """Until cancelled; then all is given back at once, so that nobody waits for it."""
        try:
            while True:
                await self.clock.sleep(LOOK)
                try:
                    await self.follow()
                except Unavailable as error:
                    _log.warning("shares not looked at", reason=error)
        finally:
            with suppress(BotError, TimeoutError):
                async with asyncio.timeout(LEAVING):
                    await self._end(set(self.mine), 0.0)
                    await self.shares.leave()

    async def follow(self) -> None:
        """Who was stopped for so long that others took it for dead has lost what it held, and takes part again."""
        found = await self.shares.look()
        own = {share for share, holder in found.held.items() if holder == found.me}
        wanted = {share for share in range(self.shares.parts) if is_for(share, found.part) == found.me}
        if lost := self.mine - own:
            _log.warning("shares lost", number=len(lost))
            await self._end(lost, 0.0)
        if over := own - wanted:
            await self._end(over, DRAINING)
            await self.shares.give_back(over)
        if free := {share for share in wanted - self.mine if found.held.get(share, found.me) == found.me}:
            taken = await self.shares.take(free)
            await self.begin(taken)
            self.shares.begin(taken)
            self.mine.update(taken)
            self.taken += len(taken)
        if (lost or over or free) and len(found.part) > 1:
            _log.info("shares", held=len(self.mine), of=self.shares.parts, processes=len(found.part))

    async def _end(self, over: set[int], patience: float) -> None:
        self.shares.end(over)
        until = self.clock.monotonic() + patience
        while self.under_way(over) and self.clock.monotonic() < until:
            await self.clock.sleep(LOOK / 10)
        await self.end(over)
        self.mine -= over


@dataclass(slots=True, kw_only=True)
class Post:
    """What one process does, while others stand by until it is gone: `shares` of one part. Who has it keeps it.
    `stands_by` is called once another is seen to have it."""

    shares: Shares
    clock: Clock
    stands_by: Callable[[], None]
    taken: asyncio.Event = field(default_factory=asyncio.Event)
    _is_told: bool = False

    async def run(self) -> None:
        """Until cancelled. It is given up with the process, once all connections are closed. Unavailable: this process
        was stopped for so long that another has taken over; it is to start again, and to stand by."""
        while not await self._is_lost():
            await self.clock.sleep(LOOK)
        raise Unavailable("Another process has taken over meanwhile. Start this one again: it will stand by.")

    async def _is_lost(self) -> bool:
        try:
            return await self.look()
        except Unavailable as error:
            _log.warning("posts not looked at", reason=error)
            return False

    async def look(self) -> bool:
        """Whether another has by now what was ours."""
        found = await self.shares.look()
        holder = found.held.get(0)
        if holder is None and found.me in found.part and await self.shares.take([0]):
            self.taken.set()
        elif holder not in (None, found.me):
            if not self.taken.is_set() and not self._is_told:
                self._is_told = True
                self.stands_by()
            return self.taken.is_set()
        return False


@dataclass(slots=True)
class Crew:
    """How many processes take part in a work, as of a moment ago: what all of them may do together is divided by that,
    or left to them where this one does not join."""

    shares: Shares
    clock: Clock
    joins: bool = True
    number: int = 0

    async def run(self) -> None:
        """Until cancelled; then this process takes part no more."""
        try:
            while True:
                try:
                    self.number = len((await self.shares.look(joins=self.joins)).part)
                except Unavailable as error:
                    _log.warning("crews not looked at", reason=error)
                await self.clock.sleep(LOOK)
        finally:
            with suppress(BotError, TimeoutError):
                async with asyncio.timeout(LEAVING):
                    await self.shares.leave()


def is_for(share: int, part: Collection[int]) -> int | None:
    """Which of those who take part is to hold a share (rendezvous hashing): who comes takes as much from everybody, who
    goes leaves as much to everybody, and nothing else moves. None: nobody is there."""
    return max(part, key=lambda one: blake2b(f"{share} {one}".encode(), digest_size=8).digest(), default=None)
