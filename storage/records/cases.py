"""Incidents -> cases: what moderators count, each with a number of its community and a code that members see."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, ScalarSelect, Select, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.incidents.case import GIVEN_UP, PATIENCE, CaseState, Severity, new_code
from storage import codec
from storage.columns import in_words
from storage.community_key import community_of
from storage.database import Database
from storage.flow import sql
from storage.tables import cases, communities

WAITS = in_words("cases.state IN ('open', 'reopened', 'appealed')")


async def open_cases(
    database: Database, connection: AsyncConnection, opened: Sequence[tuple[int, int, str, datetime, Severity]]
) -> Mapping[int, int]:
    """Of incidents: the community's key, the incident's id, whose message it was, when it was decided, and how
    severe it is. Returns the case of each."""
    free = await numbers(database, connection, Counter(community for community, *_ in opened))
    rows = []
    for community, incident, member, at, severity in opened:
        rows.append(
            {
                "community": community,
                "number": free[community],
                "code": new_code(),
                "incident": incident,
                "member": member,
                "state": CaseState.OPEN,
                "severity": severity,
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
    if state in (CaseState.APPEALED, CaseState.REOPENED):
        await weigh(connection, cases.c.incident == incident, Severity.WAITS)


async def weigh(connection: AsyncConnection, which: ColumnElement[bool], severity: Severity) -> None:
    """These are as severe as that, or more."""
    less = func.coalesce(cases.c.severity, 0) < severity
    await connection.execute(update(cases).where(which, less).values(severity=severity))


def neglected(now: datetime) -> Select[str, str]:
    """The communities in which somebody's call is waited for too long."""
    waiting = (WAITS, cases.c.severity >= Severity.WAITS)
    since = cases.c.opened_at.between(now - GIVEN_UP, now - PATIENCE)
    there = select(cases.c.community).where(*waiting, since).distinct().subquery()
    return select(*community_of(there)).select_from(there)


def case_of(incident: int) -> ScalarSelect[int]:
    return select(cases.c.id).where(cases.c.incident == incident).scalar_subquery()
