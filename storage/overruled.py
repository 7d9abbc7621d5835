"""Incidents that a moderator has called wrong: what is not begun is called off, what was under way is undone."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.actions import CalledOff
from bot.domain.review import CALLED_OFF, Call
from storage.tables import actions, reviews

#: In the very words of the index reviews_closing: SQLite knows it by no others.
_OVERRULED = and_(reviews.c.incident == actions.c.incident, text("reviews.closes"), reviews.c.call == Call.WRONG)


async def call_off(connection: AsyncConnection, now: datetime, *which: ColumnElement[bool]) -> None:
    """Close those of these open actions that touch somebody, where their incident was called wrong."""
    await connection.execute(
        update(actions)
        .where(*which, actions.c.finished_at.is_(None), actions.c.kind.in_(CALLED_OFF), exists().where(_OVERRULED))
        .values(state=CalledOff.kind, finished_at=now, holder=None)
    )


async def overruled(connection: AsyncConnection, among: list[int]) -> Mapping[int, int]:
    """Of these actions those whose incident was called wrong, with the incident, in order."""
    found = select(actions.c.id, actions.c.incident).join(reviews, _OVERRULED).where(actions.c.id.in_(among))
    return {row.id: row.incident for row in await connection.execute(found.order_by(actions.c.id))}
