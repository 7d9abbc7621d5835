"""Counts of long ago -> the same counts by day, then by week, a few at a time: whole days, weeks and months stay right.

Where a day of old begins is where it does on the community's own calendar; a week that two months share is two.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Column, Select, Table, and_, delete, select, text

from bot.core.chat.message import CommunityRef
from bot.core.operations.retention import Limits
from bot.core.reporting.periods import midnight
from storage.columns import AnyRow, instant, microseconds
from storage.community_key import read_community
from storage.database import Database
from storage.tables import communities, histograms, tallies

#: How long counts stay as fine as they were made.
FINE = timedelta(days=90)

#: How often old counts are looked through: what is due is due by days.
EVERY = timedelta(days=1)

AT_A_TIME = 500  # communities that are in mind

#: Quarter hours, or days, that one transaction takes together; between two of them a pause in seconds.
BATCH, PAUSE = 12, 0.005

#: Hops over the index from one moment to the next, however much was counted in each.
_MOMENTS = """
    WITH RECURSIVE old (moment) AS (
        SELECT min({moment}) FROM {table} WHERE community = :community
        UNION ALL
        SELECT (SELECT min({moment}) FROM {table} WHERE community = :community AND {moment} > old.moment)
        FROM old WHERE old.moment < :before
    )
    SELECT moment FROM old WHERE moment < :before
"""

_Start = Callable[[datetime], datetime]


class SqlCoarsening:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._done_at: datetime | None = None

    async def coarsen(self, limits: Limits, now: datetime, timezone: Callable[[CommunityRef], str]) -> int:
        if self._done_at and self._done_at <= now < self._done_at + EVERY:
            return 0
        weekly = now - max(FINE, limits.cases)
        known = select(communities.c.key, communities.c.platform, communities.c.id.label("community"))
        number, after = 0, -1
        while rows := await self._next(known.where(communities.c.key > after)):
            for row in rows:
                start = _starts(timezone(read_community(row)), weekly)
                number += await self._coarsen(tallies, tallies.c.quarter, row.key, now - FINE, start)
                number += await self._coarsen(histograms, histograms.c.day, row.key, now - FINE, _monday)
            after = rows[-1].key
        self._done_at = now
        return number

    async def _next(self, communities_: Select[int, str, str]) -> Sequence[AnyRow]:
        async with self._database.read() as connection:
            return (await connection.execute(communities_.order_by(communities.c.key).limit(AT_A_TIME))).all()

    async def _coarsen(self, table: Table, when: Column[datetime], key: int, before: datetime, start: _Start) -> int:
        number = 0
        for first, moments in await self._stale(table, when, key, before, start):
            number += await self._move(table, when, key, first, moments)
            await asyncio.sleep(PAUSE)
        return number

    async def _stale(
        self, table: Table, when: Column[datetime], key: int, before: datetime, start: _Start
    ) -> Sequence[tuple[datetime, Sequence[datetime]]]:
        """Moments that are no start of their own, behind the start that each belongs to."""
        hops = text(_MOMENTS.format(table=table.name, moment=when.name))
        async with self._database.read() as connection:
            found = await connection.execute(hops, {"community": key, "before": microseconds(before)})
            moments = [instant(one) for one in found.scalars()]
        by_start: dict[datetime, list[datetime]] = {}
        for moment in moments:
            if (first := start(moment)) != moment:
                by_start.setdefault(first, []).append(moment)
        return [(first, some) for first, stale in by_start.items() for some in _batches(stale)]

    async def _move(
        self, table: Table, when: Column[datetime], key: int, start: datetime, moments: Sequence[datetime]
    ) -> int:
        names = [column for column in table.primary_key if column.name not in ("community", when.name)]
        there = and_(table.c.community == key, when.in_(moments))
        async with self._database.write(durable=False) as connection:
            # In the order in which others add to them, so that nobody waits for somebody who waits.
            both = select(when).where(table.c.community == key, when.in_([start, *moments]))
            await connection.execute(both.order_by(*table.primary_key).with_for_update())
            gone = (await connection.execute(delete(table).where(there).returning(*names, table.c.number))).all()
            counts = Counter[tuple[Any, ...]]()
            for *name, number in gone:
                counts[tuple(name)] += number
            rows = [
                {"community": key, when.name: start, **dict(zip((one.name for one in names), name, strict=True))}
                | {"number": number}
                for name, number in sorted(counts.items())
            ]
            if rows:
                adding = self._database.insert(table)
                summed = {"number": table.c.number + adding.excluded.number}
                await connection.execute(
                    adding.on_conflict_do_update(index_elements=list(table.primary_key), set_=summed), rows
                )
        return len(gone)


def _starts(timezone: str, weekly: datetime) -> _Start:
    """What is older than `weekly` belongs to its week, or the part of that in its month; what is not to its day."""
    zone = ZoneInfo(timezone)

    def start(moment: datetime) -> datetime:
        day = moment.astimezone(zone).date()
        return midnight(max(_monday_of(day), day.replace(day=1)) if moment < weekly else day, timezone)

    return start


def _monday(moment: datetime) -> datetime:
    return midnight(_monday_of(moment.astimezone(UTC).date()), "UTC")


def _monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _batches(moments: Sequence[datetime]) -> Iterator[Sequence[datetime]]:
    for first in range(0, len(moments), BATCH):
        yield moments[first : first + BATCH]
