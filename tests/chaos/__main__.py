"""Everything fails at once, over both networks and under load, and then it is counted what came of it.

python -m tests.chaos [--minutes M] [--seed S] [--rate MESSAGES A SECOND] [--roles ROLE[+ROLE],…]
    [--guards stand|vllm] [--only TROUBLE,…]

`--guards vllm` is two real `vllm serve`: in the environment of `make test-engine`,
with what `pip install -e '.[test]'` adds.

Ends with 1 where a promise was broken; then what is left of it stays in the folder that is named: the configuration,
what each process said, the story and the database.
"""

import argparse
import asyncio
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.chaos import audit
from tests.chaos.troubles import storm
from tests.chaos.world import World, world
from tests.servers.postgres import PROGRAMS

SHARE = 0.6  # of the time in which everything fails; the rest is for what is left to do then
PATIENCE = 150.0  # seconds in which something must come to an end
WEIGH = 5.0  # seconds
WRONG = 2  # the exit code after which a service is not started again


async def play(
    folder: Path, roles: list[str], seed: int, seconds: float, rate: float, only: list[str], *, vllm: bool
) -> list[str]:
    """Returns the promises that were broken."""
    async with world(folder, roles, vllm) as here:
        here.lasts = seconds
        await here.crew.begin()
        weighing = asyncio.create_task(_weigh(here))
        try:
            for worker in here.crew.workers:
                assert await here.crew.working(worker, 120.0), worker.log.read_text("utf-8")[-2000:]
            while not here.hears:  # what is written before a bot has ever been there is nobody's to read
                await asyncio.sleep(0.2)
            await asyncio.sleep(2.0)
            here.tell(f"{len(roles)} processes work")
            talk = [here.chatter(rate, random.Random(seed)), here.flooding(random.Random(seed)), here.watching()]
            talking = [asyncio.create_task(one) for one in talk]
            await storm(here, seed, seconds * SHARE, only)
            for one in talking:
                one.cancel()
            for ended in await asyncio.gather(*talking, return_exceptions=True):
                if not isinstance(ended, asyncio.CancelledError):
                    raise RuntimeError("nobody talked, or watched, to the end") from ended
            here.tell("everything is well again")
            broken = [] if await done(here) else ["it is not done in the end"]
            await asyncio.sleep(2.0)  # whatever comes twice comes now
            here.tell("everything is done" if not broken else broken[0])
            broken += await audit.sizes(here)
        finally:
            weighing.cancel()
            codes = await here.crew.end()
        broken += [f"ended with {code}" for code in codes if code not in (0, -signal.SIGALRM)]
        broken += await _counted(here)
        if broken:
            await _keep(here)
        return broken


async def done(here: World) -> bool:
    """Whether everything is before nothing has been for so long. What has failed often is tried again after minutes."""
    last, since = None, time.monotonic()
    while True:
        (now,) = await here.ask(
            "SELECT (SELECT count(*) FROM queue) AS queue, (SELECT count(*) FROM messages) AS messages,"
            " (SELECT sum(attempts) FROM actions) AS tries, count(*) AS open,"
            " min(not_before) > extract(epoch FROM now()) * 1000000 AS asleep FROM actions WHERE finished_at IS NULL"
        )
        written = sum(map(len, here.written.values()))
        if now["messages"] >= written and not now["queue"] and not now["open"]:
            return True
        if now != last or now["asleep"]:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > PATIENCE:
            return False
        await asyncio.sleep(0.5)


async def _counted(here: World) -> list[str]:
    broken = []
    for name, seen in (await audit.seen(here)).items():
        states = Counter(f"{one.kind} {one.state}" for one in seen.actions)
        told = Counter(seen.alarms)
        here.tell(f"{name}: {len(seen.written)} written; {dict(sorted(states.items()))}; told {dict(told)}")
        as_one, off = audit.floods(seen)
        changes = len(seen.handed_over)
        here.tell(f"{name}: {len(as_one)} floods as one process decides, {len(off)} not; handed over {changes} times")
        broken += [f"{name}: {problem}" for problem in audit.problems(seen)]
    for row in await here.ask("SELECT work, sum(epoch) - count(*) AS times FROM shares GROUP BY work ORDER BY work"):
        here.tell(f"{row['work']}: shares changed hands {row['times']} times; of each, some seconds are not remembered")
    for worker in here.crew.workers:
        ends = Counter(code for code, _ in worker.ends)
        here.tell(f"{worker.log.name}: ended {dict(ends)}; {worker.most:.0f} MiB at most")
        own = [code for code, by_itself in worker.ends if code == WRONG or (by_itself and code != -signal.SIGKILL)]
        broken += [f"{worker.log.name}: ended by itself with {code}" for code in own]
    logs = [worker.log for worker in here.crew.workers]
    return [*broken, *audit.logged(logs, sum(map(len, here.written.values())))]


async def _keep(here: World) -> None:
    dump = await asyncio.create_subprocess_exec(
        PROGRAMS / "pg_dump", "-d", here.url, "-f", str(here.folder / "database.sql"), cwd="/"
    )
    await dump.wait()


async def _weigh(here: World) -> None:
    while True:
        for worker in here.crew.workers:
            worker.weigh()
        await asyncio.sleep(WEIGH)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--rate", type=float, default=20.0, help="messages a second on each network")
    parser.add_argument("--roles", default=",", help="a process for each; empty: a whole one")
    parser.add_argument("--guards", choices=("stand", "vllm"), default="stand", help="vllm: where it is installed")
    parser.add_argument("--only", default="", help="troubles, by name")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever breaks it off leaves no processes behind
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    print(f"seed {asked.seed}, {folder}", flush=True)
    only = [name.replace("-", "_") for name in asked.only.split(",") if name]
    broken = asyncio.run(
        play(
            folder,
            asked.roles.split(","),
            asked.seed,
            asked.minutes * 60,
            asked.rate,
            only,
            vllm=asked.guards == "vllm",
        )
    )
    if broken:
        (folder / "problems").write_text("\n".join(broken), "utf-8")
        print(*broken, f"seed {asked.seed}: what is left lies in {folder}", sep="\n")
        sys.exit(1)
    print("every promise held")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
