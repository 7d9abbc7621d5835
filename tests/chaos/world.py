"""Both networks, two guards, a database on a disk of its own, and the processes between them."""

import asyncio
import os
import random
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg

from bot.core.base.errors import BotError
from storage.errors import driver_errors
from tests.chaos.crew import Crew, Worker
from tests.chaos.entry import CLOCK
from tests.chaos.guards import Guards, of_the_stand, of_vllm
from tests.courses.places import DiscordPlace, Place, TelegramPlace
from tests.courses.product import Product, settled_in
from tests.courses.stand import UNJUDGED
from tests.servers.discord import BUCKETS, DiscordWire
from tests.servers.fault_proxy import FaultProxy
from tests.servers.postgres import Postgres
from tests.servers.telegram import TelegramServer

DISK = "1536m"  # of the database, where we may mount one
#: Who writes what is harmful, of each network, and who else writes: with those who flood fewer than are a raid, in
#: which nobody is written to and all stand on one card.
AUTHORS, OTHERS = 6, 8
HARMFUL = 10  # one of so many messages
WARNED = 10  # seconds between two whose author is warned and which moderators are shown: 10 a minute are written to
#: Who says the same again, how often, and from which time on that is too often; and seconds between two such goes.
FLOODERS, AGAIN, TOO_OFTEN = 2, 5, 4
BETWEEN, APART = 0.2, 5.0
FLOOD = f"""
            [[rules]]
            name = "flood"
            when.repeats = {{ times = {TOO_OFTEN}, within = "1m" }}
            then = ["delete", "warn"]
            cooldown = "1m"
"""
LOOK = 0.5  # seconds between two looks at who holds what

_EPOCHS = """
    SELECT platform, epoch FROM communities JOIN shares ON work = 'guard' AND share = key % 64
"""


@dataclass(slots=True, kw_only=True)
class World:
    """`written`: by network, what was written: id -> text. `story`: what happened, a line each."""

    folder: Path
    disk: Path | None
    postgres: Postgres
    database: FaultProxy
    name: str = ""  # of the database
    wire: DiscordWire
    server: TelegramServer
    places: Mapping[str, Place]
    networks: Mapping[str, FaultProxy]
    guards: Guards
    guarding: Sequence[FaultProxy]
    crew: Crew
    written: dict[str, dict[str, str]] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    alive: asyncio.Lock = field(default_factory=asyncio.Lock)  # held by whoever takes the database away
    lasts: float = 0.0  # seconds, altogether
    floods: dict[str, list[list[str]]] = field(default_factory=dict)  # by network: what was said again, in its order
    #: By network: when its community changed hands, between one look and the next.
    handed_over: dict[str, list[tuple[datetime, datetime]]] = field(default_factory=dict)

    def tell(self, what: str) -> None:
        line = f"{time.monotonic() - self.began:7.1f} s  {what}"
        with (self.folder / "story").open("a", encoding="utf-8") as story:
            print(line, file=story)
        print(line, flush=True)

    @property
    def url(self) -> str:
        """Of the server itself, past what is between it and the processes."""
        return self.postgres.url(self.name)

    async def ask(self, sql: str) -> list[Any]:
        connection = await asyncpg.connect(self.url)
        try:
            return list(await connection.fetch(sql))
        finally:
            await connection.close()

    @property
    def hears(self) -> bool:
        return bool(self.wire.identified and self.server.polls)

    def write(self, network: str, text: str, author: int) -> str:
        if id_ := self.places[network].write(text, author):
            self.written.setdefault(network, {})[id_] = text
        return id_

    async def chatter(self, rate: float, rng: random.Random) -> None:
        """So many messages a second on each network, until cancelled."""
        begin, number, shown = time.monotonic(), 0, HARMFUL * max(1, round(rate * WARNED / HARMFUL))
        while True:
            for network in self.places:
                harmful = number % HARMFUL == HARMFUL // 2
                text = f"{'나쁜' if harmful else '좋은'} 말 {number}"
                text += rng.choice(self.guards.harmful if harmful else self.guards.harmless)
                warned = number % shown == HARMFUL // 2
                author = rng.randrange(AUTHORS) if harmful else AUTHORS + rng.randrange(OTHERS)
                self.write(network, f"{text} 경고감" if warned else text, author)
            number += 1
            await asyncio.sleep(max(0.0, begin + number / rate - time.monotonic()))

    async def flooding(self, rng: random.Random) -> None:
        """Somebody says the same again and again, now here and now there, until cancelled."""
        for number in count():
            network = list(self.places)[number % len(self.places)]
            author, said = AUTHORS + OTHERS + rng.randrange(FLOODERS), list[str]()
            text = f"또 그 말 {number}{rng.choice(self.guards.harmless)}"
            for _ in range(AGAIN):
                said.append(self.write(network, text, author))
                await asyncio.sleep(BETWEEN)
            self.floods.setdefault(network, []).append(said)
            await asyncio.sleep(APART)

    async def watching(self) -> None:
        """Who judges which community, until cancelled; as far as the database is there to say so."""
        known, looked = dict[str, int](), datetime.now(UTC)
        while True:
            await asyncio.sleep(LOOK)
            with suppress(BotError), driver_errors():  # it is away just now
                rows = await self.ask(_EPOCHS)
                for row in rows:
                    if known.get(row["platform"], row["epoch"]) != row["epoch"]:
                        self.handed_over.setdefault(row["platform"], []).append((looked, datetime.now(UTC)))
                    known[row["platform"]] = row["epoch"]
                looked = datetime.now(UTC)

    def calm(self) -> None:
        """Nothing is between the parts any more."""
        for proxy in (self.database, *self.networks.values(), *self.guarding):
            spoilt = proxy.mode != "pass"
            proxy.mode, proxy.delay = "pass", 0.0
            if spoilt:
                proxy.reset_all()
        for worker in self.crew.workers:
            worker.clock.unlink(missing_ok=True)
        self.wire.troubles.clear()
        self.server.faults = {}


@asynccontextmanager
async def world(folder: Path, roles: Sequence[str], vllm: bool = False) -> AsyncIterator[World]:
    """A process for each of `roles`; of the role "" it is a whole one. `vllm`: judges, not what stands in for it."""
    async with AsyncExitStack() as opened:
        disk = opened.enter_context(_disk())
        wire, server = await opened.enter_async_context(DiscordWire()), TelegramServer()
        await opened.enter_async_context(server)
        wire.buckets, wire.global_limit, server.global_limit = BUCKETS, 50, 30
        guards = await opened.enter_async_context(of_vllm(folder) if vllm else of_the_stand())
        postgres = await asyncio.to_thread(Postgres, disk=disk)
        ports = (wire.port, server.port, postgres.port, *guards.ports)
        discord, telegram, database, *guarding = [await opened.enter_async_context(FaultProxy(port)) for port in ports]
        crew = Crew([_worker(folder, number, role) for number, role in enumerate(roles, 1)])
        here = World(
            folder=folder, disk=disk, postgres=postgres, database=database, wire=wire, server=server, guards=guards,
            guarding=guarding, networks={"discord": discord, "telegram": telegram}, crew=crew,
            places={"discord": DiscordPlace(wire, discord), "telegram": TelegramPlace(server, telegram)},
        )  # fmt: skip
        try:
            url = await asyncio.to_thread(postgres.create)
            here.name = url.rpartition("/")[2]
            await settled_in(url, [place.community for place in here.places.values()])
            crew.workers[0].product.configure(
                database=url.replace(f":{postgres.port}/", f":{database.port}/"),
                guards=[proxy.url for proxy in guarding],
                networks=[place.config for place in here.places.values()],
                then=["delete"],  # a card for each would take minutes, by what networks take
                alarm_after=5.0,
                more=UNJUDGED + FLOOD,
                guarding_more=guards.settings,
            )
            yield here
        finally:
            await asyncio.to_thread(here.postgres.stop)


def _worker(folder: Path, number: int, role: str) -> Worker:
    name = f"{number}{'-' * bool(role)}{role}"
    environment = {CLOCK: str(folder / f"clock-{name}"), "JIKIMI_LANG": "ko"}
    roles = role.split("+") if role else ()
    return Worker(
        Product(folder=folder, entry="tests.chaos.entry", log=f"log-{name}", roles=roles, environment=environment)
    )


@contextmanager
def _disk() -> Iterator[Path | None]:
    """One that can be filled; None where we may not mount any."""
    place = Path(tempfile.mkdtemp(prefix="chaos-disk-"))
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=755", "tmpfs", str(place)]
    try:
        mounted = os.geteuid() == 0 and subprocess.run(mounting, capture_output=True, check=False).returncode == 0
        yield place if mounted else None
    finally:
        with suppress(OSError, subprocess.CalledProcessError):
            if mounted:
                subprocess.run(["umount", "--lazy", place], check=True)
            place.rmdir()
