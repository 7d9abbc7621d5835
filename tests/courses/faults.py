"""The product at work on a chat network while one thing after the other fails: what came of every message.

    python -m tests.courses [discord|telegram] [FAULT] [--outage SECONDS] [--rate MESSAGES A SECOND]

`jikimi run` is a process of its own, with PostgreSQL, a guard server and the network's server each behind a proxy that
can cut it off. Every tenth message is harmful; every twentieth of those is by a member who is also warned.
"""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
from rich.table import Table

from tests.courses.places import PLACES, Fault, Place, TelegramPlace, away
from tests.courses.product import Product, settled_in, stopped
from tests.courses.stand import STARTS
from tests.servers.fault_proxy import FaultProxy
from tests.servers.guard import GuardServer
from tests.servers.postgres import Postgres

#: Faults of what both networks are connected to; those of the networks themselves are in places.py.
OURS = ("killed", "guard", "database", "postgres")
FAULTS: Mapping[str, Sequence[str]] = {
    "discord": (*OURS, "gateway", "session", "429", "500", "network"),
    "telegram": (*OURS, "429", "500", "network", "pollers", "rights", "removed"),
}
LONG = {("telegram", "network"): 60.0}  # seconds; the others last 20
SETTLES = 600.0  # seconds that everything may take to be done in the end: cards and warnings keep to what networks take
#: Everything that was kept, waiting or settled.
EVERY = (
    "SELECT {0} FROM (SELECT message, kind, score, settled_at FROM messages"
    " UNION ALL SELECT message, kind, NULL, NULL FROM queue) AS every WHERE kind <> 'delete'"
)
UNSAID = 2.0  # seconds before a cut in which an answer, or the record of it, may have been lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`rate` messages a second, before, during and after an outage (seconds). `authors` write what is harmful; those
    who are warned come on top of them, each with one message."""

    platform: str
    fault: str
    outage: float = 20.0
    rate: float = 100.0
    before: float = 3.0
    after: float = 5.0
    authors: int = 20


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of a course. `problems` is empty where every promise held."""

    plan: Plan
    sent: int = 0
    harmful: int = 0
    deleted: int = 0
    refused: int = 0
    warned: int = 0
    cards: int = 0
    cards_twice: int = 0
    told: Sequence[str] = ()
    repeated: int = 0
    unconfirmed: int = 0
    seconds: float = 0.0  # from the last message until everything was done
    problems: list[str] = field(default_factory=list)


class Course:
    """One run. `folder` keeps the configuration and what the process said. `migrating` is held while the schema is
    made: alembic can do that once at a time in a process."""

    def __init__(self, plan: Plan, place: Place, postgres: Postgres, folder: Path, migrating: asyncio.Lock) -> None:
        self.plan, self.place, self.postgres, self.migrating = plan, place, postgres, migrating
        self.product = Product(folder=folder)
        self.cuts: list[float] = []  # when something was cut off: what was answered just before may not be on record
        self.written: dict[str, str] = {}  # id -> text

    async def run(self) -> Outcome:
        self.url = await asyncio.to_thread(self.postgres.create)
        async with (
            GuardServer() as guard,
            FaultProxy(guard.port) as self.guard_proxy,
            FaultProxy(self.postgres.port) as self.database_proxy,
        ):
            await self._prepare()
            await self._start()
            try:
                await self._course()
                ended = time.monotonic()
                outcome = Outcome(plan=self.plan)
                if not await self._everything_is_done():
                    outcome.problems.append(f"not done after {SETTLES:g} s")
                outcome.seconds = time.monotonic() - ended
                await asyncio.sleep(2.0)  # whatever comes twice comes now
                await self._check(outcome)
            finally:
                code, _ = await stopped(self.product.process)
            if code not in (0, -signal.SIGALRM):  # a machine may be busy: then it ends itself
                outcome.problems.append(f"ended with code {code}")
            return outcome

    # ---- the process

    async def _prepare(self) -> None:
        async with self.migrating:
            await settled_in(self.url, [self.place.community])
        url = self.url
        if self.plan.fault == "database":
            url = url.replace(f":{self.postgres.port}/", f":{self.database_proxy.port}/")
        self.product.configure(
            database=url,
            guards=[self.guard_proxy.url],
            networks=[self.place.config],
            alarm_after=self.plan.outage / 3,
        )

    async def _start(self) -> None:
        ready = asyncio.create_task(self.place.ready())
        await self.product.begin()
        async with asyncio.timeout(STARTS):
            await ready

    # ---- the course

    async def _course(self) -> None:
        plan = self.plan
        writing = asyncio.create_task(self._write(round(plan.rate * (plan.before + plan.outage + plan.after))))
        await asyncio.sleep(plan.before)
        async with self._fault():
            self.cuts.append(time.monotonic())
            await asyncio.sleep(plan.outage)
        await writing

    async def _write(self, count: int) -> None:
        begin = time.monotonic()
        for number in range(count):
            bad = number % 10 == 5
            text = f"나쁜 말 {number}" if bad else f"좋은 말 {number}"
            warned = number % 200 == 95  # fewer than what is taken for a raid, in which nobody is written to
            author = 1000 + number if warned else number // 10 % self.plan.authors
            if id_ := self.place.write(f"{text} 경고감" if warned else text, author):
                self.written[id_] = text
            await asyncio.sleep(max(0.0, begin + (number + 1) / self.plan.rate - time.monotonic()))

    def _fault(self) -> Any:
        ours: Mapping[str, Fault] = {
            "killed": self._killed,
            "guard": lambda: away(self.guard_proxy),
            "database": lambda: away(self.database_proxy),
            "postgres": self._postgres_killed,
            "pollers": self._two_pollers,
        }
        return (ours.get(self.plan.fault) or self.place.faults[self.plan.fault])()

    @asynccontextmanager
    async def _killed(self) -> AsyncIterator[None]:
        """Twice: in the middle of its work, and while it catches up."""
        self.product.process.kill()
        await self.product.process.wait()
        yield
        await self.product.begin()
        await asyncio.sleep(self.plan.after / 2)
        self.cuts.append(time.monotonic())
        self.product.process.kill()
        await self.product.process.wait()
        await self.product.begin()

    @asynccontextmanager
    async def _postgres_killed(self) -> AsyncIterator[None]:
        await asyncio.to_thread(self.postgres.kill)
        try:
            yield
        finally:
            await asyncio.to_thread(self.postgres.start)

    @asynccontextmanager
    async def _two_pollers(self) -> AsyncIterator[None]:
        """Another process with the same token and database stands by, and goes on when the first one is stopped:
        Telegram never ends the poll of one for that of the other."""
        assert isinstance(self.place, TelegramPlace)
        first, second = self.product.process, await self.product.begin()
        try:
            yield
        finally:
            code, _ = await stopped(first)
            self.product.process = second
        assert code == 0, f"the first poller ended with code {code}"
        assert second.returncode is None, f"the second poller ended with code {second.returncode}"
        assert not self.place.is_contested, "both polled at once"

    # ---- what came of it

    async def _everything_is_done(self) -> bool:
        connection = await asyncpg.connect(self.url)
        try:
            async with asyncio.timeout(SETTLES):
                while True:
                    kept = await connection.fetchval(EVERY.format("count(*)"))
                    open_ = await connection.fetchval(
                        "SELECT (SELECT count(*) FROM queue) + (SELECT count(*) FROM actions WHERE finished_at IS NULL)"
                    )
                    if kept >= len(self.written) and not open_ and self._is_told():
                        return True
                    await asyncio.sleep(0.25)
        except TimeoutError:
            return False
        finally:
            await connection.close()

    def _is_told(self) -> bool:
        return len(self.place.alarms()) >= len(self._alarms())

    def _alarms(self) -> list[str]:
        subject = {"guard": "guard", "database": "database", "postgres": "database"}.get(self.plan.fault)
        return [f"{subject}_away", f"{subject}_back"] if subject else []

    async def _check(self, outcome: Outcome) -> None:
        connection = await asyncpg.connect(self.url)
        try:
            messages = await connection.fetch(
                EVERY.format(
                    "message, count(*) AS times, bool_and(settled_at IS NOT NULL) AS settled,"
                    " bool_and(score IS NOT NULL) AS judged"
                )
                + " GROUP BY message"
            )
            done = await connection.fetch(
                "SELECT m.message, c.number, c.code, a.kind, a.state, a.attempts"
                " FROM incidents i JOIN messages m ON m.id = i.message JOIN actions a ON a.incident = i.id"
                " JOIN cases c ON c.incident = i.id"
            )
        finally:
            await connection.close()
        harmful = {id_ for id_, text in self.written.items() if text.startswith("나쁜")}
        outcome.sent, outcome.harmful = len(self.written), len(harmful)
        say = outcome.problems.append
        known = {row["message"]: row for row in messages}
        _count(say, "never kept", self.written.keys() - known.keys())
        _count(say, "kept twice", [id_ for id_, row in known.items() if row["times"] > 1])
        _count(say, "not settled", [id_ for id_, row in known.items() if not row["settled"]])
        _count(say, "unjudged", [id_ for id_, row in known.items() if id_ in self.written and not row["judged"]])
        incidents = {row["number"]: row["message"] for row in done}  # of one community
        _count(say, "harmful without an incident", harmful - set(incidents.values()))
        _count(say, "with two incidents", [id_ for id_, n in Counter(incidents.values()).items() if n > 1])
        _count(say, "benign with an incident", set(incidents.values()) - harmful)
        states = Counter((row["kind"], row["state"]) for row in done)
        refused = {row["message"] for row in done if (row["kind"], row["state"]) == ("delete", "refused")}
        may_refuse = self.plan.fault in ("rights", "removed")
        outcome.refused, outcome.unconfirmed = len(refused), states["warn", "unconfirmed"]
        left = self.place.left()
        _count(say, "harmful and still there", (harmful - refused) & left.keys())
        _count(say, "benign and gone", self.written.keys() - harmful - left.keys())
        outcome.deleted = len(harmful - left.keys())
        for (kind, state), number in states.items():
            fine = state in ("done", "gone") or (may_refuse and state == "refused")
            may_have_been_said = (
                kind == "warn" and state == "unconfirmed" and self.plan.fault in ("killed", "network", "500")
            )
            if not fine and not may_have_been_said:
                say(f"{number} × {kind} {state}")
        self._check_deletions(outcome)
        self._check_words(outcome, [row for row in done if row["kind"] == "warn" and row["state"] == "done"])
        self._check_cards(outcome, set(incidents), {row["number"] for row in done if row["attempts"] > 1})

    @property
    def _lost_something(self) -> bool:
        """Whether the fault takes away answers, or the memory of them."""
        return self.plan.fault in ("killed", "network")

    def _is_excused(self, at: float) -> bool:
        return self._lost_something and any(-UNSAID / 4 < cut - at < UNSAID for cut in self.cuts)

    def _check_deletions(self, outcome: Outcome) -> None:
        carried_out: dict[str, float] = {}
        for deletion in self.place.deletions():
            if deletion.had_gone:
                outcome.repeated += 1
                if not self._is_excused(carried_out[deletion.message]):
                    outcome.problems.append(f"{deletion.message} deleted again though the first answer came")
            else:
                carried_out[deletion.message] = deletion.at

    def _check_words(self, outcome: Outcome, warned: Sequence[Any]) -> None:
        warnings = self.place.warnings()
        outcome.warned = len(warnings)
        _count(outcome.problems.append, "warned twice", [id_ for id_, times in warnings.items() if times > 1])
        missing = {row["code"] for row in warned} - warnings.keys()
        _count(outcome.problems.append, "warned on record only", missing)
        outcome.told = self.place.alarms()
        if outcome.told != self._alarms():
            outcome.problems.append(f"moderators told {list(outcome.told)}, not {self._alarms()}")

    def _check_cards(self, outcome: Outcome, incidents: set[int], tried_again: set[int]) -> None:
        """A card whose posting was not heard of, or not yet on record when the process died, is posted again."""
        cards = self.place.cards()
        outcome.cards = len(set().union(*cards.values())) if cards else 0
        _count(outcome.problems.append, "shown on no card", incidents - cards.keys())
        twice = {id_ for id_, on in cards.items() if len(on) > 1}
        outcome.cards_twice = len(twice)
        _count(outcome.problems.append, "shown on two cards", twice - (tried_again if self._lost_something else set()))


def _count(say: Any, what: str, which: Any) -> None:
    if which:
        say(f"{len(which)} {what} ({', '.join(map(str, sorted(which, key=str)[:5]))})")


async def run_course(plan: Plan, postgres: Postgres, folder: Path, migrating: asyncio.Lock) -> Outcome:
    async with PLACES[plan.platform]() as place:
        return await Course(plan, place, postgres, folder, migrating).run()


def table(outcomes: Sequence[Outcome]) -> Table:
    titles = ("platform", "fault", "outage", "sent", "harmful", "deleted", "again", "refused", "warned", "unconfirmed",
              "cards", "twice", "told", "done after", "problems")  # fmt: skip
    shown = Table(*titles)
    for one in outcomes:
        shown.add_row(
            one.plan.platform, one.plan.fault, f"{one.plan.outage:g} s", str(one.sent), str(one.harmful),
            str(one.deleted), str(one.repeated), str(one.refused), str(one.warned), str(one.unconfirmed),
            str(one.cards), str(one.cards_twice), ", ".join(one.told) or "-", f"{one.seconds:.1f} s",
            "; ".join(one.problems) or "-",
        )  # fmt: skip
    return shown
