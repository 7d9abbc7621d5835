"""Where hostile courses happen: two communities on each network, the guard, the database, the product between them."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import asyncpg

from bot.core.communities.community import Community
from tests.adapters.discord.cafe import Cafe
from tests.builders import DISCORD, TELEGRAM
from tests.courses.product import Product, on_discord, on_telegram, settled_in, stopped
from tests.servers.discord import BUCKETS, DiscordWire
from tests.servers.fault_proxy import FaultProxy
from tests.servers.guard import GuardServer
from tests.servers.postgres import Postgres
from tests.servers.telegram import TelegramServer, user

LOUD_GROUP, CALM_GROUP, LOUD_ROOM, CALM_ROOM = -1001, -1002, -1003, -1004
#: Killed processes' leases end after half a minute.
PATIENCE = 120.0  # seconds in which something must be done
STARTS = 600.0  # seconds that a process may take to be connected where the machine is busy
ENDS = 3600.0  # seconds after which a course is over whatever is still done
UNJUDGED = """
            [[rules]]
            name = "unjudged"
            when.unscreened = true
            then = ["flag"]
"""


class Room(Protocol):
    """One community's channel. `gone`: when each message was deleted (time.monotonic())."""

    community: Community

    @property
    def gone(self) -> Mapping[str, float]: ...

    def write(self, text: str, author: int) -> str: ...

    def left(self) -> Sequence[str]:
        """Harmful messages that still stand."""
        ...

    def cards(self) -> int:
        """How many posts there are in the moderators' room."""
        ...

    def silenced(self) -> int:
        """How many members may not write."""
        ...

    def notices(self) -> Sequence[float]:
        """When members were written to (time.monotonic())."""
        ...


class DiscordRoom:
    def __init__(self, wire: DiscordWire) -> None:
        self._cafe, self._people = Cafe(wire=wire), dict[int, int]()
        self.gone: dict[str, float] = {}
        self._wire = wire
        wire.backend.subscribers.append(self._watch)
        self.community = Community(platform=DISCORD, id=str(self._cafe.guild), moderators_channel=str(self._cafe.mods))

    def write(self, text: str, author: int) -> str:
        if author not in self._people:
            self._people[author] = self._cafe.join(f"회원 {author}")
        return str(self._cafe.write(text, by=self._people[author]).id)

    def left(self) -> Sequence[str]:
        kept = self._wire.backend.messages[self._cafe.general].values()
        return [str(one.id) for one in kept if one.content.startswith("나쁜")]

    def cards(self) -> int:
        return sum(m.author_id == self._cafe.me for m in self._wire.backend.messages[self._cafe.mods].values())

    def silenced(self) -> int:
        members = self._wire.backend.guilds[self._cafe.guild].members
        return sum(members[one].timed_out_until is not None for one in self._people.values())

    def notices(self) -> Sequence[float]:
        return [call.at for call in self._wire.made("POST", "/users/@me/channels")]

    def _watch(self, event: str, payload: Any) -> None:
        match event:
            case "MESSAGE_DELETE":
                ids = [payload["id"]]
            case "MESSAGE_DELETE_BULK":
                ids = payload["ids"]
            case _:
                return
        for id_ in ids if payload["channel_id"] == str(self._cafe.general) else ():
            self.gone.setdefault(str(id_), time.monotonic())


class TelegramRoom:
    """Members have talked to the bot before, so that it may write to them."""

    def __init__(self, server: TelegramServer, group: int, room: int) -> None:
        self._server, self._group, self._room = server, server.group(group), server.group(room, title="운영진 방")
        self._people = set[int]()
        self.community = Community(platform=TELEGRAM, id=str(group), moderators_channel=str(room))

    def write(self, text: str, author: int) -> str:
        author += abs(self._group.id) * 10_000
        if author not in self._people:
            self._people.add(author)
            self._server.private(author)
        return str(self._server.post(self._group, user(author), text)["message_id"])

    @property
    def gone(self) -> Mapping[str, float]:
        found: dict[str, float] = {}
        for call in self._server.calls:
            about_us = call.arguments.get("chat_id") == self._group.id and not call.error
            if about_us and call.method in ("deleteMessage", "deleteMessages"):
                for id_ in call.arguments.get("message_ids") or [call.arguments["message_id"]]:
                    if id_ not in self._group.messages:
                        found.setdefault(str(id_), call.at)
        return found

    def left(self) -> Sequence[str]:
        return [str(id_) for id_, one in self._group.messages.items() if one.get("text", "").startswith("나쁜")]

    def cards(self) -> int:
        return len(self._room.messages)

    def silenced(self) -> int:
        return sum(one["status"] == "restricted" for one in self._group.members.values())

    def notices(self) -> Sequence[float]:
        return [call.at for call in self._server.of("sendMessage") if call.arguments["chat_id"] in self._people]


@dataclass(slots=True, kw_only=True)
class Stand:
    """Both networks, the guard, the database, and the process between them."""

    url: str
    wire: DiscordWire
    server: TelegramServer
    guard: GuardServer
    rest: FaultProxy  # Discord's; its gateway has a way of its own
    telegram: FaultProxy
    guarding: FaultProxy
    database: FaultProxy
    loud: Mapping[str, Room]
    calm: Mapping[str, Room]
    product: Product

    @property
    def rooms(self) -> Sequence[Room]:
        return [*self.loud.values(), *self.calm.values()]

    async def prepare(self, then: Sequence[str]) -> None:
        await settled_in(self.url, [room.community for room in self.rooms])
        port = self.url.rpartition(":")[2].partition("/")[0]
        self.product.configure(
            database=self.url.replace(f":{port}/", f":{self.database.port}/"),
            guards=[self.guarding.url],
            networks=(
                on_discord(f"http://127.0.0.1:{self.rest.port}/api/v10", self.wire.gateway_url),
                on_telegram(self.telegram.url),
            ),
            then=then,
            more=UNJUDGED,
        )

    async def start(self) -> None:
        identified, polls = self.wire.identified, self.server.polls
        await self.product.begin()
        async with asyncio.timeout(STARTS):
            while self.wire.identified == identified or self.server.polls == polls:
                await asyncio.sleep(0.05)
        await asyncio.sleep(1.0)

    async def stop(self) -> tuple[int, float]:
        """The exit code (-9: it had to be killed) and the seconds it took."""
        return await stopped(self.product.process)

    async def ask(self, sql: str) -> list[Any]:
        connection = await asyncpg.connect(self.url)
        try:
            return list(await connection.fetch(sql))
        finally:
            await connection.close()

    async def open_work(self) -> tuple[int, int]:
        """Messages that wait and actions that are not done."""
        (row,) = await self.ask(
            "SELECT (SELECT count(*) FROM queue) AS messages,"
            " (SELECT count(*) FROM actions WHERE finished_at IS NULL) AS actions"
        )
        return row["messages"], row["actions"]

    async def until(self, holds: Callable[[], Awaitable[bool]], patience: float = PATIENCE) -> bool:
        """Whether it holds before nothing has been done for so many seconds: a busy machine takes its time."""
        done, since, began = await self._done(), time.monotonic(), time.monotonic()
        while not await holds():
            if (now := await self._done()) != done:
                done, since = now, time.monotonic()
            if time.monotonic() - since > patience or time.monotonic() - began > ENDS:
                return False
            await asyncio.sleep(0.1)
        return True

    async def _done(self) -> object:
        """Another value whenever something was judged, done, shown or, where a process dies, begun again."""
        shown = [(len(room.gone), room.cards()) for room in self.rooms]
        return shown, await self.open_work(), self.product.process.pid

    async def all_done(self) -> bool:
        return await self.open_work() == (0, 0)


class Watch:
    """Writes a harmful message into a calm room now and then, and knows how long each stood there."""

    def __init__(self, room: Room, every: float) -> None:
        self._room, self._every = room, every
        self.written: dict[str, float] = {}

    @asynccontextmanager
    async def on(self) -> AsyncIterator["Watch"]:
        task = asyncio.create_task(self._write())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _write(self) -> None:
        while True:
            at = time.monotonic()
            self.written[self._room.write(f"나쁜 말 {len(self.written)}", 7)] = at
            await asyncio.sleep(self._every)

    async def all_gone(self) -> bool:
        return self.written.keys() <= self._room.gone.keys()

    def waits(self) -> list[float]:
        """In seconds, sorted; those that still stand count as infinite."""
        gone = self._room.gone
        return sorted(gone.get(id_, float("inf")) - at for id_, at in self.written.items())


def p99(waits: Sequence[float]) -> float:
    return waits[min(len(waits) - 1, round(0.99 * len(waits)))] if waits else 0.0


@asynccontextmanager
async def stand(
    postgres: Postgres, folder: Path, *, then: Sequence[str], entry: str = "bot", migrating: asyncio.Lock | None = None
) -> AsyncIterator[Stand]:
    """`migrating` is held while the schema is made: alembic can do that once at a time in a process."""
    url = await asyncio.to_thread(postgres.create)
    async with AsyncExitStack() as opened:
        wire, server = await opened.enter_async_context(DiscordWire()), TelegramServer()
        await opened.enter_async_context(server)
        guard = await opened.enter_async_context(GuardServer())
        wire.buckets, wire.global_limit = BUCKETS, 50
        server.group_limit, server.global_limit = 20, 30
        ports = (wire.port, server.port, guard.port, postgres.port)
        rest, telegram, guarding, database = [await opened.enter_async_context(FaultProxy(port)) for port in ports]
        groups = {"loud": (LOUD_GROUP, LOUD_ROOM), "calm": (CALM_GROUP, CALM_ROOM)}
        rooms: dict[str, Mapping[str, Room]] = {
            which: {"discord": DiscordRoom(wire), "telegram": TelegramRoom(server, *groups[which])} for which in groups
        }
        here = Stand(
            url=url, wire=wire, server=server, guard=guard, rest=rest, telegram=telegram, guarding=guarding,
            database=database, loud=rooms["loud"], calm=rooms["calm"], product=Product(folder=folder, entry=entry),
        )  # fmt: skip
        async with migrating or nullcontext():
            await here.prepare(then)
        try:
            await here.start()
            yield here
        finally:
            await here.stop()
