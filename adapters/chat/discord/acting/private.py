"""What a member is told in private -> a direct message, as many of them as Discord takes of a bot without suspicion.

A bot that writes to many people in a short time is put under quarantine by Discord: it may open no direct messages and
join no servers any more (discord-api-docs#5987; reports speak of 20 to 50). During a raid nobody is written to at all.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import discord

from adapters.chat.pacing import alone
from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.base.errors import Unavailable

EACH, IN_ALL = 10, 30  # direct messages a minute: to the members of one server, and altogether
RAID, RAID_WITHIN = 20, timedelta(minutes=5)  # so many members of one server who would have to be written to
SERVERS = 10_000  # remembered


NO_SERVER_IN_COMMON = 50278  # Discord's code


class ClosedDoor(Exception):
    """Somebody takes no direct messages. `gone`: because they share no server with us any more."""

    def __init__(self, *, gone: bool) -> None:
        super().__init__()
        self.gone = gone


@dataclass(slots=True, kw_only=True)
class PrivateMessages:
    client: discord.Client
    clock: Clock
    among: Callable[[], int] = alone  # processes that write in the bot's name; those of one server are one's alone
    _all: "_Budget" = field(init=False)
    _servers: Bounded[str, "_Server"] = field(default_factory=lambda: Bounded(SERVERS))

    def __post_init__(self) -> None:
        self._all = _Budget(IN_ALL, self.among)

    def make_room(self, community_id: str, member_id: str, about: datetime) -> None:
        """Raises `Unavailable` where this member cannot be written to now. `about`: when it was said that they are
        written to for; what is sent after a raid does not prolong it."""
        server = self._server(community_id)
        now, monotonic = self.clock.now(), self.clock.monotonic()
        server.spoke(member_id, about, now)
        if len(server.members) >= RAID:
            calm = sorted(server.members.values())[len(server.members) - RAID] + RAID_WITHIN - now
            raise Unavailable("a raid is on", retry_after=max(1.0, calm.total_seconds()))
        for budget in (server.budget, self._all):
            if budget.is_spent(monotonic):
                raise Unavailable("many are written to already", retry_after=budget.book(monotonic))

    async def send(
        self, community_id: str, member_id: str, text: str, *, nonce: str, view: discord.ui.View | None = None
    ) -> str:
        """Give back the receipt. Raises `ClosedDoor`, and whatever discord.py raises."""
        for budget in (self._server(community_id).budget, self._all):
            budget.spend(self.clock.monotonic())
        try:
            dm = await self.client.http.start_private_message(member_id)
            room = self.client.get_partial_messageable(int(dm["id"]))
            posted = await (room.send(text, nonce=nonce, view=view) if view else room.send(text, nonce=nonce))
        except discord.Forbidden as error:
            raise ClosedDoor(gone=error.code == NO_SERVER_IN_COMMON) from error
        return f"{posted.channel.id}/{posted.id}"

    def _server(self, community_id: str) -> "_Server":
        return self._servers.refresh(community_id, _Server())


@dataclass(slots=True)
class _Budget:
    """So many within any minute; who finds it spent is told when to come back, one after the other."""

    in_all: int
    among: Callable[[], int] = alone
    _spent: deque[float] = field(default_factory=deque)
    _booked: float = 0.0

    @property
    def per_minute(self) -> int:
        return max(1, self.in_all // self.among())

    def is_spent(self, now: float) -> bool:
        while self._spent and self._spent[0] <= now - 60:
            self._spent.popleft()
        return len(self._spent) >= self.per_minute

    def spend(self, now: float) -> None:
        self._spent.append(now)

    def book(self, now: float) -> float:
        self._booked = max(self._booked + 60 / self.per_minute, self._spent[0] + 60)
        return self._booked - now


@dataclass(slots=True)
class _Server:
    budget: _Budget = field(default_factory=lambda: _Budget(EACH))
    members: OrderedDict[str, datetime] = field(default_factory=OrderedDict)  # who spoke lately, and when

    def spoke(self, member_id: str, at: datetime, now: datetime) -> None:
        if at > now - RAID_WITHIN:
            self.members[member_id] = at
        for member, when in list(self.members.items()):
            if when <= now - RAID_WITHIN:
                del self.members[member]
