"""The inbox as a table: messages come in and wait, leased ones go out, settled ones stay as the record."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

import structlog
from sqlalchemy import ColumnElement, Select, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.base.errors import Unavailable
from bot.core.chat.message import Message, MessageRef
from bot.core.incidents.incident import Settlement
from bot.core.operations.sealing import Span
from storage import codec
from storage.columns import AnyRow, microseconds, plain
from storage.database import Database
from storage.flow import sql
from storage.flow.kept import Kept
from storage.flow.leases import suspects
from storage.flow.leases.entering import FREE
from storage.flow.leases.leasing import leased
from storage.flow.leases.shares import SqlShares, Stake
from storage.flow.settling import settle
from storage.flow.turns import Turns
from storage.tables import queue

_log = structlog.get_logger(__name__)


class _Leased(NamedTuple):
    id: int
    message: Message
    stake: Stake | None


class SqlInbox(Kept):
    """`shares`: of which messages are claimed, if not of all communities."""

    def __init__(self, database: Database, shares: SqlShares | None = None) -> None:
        super().__init__(database)
        self._shares = shares
        self._sql = sql.CLAIMING_POSTGRESQL if database.is_postgresql else sql.CLAIMING_SQLITE
        self._keep = database.grouped(self._insert)
        self._settle = database.grouped(self._close)
        self._turns = Turns(database, shares)
        self._looked: datetime | None = None  # so far back were all looked at again, and not yet what is older
        self._in_hand: dict[MessageRef, Stake | None] = {}  # handed out and not yet settled
        self._unsure = False  # whether the last claim may have leased what nobody was handed

    async def keep(self, messages: Sequence[Message]) -> Sequence[bool]:
        return await self._keep(messages)

    async def claim(self, limit: int, *, fresh_since: datetime) -> Sequence[Message]:
        if self._shares and not self._shares.begun:
            return ()
        return self._hand_out(await leased(self._lease(limit, fresh_since), self._free))

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[bool]:
        refs = [settlement.decision.message.ref for settlement in settlements]
        stakes = [self._in_hand.get(ref) for ref in refs]
        written = await self._settle(list(zip(settlements, stakes, strict=True)))
        self._put_down(refs)
        return written

    def under_way(self, shares: Collection[int]) -> int:
        return sum(stake is not None and stake.share in shares for stake in self._in_hand.values())

    async def give_back(self, shares: Collection[int]) -> None:
        own = (queue.c.holder == self.database.holder, queue.c.share.in_(shares))
        async with self.database.write() as connection:
            await connection.execute(update(queue).where(*own).values(FREE))
        self._put_down([ref for ref, stake in self._in_hand.items() if stake and stake.share in shares])

    async def fault(self, ref: MessageRef) -> None:
        this = (column == value for column, value in zip(codec.QUEUED_REF, codec.key(ref), strict=True))
        async with self.database.write() as connection:
            fault = suspects.fault(queue, queue.c.holder == self.database.holder, *this)
            await connection.execute(fault.values(FREE))
        self._put_down([ref])

    async def given_up(self, limit: int) -> Sequence[Message]:
        wanted = (
            select(queue.c.id)
            .where(queue.c.holder.is_(None), suspects.given_up(queue), *self._ours())
            .order_by(queue.c.id)
        )
        return await self._lease_some(wanted.limit(limit))

    async def set_aside(self, refs: Sequence[MessageRef]) -> None:
        among = self.database.sql(sql.AMONG_QUEUED).bindparams(given=codec.write_refs(refs))
        at = func.coalesce(queue.c.aside_at, microseconds(self.database.clock.now()))
        aside = update(queue).where(queue.c.holder == self.database.holder, among)
        async with self.database.write() as connection:
            # What was looked at has not killed anybody.
            await connection.execute(aside.values({**FREE, "aside_at": at, "circle": None}))
        self._looked = None
        self._put_down(refs)

    async def look_again(self, limit: int, *, sent_before: datetime) -> Sequence[Message]:
        """Nobody walks again over what went already, and may lie there dead."""
        due = (queue.c.aside_at.is_not(None), queue.c.sent_at < sent_before, suspects.innocent(queue), *self._ours())
        due += (queue.c.sent_at <= self._looked,) if self._looked else ()
        wanted = select(queue.c.id).where(queue.c.holder.is_(None), *due)
        found = await self._lease_some(wanted.order_by(queue.c.sent_at.desc(), queue.c.id.desc()).limit(limit))
        self._looked = found[-1].sent_at if len(found) == limit else None
        return found

    async def _insert(self, arrived: Sequence[Message]) -> Sequence[bool]:
        keys = await self.database.keys.of_all({message.community for message in arrived})
        sealing = self.database.sealing
        given = codec.write_sealed_rows(
            (
                *codec.key(message.ref),
                keys[message.community],
                plain(message.author.id),
                message.kind,
                microseconds(message.sent_at),
                sealing.seal(codec.write_body(message), keys[message.community], Span.PASSING),
            )
            for message in arrived
        )
        keep = sql.KEEP_POSTGRESQL if self.database.is_postgresql else sql.KEEP_SQLITE
        keeping = self.database.sql(keep).columns(queue.c.id, *codec.QUEUED_REF)
        refusing = self.database.sql(sql.REFUSE)
        now = microseconds(self.database.clock.now())
        async with self.database.write() as connection:
            added = {codec.read_ref(row): row.id for row in await connection.execute(keeping, given | {"now": now})}
            if added:
                ids = codec.write_rows([id_] for id_ in added.values())
                for known in await connection.execute(refusing, {"given": ids}):
                    del added[codec.read_ref(known)]
        # Given twice in one call, it is new once.
        return [added.pop(codec.plain_ref(message.ref), None) is not None for message in arrived]

    async def _lease(self, limit: int, fresh_since: datetime) -> list[_Leased]:
        try:
            # A lease ends with its machine, at the latest.
            async with self.database.write(durable=False) as connection:
                if self._unsure:
                    await self._free_what_nobody_has(connection)
                chosen = await self._suspects(connection, limit)
                chosen += await self._turns.next(connection, limit - len(chosen), microseconds(fresh_since))
                leased = await self._take(connection, chosen)
                found = [_Leased(row.id, message, stake) for row, stake in leased if (message := _read(row))]
                if len(found) < len(leased):
                    await self._give_up(connection, {row.id for row, _ in leased} - {one.id for one in found})
        except Unavailable:
            self._unsure = True
            raise
        self._unsure = False
        return found

    async def _lease_some(self, wanted: Select[int]) -> Sequence[Message]:
        async with self.database.read() as connection:  # mostly there is nothing, and then nobody else need wait
            if (await connection.execute(wanted)).first() is None:
                return []
        try:
            async with self.database.write(durable=False) as connection:
                chosen = (await connection.execute(wanted.with_for_update(skip_locked=True))).scalars().all()
                leased = await self._take(connection, chosen)
        except Unavailable:
            self._unsure = True
            raise
        return self._hand_out(
            _Leased(row.id, _read(row) or codec.read_message(row, with_body=False), stake) for row, stake in leased
        )

    def _hand_out(self, leased: Iterable[_Leased]) -> Sequence[Message]:
        messages = []
        for _, message, stake in leased:
            self._in_hand[message.ref] = stake
            messages.append(message)
        return messages

    def _put_down(self, refs: Iterable[MessageRef]) -> None:
        for ref in refs:
            self._in_hand.pop(ref, None)

    def _ours(self) -> tuple[ColumnElement[bool], ...]:
        """The condition that what waits may be claimed by this process."""
        return (queue.c.share.in_(self._shares.begun),) if self._shares and not self._shares.has_all else ()

    async def _take(self, connection: AsyncConnection, chosen: Sequence[int]) -> list[tuple[AnyRow, Stake | None]]:
        if not chosen:
            return []
        leasing = self.database.sql(self._sql.lease).columns(queue.c.id, queue.c.share, *codec.QUEUED)
        given = {"given": codec.write_rows([id_] for id_ in chosen), "holder": self.database.holder}
        rows = {row.id: row for row in await connection.execute(leasing, given)}
        if self._shares is None:
            return [(rows[id_], None) for id_ in chosen]
        stakes = {id_: self._shares.stake(row.share) for id_, row in rows.items()}
        stand = await self._shares.stand(connection, stakes.values())
        if lost := [id_ for id_, stake in stakes.items() if stake not in stand]:  # we were taken for dead
            await connection.execute(update(queue).where(queue.c.id.in_(lost)).values(FREE))
        return [(rows[id_], stakes[id_]) for id_ in chosen if stakes[id_] in stand]

    async def _suspects(self, connection: AsyncConnection, limit: int) -> list[int]:
        """Also of what was in hand for its second look when its process died: nobody else takes it."""
        some = await suspects.next_suspects(connection, queue, self.database.holder, *self._ours())
        if some is None:
            return []
        found = await connection.execute(some.with_for_update(skip_locked=True))
        return list(found.scalars())[:limit]

    async def _give_up(self, connection: AsyncConnection, unreadable: Collection[int]) -> None:
        which = queue.c.id.in_(unreadable)
        await connection.execute(update(queue).where(which).values({**FREE, "faults": suspects.MOST_FAULTS}))

    async def _free_what_nobody_has(self, connection: AsyncConnection) -> None:
        """The connection broke while it was said that a lease is committed: then we hold it, and do not know it."""
        others = self.database.sql(f"NOT {sql.AMONG_QUEUED}").bindparams(given=codec.write_refs(self._in_hand))
        own = queue.c.holder == self.database.holder
        await connection.execute(update(queue).where(own, others).values(FREE))
        self._turns.read_again()

    async def _free(self, taken: Sequence[_Leased]) -> None:
        own = queue.c.id.in_([one.id for one in taken]) & (queue.c.holder == self.database.holder)
        async with self.database.write() as connection:
            await connection.execute(update(queue).where(own).values(FREE))

    async def _close(self, decided: Sequence[tuple[Settlement, Stake | None]]) -> Sequence[bool]:
        return await settle(self.database, decided, self._shares)


def _read(row: AnyRow) -> Message | None:
    """None: what is stored of it cannot be read, and never will be."""
    if row.body is None:
        _log.error("message cannot be read", id=row.id, error="its key is gone")
        return None
    try:
        return codec.read_message(row)
    except Exception as error:
        _log.error("message cannot be read", id=row.id, error=type(error).__name__)
        return None
