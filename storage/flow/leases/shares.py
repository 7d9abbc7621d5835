"""Shares of a work as a table: who holds which, and whether what was begun under an epoch still counts."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from sqlalchemy import Select, and_, delete, exists, insert, literal, or_, select, text, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.chat.message import CommunityRef
from bot.core.operations.division import PARTS, Taking
from storage.community_key import in_shares, read_community
from storage.database import Database
from storage.opening.server_time import server_time
from storage.tables import communities, holders, shares, workers


class Stake(NamedTuple):
    """Under which epoch of its share something was begun."""

    share: int
    epoch: int


class SqlShares:
    """A process whose lease has run out holds nothing any more, whatever the table says."""

    def __init__(self, database: Database, work: str, parts: int = PARTS) -> None:
        self.parts = parts
        self.refused = 0
        self.begun: frozenset[int] = frozenset()  # of which is claimed
        self.database, self._work = database, work
        self._epochs: dict[int, int] = {}
        self._this = and_(workers.c.work == work, workers.c.holder == database.holder)
        self._own = and_(shares.c.work == work, shares.c.holder == database.holder)

    @property
    def has_all(self) -> bool:
        return len(self.begun) == self.parts

    def has(self, community: int) -> bool:
        """Whether what waits of the community of this key may be claimed."""
        return community % PARTS in self.begun

    def stake(self, share: int) -> Stake:
        return Stake(share, self._epochs.get(share, 0))

    async def look(self, *, joins: bool = True) -> Taking:
        part = select(workers.c.holder).where(workers.c.work == self._work, workers.c.holder.in_(self._living()))
        held = select(shares.c.share, shares.c.holder).where(
            shares.c.work == self._work, shares.c.holder.in_(self._living())
        )
        me = select(literal(self._work), holders.c.id).where(holders.c.id == self.database.holder)
        joining = insert(workers).from_select(["work", "holder"], me.where(~exists().where(self._this)))
        async with self.database.read() as connection:
            there = set((await connection.execute(part)).scalars())
            holding = {row.share: row.holder for row in await connection.execute(held)}
        if joins and self.database.holder not in there:
            async with self.database.write() as connection:
                await connection.execute(joining)
                there = set((await connection.execute(part)).scalars())
        return Taking(self.database.holder, there, holding)

    async def take(self, wanted: Collection[int]) -> Collection[int]:
        new = self.database.insert(shares)
        mine = {"work": self._work, "holder": self.database.holder, "epoch": 1}
        added = new.values([mine | {"share": share} for share in sorted(wanted)])
        free = or_(
            shares.c.holder.is_(None), shares.c.holder == self.database.holder, shares.c.holder.not_in(self._living())
        )
        taking = added.on_conflict_do_update(
            index_elements=[shares.c.work, shares.c.share],
            set_={"holder": new.excluded.holder, "epoch": shares.c.epoch + 1},
            where=free,
        )
        async with self.database.write() as connection:
            rows = (await connection.execute(taking.returning(shares.c.share, shares.c.epoch))).all()
        self._epochs.update({row.share: row.epoch for row in rows})
        return [row.share for row in rows]

    def begin(self, taken: Collection[int]) -> None:
        self.begun |= frozenset(taken)

    def end(self, over: Collection[int]) -> None:
        self.begun -= frozenset(over)

    async def give_back(self, over: Collection[int]) -> None:
        async with self.database.write() as connection:
            await connection.execute(update(shares).where(self._own, shares.c.share.in_(over)).values(holder=None))

    async def leave(self) -> None:
        self.begun = frozenset()
        async with self.database.write() as connection:
            await connection.execute(update(shares).where(self._own).values(holder=None))
            await connection.execute(delete(workers).where(self._this))

    async def communities(self, among: Collection[int]) -> Collection[CommunityRef]:
        c = communities.c
        theirs = select(c.platform, c.id.label("community")).where(in_shares(c.key, among))
        async with self.database.read() as connection:
            return {read_community(row) for row in await connection.execute(theirs)}

    async def stand(self, connection: AsyncConnection, stakes: Iterable[Stake | None]) -> set[Stake]:
        """Those that still count; no other process takes one of them before the transaction has ended."""
        asked = {stake for stake in stakes if stake}
        if not self.database.is_postgresql:  # a file is one process's
            return {stake for stake in asked if stake == self.stake(stake.share)}
        current = select(shares.c.share, shares.c.epoch).where(
            self._own, shares.c.share.in_({stake.share for stake in asked})
        )
        rows = await connection.execute(current.order_by(shares.c.share).with_for_update(read=True))
        return asked & {Stake(row.share, row.epoch) for row in rows}

    def _living(self) -> Select[int]:
        alive = text(f"alive_until >= {server_time()}") if self.database.is_postgresql else true()
        return select(holders.c.id).where(alive)
