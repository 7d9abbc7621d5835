"""The incident log over the tables: what was decided, and what came of it, read back for people."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, TextClause, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.actions import Action, Outcome
from bot.domain.incident import Incident
from bot.domain.message import MessageRef
from storage import codec
from storage.database import Database
from storage.tables import AMONG_REFS, MESSAGE, actions, incidents, messages


class SqlIncidentLog:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def between(self, start: datetime, end: datetime, community_id: str | None = None) -> Sequence[Incident]:
        wanted = [incidents.c.decided_at >= start, incidents.c.decided_at < end]
        if community_id is not None:
            wanted.append(incidents.c.community == community_id)
        async with self._database.read() as connection:
            return await _read(connection, *wanted)

    async def of(self, refs: Sequence[MessageRef]) -> Sequence[Incident]:
        among = self._database.sql(AMONG_REFS).bindparams(given=codec.write_refs(refs))
        async with self._database.read() as connection:
            return await _read(connection, among)


async def _read(connection: AsyncConnection, *wanted: ColumnElement[bool] | TextClause) -> list[Incident]:
    found = incidents.join(messages)
    rows = await connection.execute(
        select(incidents.c.id, incidents.c.decided_at, incidents.c.decision, incidents.c.withdrawn_at, *MESSAGE)
        .select_from(found)
        .where(*wanted)
        .order_by(incidents.c.decided_at, incidents.c.id)
    )
    taken = await connection.execute(
        select(actions.c.incident, actions.c.args, actions.c.state, actions.c.reason)
        .select_from(found.join(actions))
        .where(*wanted)
        .order_by(actions.c.incident, actions.c.position)
    )
    outcomes: dict[int, list[tuple[Action, Outcome | None]]] = defaultdict(list)
    for row in taken:
        outcomes[row.incident].append((codec.read_action(row.args), codec.read_outcome(row.state, row.reason)))
    return [
        Incident(
            id=row.id,
            decision=codec.read_decision(row.decision, codec.read_message(row)),
            decided_at=row.decided_at,
            outcomes=tuple(outcomes[row.id]),
            withdrawn_at=row.withdrawn_at,
        )
        for row in rows
    ]
