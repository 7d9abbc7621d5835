"""Moderators' calls and members' appeals as tables: of two that close the same review, the database takes one."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.actions import Action
from bot.domain.message import Platform
from bot.domain.review import Appeal, Call, Review, consequences
from storage import codec
from storage.database import Database
from storage.incidents import is_there, read_review
from storage.outbox import add_actions
from storage.overruled import call_off
from storage.tables import actions, appeals, reviews


class SqlReviews:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, platform: Platform, community_id: str, review: Review, *, due: datetime) -> Review | None:
        insert = postgresql.insert if self._database.is_postgresql else sqlite.insert
        async with self._database.write() as connection:
            if not await is_there(connection, platform, community_id, review.incident_id):
                return None
            taken = await connection.execute(
                insert(reviews)
                .values(
                    incident=review.incident_id,
                    call=review.call,
                    moderator=review.moderator_id,
                    moderator_name=review.moderator_name,
                    at=review.at,
                    closes=review.call.closes,
                )
                .on_conflict_do_nothing()
                .returning(reviews.c.id)
            )
            if taken.first() is not None:
                await self._follow(connection, review, due)
                return None
            closing = (reviews.c.incident == review.incident_id) & reviews.c.closes
            return read_review((await connection.execute(select(reviews).where(closing))).one())

    async def _follow(self, connection: AsyncConnection, review: Review, due: datetime) -> None:
        """Locked: an action that somebody finishes just now is either seen here as done, or sees the review."""
        of_incident = actions.c.incident == review.incident_id
        rows = await connection.execute(
            select(actions.c.args, actions.c.state, actions.c.reason)
            .where(of_incident)
            .order_by(actions.c.id)
            .with_for_update()
        )
        taken = [(codec.read_action(row.args), codec.read_outcome(row.state, row.reason)) for row in rows]
        if review.call is Call.WRONG:
            await call_off(connection, self._database.clock.now(), of_incident, actions.c.state == "planned")
        follows = consequences(review.call, taken)
        await add_actions(connection, review.incident_id, follows, due=due, now=self._database.clock.now())

    async def appeal(
        self, platform: Platform, community_id: str, appeal: Appeal, then: Sequence[Action], *, due: datetime
    ) -> bool:
        insert = postgresql.insert if self._database.is_postgresql else sqlite.insert
        async with self._database.write() as connection:
            if not await is_there(connection, platform, community_id, appeal.incident_id):
                return False
            taken = await connection.execute(
                insert(appeals)
                .values(incident=appeal.incident_id, words=appeal.words, at=appeal.at)
                .on_conflict_do_nothing()
                .returning(appeals.c.incident)
            )
            if taken.first() is None:
                return False
            await add_actions(connection, appeal.incident_id, then, due=due, now=self._database.clock.now())
            return True
