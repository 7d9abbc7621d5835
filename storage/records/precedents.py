"""What moderators have called right or wrong, as hashes, by the case that it was called of."""

import json
import struct
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.chat.message import CommunityRef
from bot.core.incidents.ports import MOST
from bot.core.rules.precedent import Likeness, Precedent, Ruling
from storage.columns import AnyRow
from storage.community_key import community_of, of_community, read_community
from storage.database import Database
from storage.tables import cases, precedents

_CARRIES = 16  # bytes, before the pieces


async def rule(
    database: Database, connection: AsyncConnection, incident_id: int, precedent: Precedent | None, at: datetime
) -> None:
    """The incident is this precedent from now on, or none."""
    case = await connection.execute(select(cases.c.id, cases.c.community).where(cases.c.incident == incident_id))
    found = case.one_or_none()
    if found is None:
        return
    if precedent is None:
        gone = update(precedents).where(precedents.c.case == found.id)
        await connection.execute(gone.values(verdict=None, at=at))
        return
    values = {
        "community": found.community,
        "verdict": precedent.ruling.value,
        "rules": json.dumps(sorted(precedent.rules), ensure_ascii=False),
        "text_hash": precedent.likeness.letters[:16],
        "near_hash": write_near(precedent.likeness),
        "at": at,
        "until": precedent.until,
    }
    put = database.insert(precedents).values(case=found.id, **values)
    await connection.execute(put.on_conflict_do_update(index_elements=[precedents.c.case], set_=values))
    theirs = precedents.c.community == found.community
    newest = select(precedents.c.case).where(theirs).order_by(precedents.c.at.desc()).limit(MOST)
    await connection.execute(delete(precedents).where(theirs, precedents.c.case.not_in(newest)))


class SqlPrecedents:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def since(self, moment: datetime) -> Sequence[tuple[CommunityRef, int, Precedent | None]]:
        wanted = _WANTED.where(precedents.c.at >= moment).order_by(precedents.c.at, precedents.c.case)
        async with self._database.read() as connection:
            rows = (await connection.execute(wanted)).all()
        return [(read_community(row), row.incident, _read(row) if row.verdict else None) for row in rows]

    async def of(self, community: CommunityRef) -> Sequence[Precedent]:
        holds = (of_community(precedents, community), precedents.c.verdict.is_not(None))
        wanted = _WANTED.where(*holds, precedents.c.until > self._database.clock.now())
        async with self._database.read() as connection:
            newest = wanted.order_by(precedents.c.at.desc(), precedents.c.case.desc())
            return [_read(row) for row in await connection.execute(newest)]

    async def withdraw(self, community: CommunityRef, number: int) -> bool:
        called = select(cases.c.id).where(of_community(cases, community), cases.c.number == number)
        this = (of_community(precedents, community), precedents.c.case == called.scalar_subquery())
        gone = update(precedents).where(*this, precedents.c.verdict.is_not(None))
        async with self._database.write() as connection:
            withdrawn = gone.values(verdict=None, at=self._database.clock.now()).returning(precedents.c.case)
            return (await connection.execute(withdrawn)).first() is not None


_COLUMNS = [column for column in precedents.c if column.name != "community"]
_WANTED = select(*community_of(precedents), *_COLUMNS, cases.c.incident, cases.c.number).select_from(
    precedents.join(cases)
)


def write_near(likeness: Likeness) -> bytes:
    pieces = sorted(likeness.pieces)
    return likeness.carries[:_CARRIES].ljust(_CARRIES, b"\0") + struct.pack(f">{len(pieces)}I", *pieces)


def read_likeness(letters: bytes, near: bytes) -> Likeness:
    pieces = struct.unpack(f">{(len(near) - _CARRIES) // 4}I", near[_CARRIES:])
    return Likeness(letters=letters, carries=near[:_CARRIES], pieces=frozenset(pieces))


def _read(row: AnyRow) -> Precedent:
    return Precedent(
        incident_id=row.incident,
        case=row.number,
        ruling=Ruling(row.verdict),
        rules=frozenset(json.loads(row.rules)),
        likeness=read_likeness(row.text_hash, row.near_hash),
        until=row.until,
    )
