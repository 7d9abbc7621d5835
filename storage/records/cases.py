"""Incidents -> cases: what moderators count, each with a number of its community and a code that members see."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import ScalarSelect, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.incidents.case import CaseState, new_code
from storage import codec
from storage.database import Database
from storage.flow import sql
from storage.tables import cases, communities


async def open_cases(
    database: Database, connection: AsyncConnection, opened: Sequence[tuple[int, int, str, datetime]]
) -> Mapping[int, int]:
    """Of incidents: the community's key, the incident's id, whose message it was, and when it was decided. Returns the
    case of each."""
    free = await numbers(database, connection, Counter(community for community, *_ in opened))
    rows = []
    for community, incident, member, at in opened:
        rows.append(
            {
                "community": community,
                "number": free[community],
                "code": new_code(),
                "incident": incident,
                "member": member,
                "state": CaseState.OPEN,
                "opened_at": at,
            }
        )
        free[community] += 1
    added = await connection.execute(insert(cases).returning(cases.c.id, cases.c.incident), rows)
    return {row.incident: row.id for row in added}


async def numbers(database: Database, connection: AsyncConnection, wanted: Mapping[int, int]) -> dict[int, int]:
    """The first of as many numbers as each community wants, which nobody else is given."""
    statement = sql.NUMBER_POSTGRESQL if database.is_postgresql else sql.NUMBER_SQLITE
    numbering = database.sql(statement).columns(communities.c.key, communities.c.next_case)
    given = codec.write_rows(sorted(wanted.items()))
    found = await connection.execute(numbering, {"given": given})
    return {row.key: row.next_case - wanted[row.key] for row in found}


async def become(
    connection: AsyncConnection, incident: int, state: CaseState, at: datetime, by: str | None = None
) -> None:
    """The case of an incident is in this state from now on. `by`: who has taken it."""
    closed = at if state is CaseState.RESOLVED else None
    this = update(cases).where(cases.c.incident == incident)
    await connection.execute(this.values(state=state, closed_at=closed, taken_by=by))


def case_of(incident: int) -> ScalarSelect[int]:
    return select(cases.c.id).where(cases.c.incident == incident).scalar_subquery()
