"""Processes that are gone -> what they had leased is free again, for others."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.reporting.delivery.delivery import State
from bot.core.rules.actions import ACTIONS, Unconfirmed
from storage.flow.calls import follow_calls
from storage.flow.leases import suspects
from storage.flow.leases.entering import FREE
from storage.tables import actions, deliveries, holders, queue, shares, webhooks

UNREPEATABLE = [action.kind for action in ACTIONS if not action.repeatable]


async def release_the_dead(connection: AsyncConnection, now: datetime) -> None:
    """Free what was leased by processes that are no longer among the holders."""
    # Everything in the order in which everybody locks it: see SqlShares.stand, SqlReviews.
    orphaned = (shares.c.holder.is_not(None), shares.c.holder.not_in(select(holders.c.id)))
    await connection.execute(select(shares.c.share).where(*orphaned).order_by(shares.c.share).with_for_update())
    for work, left in suspects.of_the_dead():
        await connection.execute(select(work.c.id).where(*left).order_by(work.c.id).with_for_update())
    await suspects.blame(connection)
    await release(connection, lambda holder: holder.not_in(select(holders.c.id)), now)


async def release(
    connection: AsyncConnection, gone: Callable[[ColumnElement[int]], ColumnElement[bool]], now: datetime
) -> None:
    """An action that they had started is done again if that is harmless; if not, nobody can say whether it was done;
    nor whether a report was sent."""
    await connection.execute(
        update(shares).where(shares.c.holder.is_not(None), gone(shares.c.holder)).values(holder=None)
    )
    await connection.execute(update(queue).where(queue.c.holder.is_not(None), gone(queue.c.holder)).values(FREE))
    left = (actions.c.finished_at.is_(None), actions.c.holder.is_not(None), gone(actions.c.holder))
    unsure = await connection.execute(
        update(actions)
        .where(*left, actions.c.kind.in_(UNREPEATABLE))
        .values(state=Unconfirmed.kind, holder=None, finished_at=now)
        .returning(actions.c.id)
    )
    freed = await connection.execute(
        update(actions).where(*left).values(state="planned", holder=None).returning(actions.c.id)
    )
    await follow_calls(connection, [*unsure.scalars(), *freed.scalars()], now)
    begun = (deliveries.c.holder.is_not(None), gone(deliveries.c.holder))
    await connection.execute(
        update(deliveries)
        .where(*begun, deliveries.c.state == State.STARTED)
        .values(state=State.UNCONFIRMED, holder=None, finished_at=now)
    )
    await connection.execute(update(deliveries).where(*begun).values(holder=None))
    telling = (webhooks.c.holder.is_not(None), gone(webhooks.c.holder))
    await connection.execute(update(webhooks).where(*telling).values(holder=None))
