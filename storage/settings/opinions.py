"""Opinions as a table: of which incident a guard is asked that reads their community's rules, and what it says."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, case, exists, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.chat.message import CommunityRef
from bot.core.guarding.verdict import Opinion
from bot.core.incidents.case import WAITING, Severity
from bot.core.incidents.opinions import AGAIN, OF_A_MEMBER, RECENT, TRIES, may_ask
from storage import codec
from storage.columns import AnyRow, SaidIn
from storage.community_key import of_community
from storage.database import Database
from storage.records import strikes
from storage.settings.flags import ABOUT
from storage.tables import cases, incidents, messages, opinions

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_LOOKED_AT = 50  # incidents of a community, to find one of which may be asked

_AUTHOR = func.coalesce(messages.c.author_hash, incidents.c.author_hash).label("author")


class SqlOpinions:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def ask(
        self, communities: Sequence[CommunityRef], *, a_day: int, most: int
    ) -> Sequence[tuple[CommunityRef, int]]:
        known = [(one, key) for one in communities if (key := await self._database.keys.known(one)) is not None]
        now, found = self._database.clock.now(), list[tuple[CommunityRef, int]]()
        if not known:
            return found
        async with self._database.read() as connection:
            here = (cases.c.community.in_([key for _, key in known]), *_waits(now))
            waiting = set((await connection.execute(select(cases.c.community).where(*here).distinct())).scalars())
        for community, key in known:
            if len(found) == most:
                break
            if key in waiting and (incident := await self._ask(key, a_day, now)) is not None:
                found.append((community, incident))
        return found

    async def answer(self, community: CommunityRef, incident_id: int, opinion: Opinion | None) -> bool:
        theirs = (incidents.c.id == incident_id, of_community(incidents, community))
        there = select(incidents.c.community).where(*theirs, incidents.c.body.is_not(None)).with_for_update()
        async with self._database.write() as connection:  # whoever erases waits, or has been here
            key = (await connection.execute(there)).scalar_one_or_none()
            words = None if opinion is None or key is None else SaidIn(key, codec.write_opinion(opinion))
            given = {"answered_at": self._database.clock.now(), "words": words}
            await connection.execute(update(opinions).where(opinions.c.incident == incident_id).values(given))
        return words is not None

    async def _ask(self, key: int, a_day: int, now: datetime) -> int | None:
        """Of one community: while it is locked nobody else spends its budget."""
        async with self._database.write() as connection:
            await strikes.lock(connection, [key])
            spent = await _spent(connection, key, now)
            rows = await _candidates(connection, key, now)
            due = next((row for row in rows if _is_due(row, spent, a_day)), None)
            if due is None:
                return None
            this = update(opinions).where(opinions.c.incident == due.id)
            again = this.values(asked_at=now, tries=opinions.c.tries + 1)
            if not (await connection.execute(again)).rowcount:
                first = {"incident": due.id, "community": key, "asked_at": now, "tries": 1}
                await connection.execute(insert(opinions).values(first))
            return int(due.id)


class _Spent(NamedTuple):
    """How much a community was asked within an hour and a day, and about whom."""

    hour: int
    day: int
    about: Sequence[bytes | None]


async def _spent(connection: AsyncConnection, key: int, now: datetime) -> _Spent:
    lately = select(opinions.c.asked_at, _AUTHOR).select_from(opinions.join(incidents).join(messages))
    asked = lately.where(opinions.c.community == key, opinions.c.asked_at > now - _DAY)
    rows = (await connection.execute(asked)).all()
    hour = sum(row.asked_at > now - _HOUR for row in rows)
    return _Spent(hour=hour, day=len(rows), about=[row.author for row in rows])


def _is_due(row: AnyRow, spent: _Spent, a_day: int) -> bool:
    """What was asked before is paid for."""
    theirs = 0 if row.author is None else spent.about.count(row.author)
    room = may_ask(flagged=bool(row.flagged), hour=spent.hour, day=spent.day, a_day=a_day)
    return bool(row.tries) or (room and theirs < OF_A_MEMBER)


async def _candidates(connection: AsyncConnection, key: int, now: datetime) -> Sequence[AnyRow]:
    flagged = case((exists().where(ABOUT), 1), else_=0)
    before, then, it = opinions.alias("before"), incidents.alias("then"), messages.alias("it")
    same = (it.c.text_hash == messages.c.text_hash, before.c.asked_at > now - _DAY, before.c.incident != incidents.c.id)
    said_before = exists(
        select(before.c.incident)
        .select_from(before.join(then, then.c.id == before.c.incident).join(it, it.c.id == then.c.message))
        .where(before.c.community == key, *same)
        .correlate(messages, incidents)
    )
    open_ = and_(opinions.c.answered_at.is_(None), opinions.c.asked_at <= now - AGAIN, opinions.c.tries < TRIES)
    wanted = (
        select(incidents.c.id, _AUTHOR, opinions.c.tries, flagged.label("flagged"))
        .select_from(cases.join(incidents).join(messages).outerjoin(opinions))
        .where(cases.c.community == key, *_waits(now), incidents.c.body.is_not(None), ~said_before)
        .where(or_(opinions.c.incident.is_(None), open_))
    )
    first = wanted.order_by(flagged.desc(), cases.c.number.desc()).limit(_LOOKED_AT)
    return (await connection.execute(first)).all()


def _waits(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (cases.c.state.in_(WAITING), cases.c.severity == Severity.WAITS, cases.c.opened_at > now - RECENT)
