"""Members who mean harm and platforms on a bad day: what it does to everybody else.

    python -m tests.courses.faults COURSE [--seconds S]      (COURSES, at the end)

`jikimi run` is a process of its own on Discord and Telegram at once, with PostgreSQL and a guard server. On each
network there are two communities that know nothing of each other: in the loud one it happens, and the calm one has a
harmful message now and then, which must be gone as if nothing were going on.
"""

import asyncio
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import asyncpg
from rich.table import Table

from adapters.system_clock import SystemClock
from bot.config import preset
from bot.core.communities.community import Community
from storage.database import Database
from storage.settings.communities import SqlCommunities
from tests.adapters.discord.cafe import Cafe
from tests.builders import DISCORD, TELEGRAM, put_settings
from tests.servers.discord import BUCKETS, DiscordWire
from tests.servers.discord import TOKEN as DISCORD_TOKEN
from tests.servers.fault_proxy import FaultProxy, Mode
from tests.servers.guard import GuardServer
from tests.servers.postgres import Postgres
from tests.servers.telegram import TOKEN as TELEGRAM_TOKEN
from tests.servers.telegram import TelegramServer, user

NETWORKS = ("discord", "telegram")
LOUD_GROUP, CALM_GROUP, LOUD_ROOM, CALM_ROOM = -1001, -1002, -1003, -1004
#: Killed processes' leases end after half a minute.
PATIENCE = 120.0
STOPS = 15.0  # seconds in which SIGTERM ends the process, whatever is away


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


@dataclass(slots=True, kw_only=True)
class Report:
    """What came of a course. `problems` is empty where every promise held; `figures` are for people to read."""

    name: str
    problems: list[str] = field(default_factory=list)
    figures: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Stand:
    """Both networks, the guard, the database, and the process between them."""

    url: str
    folder: Path
    wire: DiscordWire
    server: TelegramServer
    guard: GuardServer
    rest: FaultProxy  # Discord's; its gateway has a way of its own
    telegram: FaultProxy
    guarding: FaultProxy
    database: FaultProxy
    loud: Mapping[str, Room]
    calm: Mapping[str, Room]
    entry: str = "bot"  # the module that is run
    process: "asyncio.subprocess.Process | None" = None

    @property
    def rooms(self) -> Sequence[Room]:
        return [*self.loud.values(), *self.calm.values()]

    async def prepare(self, rules: str) -> None:
        async with Database.open(self.url, SystemClock()) as database:
            for room in self.rooms:
                await put_settings(SqlCommunities(database), room.community)
        off = ", ".join(f'"{rule.name}"' for rule in preset("balanced"))
        through = self.url.replace(f":{self.url.rpartition(':')[2].partition('/')[0]}/", f":{self.database.port}/")
        (self.folder / "config.toml").write_text(
            f"""
            [storage]
            url = "{through}"
            [guard]
            name = "wildguard-ko"
            servers = ["{self.guarding.url}"]
            [defaults]
            mode = "live"
            disabled_rules = [{off}]
            [report]
            day = "off"
            [discord]
            token = "{DISCORD_TOKEN}"
            api_url = "http://127.0.0.1:{self.rest.port}/api/v10"
            gateway_url = "{self.wire.gateway_url}"
            [telegram]
            token = "{TELEGRAM_TOKEN}"
            api_url = "{self.telegram.url}"
            [[rules]]
            name = "warned"
            when.score = {{ at_least = 0.9 }}
            when.text = {{ any_of = ["경고감"] }}
            then = ["delete", "warn", "flag"]
            [[rules]]
            name = "harmful"
            when.score = {{ at_least = 0.9 }}
            then = [{rules}]
            [[rules]]
            name = "unjudged"
            when.unscreened = true
            then = ["flag"]
            """,
            "utf-8",
        )

    async def start(self) -> None:
        identified, polls = self.wire.identified, self.server.polls
        await self.begin()
        async with asyncio.timeout(90):
            while self.wire.identified == identified or self.server.polls == polls:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await asyncio.sleep(1.0)

    async def begin(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", self.entry, "run", "--config", str(self.folder / "config.toml"),
                stdout=log, stderr=log,
            )  # fmt: skip

    async def stop(self, patience: float = 60.0) -> tuple[int, float]:
        """The exit code (-9: it had to be killed) and the seconds it took."""
        assert self.process
        began = time.monotonic()
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(patience):
                return await self.process.wait(), time.monotonic() - began
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
            return -9, time.monotonic() - began

    async def ask(self, sql: str) -> list[Any]:
        connection = await asyncpg.connect(self.url)
        try:
            return list(await connection.fetch(sql))
        finally:
            await connection.close()

    async def open_work(self) -> tuple[int, int]:
        """Messages that wait and actions that are not done."""
        (row,) = await self.ask(
            "SELECT (SELECT count(*) FROM messages WHERE settled_at IS NULL) AS messages,"
            " (SELECT count(*) FROM actions WHERE finished_at IS NULL) AS actions"
        )
        return row["messages"], row["actions"]

    async def until(self, holds: Callable[[], Awaitable[bool]], patience: float = PATIENCE) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while not await holds():  # noqa: ASYNC110 (nobody tells us)
                    await asyncio.sleep(0.1)
                return True
        return False

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
    postgres: Postgres, folder: Path, *, rules: str, entry: str = "bot", migrating: asyncio.Lock | None = None
) -> AsyncIterator[Stand]:
    """`migrating` is held while the schema is made: alembic can do that once at a time in a process."""
    url = await asyncio.to_thread(postgres.create, f"hostile_{time.monotonic_ns()}")
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
            url=url, folder=folder, wire=wire, server=server, guard=guard, rest=rest, telegram=telegram,
            guarding=guarding, database=database, loud=rooms["loud"], calm=rooms["calm"], entry=entry,
        )  # fmt: skip
        async with migrating or nullcontext():
            await here.prepare(rules)
        await here.start()
        try:
            yield here
        finally:
            await here.stop()


# ---- the courses ----------------------------------------------------------------------------------------------------


async def raid(postgres: Postgres, folder: Path, *, seconds: float) -> Report:
    """400 accounts write what strict rules delete, time out, warn of and flag, on both networks, for half the time
    (40 a second in all). The calm communities are watched from before until the end."""
    report, rate = Report(name="raid"), 40.0
    async with stand(postgres, folder, rules='"delete", "timeout 10m", "warn", "flag"') as here:
        watches = {name: Watch(room, 0.5) for name, room in here.calm.items()}
        async with AsyncExitStack() as watching:
            for watch in watches.values():
                await watching.enter_async_context(watch.on())
            await asyncio.sleep(min(5.0, seconds / 4))
            before = {name: len(watch.written) for name, watch in watches.items()}
            raiders = round(min(400.0, rate * seconds / 2))
            for number in range(raiders):
                for room in here.loud.values():
                    room.write(f"나쁜 습격 {number}", number)
                await asyncio.sleep(1 / rate * len(here.loud))
            await asyncio.sleep(seconds / 4)
        left = (await here.open_work())[1]
        report.figures["open when the watch ended"] = str(left)
        if not left:
            report.problems.append("the raid was over too soon to be one")
        for name, watch in watches.items():
            if not await here.until(watch.all_gone, 20.0):
                report.problems.append(f"{name}: harmful messages of a calm community still stand")
            waits = watch.waits()
            report.figures[f"{name} calm p99"] = f"{p99(waits):.2f} s of {len(waits)} ({before[name]} before the raid)"
        for name, room in here.loud.items():
            report.figures[f"{name} raid deleted"] = f"{len(room.gone)} of {raiders}"
    return report


async def platform_hangs(postgres: Postgres, folder: Path, *, seconds: float) -> Report:
    """Each network in turn answers nothing while it has much to do; the other one is watched."""
    report = Report(name="platform-hangs")
    for hung, other in (NETWORKS, NETWORKS[::-1]):
        (own := folder / hung).mkdir()
        async with stand(postgres, own, rules='"delete", "warn", "flag"') as here:
            _hang(here, hung, True)
            async with Watch(here.calm[other], 0.5).on() as watch:
                end, number = time.monotonic() + seconds, 0
                while time.monotonic() < end:
                    here.loud[hung].write(f"나쁜 말 {number}", number % 50)
                    number += 1
                    await asyncio.sleep(0.05)
            if not await here.until(watch.all_gone, 20.0):
                report.problems.append(f"{hung} hangs: harmful messages on {other} still stand")
            report.figures[f"{hung} hangs, {other} p99"] = f"{p99(watch.waits()):.2f} s of {len(watch.written)}"
            _hang(here, hung, False)

            async def all_deleted(here: Stand = here, hung: str = hung, number: int = number) -> bool:
                return len(here.loud[hung].gone) == number

            if not await here.until(all_deleted):
                report.problems.append(f"{hung}: {len(here.loud[hung].gone)} of {number} deleted after it came back")
    return report


def _hang(here: Stand, network: str, on: bool) -> None:
    if network == "discord":
        here.rest.mode = "swallow" if on else "pass"
        if not on:
            here.rest.reset_all()
        return
    for method in ("deleteMessage", "deleteMessages", "sendMessage", "editMessageText"):
        here.server.held[method] = {LOUD_GROUP, LOUD_ROOM} if on else set()


async def poison(postgres: Postgres, folder: Path, *, seconds: float) -> Report:
    """Among ordinary messages there are some on which the guard, or the deed, breaks in every way, and some of which
    the process dies each time (tests/courses/poisoned.py); whoever supervises it starts it again."""
    from tests.courses.poisoned import POISONS

    report, deaths = Report(name="poison"), list[int]()
    async with stand(postgres, folder, rules='"delete"', entry="tests.courses.poisoned") as here:
        supervising = asyncio.create_task(_supervise(here, deaths))
        harmful: dict[str, set[str]] = {name: set() for name in NETWORKS}
        short = seconds < 10  # one way to die, then: each takes a handful of starts to be found
        chosen = [word for word, kind in POISONS.items() if not (short and kind == "deed dies")]
        for number in range(max(40, round(seconds * 10))):
            for name, room in here.loud.items():
                harmful[name].add(room.write(f"나쁜 말 {number}", number % 20))
                room.write(f"좋은 말 {number}", number % 20)
                if number % 5 == 3 and number // 5 < len(chosen):
                    room.write(f"{chosen[number // 5]} {number}", 99)
            await asyncio.sleep(0.05)

        async def finished() -> bool:  # what a network has not yet told the next process is no open work
            return await here.all_done() and all(harmful[name] <= room.gone.keys() for name, room in here.loud.items())

        if not await here.until(finished, 6 * PATIENCE):
            report.problems.append("open in the end: {} messages, {} actions".format(*await here.open_work()))
        supervising.cancel()
        await asyncio.wait([supervising])
        for name, room in here.loud.items():
            if left := harmful[name] - room.gone.keys():
                report.problems.append(f"{name}: {len(left)} innocent neighbours of poison were not handled")
        report.figures["deaths"] = str(len(deaths))
        if not deaths:
            report.problems.append("nothing was lethal")
        lethal = sum(POISONS[word].endswith("dies") for word in chosen) * len(NETWORKS)
        report.figures["lethal messages"] = str(lethal)
        states = Counter(row["state"] for row in await here.ask("SELECT state FROM actions WHERE kind = 'flag'"))
        report.figures["cards"] = json.dumps(states)
        if set(states) - {"done"}:
            report.problems.append(f"cards {dict(states)}")
    return report


async def _supervise(here: Stand, deaths: list[int]) -> None:
    while True:
        assert here.process
        deaths.append(await here.process.wait())
        await here.ask("UPDATE holders SET alive_until = 0")  # what half a minute does
        await here.begin()


async def overload(postgres: Postgres, folder: Path, *, seconds: float) -> Report:
    """The guard judges 40 messages a second and 60 come: most are judged at once all the same, and none is lost."""
    report = Report(name="overload")
    async with stand(postgres, folder, rules='"delete"') as here:
        here.guard.lanes, here.guard.takes = asyncio.Semaphore(4), 0.1
        written: dict[str, float] = {}
        room, end, number = here.loud["telegram"], time.monotonic() + seconds, 0
        while time.monotonic() < end:
            bad = number % 3 == 0
            id_ = room.write(f"{'나쁜' if bad else '좋은'} 말 {number}", number % 30)
            if bad:
                written[id_] = time.monotonic()
            number += 1
            await asyncio.sleep(1 / 60)
        gone = room.gone
        late = [id_ for id_, at in written.items() if at > end - seconds / 2]
        prompt = sum(id_ in gone for id_ in late)
        report.figures["second half gone by its end"] = f"{prompt} of {len(late)}"
        if prompt < (len(late) / 2 if seconds >= 20 else 1):  # a short one is over before the guard is behind for long
            report.problems.append(f"only {prompt} of {len(late)} were judged while they were fresh")
        if not await here.until(here.all_done):
            report.problems.append("left open for ever: {} messages, {} actions".format(*await here.open_work()))
        if left := written.keys() - room.gone.keys():
            report.problems.append(f"{len(left)} harmful messages still stand")
        here.guard.lanes = None
    return report


#: What can be away, and how; a process is stopped once for each.
AWAY: Mapping[str, Sequence[Mode]] = {
    "nothing": ("pass",),
    **dict.fromkeys(("the database", "the guard", "Discord", "Telegram"), ("reset", "swallow")),
}


async def sigterm_while_away(postgres: Postgres, folder: Path, *, seconds: float) -> Report:
    """One thing after the other is away, refused or black; SIGTERM; and the next process finishes the work. Each thing
    has a stand of its own beside the others, because most of this is waiting."""
    report, migrating = Report(name="sigterm-while-away"), asyncio.Lock()
    async with asyncio.TaskGroup() as things:
        for name in AWAY:
            (own := folder / name.replace(" ", "-")).mkdir()
            things.create_task(_stop_while_away(name, postgres, own, seconds, migrating, report))
    return report


async def _stop_while_away(
    name: str, postgres: Postgres, folder: Path, seconds: float, migrating: asyncio.Lock, report: Report
) -> None:
    """What is written is no raid, in which warnings and cards would rightly wait for minutes: one member writes in each
    room, and is warned once each time."""
    async with stand(postgres, folder, rules='"delete", "flag"', migrating=migrating) as here:
        here.server.group_limit = None  # one process has kept to it; the next one cannot know what was sent before
        proxies = {"the database": here.database, "the guard": here.guarding, "Discord": here.rest}
        proxy = proxies.get(name, here.telegram)
        for mode in AWAY[name]:
            what = f"{name} away ({mode})"
            await _write_and_cut(here, seconds, proxy, mode)
            code, took = await here.stop()
            if code not in (0, -signal.SIGALRM) or took > 2 * STOPS:  # a machine may be busy: the figure counts
                report.problems.append(f"{what}: ended with {code} after {took:.0f} s")
            proxy.mode = "pass"
            proxy.reset_all()
            await here.ask("UPDATE holders SET alive_until = 0")  # what half a minute does
            began = time.monotonic()
            await here.start()

            async def finished() -> bool:
                return await here.all_done() and not any((await _standing(here, name)).values())

            if not await here.until(finished):
                left, standing = await here.open_work(), await _standing(here, name)
                report.problems.append(f"{what}: open {left}, harmful messages that stand {standing}")
            report.figures[what] = f"stopped in {took:.1f} s, all done {time.monotonic() - began:.1f} s later"
            unsure = await here.ask("SELECT id FROM actions WHERE state = 'unconfirmed'")
            if unsure and name in ("nothing", "the guard"):
                report.problems.append(f"{what}: {len(unsure)} unconfirmed that could have been finished")


async def _standing(here: Stand, away: str) -> Mapping[str, int]:
    """How many harmful messages stand in each loud room. What the guard's stand-in misses is excused where it is shown
    by the guard's second look, which leaves it to people."""
    shown = await here.ask("SELECT m.message FROM incidents i JOIN messages m ON m.id = i.message")
    excused = {row["message"] for row in shown} if away == "the guard" else set()
    return {network: len(set(room.left()) - excused) for network, room in here.loud.items()}


async def _write_and_cut(here: Stand, seconds: float, proxy: FaultProxy, mode: Mode) -> None:
    """In each loud room 8 harmful messages a second; after a quarter of the time what is behind `proxy` is away."""
    for tick in range(round(seconds * 8)):
        for room in here.loud.values():
            room.write(f"나쁜 말 {tick}{' 경고감' if tick == round(seconds * 4) else ''}", 7)
        if tick == round(seconds * 2):
            proxy.mode = mode
            if mode == "reset":
                proxy.reset_all()
        await asyncio.sleep(1 / 8)


#: What no API answers, and networks do: hotel pages, proxies' errors, answers that were cut.
ODD = (
    (200, "text/html", "<html>Please log in to the hotel's network</html>"),
    (200, "application/json", '{"ok": true, "resu'),
    (200, "application/json", "null"),
    (200, "application/json", "[]"),
    (404, "text/html", "<html>nginx: not found</html>"),
    (400, "text/html", "<html>bad request</html>"),
    (401, "text/html", "<html>proxy authentication</html>"),
    (502, "text/html", "<html>bad gateway</html>"),
)
CONFLICT = '{"ok": false, "error_code": 409, "description": "Conflict: terminated by other getUpdates request"}'


async def odd_answers(postgres: Postgres, folder: Path, *, seconds: float) -> Report:
    """Either network's answers are replaced by odd ones, one kind after the other; the other network is watched."""
    report = Report(name="odd-answers")
    async with stand(postgres, folder, rules='"delete", "flag"') as here:
        answers = [_http(*one) for one in ODD]
        odd = {
            "discord": (here.rest, answers),
            "telegram": (here.telegram, [*answers, _http(409, "application/json", CONFLICT)]),
        }
        harmful: dict[str, set[str]] = {name: set() for name in NETWORKS}
        for name, (proxy, kinds) in odd.items():
            other = next(one for one in NETWORKS if one != name)
            async with Watch(here.calm[other], 0.5).on() as watch:
                for answer in kinds:
                    proxy.instead.extend([answer] * 3)
                    for number in range(max(4, round(seconds))):
                        harmful[name].add(here.loud[name].write(f"나쁜 말 {number}", number))
                        await asyncio.sleep(0.25)
                    assert here.process
                    if here.process.returncode is not None:
                        report.problems.append(
                            f"{name}: the process ended with {here.process.returncode} on {answer[:60]!r}"
                        )
                        return report
                    proxy.instead.clear()
            if not await here.until(watch.all_gone, 30.0):
                report.problems.append(f"odd answers of {name}: harmful messages on {other} still stand")
            report.figures[f"{name} odd, {other} p99"] = f"{p99(watch.waits()):.2f} s of {len(watch.written)}"
        for name, room in here.loud.items():

            async def all_gone(name: str = name, room: Room = room) -> bool:
                return harmful[name] <= room.gone.keys()

            if not await here.until(all_gone):
                left = len(harmful[name] - room.gone.keys())
                report.problems.append(f"{name}: {left} of {len(harmful[name])} still stand after the odd answers")
    return report


def _http(status: int, kind: str, body: str) -> bytes:
    content = body.encode()
    head = f"HTTP/1.1 {status} Odd\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


#: By name: the course and its usual length in seconds, as people run it and in the tests.
COURSES: Mapping[str, tuple[Callable[..., Coroutine[Any, Any, Report]], float, float]] = {
    "raid": (raid, 60.0, 8.0),
    "platform-hangs": (platform_hangs, 60.0, 6.0),
    "poison": (poison, 20.0, 4.0),
    "overload": (overload, 30.0, 8.0),
    "sigterm-while-away": (sigterm_while_away, 4.0, 1.0),
    "odd-answers": (odd_answers, 8.0, 2.0),
}


def table(reports: Sequence[Report]) -> Table:
    shown = Table("course", "figures", "problems")
    for one in reports:
        shown.add_row(
            one.name,
            "\n".join(f"{name}: {value}" for name, value in one.figures.items()),
            "\n".join(one.problems) or "-",
        )
    return shown
