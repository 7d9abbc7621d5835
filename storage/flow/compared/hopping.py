"""Whose turn it is, as versions before found it: hopping over an index from one community that waits to the next. Only
`jikimi bench growth` does so, to have a measure."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import codec
from storage.database import Database

_AT_ONCE = 128  # communities
_INDEX = "CREATE INDEX IF NOT EXISTS queue_waiting ON queue (community, sent_at, id) WHERE aside_at IS NULL"
_WAITING = """
    WITH RECURSIVE waiting (community, hop) AS (
        SELECT CAST(:after AS bigint), 0
        UNION ALL
        SELECT (
            SELECT min(queue.community) FROM queue WHERE aside_at IS NULL AND queue.community > waiting.community
        ), hop + 1
        FROM waiting WHERE community IS NOT NULL AND hop < :limit
    )
    SELECT
        community,
        (SELECT max(sent_at) FROM queue WHERE aside_at IS NULL AND queue.community = waiting.community) AS newest
    FROM waiting WHERE hop > 0 AND community IS NOT NULL ORDER BY hop
"""
_FREE = """
    SELECT queue.id, community, sent_at FROM queue
    WHERE aside_at IS NULL AND holder IS NULL AND circle IS NULL AND coalesce(faults, 0) < 3
        AND community = CAST(given.value ->> 0 AS bigint)
    ORDER BY sent_at DESC, queue.id DESC LIMIT :each
"""
_SQLITE = f"SELECT community, queue.id FROM {{given}} JOIN queue ON queue.id IN (SELECT id FROM ({_FREE}))"
_POSTGRESQL = f"SELECT community, id FROM {{given}} CROSS JOIN LATERAL ({_FREE} FOR UPDATE SKIP LOCKED) AS free"


async def prepare(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(text(_INDEX))


async def chosen(database: Database, connection: AsyncConnection, limit: int) -> int:
    """How many messages were found, up to `limit`."""
    free, found, after = database.sql(_POSTGRESQL if database.is_postgresql else _SQLITE), 0, -1
    while found < limit:
        turns = (await connection.execute(text(_WAITING), {"after": after, "limit": _AT_ONCE})).scalars().all()
        if not turns:
            break
        each, after = -(-limit // len(turns)), max(turns)
        given = codec.write_rows([community] for community in turns)
        found += len((await connection.execute(free, {"given": given, "each": each})).all())
    return found


@asynccontextmanager
async def left_open(database: Database) -> AsyncIterator[bool]:
    """A transaction that has read something and does not end: what is deleted meanwhile PostgreSQL cannot sweep.
    False: in a file nothing is left lying about."""
    async with database.read() as connection:
        if database.is_postgresql:
            await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            await connection.execute(text("SELECT count(*) FROM queue"))
        yield database.is_postgresql
