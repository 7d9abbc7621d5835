"""The open actions -> numbers of those whose turn it may be, lane by lane: what protects and what does not, of every
community."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, exists, false, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.chat.message import Platform
from bot.core.moderation.turns import Lane, UnderWay
from bot.core.operations.division import PARTS
from storage import codec
from storage.columns import AnyRow, in_words
from storage.community_key import community_of, in_shares, read_community
from storage.database import Database
from storage.flow import sql
from storage.flow.leases import suspects
from storage.flow.leases.shares import SqlShares
from storage.tables import actions


class Lanes:
    def __init__(self, database: Database, shares: Mapping[Platform, SqlShares]) -> None:
        """`shares`: of platforms whose communities are shared out, those that are this process's."""
        self._database, self._shares = database, shares
        self._keys: dict[Lane, int] = {}  # of the communities whose lanes were waiting when was asked last
        self._served: dict[tuple[bool, Platform], int] = {}  # the community that had the last turn
        self._latest: datetime | None = None  # when was asked last

    def had_its_turn(self, lane: Lane) -> None:
        self._served[lane.protects, lane.community.platform] = self.key_of(lane)

    def key_of(self, lane: Lane) -> int:
        """Of the community of a lane that was just waiting."""
        return self._keys.get(lane, 0)

    async def waiting(
        self, limit: int, now: datetime, platforms: Collection[Platform], under_way: UnderWay
    ) -> Mapping[Lane, Sequence[tuple[int, str]]]:
        """The first actions (number and kind) of every lane whose turn it may be, the next lane first."""
        async with self._database.read() as connection:  # mostly there is nothing, and then nobody else need wait
            sleepers = (await connection.execute(select(exists().where(*self._waking(now))))).scalar_one()
        if sleepers:
            await self._wake(now)
        self._latest = now
        async with self._database.read() as connection:
            return await self._first(connection, limit, platforms, under_way)

    def _waking(self, now: datetime) -> tuple[ColumnElement[bool], ...]:
        """Who has slept for long enough; and where the clock was put back, whoever fell asleep in its future."""
        over = actions.c.not_before <= now
        if self._latest is None or now < self._latest:
            over = or_(over, actions.c.planned_at > now, actions.c.started_at > now)
        return in_words(sql.ASLEEP), over

    async def _wake(self, now: datetime) -> None:
        over = select(actions.c.id).where(*self._waking(now)).order_by(actions.c.id)
        async with self._database.write(durable=False) as connection:
            waking = (await connection.execute(over.with_for_update(skip_locked=True))).scalars().all()
            await connection.execute(update(actions).where(actions.c.id.in_(waking)).values(not_before=None))

    async def _first(
        self, connection: AsyncConnection, limit: int, platforms: Collection[Platform], under_way: UnderWay
    ) -> Mapping[Lane, Sequence[tuple[int, str]]]:
        begin = [  # behind the last turn, and then from the beginning
            (protects, platform, after, place, self._ours(platform))
            for protects in (True, False)
            for platform in platforms
            for place, after in enumerate((self._served.get((protects, platform), 0), 0))
        ]
        are_all_ours = all(shares.has_all for one, shares in self._shares.items() if one in platforms)
        hopping = self._database.sql(sql.LANES if are_all_ours else sql.LANES_OF_SHARES)
        hops = await connection.execute(hopping, {"given": codec.write_rows(begin), "limit": limit})
        doubtful = (await connection.execute(await self._doubtful(connection, platforms))).all()
        found = [(_lane(row), row) for row in (*hops, *doubtful)]
        self._keys = {lane: row.key for lane, row in found}
        waiting: dict[Lane, list[tuple[int, str]]] = {lane: [] for lane, _ in found if under_way.room(lane)}
        for row in doubtful:
            if _lane(row) in waiting:
                waiting[_lane(row)].append((row.id, row.kind))
        if waiting:
            first = sql.FIRST_OF_LANES_POSTGRESQL if self._database.is_postgresql else sql.FIRST_OF_LANES_SQLITE
            rows = codec.write_rows((lane.protects, lane.community.platform, self._keys[lane]) for lane in waiting)
            given = {"given": rows, "each": under_way.community, "most_faults": suspects.MOST_FAULTS}
            lane_of = {(lane.protects, self._keys[lane]): lane for lane in waiting}
            for row in await connection.execute(self._database.sql(first), given):
                waiting[lane_of[bool(row.protects), row.key]].append((row.id, row.kind))
        return waiting

    def _ours(self, platform: Platform) -> str:
        """A digit for each share, 1 where it is ours."""
        shares = self._shares.get(platform)
        return "".join(str(int(shares is None or share in shares.begun)) for share in range(PARTS))

    async def _doubtful(self, connection: AsyncConnection, platforms: Collection[Platform]) -> Select[AnyRow]:
        """The suspects whose turn it is, and what is given up."""
        ours = (
            and_(actions.c.platform == one, in_shares(actions.c.community, shares.begun if shares else None))
            for one in platforms
            for shares in [self._shares.get(one)]
        )
        awake = (actions.c.not_before.is_(None), or_(false(), *ours))
        which = suspects.given_up(actions)
        some = await suspects.next_suspects(connection, actions, self._database.holder, *awake)
        if some is not None:
            which = or_(which, actions.c.id.in_(some))
        free = (actions.c.finished_at.is_(None), actions.c.holder.is_(None), actions.c.faults.is_not(None))
        columns = (actions.c.id, actions.c.kind, actions.c.protects, actions.c.community.label("key"))
        return select(*columns, *community_of(actions)).where(*free, *awake, which).order_by(actions.c.id)


def _lane(row: AnyRow) -> Lane:
    return Lane(read_community(row), bool(row.protects))
