"""What is due, a community or a member -> gone from the tables, a few rows at a time; what counts stays as a hash."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, ColumnElement, ForeignKey, Table, and_, delete, exists, not_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.chat.message import CommunityRef
from bot.core.incidents.review import Call
from bot.core.operations.retention import Limits
from storage import codec
from storage.columns import SaidIn, plain
from storage.community_key import community_of, of_community, read_community
from storage.database import Database
from storage.tables import (
    actions,
    appeals,
    cases,
    communities,
    incidents,
    messages,
    metadata,
    queue,
    reviews,
    sanctions,
)

#: Rows in one transaction, and between two of them a pause in seconds: moderating goes first.
BATCH, PAUSE = 200, 0.005

COPIES = timedelta(days=7)  # how long what was put aside before an update may keep what is forgotten

#: The columns that name a member, by the column that their hash stands in, where there is one.
_MEMBERS = {"author": "author_hash", "member": "member_hash", "moderator": None, "taken_by": None, "imposed_by": None}


class SqlForgetting:
    """Tables of later versions take part by their columns: `community`, those that name a member, foreign keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def forget(self, limits: Limits, now: datetime) -> int:
        self._database.forget_copies(now - COPIES)
        about = exists().where(incidents.c.message == messages.c.id)
        old = messages.c.settled_at < now - limits.authors
        number = await self._in_batches(
            select(messages.c.id).where(messages.c.sent_at < now - limits.authors, old, messages.c.author.is_not(None)),
            not_(about),
            change=lambda ids: update(messages).where(messages.c.id.in_(ids)).values(author=None),
        )
        due = (messages.c.sent_at < now - limits.messages, messages.c.settled_at < now - limits.messages)
        number += await self._in_batches(
            select(messages.c.id).where(*due),
            not_(about),
            change=lambda ids: delete(messages).where(messages.c.id.in_(ids)),
        )
        held = and_(incidents.c.held_until.is_not(None), incidents.c.held_until > now)
        while gone := await self._some(
            select(incidents.c.id, incidents.c.message).where(incidents.c.decided_at < now - limits.cases, not_(held))
        ):
            async with self._database.write(durable=False) as connection:
                number += await _delete(connection, incidents, [row.id for row in gone])
                number += await _delete(connection, messages, [row.message for row in gone])
            await asyncio.sleep(PAUSE)
        return number + await self._erase(cases, _old_deeds(limits, now))

    async def texts_due(self, limits: Limits, now: datetime) -> Sequence[tuple[CommunityRef, int]]:
        wrong = exists().where(
            reviews.c.incident == incidents.c.id,
            reviews.c.call == Call.WRONG,
            reviews.c.closes,
            reviews.c.at < now - limits.mistakes,
        )
        due = or_(incidents.c.decided_at < now - limits.texts, incidents.c.withdrawn_at < now - limits.mistakes, wrong)
        free = or_(incidents.c.held_until.is_(None), incidents.c.held_until <= now)
        some = select(incidents.c.id, *community_of(incidents)).where(incidents.c.body.is_not(None), due, free)
        rows = await self._some(some.order_by(incidents.c.decided_at))
        return [(read_community(row), row.id) for row in rows]

    async def forget_texts(self, incidents: Sequence[int]) -> None:
        async with self._database.write() as connection:
            await _forget_texts(connection, incidents)
        await asyncio.sleep(PAUSE)

    async def erase_community(self, community: CommunityRef) -> int:
        key, number = await self._database.keys.known(community), 0
        if key is None:
            return 0
        for table in reversed(metadata.sorted_tables):
            if "community" in table.c:
                number += await self._erase(table, table.c.community == key)
        async with self._database.write() as connection:
            number += (await connection.execute(delete(communities).where(communities.c.key == key))).rowcount
        self._database.keys.forget()
        return number

    async def erase_member(self, community: CommunityRef, member: str) -> int:
        key = await self._database.keys.known(community)
        if key is None:
            return 0
        name, number = plain(member), 0
        hashed = self._database.sealing.member_hash(key, name)
        # Evidence that is held stays until then, and so does whom something is still to be done to.
        not_held = and_(
            or_(incidents.c.held_until.is_(None), incidents.c.held_until <= self._database.clock.now()),
            not_(exists().where(actions.c.incident == incidents.c.id, actions.c.finished_at.is_(None))),
        )
        while due := await self._some(
            select(incidents.c.id).where(incidents.c.community == key, incidents.c.author == name, not_held)
        ):
            ids = [row.id for row in due]
            theirs = select(cases.c.id).where(cases.c.incident.in_(ids))
            async with self._database.write() as connection:
                await _forget_texts(connection, ids)
                await connection.execute(update(appeals).where(appeals.c.case.in_(theirs)).values(words=""))
                this = update(incidents).where(incidents.c.id.in_(ids))
                number += (await connection.execute(this.values(author=None, author_hash=hashed))).rowcount
            await asyncio.sleep(PAUSE)
        number += await self._erase(queue, and_(queue.c.community == key, queue.c.author == name))
        for table in metadata.sorted_tables:
            for column, hash_ in _MEMBERS.items():
                if column in table.c and table is not queue:
                    number += await self._unname(table, column, hash_, key, name, hashed)
        return number

    async def hold(self, community: CommunityRef, incident: int, until: datetime, because: str) -> bool:
        this = (of_community(incidents, community), incidents.c.id == incident, incidents.c.body.is_not(None))
        key = await self._database.keys.known(community)
        async with self._database.write() as connection:
            held = update(incidents).where(*this).values(held_until=until, held_because=SaidIn(key or 0, because))
            return (await connection.execute(held)).rowcount == 1

    async def _unname(self, table: Table, column: str, hash_: str | None, key: int, name: str, hashed: bytes) -> int:
        known = table.c[column]
        gone: dict[str, Any] = {column: None if known.nullable else ""}
        if hash_ and hash_ in table.c:
            gone[hash_] = hashed
        if column == "moderator" and "moderator_name" in table.c:
            gone["moderator_name"] = ""
        if "community" in table.c:
            there = table.c.community == key
        elif "incident" in table.c:
            there = table.c.incident.in_(select(incidents.c.id).where(incidents.c.community == key))
        else:
            return 0
        if table is incidents:
            there = and_(there, incidents.c.body.is_(None))
        elif table is cases:  # while a sanction runs, somebody must be known to lift it from
            gone["words"] = None
            running = exists().where(sanctions.c.case == cases.c.id, sanctions.c.lifted_at.is_(None))
            kept = exists().where(incidents.c.id == cases.c.incident, incidents.c.author.is_not(None))
            there = and_(there, not_(running), not_(kept)) if column == "member" else there
            gone = gone if column == "member" else {column: gone[column]}
        elif table is sanctions:
            there = and_(there, sanctions.c.lifted_at.is_not(None))
        async with self._database.write() as connection:
            return (await connection.execute(update(table).where(there, known == name).values(gone))).rowcount

    async def _erase(self, table: Table, which: ColumnElement[bool]) -> int:
        """And what hangs on it."""
        keys, number = list(table.primary_key), 0
        while rows := await self._some(select(*keys).where(which)):
            async with self._database.write(durable=False) as connection:
                if len(keys) == 1:
                    number += await _delete(connection, table, [row[0] for row in rows])
                else:
                    number += (await connection.execute(delete(table).where(which))).rowcount
            await asyncio.sleep(PAUSE)
        return number

    async def _some(self, wanted: Any) -> Sequence[Any]:
        async with self._database.read() as connection:
            return (await connection.execute(wanted.limit(BATCH))).all()

    async def _in_batches(self, wanted: Any, *which: ColumnElement[bool], change: Any) -> int:
        """In the order of time, so that what stays is passed over once."""
        number, last = 0, None
        while True:
            behind = () if last is None else (messages.c.sent_at >= last,)
            some = wanted.add_columns(messages.c.sent_at).where(*which, *behind).order_by(messages.c.sent_at)
            rows = await self._some(some)
            if not rows:
                return number
            last = rows[-1].sent_at
            async with self._database.write(durable=False) as connection:
                number += (await connection.execute(change([row.id for row in rows]))).rowcount
            await asyncio.sleep(PAUSE)


def _old_deeds(limits: Limits, now: datetime) -> ColumnElement[bool]:
    """What moderators did by hand goes like incidents; while a sanction runs, what it is for stays."""
    held = and_(cases.c.held_until.is_not(None), cases.c.held_until > now)
    running = exists().where(sanctions.c.case == cases.c.id, sanctions.c.lifted_at.is_(None))
    return and_(cases.c.incident.is_(None), cases.c.opened_at < now - limits.cases, not_(held), not_(running))


async def _forget_texts(connection: AsyncConnection, ids: Sequence[int]) -> None:
    found = select(incidents.c.id, incidents.c.community, incidents.c.decision).where(incidents.c.id.in_(ids))
    for row in (await connection.execute(found)).all():
        without = SaidIn(row.community, codec.without_words(row.decision))
        this = update(incidents).where(incidents.c.id == row.id)
        await connection.execute(this.values(body=None, decision=without, held_until=None, held_because=None))


async def _delete(connection: AsyncConnection, table: Table, ids: Sequence[Any]) -> int:
    """Rows by their only key, and before them all that refer to them."""
    number = 0
    for other in metadata.sorted_tables:
        for reference in other.foreign_keys:
            if reference.column.table is table:
                number += await _delete_referring(connection, other, reference, ids)
    (key,) = table.primary_key
    return number + (await connection.execute(delete(table).where(key.in_(ids)))).rowcount


async def _delete_referring(
    connection: AsyncConnection, table: Table, reference: ForeignKey, ids: Sequence[Any]
) -> int:
    column: Column[Any] = reference.parent
    keys = list(table.primary_key)
    if len(keys) == 1:
        found = select(keys[0]).where(column.in_(ids))
        if theirs := (await connection.execute(found)).scalars().all():
            return await _delete(connection, table, theirs)
        return 0
    return (await connection.execute(delete(table).where(column.in_(ids)))).rowcount
