"""What is due -> gone from the tables, a few rows at a time; and how rows go with all that hangs on them."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, ColumnElement, ForeignKey, Table, and_, case, delete, exists, not_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.chat.message import CommunityRef
from bot.core.incidents.review import Call
from bot.core.operations.retention import Limits
from storage import codec
from storage.columns import SaidIn
from storage.community_key import community_of, of_community, read_community
from storage.database import Database
from storage.records.rolls import NOT_KNOWN
from storage.tables import (
    amendments,
    api_keys,
    cases,
    deliveries,
    erasures,
    feedback,
    flags,
    incidents,
    links,
    looks,
    messages,
    metadata,
    opinions,
    policies,
    precedents,
    raiders,
    reviews,
    sanctions,
)

#: Rows in one transaction, and between two of them a pause in seconds: moderating goes first.
BATCH, PAUSE = 200, 0.005

COPIES = timedelta(days=7)  # how long what was put aside before an update may keep what is forgotten


class SqlForgetting:
    """Tables of later versions take part by their columns: `community`, those that name a member, foreign keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def forget(self, limits: Limits, now: datetime) -> int:
        self._database.forget_copies(now - COPIES)
        about = exists().where(incidents.c.message == messages.c.id)
        past = (messages.c.sent_at < now - limits.authors, messages.c.settled_at < now - limits.authors)
        hashed = or_(messages.c.text_hash.is_not(None), and_(messages.c.author_hash.is_not(None), not_(about)))
        author = case((about, messages.c.author_hash))  # of an incident: by whom it is stays known with it
        number = await self._in_batches(
            select(messages.c.id).where(*past, hashed),
            change=lambda ids: (
                update(messages).where(messages.c.id.in_(ids)).values({**NOT_KNOWN, "author_hash": author})
            ),
        )
        due = (messages.c.sent_at < now - limits.messages, messages.c.settled_at < now - limits.messages)
        number += await self._in_batches(
            select(messages.c.id).where(*due),
            not_(about),
            change=lambda ids: delete(messages).where(messages.c.id.in_(ids)),
        )
        held = and_(incidents.c.held_until.is_not(None), incidents.c.held_until > now)
        old = (incidents.c.decided_at < now - limits.cases, _taken_in_before(now - limits.cases), not_(held))
        while gone := await some(self._database, select(incidents.c.id, incidents.c.message).where(*old)):
            async with self._database.write(durable=False) as connection:
                number += await _delete(connection, incidents, [row.id for row in gone])
                number += await _delete(connection, messages, [row.message for row in gone])
            await asyncio.sleep(PAUSE)
        for table, which in _due_besides(limits, now):
            number += await erase(self._database, table, which)
        long_ago = (policies.c.at < now - limits.cases, policies.c.by != "")
        untold = update(flags).where(flags.c.member.is_not(None), flags.c.at < now - limits.messages)
        async with self._database.write(durable=False) as connection:  # what a policy was stays, to go back to
            number += (await connection.execute(untold.values(member=None))).rowcount
            number += (await connection.execute(update(policies).where(*long_ago).values(by=""))).rowcount
        return number

    async def texts_due(self, limits: Limits, now: datetime) -> Sequence[tuple[CommunityRef, int]]:
        wrong = exists().where(
            reviews.c.incident == incidents.c.id,
            reviews.c.call == Call.WRONG,
            reviews.c.closes,
            reviews.c.at < now - limits.mistakes,
        )
        due = or_(
            and_(incidents.c.decided_at < now - limits.texts, _taken_in_before(now - limits.texts)),
            and_(incidents.c.withdrawn_at < now - limits.mistakes, _taken_in_before(now - limits.mistakes)),
            wrong,
        )
        free = or_(incidents.c.held_until.is_(None), incidents.c.held_until <= now)
        wanted = select(incidents.c.id, *community_of(incidents)).where(incidents.c.body.is_not(None), due, free)
        rows = await some(self._database, wanted.order_by(incidents.c.decided_at))
        return [(read_community(row), row.id) for row in rows]

    async def forget_texts(self, incidents: Sequence[int]) -> None:
        async with self._database.write() as connection:
            await without_texts(connection, incidents)
        await asyncio.sleep(PAUSE)

    async def hold(self, community: CommunityRef, number: int, until: datetime, because: str) -> bool:
        called = select(cases.c.incident).where(of_community(cases, community), cases.c.number == number)
        this = (incidents.c.id == called.scalar_subquery(), incidents.c.body.is_not(None))
        key = await self._database.keys.known(community)
        async with self._database.write() as connection:
            held = update(incidents).where(*this).values(held_until=until, held_because=SaidIn(key or 0, because))
            return (await connection.execute(held)).rowcount == 1

    async def _in_batches(self, wanted: Any, *which: ColumnElement[bool], change: Any) -> int:
        """In the order of time, so that what stays is passed over once."""
        number, last = 0, None
        while True:
            behind = () if last is None else (messages.c.sent_at >= last,)
            theirs = wanted.add_columns(messages.c.sent_at).where(*which, *behind).order_by(messages.c.sent_at)
            rows = await some(self._database, theirs)
            if not rows:
                return number
            last = rows[-1].sent_at
            async with self._database.write(durable=False) as connection:
                number += (await connection.execute(change([row.id for row in rows]))).rowcount
            await asyncio.sleep(PAUSE)


def _taken_in_before(moment: datetime) -> ColumnElement[bool]:
    """What is read from a transcript was decided in its own time; it is kept from when we have read it."""
    return exists().where(messages.c.id == incidents.c.message, messages.c.settled_at < moment)


def _due_besides(limits: Limits, now: datetime) -> Iterator[tuple[Table, ColumnElement[bool]]]:
    """What is kept as long as incidents are, or says itself until when it holds."""
    old = now - limits.cases
    yield cases, _old_deeds(limits, now)
    yield raiders, and_(raiders.c.offended.is_(False), raiders.c.remedy.is_(None), raiders.c.at < now - limits.messages)
    yield looks, looks.c.at < old
    yield erasures, erasures.c.done_at < old
    yield amendments, amendments.c.at < old
    yield deliveries, deliveries.c.finished_at < old
    yield api_keys, api_keys.c.revoked_at < old
    yield precedents, precedents.c.until < now
    yield feedback, feedback.c.until < now
    yield flags, flags.c.at < old
    yield links, links.c.at < old


def _old_deeds(limits: Limits, now: datetime) -> ColumnElement[bool]:
    """What moderators did by hand goes like incidents; while a sanction runs, what it is for stays."""
    held = and_(cases.c.held_until.is_not(None), cases.c.held_until > now)
    running = exists().where(sanctions.c.case == cases.c.id, sanctions.c.lifted_at.is_(None))
    return and_(cases.c.incident.is_(None), cases.c.opened_at < now - limits.cases, not_(held), not_(running))


async def some(database: Database, wanted: Any) -> Sequence[Any]:
    """As many as one transaction takes."""
    async with database.read() as connection:
        return (await connection.execute(wanted.limit(BATCH))).all()


async def erase(database: Database, table: Table, which: ColumnElement[bool]) -> int:
    """Rows, and what hangs on them."""
    keys, number = list(table.primary_key), 0
    while rows := await some(database, select(*keys).where(which)):
        async with database.write(durable=False) as connection:
            if len(keys) == 1:
                number += await _delete(connection, table, [row[0] for row in rows])
            else:
                number += (await connection.execute(delete(table).where(which))).rowcount
        await asyncio.sleep(PAUSE)
    return number


async def without_texts(connection: AsyncConnection, ids: Sequence[int]) -> None:
    """Of incidents, and of what quotes them."""
    found = select(incidents.c.id, incidents.c.community, incidents.c.decision).where(incidents.c.id.in_(ids))
    for row in (await connection.execute(found)).all():
        without = SaidIn(row.community, codec.without_words(row.decision))
        this = update(incidents).where(incidents.c.id == row.id)
        await connection.execute(this.values(body=None, decision=without, held_until=None, held_because=None))
    await connection.execute(update(opinions).where(opinions.c.incident.in_(ids)).values(words=None))


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
