"""What goes wrong, drawn by a seed: with the processes, and at once with what they are connected to."""

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from itertools import count

import asyncpg

from bot.core.base.errors import BotError
from storage.errors import driver_errors
from tests.chaos.world import World
from tests.courses.poisoned import POISONS
from tests.servers.fault_proxy import FaultProxy
from tests.servers.postgres import Postgres

#: A trouble lasts about so many seconds, and is over when this returns.
Trouble = Callable[[World, random.Random, float], Awaitable[None]]

LONG = 600.0  # seconds: who plays for as long may meet what kills whoever takes it, which takes minutes to be found out
LEASE = 35.0  # seconds, longer than what a process has leased stays its own
AHEAD = 1_800.0  # seconds at most that a clock is wrong
BETWEEN = 1.0, 4.0  # seconds without trouble
LASTS = 2.0, 9.0

_numbers = count(1)

# ---- the processes


async def killed(world: World, rng: random.Random, seconds: float) -> None:
    """As if it had lost its power, in the middle of whatever it did."""
    worker = rng.choice(world.crew.workers)
    worker.send(signal.SIGKILL)
    await asyncio.sleep(seconds / 2)


async def killed_all(world: World, rng: random.Random, seconds: float) -> None:
    for worker in world.crew.workers:
        worker.send(signal.SIGKILL)
    await asyncio.sleep(seconds)


async def frozen(world: World, rng: random.Random, seconds: float) -> None:
    """It goes on afterwards as if nothing had been."""
    process = rng.choice(world.crew.workers).product.process
    await _freeze(process, seconds)


async def frozen_for_dead(world: World, rng: random.Random, seconds: float) -> None:
    """For longer than its work stays its own."""
    await _freeze(rng.choice(world.crew.workers).product.process, LEASE)


async def _freeze(process: asyncio.subprocess.Process, seconds: float) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)


async def rolled(world: World, rng: random.Random, seconds: float) -> None:
    await world.crew.roll()


async def wrong_clock(world: World, rng: random.Random, seconds: float) -> None:
    """Of one process: put forward or back, and right again."""
    clock = rng.choice(world.crew.workers).clock
    clock.write_text(f"{rng.uniform(-AHEAD, AHEAD):.0f}", "utf-8")
    await asyncio.sleep(seconds)
    clock.unlink(missing_ok=True)


# ---- the database


async def database_unreachable(world: World, rng: random.Random, seconds: float) -> None:
    await _cut(world.database, rng, seconds)


async def database_killed(world: World, rng: random.Random, seconds: float) -> None:
    async with world.alive:
        await asyncio.to_thread(world.postgres.kill)
        await asyncio.sleep(seconds / 2)
        await asyncio.to_thread(world.postgres.start)


async def failover(world: World, rng: random.Random, seconds: float) -> None:
    """The server is lost; a standby, which can only be read for a while, takes its place."""
    async with world.alive:
        lost = world.postgres
        standby = await asyncio.to_thread(Postgres, disk=world.disk, of=lost)
        await asyncio.sleep(1.0)
        await asyncio.to_thread(lost.kill)
        world.database.upstream = standby.port
        world.database.reset_all()
        await asyncio.sleep(seconds)
        await asyncio.to_thread(standby.promote)
        world.postgres = standby
        await asyncio.to_thread(lost.stop)


async def disk_full(world: World, rng: random.Random, seconds: float) -> None:
    """Of the database; and room again."""
    if world.disk is None:
        world.tell("   no disk may be mounted here: none is full")
        return
    async with world.alive:
        ballast = world.disk / "ballast"
        try:
            with ballast.open("wb", buffering=0) as file, suppress(OSError):
                while True:
                    file.write(bytes(1 << 16))
            await asyncio.sleep(seconds)
        finally:
            ballast.unlink(missing_ok=True)
        await asyncio.sleep(0.5)
        if not world.postgres.runs:  # it could not write its log
            await asyncio.to_thread(world.postgres.start)


async def forgotten(world: World, rng: random.Random, seconds: float) -> None:
    """Somebody has begun a transaction, read something, and gone to lunch; until the database dies of something."""
    with suppress(BotError), driver_errors():  # it is away just now
        connection = await asyncpg.connect(world.url)
        try:
            await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM queue")
            while not connection.is_closed():
                await asyncio.sleep(0.2)
        finally:
            connection.terminate()
    await asyncio.sleep(seconds)


# ---- the guards


async def guard_lost(world: World, rng: random.Random, seconds: float) -> None:
    """One of them, or both."""
    gone = rng.sample(list(world.guarding), rng.choice((1, 2)))
    await asyncio.gather(*(_cut(proxy, rng, seconds) for proxy in gone))


async def guard_ill(world: World, rng: random.Random, seconds: float) -> None:
    ill = rng.sample(list(world.guards.ill), rng.choice((1, 2)))
    await asyncio.gather(*(is_ill(rng, seconds) for is_ill in ill))


# ---- the networks


async def network_unreachable(world: World, rng: random.Random, seconds: float) -> None:
    await _cut(world.networks[rng.choice(list(world.networks))], rng, seconds)


async def network_ill(world: World, rng: random.Random, seconds: float) -> None:
    """429, 500; of Discord, a gateway that drops everybody, or knows nobody any more."""
    place = world.places[rng.choice(list(world.places))]
    faults = [name for name in ("429", "500", "gateway", "session") if name in place.faults]
    async with place.faults[rng.choice(faults)]():
        await asyncio.sleep(seconds)


# ---- what is written


async def poison(world: World, rng: random.Random, seconds: float) -> None:
    """On which a guard or a deed breaks for ever, or that hardly anything can read; and where there is time for it to
    be found out, of which each process dies that takes it."""
    odd = ["이상한 말", "\u202e글로", "가" * 1_900, "é\u0301" * 200, "👩‍👩‍👧‍👦" * 90, "<b>&amp;</b>{0}%s"]
    odd += [f"나쁜 {word}" for word, kind in POISONS.items() if kind == "deed raises"]
    if world.lasts >= LONG:
        odd += [f"나쁜 {word}" for word, kind in POISONS.items() if kind == "deed dies"]
    for text in odd:
        for network in world.places:
            world.write(network, f"{text} {next(_numbers)}", 0)
        await asyncio.sleep(0.1)


async def _cut(proxy: FaultProxy, rng: random.Random, seconds: float) -> None:
    """Gone, a black hole, or slow."""
    match rng.choice(("reset", "swallow", "slow")):
        case "slow":
            proxy.delay = rng.uniform(0.1, 0.6)
        case "reset":
            proxy.mode = "reset"
            proxy.reset_all()
        case _:
            proxy.mode = "swallow"
    await asyncio.sleep(seconds)
    if proxy.mode == "swallow":
        proxy.reset_all()
    proxy.mode, proxy.delay = "pass", 0.0


#: What happens one after the other; the lanes beside each other.
LANES: Mapping[str, Sequence[Trouble]] = {
    "processes": (killed, frozen, rolled, killed, wrong_clock, frozen_for_dead, killed_all),
    "world": (
        poison, database_unreachable, guard_lost, network_unreachable, failover, guard_ill, network_ill, disk_full,
        database_killed,
    ),
    "somebody": (forgotten,),
}  # fmt: skip


async def storm(world: World, seed: int, seconds: float, only: Sequence[str] = ()) -> None:
    """Everything once in each lane's own order, which the seed draws, and again, for so many seconds."""
    end = time.monotonic() + seconds

    async def lane(name: str, troubles: Sequence[Trouble]) -> None:
        rng = random.Random(f"{seed} {name}")
        while chosen := [one for one in troubles if not only or one.__name__ in only]:
            for trouble in rng.sample(chosen, len(chosen)):
                await asyncio.sleep(rng.uniform(*BETWEEN))
                lasts = rng.uniform(*LASTS)
                if time.monotonic() + lasts > end:
                    return
                world.tell(f"{trouble.__name__.replace('_', ' ')} ({lasts:.1f} s)")
                await trouble(world, rng, lasts)

    async with asyncio.TaskGroup() as lanes:
        processes, around, lunch = [lanes.create_task(lane(*one)) for one in LANES.items()]
        await asyncio.wait([processes], timeout=seconds)
        await asyncio.wait([around])
        processes.cancel()  # where the machine is busy, rolling takes minutes
        lunch.cancel()
    world.calm()
