"""Counts stay when what was counted is gone, and get coarser without a report becoming wrong."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from random import Random

from sqlalchemy import func, insert, select

from bot.core.chat.message import CommunityRef
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import GuardVersion, Judgement, Part, Verdict
from bot.core.incidents.incident import Settlement
from bot.core.operations.retention import Limits
from bot.core.reporting.periods import Period, day, days, month, week
from storage.database import Database
from storage.flow.tallies import CHANNEL, QUARTER, STEPS
from storage.reports.coarsening import SqlCoarsening
from storage.reports.queries import SqlReportQueries
from storage.tables import histograms, tallies
from tests.adapters.storage.keeping.test_forgetting import opened
from tests.builders import NOW, decision, home, later, message, settlement
from tests.fakes.clock import ManualClock

CAFE, DAY = home(), timedelta(days=1)
ZONES = ("Asia/Seoul", "America/New_York")  # the clocks change in one of them


def always(zone: str) -> Callable[[CommunityRef], str]:
    return lambda _: zone


def quarter(moment: datetime) -> datetime:
    return moment - timedelta(microseconds=int(moment.timestamp() * 1_000_000) % QUARTER)


async def counted(database: Database, key: int, chance: Random) -> None:
    """A few hundred messages of the last 500 days, on many days several times."""
    moments = {quarter(NOW - timedelta(days=500 * chance.random())) for _ in range(150)}
    moments |= {quarter(NOW - timedelta(days=200, minutes=15 * step)) for step in range(60)}
    rows = [
        {"community": key, "quarter": moment, "what": CHANNEL, "name": name, "number": chance.randrange(1, 9)}
        for moment in sorted(moments)
        for name in ("자유", "질문")
    ]
    async with database.write() as connection:
        await connection.execute(insert(tallies), rows)


async def seen(database: Database, periods: list[Period]) -> Mapping[str, int]:
    queries = SqlReportQueries(database)
    return {one.name: (await queries.sizes(one.start, one.end)).get(CAFE, 0) for one in periods}


async def rows(database: Database) -> int:
    async with database.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(tallies))).scalar_one())


def test_reports_of_days_weeks_and_months_stay_what_they_were(url: str) -> None:
    async def scenario() -> None:
        async with opened(url, ManualClock()) as (database, _, _):
            key = await database.keys.of(CAFE)
            for zone in ZONES:
                await counted(database, key, Random(1))
                today = NOW.date()
                periods = [day(today - index * DAY, zone) for index in range(0, 364, 7)]
                periods += [week(today - index * 7 * DAY, zone) for index in range(62)]
                periods += [month(today - index * 28 * DAY, zone) for index in range(20)]
                periods.append(days(today - 600 * DAY, today, zone))
                before, many = await seen(database, periods), await rows(database)
                number = await SqlCoarsening(database).coarsen(Limits(), NOW, always(zone))
                assert await seen(database, periods) == before
                assert number > 300 and await rows(database) < 0.7 * many
                assert await SqlCoarsening(database).coarsen(Limits(), NOW, always(zone)) == 0
                await emptied(database)

    asyncio.run(scenario())


async def emptied(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(tallies.delete())


def test_what_is_counted_late_is_taken_in_too_and_what_is_new_stays_fine(url: str) -> None:
    clock = ManualClock()

    async def scenario() -> None:
        async with opened(url, clock) as (database, here, _):
            key = await database.keys.of(CAFE)
            coarsening = SqlCoarsening(database)

            async def say(id: str, sent_at: datetime) -> None:
                about = message(id, sent_at=sent_at)
                await here.inbox.keep([about])
                await here.inbox.settle([settlement(about, decided_at=sent_at)])

            async def moments() -> list[datetime]:
                at = select(tallies.c.quarter).where(tallies.c.what == CHANNEL, tallies.c.community == key)
                async with database.read() as connection:
                    return list((await connection.execute(at.order_by(tallies.c.quarter))).scalars())

            old, new = NOW - 100 * DAY, NOW - 80 * DAY
            for number, at in enumerate((old, old + timedelta(minutes=30), new, new + timedelta(minutes=30))):
                await say(str(number), at)
            assert await coarsening.coarsen(Limits(), NOW, always("Asia/Seoul"))
            begins = day(old.date(), "Asia/Seoul").start
            assert await moments() == [begins, new, new + timedelta(minutes=30)]
            await say("late", old + timedelta(minutes=45))
            clock.jump(timedelta(hours=23))
            assert await coarsening.coarsen(Limits(), clock.now(), always("Asia/Seoul")) == 0, "once a day"
            clock.jump(timedelta(hours=2))
            assert await coarsening.coarsen(Limits(), clock.now(), always("Asia/Seoul"))
            assert await moments() == [begins, new, new + timedelta(minutes=30)]
            figures = await SqlReportQueries(database).figures(CAFE, begins, begins + DAY)
            assert figures.by_channel == {"general": 3}

    asyncio.run(scenario())


def test_how_probable_what_was_is_counted_by_day_then_by_week(url: str) -> None:
    """Every message, of incidents and others alike; but for what is as good as impossible."""
    clock = ManualClock()

    async def scenario() -> None:
        async with opened(url, clock) as (database, here, _):
            hate = [Judgement(Part.PROMPT, HarmKind.HATE, p, "one") for p in (0.0499, 0.05, 0.07, 0.97, 1.0)]
            threat = Judgement(Part.RESPONSE, HarmKind.THREAT, 0.5, "other")
            verdicts = [Verdict(guard=GuardVersion(name="one"), found=(one,)) for one in hate]
            verdicts.append(Verdict(guard=GuardVersion(name="other"), found=(hate[2], threat), refusal=0.3))
            for number, verdict in enumerate(verdicts):
                about = message(str(number), sent_at=later(0 if number < 5 else 86_400))
                await here.inbox.keep([about])
                decided = decision(about, screening=verdict)
                await here.inbox.settle([Settlement(decision=decided, decided_at=about.sent_at, ms=1.5)])

            async def counts() -> dict[tuple[object, ...], int]:
                async with database.read() as connection:
                    found = (await connection.execute(select(*list(histograms.c)[1:]))).all()
                return {tuple(row[:-1]): row[-1] for row in found}

            first = NOW.replace(hour=0)  # a Friday
            assert await counts() == {
                (first, "prompt", "hate", "one", 1): 2,
                (first, "prompt", "hate", "one", STEPS - 1): 2,
                (first + DAY, "prompt", "hate", "one", 1): 1,
                (first + DAY, "response", "threat", "other", 10): 1,
                (first + DAY, "response", "refusal", "other", 6): 1,
            }
            await SqlCoarsening(database).coarsen(Limits(), NOW + 92 * DAY, always("Asia/Seoul"))
            monday = first - 4 * DAY
            assert await counts() == {
                (monday, "prompt", "hate", "one", 1): 3,
                (monday, "prompt", "hate", "one", STEPS - 1): 2,
                (monday, "response", "threat", "other", 10): 1,
                (monday, "response", "refusal", "other", 6): 1,
            }

    asyncio.run(scenario())
