"""Deliveries as a table: planned once, leased, marked as started before they are sent, closed with what came of it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.chat.message import CommunityRef, Platform
from bot.core.reporting.delivery.delivery import OVERTAKEN, Delivery, State
from bot.core.reporting.delivery.schedule import Kind
from storage.columns import AnyRow
from storage.community_key import community_of, is_named, of_community, on_platform, read_community
from storage.database import Database
from storage.flow.leases.leasing import leased
from storage.tables import communities, deliveries

_TOGETHER = 1000  # rows in one statement

_DELIVERY = (*community_of(deliveries), *(column for column in deliveries.c if column is not deliveries.c.community))


class SqlDeliveries:
    """A delivery whose holder died is settled in database.py, when its lease is freed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def plan(self, given: Sequence[Delivery], *, apart: timedelta = timedelta(0)) -> Sequence[bool]:
        planned: list[bool] = []
        keys = await self._database.keys.of_all({one.community for one in given})
        async with self._database.write() as connection:
            for start in range(0, len(given), _TOGETHER):
                some = given[start : start + _TOGETHER]
                if apart:
                    some = [one for one in some if await self._is_apart(connection, one, apart)]
                added = await self._add(connection, some, keys)
                for one in given[start : start + _TOGETHER]:
                    named = (keys[one.community], one.kind.value, one.period)
                    planned.append(named in added)
                    added.discard(named)  # a second one in the same call is none
            if any(planned):
                await self._skip_overtaken(connection)
        return planned

    async def claim(self, limit: int, *, now: datetime, platforms: Collection[Platform]) -> Sequence[Delivery]:
        async def give_back(taken: Sequence[Delivery]) -> None:
            for one in taken:  # none of them has been begun
                await self.postpone(one.id, now, reason=one.reason)

        return await leased(self._lease(limit, now, platforms), give_back)

    async def start(self, delivery_id: int) -> bool:
        begun = (
            update(deliveries)
            .where(*self._mine(delivery_id), deliveries.c.state == State.PLANNED)
            .values(state=State.STARTED, started_at=self._database.clock.now(), attempts=deliveries.c.attempts + 1)
        )
        async with self._database.write() as connection:
            return (await connection.execute(begun)).rowcount == 1

    async def record(self, delivery_id: int, state: State, *, receipt: str = "", reason: str = "") -> None:
        closed = (
            update(deliveries)
            .where(*self._mine(delivery_id))
            .values(state=state, receipt=receipt, reason=reason, finished_at=self._database.clock.now(), holder=None)
        )
        async with self._database.write() as connection:
            await connection.execute(closed)

    async def postpone(self, delivery_id: int, until: datetime, *, reason: str) -> None:
        back = (
            update(deliveries)
            .where(*self._mine(delivery_id))
            .values(state=State.PLANNED, not_before=until, reason=reason, holder=None)
        )
        async with self._database.write() as connection:
            await connection.execute(back)

    async def latest(self, limit: int, community: CommunityRef | None = None) -> Sequence[Delivery]:
        wanted = select(*_DELIVERY).order_by(deliveries.c.due.desc(), deliveries.c.id.desc()).limit(limit)
        if community is not None:
            wanted = wanted.where(of_community(deliveries, community))
        async with self._database.read() as connection:
            return [_read(row) for row in await connection.execute(wanted)]

    def _mine(self, delivery_id: int) -> tuple[ColumnElement[bool], ...]:
        """Somebody else may have taken it over, if this process was silent for too long."""
        return (
            deliveries.c.id == delivery_id,
            deliveries.c.holder == self._database.holder,
            deliveries.c.finished_at.is_(None),
        )

    async def _add(
        self, connection: AsyncConnection, some: Sequence[Delivery], keys: Mapping[CommunityRef, int]
    ) -> set[tuple[int, str, str]]:
        """What names those that were not there before."""
        if not some:
            return set()
        now = self._database.clock.now()
        rows = [
            {
                "community": keys[one.community],
                "kind": one.kind,
                "period": one.period,
                "due": one.due,
                "size": one.size,
                "state": State.PLANNED,
                "attempts": 0,
                "planned_at": now,
                "receipt": "",
                "reason": "",
            }
            for one in some
        ]
        c = deliveries.c
        added = self._database.insert(deliveries).values(rows).on_conflict_do_nothing()
        returned = await connection.execute(added.returning(c.community, c.kind, c.period))
        return {(row.community, row.kind, row.period) for row in returned}

    async def _skip_overtaken(self, connection: AsyncConnection) -> None:
        newer = deliveries.alias()
        overtaken = exists().where(
            newer.c.community == deliveries.c.community,
            newer.c.kind == deliveries.c.kind,
            newer.c.due > deliveries.c.due,
        )
        await connection.execute(
            update(deliveries)
            .where(
                deliveries.c.finished_at.is_(None),
                deliveries.c.state == State.PLANNED,
                deliveries.c.holder.is_(None),
                overtaken,
            )
            .values(state=State.SKIPPED, reason=OVERTAKEN, finished_at=self._database.clock.now())
        )

    async def _is_apart(self, connection: AsyncConnection, one: Delivery, apart: timedelta) -> bool:
        """The community's row is the lock that two processes meet at."""
        lock = select(communities.c.key).where(is_named(one.community))
        await connection.execute(lock.with_for_update())
        near = select(deliveries.c.id).where(
            of_community(deliveries, one.community),
            deliveries.c.kind == one.kind,
            deliveries.c.due > one.due - apart,
        )
        return (await connection.execute(near.limit(1))).first() is None

    async def _lease(self, limit: int, now: datetime, platforms: Collection[Platform]) -> list[Delivery]:
        due = (
            select(*_DELIVERY)
            .where(
                deliveries.c.finished_at.is_(None),
                deliveries.c.holder.is_(None),
                on_platform(deliveries, platforms),
                deliveries.c.due <= now,
                or_(deliveries.c.not_before.is_(None), deliveries.c.not_before <= now),
            )
            .order_by(deliveries.c.size.desc(), deliveries.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True, of=deliveries)
        )
        async with self._database.write() as connection:
            chosen = [_read(row) for row in await connection.execute(due)]
            if chosen:
                await connection.execute(
                    update(deliveries)
                    .where(deliveries.c.id.in_([one.id for one in chosen]))
                    .values(holder=self._database.holder)
                )
            return chosen


def _read(row: AnyRow) -> Delivery:
    return Delivery(
        community=read_community(row),
        kind=Kind(row.kind),
        period=row.period,
        due=row.due,
        size=row.size,
        id=row.id,
        state=State(row.state),
        attempts=row.attempts,
        planned_at=row.planned_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        receipt=row.receipt,
        reason=row.reason,
    )
