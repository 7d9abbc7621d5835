"""What came of time-outs, bans and their lifting -> what runs, in the transaction that records it; and its end."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, and_, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.chat.message import CommunityRef
from bot.core.incidents.case import CaseKind, CaseState, Person, Sanction
from bot.core.incidents.incident import PlannedAction
from bot.core.rules.actions import Ban, Done, Gone, Outcome, Timeout, Unsanction
from storage import codec
from storage.columns import AnyRow, plain
from storage.community_key import of_community
from storage.flow.calls import add_deeds
from storage.records.cases import case_of
from storage.tables import cases, sanctions

#: What `read` reads.
SANCTIONS = select(
    *cases.c["number", "code", "words"], *sanctions.c["kind", "member", "begins_at", "ends_at", "imposed_by"]
).join_from(sanctions, cases, cases.c.id == sanctions.c.case)
_RUNS = sanctions.c.lifted_at.is_(None)
#: Of which sanctions a deed by hand frees a member, whoever imposed them.
_FREED = {CaseKind.UNMUTE: Timeout.kind, CaseKind.UNBAN: Ban.kind}


class Finished(NamedTuple):
    """An action with what came of it, the key of its community and, of a deed by hand, its case's id."""

    planned: PlannedAction
    outcome: Outcome
    community: int
    case: int | None


async def follow(connection: AsyncConnection, finished: Iterable[Finished], now: datetime) -> None:
    for one in finished:
        match one.planned.action, one.outcome:
            case (Timeout() | Ban()) as action, Done():
                await _begin(connection, one, action, now)
            case Unsanction(), Done() | Gone():
                await connection.execute(update(sanctions).where(_RUNS, *_lifted(one)).values(lifted_at=now))


async def _begin(connection: AsyncConnection, one: Finished, action: Timeout | Ban, now: datetime) -> None:
    """In place of what the same case has imposed before."""
    case = case_of(one.planned.incident_id) if one.case is None else one.case
    await connection.execute(update(sanctions).where(_RUNS, sanctions.c.case == case).values(lifted_at=now))
    begun = {
        "community": one.community,
        "member": plain(one.planned.message.author.id),
        "case": case,
        "kind": action.kind,
        "begins_at": now,
        "ends_at": now + action.lasting if action.lasting else None,
        "imposed_by": one.planned.case.moderator.id if one.planned.case else None,
    }
    await connection.execute(insert(sanctions).values(begun))


def _lifted(one: Finished) -> tuple[ColumnElement[bool], ...]:
    freed = _FREED.get(one.planned.case.kind) if one.planned.case else None
    if freed is None:
        case = case_of(one.planned.incident_id) if one.case is None else one.case
        return (sanctions.c.case == case,)
    theirs = sanctions.c.member == plain(one.planned.message.author.id)
    return (sanctions.c.community == one.community, theirs, sanctions.c.kind == freed)


async def end(connection: AsyncConnection, now: datetime, most: int) -> int:
    """See `Cases.end`. Platforms end time-outs by themselves."""
    over = (
        select(sanctions.c.id, sanctions.c.case, sanctions.c.kind, cases.c.incident)
        .join_from(sanctions, cases, cases.c.id == sanctions.c.case)
        .where(_RUNS, sanctions.c.ends_at <= now)
        .order_by(sanctions.c.ends_at)
        .limit(most)
        .with_for_update(skip_locked=True, of=sanctions)
    )
    due = (await connection.execute(over)).all()
    if due:
        ids = [row.id for row in due]
        await connection.execute(update(sanctions).where(sanctions.c.id.in_(ids)).values(lifted_at=now))
    for row in sorted(due, key=lambda row: row.case):  # each case is locked
        if row.kind == Ban.kind and row.incident is None:
            await add_deeds(connection, row.case, (Unsanction(),), due=now, now=now)
    return len(due)


def held(community: CommunityRef, member: str, kind: str, besides: int | None, now: datetime) -> Select[AnyRow]:
    """See `Cases.held`."""
    wanted = [
        of_community(sanctions, community),
        running(now),
        sanctions.c.member == plain(member),
        sanctions.c.kind == kind,
        cases.c.incident.is_(None),
        cases.c.state != CaseState.UNDONE,
    ]
    if besides is not None:
        wanted.append(cases.c.number != besides)
    found: Select[AnyRow] = SANCTIONS.where(*wanted).order_by(sanctions.c.ends_at.desc().nulls_first()).limit(1)
    return found


def read(row: AnyRow) -> Sanction:
    told = codec.read_words(row.words)
    return Sanction(
        case=row.number,
        code=row.code,
        kind=row.kind,
        member=Person(row.member or "", told.member),
        begins_at=row.begins_at,
        ends_at=row.ends_at,
        moderator=Person(row.imposed_by or "", told.moderator),
    )


def running(at: datetime) -> ColumnElement[bool]:
    return and_(_RUNS, or_(sanctions.c.ends_at.is_(None), sanctions.c.ends_at > at))
