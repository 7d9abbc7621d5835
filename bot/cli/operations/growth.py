"""`jikimi bench growth`: what claiming, starting and remembering cost with very many communities and incidents, beside
the ways of earlier versions where those can still be gone."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from bot.cli.line import Line
from bot.cli.shown import print_json
from bot.core.text.catalogue import Texts, texts

if TYPE_CHECKING:
    from bot.app.tools import Growing
    from bot.config import Config
    from bot.core.chat.message import Message, Platform
    from bot.core.communities.community import Community
    from bot.core.incidents.incident import Settlement
    from bot.core.moderation.settling import Settled
    from bot.core.operations.division import Division

CLAIM = 512  # messages, as screening asks for
TIMES = 9
TOGETHER = 256  # messages that are kept or settled in one call
FEW = 20  # communities
MEMBERS, RAIDED = 1_000, "raided"  # who take part in the raid, and in which community
BUILT = 2_000  # policies that are built one for each, as earlier versions did: enough to tell what each costs

Row = dict[str, object]
Ready = Callable[["Division"], Awaitable[None]]
Given = TypeVar("Given")


def declare(line: Line) -> None:
    say = line.say

    @line.bench.command("growth", help=say["help.bench_growth"])
    def command(
        database: Annotated[
            str | None, typer.Option("--database", help=say["help.bench_database"], show_default=False)
        ] = None,
        communities: Annotated[int, typer.Option("--communities", min=10, help=say["help.bench_communities"])] = 10_000,
        incidents: Annotated[int, typer.Option("--incidents", min=1, help=say["help.bench_raid"])] = 100_000,
        as_json: Annotated[bool, line.json] = False,
    ) -> None:
        asyncio.run(bench_growth(database, communities, incidents, say, as_json=as_json))


async def bench_growth(database: str | None, communities: int, incidents: int, say: Texts, *, as_json: bool) -> None:
    """`database`: an empty one; None: a SQLite file that is thrown away. Ten times as many communities are remembered
    as wait."""
    from bot.app import tools
    from bot.config import Config, StorageSettings

    with TemporaryDirectory(prefix="jikimi-bench-", dir=".") as folder:
        url = database or f"sqlite:///{Path(folder) / 'growth.db'}"
        config = Config(storage=StorageSettings(url=url, keys=""))
        async with tools.growing(config) as growing:
            await growing.prepare()
            rows = [await _claims(growing, some) for some in (10, communities)]
            rows += await left_open(growing, incidents)
            rows.append(await _start(growing, incidents))
            rows.append(await _memory(config, 10 * communities))
            await growing.settle_in(_chosen(10 * communities, "crowd-"))
            rows.append(await _move(growing, incidents, 10 * communities))
            said = [spoken(f"crowd-{one}", f"crowd-{one}", growing.clock.now()) for one in range(communities)]
            await _in_batches(said, growing.stores.inbox.keep)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            rows.append(pool.submit(guarding, url, communities).result() | {"communities": 10 * communities})
    if as_json:
        print_json({"database": url.partition(":")[0], "rows": rows})
        return
    for row in rows:
        print(say(f"bench.growth_{row['what']}", **row))


async def _claims(growing: "Growing", communities: int) -> Row:
    """Whose turn it is while so many wait with what was said a day ago, which is dearest; both ways in turns, so that
    what else the machine does hits both."""
    then = growing.clock.now() - timedelta(days=1)
    number = max(2 * communities, 2 * TIMES * CLAIM)
    said = [spoken(f"{communities}-{one}", f"{one % communities}", then) for one in range(number)]
    await _in_batches(said, growing.stores.inbox.keep)
    await growing.choose(1, hopping_=False)  # what a start reads once
    took = [await _choosing(growing) for _ in range(TIMES)]
    await _in_batches([harmless(one, then) for one in said], growing.stores.inbox.settle)
    return {"what": "claim", "communities": communities} | _both(took)


async def left_open(growing: "Growing", number: int) -> list[Row]:
    """The same for what has just come, of FEW communities, while a transaction is left open: at its beginning, and
    when so many messages have passed."""
    rows: list[Row] = []
    async with growing.left_open() as lies_about:
        for passed in (0, number) if lies_about else ():
            now, took = growing.clock.now(), list[tuple[float, float]]()
            through = [spoken(f"passed-{one}", f"{one % FEW}", now) for one in range(passed)]
            for place in range(0, passed, TOGETHER):
                some = through[place : place + TOGETHER]
                await growing.stores.inbox.keep(some)
                await growing.stores.inbox.settle([harmless(one, now) for one in some])
            for time_ in range(TIMES):
                said = [spoken(f"open-{passed}-{time_}-{one}", f"{one % FEW}", now) for one in range(CLAIM)]
                await _in_batches(said, growing.stores.inbox.keep)
                took.append(await _choosing(growing))
                await _in_batches([harmless(one, now) for one in said], growing.stores.inbox.settle)
            rows.append({"what": "left_open", "passed": passed} | _both(took))
    return rows


async def _choosing(growing: "Growing") -> tuple[float, float]:
    """Milliseconds, as it was done before and now."""
    begun = time.perf_counter()
    await growing.choose(CLAIM, hopping_=True)
    between = time.perf_counter()
    await growing.choose(CLAIM, hopping_=False)
    return 1000 * (between - begun), 1000 * (time.perf_counter() - between)


def _both(took: Sequence[tuple[float, float]]) -> Row:
    old, new = (round(median(way), 1) for way in zip(*took, strict=True))
    return {"old_ms": old, "new_ms": new}


async def _start(growing: "Growing", incidents: int) -> Row:
    """What a start reads of the last hour: a raid of MEMBERS, in one community."""
    now = growing.clock.now()
    raid = [spoken(f"raid-{one}", RAIDED, now, author=str(one % MEMBERS)) for one in range(incidents)]
    await _in_batches(raid, growing.stores.inbox.keep)
    await _in_batches([found_harmful(one, now) for one in raid], growing.stores.inbox.settle)
    began, worked = time.perf_counter(), time.process_time()
    remembered = await growing.remembered()
    took, work = time.perf_counter() - began, time.process_time() - worked
    facts = {"new_s": round(took, 2), "cpu_s": round(work, 2)}
    return {"what": "start", "incidents": incidents, "remembered": remembered, **facts}


async def _move(growing: "Growing", incidents: int, communities: int) -> Row:
    """Of the community of the raid, and of one of which nothing is on record, to a new id; among so many with settings,
    any of which may name it."""
    from bot.core.chat.message import CommunityRef

    took = []
    for id_ in (f"crowd-{communities - 1}", RAIDED):
        began = time.perf_counter()
        await growing.stores.communities.move(CommunityRef(bench(), id_), f"moved-{id_}")
        took.append(round(time.perf_counter() - began, 3))
    return {"what": "move", "incidents": incidents, "communities": communities, "quiet_s": took[0], "new_s": took[1]}


async def _memory(config: "Config", communities: int) -> Row:
    """Of communities that have each chosen rooms of their own and one of the presets; and what a policy for each would
    take."""
    from bot.app import tools
    from bot.core.communities.policies import Policies

    before = _resident()
    policies = Policies(store=_Chosen(communities), build=config.policy_of, clock=tools.clock())  # type: ignore[arg-type]
    await policies.load()
    for one in policies.communities():
        policies.of_community(one.ref)
    new = _resident() - before
    some = policies.communities()[:BUILT]
    before = _resident()
    built = [config.policy_of(one) for one in some]
    old = (_resident() - before) / len(built) * communities
    return {"what": "memory", "communities": communities, "old_mib": round(old + new), "new_mib": round(new)}


class _Chosen:
    """As many communities, stored so."""

    def __init__(self, communities: int) -> None:
        self._number = communities

    async def all(self) -> "list[Community]":
        return _chosen(self._number)


def _chosen(number: int, name: str = "") -> "list[Community]":
    from bot.core.communities.community import PRESETS, Community

    return [
        Community(
            platform=bench(), id=f"{name}{one}", version=1, name=f"커뮤니티 {one}", preset=PRESETS[one % len(PRESETS)],
            moderators_channel=f"m{one}", report_channel=f"r{one}",
        )
        for one in range(number)
    ]  # fmt: skip


def guarding(database: str, wait: int) -> Row:
    """A whole process that only judges, connected to nothing: how long it takes to begin, and what it takes of memory
    once it has judged as many messages as wait."""
    return asyncio.run(_guarding(database, wait))


async def _guarding(database: str, wait: int) -> Row:
    settled, all_ = 0, asyncio.Event()

    def count(settlements: "Sequence[Settlement]") -> None:
        nonlocal settled
        settled += len(settlements)
        if settled >= wait:
            all_.set()

    began = time.perf_counter()
    async with judging(database, count):
        took = time.perf_counter() - began
        await all_.wait()
        mib = _resident()
    return {"what": "guarding", "judged": settled, "new_s": round(took, 2), "mib": round(mib)}


@asynccontextmanager
async def judging(database: str, on_settled: "Settled", ready: "Ready | None" = None) -> AsyncIterator[None]:
    """A whole process of the role guard: begun when this is entered, and at work from `ready` on until it is left."""
    from bot.app import guards
    from bot.app.application import GUARDING, application
    from bot.config import Config, StorageSettings
    from bot.core.operations.outside.role import Role

    config, stopping = Config(storage=StorageSettings(url=database, keys="")), asyncio.Event()
    async with (
        guards.guard(config, texts("en")) as guard,
        application(config, guard, lambda core: (), roles={Role.GUARD}, on_settled=on_settled) as jikimi,
        asyncio.TaskGroup() as working,
    ):
        if ready:
            await ready(jikimi.health.works[GUARDING])
        working.create_task(jikimi.run(stopping=stopping))
        yield
        stopping.set()


async def _in_batches(all_: Sequence[Given], give: Callable[[Sequence[Given]], Awaitable[object]]) -> None:
    for place in range(0, len(all_), TOGETHER):
        await give(all_[place : place + TOGETHER])


def spoken(id_: str, community: str, at: datetime, author: str = "1") -> "Message":
    from bot.core.chat.message import Author, Message, MessageRef

    ref = MessageRef(bench(), f"c{community}", id_)
    return Message(ref=ref, community_id=community, author=Author(id=author), sent_at=at, text="안녕하세요")


def harmless(message: "Message", at: datetime) -> "Settlement":
    from bot.core.guarding.verdict import NOTHING_TO_JUDGE
    from bot.core.incidents.incident import Settlement
    from bot.core.rules.decision import Decision

    decision = Decision(message=message, screening=NOTHING_TO_JUDGE, policy_version="1")
    return Settlement(decision=decision, decided_at=at)


def found_harmful(message: "Message", at: datetime) -> "Settlement":
    from bot.core.guarding.verdict import GuardVersion, Task, Verdict
    from bot.core.incidents.incident import Settlement
    from bot.core.rules.actions import Delete
    from bot.core.rules.conditions import Explanation
    from bot.core.rules.decision import Decision, Finding
    from bot.core.rules.policy import Reason

    judged = Verdict.of_scores({Task.PROMPT_HARM: 0.9}, guard=GuardVersion(name="bench", model="1"))
    decision = Decision(
        message=message, screening=judged, policy_version="1", actions=(Delete(),), rule="raid",
        findings=(Finding("raid", True, Explanation("unscreened")),), reason=Reason(ko="습격", en="raid"),
    )  # fmt: skip
    return Settlement(decision=decision, decided_at=at)


def bench() -> "Platform":
    from bot.core.chat.message import Platform

    return Platform("bench")


def _resident() -> float:
    """Memory of this process in MiB; 0 where the system does not tell."""
    gc.collect()
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20
    except OSError:
        return 0.0
