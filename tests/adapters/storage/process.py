"""A process that works on a database until it is killed.

It prints "done" once STEP has been taken (each step includes those before it), or, for "write", how many messages it
has kept, line by line, without end.
"""

import asyncio
from dataclasses import replace
from datetime import timedelta
from itertools import count

from bot.core.chat.message import Message
from bot.core.incidents.incident import PlannedAction, Settlement
from bot.core.rules.actions import Delete, Done, Timeout, Warn
from bot.core.rules.ladder import Ladder
from storage.database import Database
from tests.builders import EVERYWHERE, NOW, message, settlement
from tests.contracts.stores import Store, store
from tests.fakes.clock import ManualClock

STARTED: list[PlannedAction] = []
STEPS = ("open", "keep", "claim", "settle", "start", "record")


def struck(about: Message) -> Settlement:
    one = settlement(about, Delete())
    ladder = Ladder(steps=(Timeout(timedelta(hours=99)), Timeout(timedelta(hours=198))), reach="timeout")
    return replace(one, decision=replace(one.decision, strike=1), ladder=ladder)


async def take(store: Store, step: str) -> None:
    match step:
        case "keep":
            await store.inbox.keep([message("1"), message("2")])
        case "claim":
            await store.inbox.claim(2, fresh_since=NOW)
        case "settle":
            await store.inbox.settle([settlement(message("1"), Delete(), Warn())])
        case "strike":  # of two offences one is decided and not written, the other written and not done
            await store.inbox.settle([struck(message("1"))])
            STARTED.extend(await store.outbox.claim(2, now=NOW, platforms=EVERYWHERE))
        case "start":
            STARTED.extend(await store.outbox.claim(2, now=NOW, platforms=EVERYWHERE))
        case "record":
            await store.outbox.record([(STARTED[0], Done())])


async def work(url: str, last: str) -> None:
    clock = ManualClock()
    async with Database.open(url, clock) as database:
        here = store(database, clock)
        if last == "write":
            for number in count(1):
                await here.inbox.keep([message(f"{number}-{part}") for part in range(3)])
                print(number * 3, flush=True)
        for step in STEPS[: STEPS.index(last) + 1] if last in STEPS else ("keep", "claim", last):
            await take(here, step)
        print("done", flush=True)
        await asyncio.Event().wait()
