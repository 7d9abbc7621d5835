"""Moderators' calls and members' appeals as tables: of those that close a review, the last counts."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.chat.message import CommunityRef
from bot.core.incidents.case import CaseState
from bot.core.incidents.review import Appeal, Call, Review
from bot.core.rules.actions import Action
from bot.core.rules.ladder import Strike
from bot.core.rules.precedent import Precedent
from storage.database import Database
from storage.flow.calls import add_actions, follow
from storage.records import strikes
from storage.records.cases import become, case_of
from storage.records.incidents import is_there, read_review
from storage.records.precedents import rule
from storage.tables import actions, appeals, cases, reviews


class SqlReviews:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(
        self,
        community: CommunityRef,
        review: Review,
        *,
        due: datetime,
        precedent: Precedent | None = None,
        strike: Strike | None = None,
    ) -> Review | None:
        async with self._database.write() as connection:
            if not await is_there(connection, community, review.incident_id):
                return None
            earlier = await self._counting(connection, review.incident_id)
            counts = review.call.closes and not (earlier and review.call is Call.UPHOLD)
            if earlier and review.call.closes:
                if not review.overrules(earlier):
                    return earlier
                if counts:
                    overruled = (reviews.c.incident == review.incident_id, reviews.c.closes)
                    await connection.execute(update(reviews).where(*overruled).values(closes=False))
            taken = await connection.execute(
                self._database.insert(reviews)
                .values(
                    incident=review.incident_id,
                    call=review.call,
                    moderator=review.moderator_id,
                    moderator_name=review.moderator_name,
                    at=review.at,
                    closes=counts,
                )
                .on_conflict_do_nothing()  # somebody else's was written at this very moment
                .returning(reviews.c.id)
            )
            if taken.first() is None:
                return await self._counting(connection, review.incident_id)
            await self._follow(connection, review, due, strike if counts else None)
            if counts:
                await become(connection, review.incident_id, CaseState.RESOLVED, review.at)
                now = self._database.clock.now()
                await rule(self._database, connection, review.incident_id, precedent, now)
            return None

    async def _counting(self, connection: AsyncConnection, incident_id: int) -> Review | None:
        closing = (reviews.c.incident == incident_id) & reviews.c.closes
        row = (await connection.execute(select(reviews).where(closing))).one_or_none()
        return read_review(row) if row else None

    async def _follow(self, connection: AsyncConnection, review: Review, due: datetime, strike: Strike | None) -> None:
        """Locked: an action that somebody finishes just now is either seen here as done, or sees the review."""
        incident, now = review.incident_id, self._database.clock.now()
        found = await connection.execute(select(cases.c.id).where(cases.c.incident == incident))
        case = found.scalar_one()
        held = await strikes.hold(connection, case, actions.c.incident == incident, counting=strike is not None)
        await follow(connection, incident, now, due=due, held=held, called=review.call)
        if strike is not None:
            await strikes.weigh(self._database, connection, case, strike, held, now)

    async def appeal(self, community: CommunityRef, appeal: Appeal, then: Sequence[Action], *, due: datetime) -> bool:
        async with self._database.write() as connection:
            if not await is_there(connection, community, appeal.incident_id):
                return False
            taken = await connection.execute(
                self._database.insert(appeals)
                .values(case=case_of(appeal.incident_id), words=appeal.words, at=appeal.at)
                .on_conflict_do_nothing()
                .returning(appeals.c.case)
            )
            if taken.first() is None:
                return False
            await add_actions(connection, appeal.incident_id, then, due=due, now=self._database.clock.now())
            await become(connection, appeal.incident_id, CaseState.APPEALED, appeal.at)
            return True
