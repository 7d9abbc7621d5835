"""The inbox as a table: messages come in and wait, leased ones go out, settled ones stay as the record."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import structlog
from sqlalchemy import Select, case, func, null, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.base.errors import Unavailable
from bot.core.chat.message import CommunityRef, Message, MessageRef
from bot.core.communities.journal import Aside, Tally
from bot.core.incidents.incident import Settlement
from bot.core.operations.sealing import Span
from storage import codec
from storage.columns import AnyRow, microseconds, plain
from storage.community_key import community_of, of_community, read_community
from storage.database import Database
from storage.flow import sql
from storage.flow.leases import suspects
from storage.flow.leases.leasing import leased
from storage.flow.settling import settle
from storage.flow.turns import Turns
from storage.tables import incidents, messages, queue

_log = structlog.get_logger(__name__)


class SqlInbox:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._keep = database.grouped(self._insert)
        self._settle = database.grouped(self._close)
        self._turns = Turns(database)
        self._in_hand: set[MessageRef] = set()  # handed out and not yet settled
        self._unsure = False  # whether the last claim may have leased what nobody was handed

    async def keep(self, messages: Sequence[Message]) -> Sequence[bool]:
        return await self._keep(messages)

    async def claim(self, limit: int, *, fresh_since: datetime) -> Sequence[Message]:
        found = [message for _, message in await leased(self._lease(limit, fresh_since), self._give_back)]
        self._in_hand.update(message.ref for message in found)
        return found

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        await self._settle(settlements)
        self._in_hand.difference_update(settlement.decision.message.ref for settlement in settlements)

    async def fault(self, ref: MessageRef) -> None:
        this = (column == value for column, value in zip(codec.QUEUED_REF, codec.key(ref), strict=True))
        async with self._database.write() as connection:
            await connection.execute(suspects.fault(queue, queue.c.holder == self._database.holder, *this))
        self._in_hand.discard(ref)

    async def given_up(self, limit: int) -> Sequence[Message]:
        wanted = select(queue.c.id).where(queue.c.holder.is_(None), suspects.given_up(queue)).order_by(queue.c.id)
        return await self._lease_some(wanted.limit(limit))

    async def set_aside(self, refs: Sequence[MessageRef]) -> None:
        among = self._database.sql(sql.AMONG_QUEUED).bindparams(given=codec.write_refs(refs))
        at = func.coalesce(queue.c.aside_at, microseconds(self._database.clock.now()))
        aside = update(queue).where(queue.c.holder == self._database.holder, among)
        async with self._database.write() as connection:
            # What was looked at has not killed anybody.
            await connection.execute(aside.values(holder=None, aside_at=at, circle=None))
        self._in_hand.difference_update(refs)

    async def look_again(self, limit: int, *, sent_before: datetime) -> Sequence[Message]:
        due = (queue.c.aside_at.is_not(None), queue.c.sent_at < sent_before, suspects.innocent(queue))
        wanted = select(queue.c.id).where(queue.c.holder.is_(None), *due)
        return await self._lease_some(wanted.order_by(queue.c.sent_at.desc(), queue.c.id.desc()).limit(limit))

    async def were_aside(self, since: datetime) -> Mapping[CommunityRef, Aside]:
        unjudged = case((messages.c.score.is_(None), 1))
        looked_at = union_all(
            *(
                select(table.c.community, table.c.channel, closed.label("unjudged")).where(
                    table.c.aside_at.is_not(None), table.c.aside_at >= since
                )
                for table, closed in ((queue, null()), (messages, unjudged))
            )
        ).subquery()
        counted = (
            select(
                *community_of(looked_at),
                func.count(),
                func.count(looked_at.c.channel.distinct()),
                func.count(looked_at.c.unjudged),
            )
            .select_from(looked_at)
            .group_by(looked_at.c.community)
        )
        async with self._database.read() as connection:
            return {read_community(row): Aside(*row[2:]) for row in await connection.execute(counted)}

    async def settled(self, refs: Sequence[MessageRef]) -> Sequence[bool]:
        among = self._database.sql(sql.AMONG_SETTLED).bindparams(given=codec.write_refs(refs))
        async with self._database.read() as connection:
            found = await connection.execute(select(*codec.SETTLED_REF).where(among))
            closed = set(map(codec.read_ref, found))
        return [ref in closed for ref in refs]

    async def waiting(self) -> int:
        async with self._database.read() as connection:
            return (await connection.execute(select(func.count()).select_from(queue))).scalar_one()

    async def recent(self, since: datetime) -> Sequence[Message]:
        place = community_of(messages)[1]
        settled = (
            select(
                *codec.SETTLED_REF, place, incidents.c.author, messages.c.kind, messages.c.sent_at, incidents.c.body,
                messages.c.id,
            )
            .select_from(messages.outerjoin(incidents))
            .where(messages.c.sent_at >= since)
        )  # fmt: skip
        waiting = select(*codec.QUEUED, queue.c.id).where(queue.c.sent_at >= since)
        async with self._database.read() as connection:
            rows = [row for part in (settled, waiting) for row in await connection.execute(part)]
        return [codec.read_message(row) for row in sorted(rows, key=lambda row: (row.sent_at, row.id))]

    async def tally(self, start: datetime, end: datetime, community: CommunityRef | None = None) -> Tally:
        counts = []
        for table in (messages, queue):
            count = select(func.count()).where(table.c.sent_at >= start, table.c.sent_at < end)
            counts.append(count if community is None else count.where(of_community(table, community)))
        async with self._database.read() as connection:
            found = await connection.execute(select(*(count.scalar_subquery() for count in counts)))
            settled, waiting = found.one()
        return Tally(kept=settled + waiting, settled=settled)

    async def _insert(self, arrived: Sequence[Message]) -> Sequence[bool]:
        keys = await self._database.keys.of_all({message.community for message in arrived})
        sealing = self._database.sealing
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
        keeping = self._database.sql(sql.KEEP).columns(queue.c.id, *codec.QUEUED_REF)
        refusing = self._database.sql(sql.REFUSE)
        now = microseconds(self._database.clock.now())
        async with self._database.write() as connection:
            added = {codec.read_ref(row): row.id for row in await connection.execute(keeping, given | {"now": now})}
            if added:
                ids = codec.write_rows([id_] for id_ in added.values())
                for known in await connection.execute(refusing, {"given": ids}):
                    del added[codec.read_ref(known)]
        # Given twice in one call, it is new once.
        return [added.pop(codec.plain_ref(message.ref), None) is not None for message in arrived]

    async def _lease(self, limit: int, fresh_since: datetime) -> list[tuple[int, Message]]:
        try:
            # A lease ends with its machine, at the latest.
            async with self._database.write(durable=False) as connection:
                if self._unsure:
                    await self._free_what_nobody_has(connection)
                chosen = await self._suspects(connection, limit)
                chosen += await self._turns.next(connection, limit - len(chosen), fresh_since)
                leased = await self._take(connection, chosen)
                found = [(row.id, message) for row in leased if (message := _read(row))]
                if len(found) < len(chosen):
                    await self._give_up(connection, set(chosen) - {id_ for id_, _ in found})
        except Unavailable:
            self._unsure = True
            raise
        self._unsure = False
        return found

    async def _lease_some(self, wanted: Select[int]) -> Sequence[Message]:
        async with self._database.read() as connection:  # mostly there is nothing, and then nobody else need wait
            if (await connection.execute(wanted)).first() is None:
                return []
        try:
            async with self._database.write(durable=False) as connection:
                chosen = (await connection.execute(wanted.with_for_update(skip_locked=True))).scalars().all()
                leased = await self._take(connection, chosen)
        except Unavailable:
            self._unsure = True
            raise
        found = [_read(row) or codec.read_message(row, with_body=False) for row in leased]
        self._in_hand.update(message.ref for message in found)
        return found

    async def _take(self, connection: AsyncConnection, chosen: Sequence[int]) -> list[AnyRow]:
        if not chosen:
            return []
        leasing = self._database.sql(sql.LEASE).columns(queue.c.id, *codec.QUEUED)
        given = {"given": codec.write_rows([id_] for id_ in chosen), "holder": self._database.holder}
        rows = {row.id: row for row in await connection.execute(leasing, given)}
        return [rows[id_] for id_ in chosen]

    async def _suspects(self, connection: AsyncConnection, limit: int) -> list[int]:
        some = await suspects.next_suspects(connection, queue, self._database.holder, queue.c.aside_at.is_(None))
        if some is None:
            return []
        found = await connection.execute(some.with_for_update(skip_locked=True))
        return list(found.scalars())[:limit]

    async def _give_up(self, connection: AsyncConnection, unreadable: Collection[int]) -> None:
        which = queue.c.id.in_(unreadable)
        await connection.execute(update(queue).where(which).values(holder=None, faults=suspects.MOST_FAULTS))

    async def _free_what_nobody_has(self, connection: AsyncConnection) -> None:
        """The connection broke while it was said that a lease is committed: then we hold it, and do not know it."""
        others = self._database.sql(f"NOT {sql.AMONG_QUEUED}").bindparams(given=codec.write_refs(self._in_hand))
        own = queue.c.holder == self._database.holder
        await connection.execute(update(queue).where(own, others).values(holder=None))

    async def _give_back(self, taken: Sequence[tuple[int, Message]]) -> None:
        own = queue.c.id.in_([id_ for id_, _ in taken]) & (queue.c.holder == self._database.holder)
        async with self._database.write() as connection:
            await connection.execute(update(queue).where(own).values(holder=None))

    async def _close(self, settlements: Sequence[Settlement]) -> Sequence[None]:
        await settle(self._database, settlements)
        return [None] * len(settlements)


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
