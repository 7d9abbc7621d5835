"""Members who mean harm and platforms on a bad day: what it does to everybody else.

    python -m tests.courses COURSE [--seconds S]      (COURSES, at the end)

`jikimi run` is a process of its own on Discord and Telegram at once, with PostgreSQL and a guard server. On each
network there are two communities that know nothing of each other: in the loud one it happens, and the calm one has a
harmful message now and then, which must be gone as if nothing were going on.
"""

import asyncio
import json
import signal
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table

from tests.courses.poisoned import POISONS
from tests.courses.stand import LOUD_GROUP, LOUD_ROOM, Room, Stand, Watch, p99, stand
from tests.servers.fault_proxy import FaultProxy, Mode
from tests.servers.postgres import Postgres

NETWORKS = ("discord", "telegram")
STOPS = 15.0  # seconds in which SIGTERM ends the process, whatever is away


@dataclass(slots=True, kw_only=True)
class Report:
    """What came of a course. `problems` is empty where every promise held; `figures` are for people to read."""

    name: str
    problems: list[str] = field(default_factory=list)
    figures: dict[str, str] = field(default_factory=dict)


async def raid(postgres: Postgres, folder: Path, *, seconds: float) -> Report:
    """Five accounts a second on each network, 300 in a minute, write what rules delete, time out, warn of and flag; the
    calm communities are watched meanwhile. Of a whole minute's raid, what was written is gone within a minute of the
    last and stands on one card, and everybody is silenced within five minutes."""
    report, written = Report(name="raid"), dict[str, dict[str, float]]()
    async with stand(postgres, folder, then=("delete", "timeout 1h", "warn", "flag")) as here:
        watches = {name: Watch(room, 0.5) for name, room in here.calm.items()}
        async with AsyncExitStack() as watching:
            for watch in watches.values():
                await watching.enter_async_context(watch.on())
            await asyncio.sleep(min(5.0, seconds / 4))
            raiders = round(seconds * 5)
            for number in range(raiders):
                for name, room in here.loud.items():
                    written.setdefault(name, {})[room.write(f"나쁜 습격 {number}", number)] = time.monotonic()
                await asyncio.sleep(0.2)
        report.figures["open when the watch ended"] = str(left := (await here.open_work())[1])
        if not left:
            report.problems.append("the raid was over too soon to be one")
        for name, watch in watches.items():
            if not await here.until(watch.all_gone, 20.0):
                report.problems.append(f"{name}: harmful messages of a calm community still stand")
            report.figures[f"{name} calm p99"] = f"{p99(waits := watch.waits()):.2f} s of {len(waits)}"
        for name, room in here.loud.items():
            report.figures[f"{name} raid deleted"] = f"{len(room.gone)} of {raiders}"
        if seconds >= 60:  # to the end, which takes minutes by the networks' own limits
            ends = [_dealt_with(here, room, written[name], report, name) for name, room in here.loud.items()]
            await asyncio.gather(*ends)
    return report


async def _dealt_with(here: Stand, room: Room, written: Mapping[str, float], report: Report, name: str) -> None:
    last, raiders = max(written.values()), len(written)

    async def all_gone() -> bool:
        return written.keys() <= room.gone.keys()

    async def one_card() -> bool:
        return room.cards() == 1

    async def all_silenced() -> bool:
        return room.silenced() >= raiders or time.monotonic() - last > 400

    if not await here.until(all_gone, 20.0) or max(room.gone[one] for one in written) - last > 60:
        report.problems.append(f"{name}: {len(written.keys() - room.gone.keys())} messages of the raid stand too long")
    waits = sorted(room.gone.get(one, float("inf")) - at for one, at in written.items())
    report.figures[f"{name} raid deleted"] = f"{raiders}, p50 {waits[raiders // 2]:.1f} s, last {waits[-1]:.1f} s"
    done = await here.until(all_silenced)
    took, told = time.monotonic() - last, room.notices()
    report.figures[f"{name} silenced"] = f"{room.silenced()} of {raiders}, {took:.0f} s after the last message"
    report.figures[f"{name} told by then"] = f"{len(told)}"
    if not done or took > 300 or room.silenced() < raiders:
        report.problems.append(f"{name}: {room.silenced()} of {raiders} silenced within {took:.0f} s")
    if not await here.until(one_card, 20.0):
        report.problems.append(f"{name}: {room.cards()} cards of one raid")


async def platform_hangs(postgres: Postgres, folder: Path, *, seconds: float) -> Report:
    """Each network in turn answers nothing while it has much to do; the other one is watched."""
    report = Report(name="platform-hangs")
    for hung, other in (NETWORKS, NETWORKS[::-1]):
        (own := folder / hung).mkdir()
        async with stand(postgres, own, then=("delete", "warn", "flag")) as here:
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
    report, deaths = Report(name="poison"), list[int]()
    async with stand(postgres, folder, then=("delete",), entry="tests.courses.poisoned") as here:
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

        if not await here.until(finished):
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
        deaths.append(await here.product.process.wait())
        await here.ask("UPDATE holders SET alive_until = 0")  # what half a minute does
        await here.product.begin()


async def overload(postgres: Postgres, folder: Path, *, seconds: float) -> Report:
    """The guard judges 40 messages a second and 60 come: most are judged at once all the same, and none is lost."""
    report = Report(name="overload")
    async with stand(postgres, folder, then=("delete",)) as here:
        here.guard.lanes, here.guard.takes = asyncio.Semaphore(4), 0.1
        written: dict[str, float] = {}
        room, end, number = here.loud["telegram"], time.monotonic() + seconds, 0
        half = end - seconds / 2
        while time.monotonic() < end:
            bad = number % 3 == 0
            id_ = room.write(f"{'나쁜' if bad else '좋은'} 말 {number}", number % 30)
            if bad:
                written[id_] = time.monotonic()
            number += 1
            await asyncio.sleep(1 / 60)
        gone = room.gone
        late = [id_ for id_, at in written.items() if at > half]
        report.figures["second half gone by its end"] = f"{sum(id_ in gone for id_ in late)} of {len(late)}"
        then = [id_ for id_, at in gone.items() if half < at]
        fresh = sum(written.get(id_, 0.0) > half for id_ in then)
        report.figures["of those deleted in the second half, written in it"] = f"{fresh} of {len(then)}"
        if fresh < len(then) / 2:  # how many they are is for the machine to say
            report.problems.append(f"only {fresh} of {len(then)} that were deleted had been fresh")
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
    async with stand(postgres, folder, then=("delete", "flag"), migrating=migrating) as here:
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
                return await here.all_done() and not any(_standing(here).values())

            if not await here.until(finished):
                left, standing = await here.open_work(), _standing(here)
                report.problems.append(f"{what}: open {left}, harmful messages that stand {standing}")
            report.figures[what] = f"stopped in {took:.1f} s, all done {time.monotonic() - began:.1f} s later"
            unsure = await here.ask("SELECT id FROM actions WHERE state = 'unconfirmed'")
            if unsure and name in ("nothing", "the guard"):
                report.problems.append(f"{what}: {len(unsure)} unconfirmed that could have been finished")


def _standing(here: Stand) -> Mapping[str, int]:
    """How many harmful messages stand in each loud room."""
    return {network: len(room.left()) for network, room in here.loud.items()}


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
    async with stand(postgres, folder, then=("delete", "flag")) as here:
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
                    if here.product.process.returncode is not None:
                        report.problems.append(
                            f"{name}: the process ended with {here.product.process.returncode} on {answer[:60]!r}"
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
