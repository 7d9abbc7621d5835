"""A community with a few cases, and with very many: what each command of moderators about them costs.

    python -m tests.benches.cases [CASES] [INCIDENTS] [DATABASE_URL]

Every command is asked forty times of each. Printed are milliseconds at the 95th percentile, and how much more the many
cost.
"""

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert, update

from adapters.system_clock import SystemClock
from bot.core.chat.message import CommunityRef
from bot.core.communities.community import Community
from bot.core.communities.sharing import MOST, Consent, Shared, consent_key
from bot.core.guarding.kinds import HarmKind
from bot.core.incidents.case import CaseKind, CaseState, Order, Person, Search, new_code
from bot.core.incidents.raids.locks import standing
from bot.core.reporting.what_if import LOOKED_BACK
from bot.core.rules.actions import Flag
from bot.core.rules.lists import Lists
from storage import codec
from storage.database import Database
from storage.flow.inbox import SqlInbox
from storage.records.deeds import SqlCases
from storage.records.incidents import SqlIncidents
from storage.records.people import SqlPeople
from storage.reports.queries import SqlReportQueries
from storage.settings.communities import SqlCommunities
from storage.settings.opinions import SqlOpinions
from storage.settings.sharing import SqlLinks, SqlSharedBans
from storage.tables import cases, communities, sanctions
from tests.builders import TELEGRAM, home, message, settlement

FEW, TURNS, TOGETHER = 100, 40, 5000
KINDS = [CaseKind.WARN, CaseKind.MUTE, CaseKind.BAN, CaseKind.NOTE]


async def filled(database: Database, community: CommunityRef, number: int, open_incidents: int) -> None:
    """So many cases of a thousand members, every hundredth running; and incidents that nobody has looked at."""
    now, chance = database.clock.now(), random.Random(1)
    said = [message(f"{community.id} {n}", community=community.id, platform=TELEGRAM) for n in range(open_incidents)]
    for first in range(0, len(said), TOGETHER):
        some = said[first : first + TOGETHER]
        await SqlInbox(database).keep(some)
        await SqlInbox(database).settle([settlement(one, Flag()) for one in some])
    key = await database.keys.of(community)
    rows: list[dict[str, Any]] = []
    for n in range(open_incidents + 1, open_incidents + number + 1):
        at = now - timedelta(minutes=number - n)
        order = Order(kind=chance.choice(KINDS), member=Person(str(n % 1000)), moderator=Person(str(n % 7)), at=at)
        rows.append(
            {
                "community": key, "number": n, "code": new_code(), "deed": order.kind, "member": order.member.id,
                "moderator": order.moderator.id, "words": codec.write_words(order), "state": CaseState.RESOLVED,
                "opened_at": at, "closed_at": at,
            }
        )  # fmt: skip
    async with database.write() as connection:
        running = []
        for first in range(0, len(rows), TOGETHER):
            made = await connection.execute(insert(cases).returning(cases.c.id), rows[first : first + TOGETHER])
            running += [
                {"community": key, "member": "7", "case": id_, "kind": "ban", "begins_at": now, "ends_at": None}
                for id_ in list(made.scalars())[::100]
            ]
        await connection.execute(insert(sanctions), running)
        free = open_incidents + number + 1
        await connection.execute(update(communities).where(communities.c.key == key).values(next_case=free))


def asked(database: Database, here: CommunityRef, last: int) -> dict[str, Callable[[], Awaitable[object]]]:
    """What moderators ask of a community with so many cases, by the command's name."""
    known, policies, queries = SqlCases(database), SqlCommunities(database), SqlReportQueries(database)
    links, shared = SqlLinks(database), SqlSharedBans(database)
    now = SystemClock().now()
    by, turn = Person("9", "지수"), iter(range(10**9))

    def note() -> Order:
        return Order(kind=CaseKind.NOTE, member=Person("7"), moderator=by, at=now + timedelta(seconds=next(turn)))

    def found(**wanted: Any) -> Callable[[], Awaitable[object]]:
        return lambda: known.find(here, Search(**wanted), most=11, before=last // 2)

    def other(settings: Community) -> Community:
        """With other words, 500 of them."""
        words = tuple(f"낱말{next(turn)} {number}" for number in range(500))
        return replace(settings, lists=Lists(forbidden_words=words))

    def consents(settings: Community) -> Community:
        key = consent_key(Shared.RECORDS, home(f"-{next(turn) % MOST + 10}", TELEGRAM))
        return replace(settings, shares={**settings.shares, key: Consent("1", now)})

    def house_rules(settings: Community) -> Community:
        return replace(settings, house_rules=f"{next(turn)} 서로 존중해 주세요. " * 100)

    return {
        "/note": lambda: known.open(here, note()),
        "/undo": lambda: known.undo(here, last, by="9", at=now),
        "/case": lambda: known.get(here, last // 2),
        "/history": found(member="7"),
        "/search": found(),
        "/search kind": found(kind=CaseKind.BAN),
        "/search moderator": found(moderator="3"),
        "/search state": found(state=CaseState.OPEN),
        "/search date": found(since=now - timedelta(days=1)),
        "/waiting": lambda: known.waiting(here, most=20),
        "/sanctions": lambda: known.running(here, most=20),
        "/history elsewhere": lambda: asyncio.gather(links.of(here, "7"), SqlIncidents(database).history(here, "7")),
        "/share link": lambda: links.link((here, "7"), (home("-3", TELEGRAM), str(next(turn) % 5)), by="9", at=now),
        "shared bans": lambda: shared.due(here, home("-3", TELEGRAM), now - timedelta(days=1), most=20, a_day=100),
        "/share with": lambda: policies.change(here, consents, by="지수"),
        "/raid on, off": lambda: standing(known, here),
        "/house_rules": lambda: policies.change(here, house_rules, by="지수"),
        "house rules read": lambda: SqlOpinions(database).ask([here], a_day=10**6, most=1),
        "/privacy export": lambda: SqlPeople(database).of_member(here, "7"),
        "ends": lambda: known.end(now, 100),
        "reminders": lambda: known.neglected(now),
        "/policy versions": lambda: policies.versions(here),
        "/policy import": lambda: policies.change(here, other, by="지수"),
        "/policy what-if": lambda: queries.probabilities(here, [HarmKind.UNSPECIFIED], now - LOOKED_BACK),
    }


async def measured(database: Database, here: CommunityRef, last: int) -> dict[str, float]:
    return {name: await _p95(way) for name, way in asked(database, here, last).items()}


async def _p95(way: Callable[[], Awaitable[object]]) -> float:
    taken = []
    for _ in range(TURNS):
        began = time.perf_counter()
        await way()
        taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken)[int(0.95 * TURNS)]


async def bench(number: int, open_incidents: int, url: str) -> None:
    few, many = home("-1", TELEGRAM), home("-2", TELEGRAM)
    async with Database.open(url, SystemClock()) as database:
        await filled(database, few, FEW, FEW // 10)
        await filled(database, many, number, open_incidents)
        with_few = await measured(database, few, FEW)
        with_many = await measured(database, many, number + open_incidents)
    print(f"{url.partition(':')[0]}: p95 in ms with {FEW:,} and {number:,} cases, {open_incidents:,} open incidents")
    for name, ms in with_many.items():
        print(f"{name:20} {with_few[name]:8.1f} {ms:8.1f} {ms / with_few[name]:6.1f}x")


if __name__ == "__main__":
    given = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        url = given[2] if len(given) > 2 else f"sqlite:///{Path(folder) / 'bench.db'}"
        asyncio.run(bench(int(given[0]) if given else 100_000, int(given[1]) if len(given) > 1 else 10_000, url))
