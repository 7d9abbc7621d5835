"""`jikimi bench scale`: what two and four processes of a role do on one PostgreSQL, beside what one does."""

import asyncio
import json
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from importlib.resources import files
from itertools import count, cycle
from multiprocessing import get_context
from threading import Barrier
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.line import Line
from bot.cli.operations.growth import Row, bench, found_harmful, harmless, judging, spoken
from bot.cli.shown import print_json

if TYPE_CHECKING:
    from bot.app.tools import Growing
    from bot.config import Config
    from bot.core.chat.message import Message
    from bot.core.incidents.incident import Settlement
    from bot.core.operations.division import Division

ROLES = ("chat", "guard", "act", "judging", "narrow")
WHOLE = ROLES[3:]  # processes of the role guard that judge
PROCESSES = (1, 2, 4)
COMMUNITIES = 200
STARTED = 120.0  # seconds until each process has read its models and taken its shares, at most
OPENED = 3.0  # seconds until a process that begins to judge does so as it always does
TOGETHER = 256  # messages or actions that are taken out, or filled in, in one call
CALLERS, ARRIVE = 4, 64  # who keep beside each other, and so many messages in each call
#: Messages or actions that wait for each process and second.
ENOUGH = {"guard": 6_000, "act": 6_000, "judging": 1_500, "narrow": 1_500}


def declare(line: Line) -> None:
    say = line.say

    @line.bench.command("scale", help=say["help.bench_scale"])
    def command(
        database: Annotated[str, typer.Option("--database", help=say["help.bench_scale_database"])],
        seconds: Annotated[float, typer.Option("--seconds", min=0.1, help=say["help.bench_seconds"])] = 5.0,
        as_json: Annotated[bool, line.json] = False,
    ) -> None:
        rows = [row for role in ROLES for row in of_role(role, database, seconds)]
        if as_json:
            print_json({"seconds": seconds, "rows": rows})
            return
        for row in rows:
            print(say("bench.scale", **row))


def of_role(role: str, database: str, seconds: float, numbers: Sequence[int] = PROCESSES) -> Iterator[Row]:
    """`times`: of what one does; `us`: processor time of the process for each message or action, in microseconds: what
    the wall says beyond that, the database has worked."""
    alone = 0.0
    for processes in numbers:
        number = next(_numbers)
        if role != "chat":
            asyncio.run(fill(database, role, round(ENOUGH[role] * (OPENED + seconds) * processes), number))
        context = get_context("spawn")
        with context.Manager() as between, ProcessPoolExecutor(processes, mp_context=context) as pool:
            all_ = between.Barrier(processes, timeout=STARTED)
            asked = [pool.submit(work, role, database, all_, seconds, number * 100 + one) for one in range(processes)]
            done = [one.result() for one in asked]
        rate = sum(did for did, _ in done) / seconds
        alone = alone or rate
        work_each = 1e6 * sum(cpu for _, cpu in done) / max(1, sum(did for did, _ in done))
        yield {
            "role": role, "processes": processes, "per_second": round(rate), "times": round(rate / max(alone, 1.0), 2),
            "us": round(work_each),
        }  # fmt: skip


_numbers = count(1)


def work(role: str, database: str, all_: Barrier, seconds: float, number: int) -> tuple[int, float]:
    """What a process of that role does in so many seconds, from when `all_` have their shares: how many messages or
    actions, in how much processor time. Nothing is asked of a network, and nothing judged but by whole processes of the
    role guard with the embedded guard: "judging" as it ships, "narrow" on one core with one thread that judges."""
    if role in WHOLE:
        return asyncio.run(_judging(role, database, all_, seconds, number))
    return asyncio.run(_work(role, database, all_, seconds, number))


async def shared_out(division: "Division", all_: Barrier) -> None:
    """Once as many take part as are waited for, each with its shares; nothing is worked on before that."""
    from bot.core.operations.division import is_for

    while True:
        await division.follow()
        found = await division.shares.look()
        own = {share for share in range(division.shares.parts) if is_for(share, found.part) == found.me}
        if len(found.part) == all_.parties and division.mine == own:
            break
        await asyncio.sleep(0.1)
    await asyncio.to_thread(all_.wait)


async def _judging(role: str, database: str, all_: Barrier, seconds: float, number: int) -> tuple[int, float]:
    settled = [0]
    if role == "narrow":
        if hasattr(os, "sched_setaffinity"):  # elsewhere it is one thread that judges, and no more
            os.sched_setaffinity(0, {number % (os.cpu_count() or 1)})
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))

    def count(settlements: "Sequence[Settlement]") -> None:
        settled[0] += len(settlements)

    async with judging(database, count, partial(shared_out, all_=all_)):
        await asyncio.sleep(OPENED)
        before, worked = settled[0], time.process_time()
        await asyncio.sleep(seconds)
        return settled[0] - before, time.process_time() - worked


async def _work(role: str, database: str, all_: Barrier, seconds: float, number: int) -> tuple[int, float]:
    from bot.app import tools

    async with tools.growing(_config(database), shared=bench()) as growing:
        await shared_out(growing.division, all_)
        until, worked = time.monotonic() + seconds, time.process_time()
        match role:
            case "chat":
                callers = [_keep(growing, until, f"{number}-{one}") for one in range(CALLERS)]
                did = sum(await asyncio.gather(*callers))
            case "guard":
                did = await _judge(growing, until)
            case _:
                did = await _act(growing, until)
        return did, time.process_time() - worked


async def _keep(growing: "Growing", until: float, name: str) -> int:
    kept, numbers = 0, count()
    while time.monotonic() < until:
        arrived = [said(growing, f"{name}-{next(numbers)}") for _ in range(ARRIVE)]
        await growing.stores.inbox.keep(arrived)
        kept += ARRIVE
    return kept


async def _judge(growing: "Growing", until: float) -> int:
    """Nothing is found: most of what people say is harmless."""
    settled = 0
    while time.monotonic() < until:
        now = growing.clock.now()
        claimed = await growing.stores.inbox.claim(TOGETHER, fresh_since=now)
        await growing.stores.inbox.settle([harmless(one, now) for one in claimed])
        settled += len(claimed)
    return settled


async def _act(growing: "Growing", until: float) -> int:
    from bot.core.moderation.turns import UnderWay
    from bot.core.rules.actions import Done

    done, outbox, platforms = 0, growing.stores.outbox, [bench()]
    while time.monotonic() < until:
        room = UnderWay(whole=TOGETHER, platform=TOGETHER, community=16)
        some = await outbox.claim(TOGETHER, now=growing.clock.now(), platforms=platforms, under_way=room)
        await outbox.record([(one, Done()) for one in some])
        done += len(some)
    return done


async def fill(database: str, role: str, number: int, run: int) -> None:
    from bot.app import tools

    async with tools.growing(_config(database)) as growing:
        said_there = files("bot.cli.rehearsal").joinpath("transcript.jsonl").read_text("utf-8").splitlines()
        heard = cycle(filter(None, (json.loads(line).get("text") for line in said_there)))
        for begin in range(0, number, TOGETHER):
            some = [said(growing, f"f{run}-{one}") for one in range(begin, min(begin + TOGETHER, number))]
            if role in WHOLE:
                # No two texts alike, or they would be judged once.
                some = [replace(one, text=f"{next(heard)} {one.ref.message_id}") for one in some]
            await growing.stores.inbox.keep(some)
            if role == "act":
                await growing.stores.inbox.settle([found_harmful(one, growing.clock.now()) for one in some])


def said(growing: "Growing", name: str) -> "Message":
    return spoken(name, f"{hash(name) % COMMUNITIES}", growing.clock.now())


def _config(database: str) -> "Config":
    from bot.config import Config, StorageSettings

    return Config(storage=StorageSettings(url=database, keys=""))
