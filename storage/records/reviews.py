"""Moderators' calls and members' appeals as tables: of those that close a review, the last counts."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.chat.message import CommunityRef
from bot.core.incidents.case import CaseState
from bot.core.incidents.review import APPEALS_WITHIN, MOST_APPEALS, Appeal, Call, Filed, Review
from bot.core.rules.actions import Action
from bot.core.rules.ladder import Strike
from bot.core.rules.precedent import Precedent
from storage.community_key import of_community
from storage.database import Database
from storage.flow.calls import add_actions, follow
from storage.records import strikes
from storage.records.cases import become
from storage.records.incidents import read_review
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
            case = await self._locked(connection, community, review.incident_id)
            if case is None:
                return None
            earlier = await self._counting(connection, review.incident_id)
            counts = review.call.closes and not (earlier and review.call is Call.UPHOLD)
            if review.call.closes and (last := await self._last(connection, review.incident_id)):
                if not review.overrules(last):
                    return last
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
            await self._follow(connection, case, review, due, strike if counts else None)
            if counts:
                await become(connection, review.incident_id, CaseState.RESOLVED, review.at)
                now = self._database.clock.now()
                await rule(self._database, connection, review.incident_id, precedent, now)
            return None

    async def _locked(self, connection: AsyncConnection, community: CommunityRef, incident_id: int) -> int | None:
        """Its case; whoever else calls or objects at this moment waits, and sees what was said."""
        this = select(cases.c.id).where(cases.c.incident == incident_id, of_community(cases, community))
        return (await connection.execute(this.with_for_update(key_share=True))).scalar_one_or_none()

    async def _last(self, connection: AsyncConnection, incident_id: int) -> Review | None:
        """The moderators' last word, also one that leaves what was called before as it is."""
        word = (reviews.c.call != Call.ESCALATE, reviews.c.moderator != strikes.NOBODY)
        last = select(reviews).where(reviews.c.incident == incident_id, *word).order_by(reviews.c.id.desc()).limit(1)
        row = (await connection.execute(last)).one_or_none()
        return read_review(row) if row else None

    async def _counting(self, connection: AsyncConnection, incident_id: int) -> Review | None:
        closing = (reviews.c.incident == incident_id) & reviews.c.closes
        row = (await connection.execute(select(reviews).where(closing))).one_or_none()
        return read_review(row) if row else None

    async def _follow(
        self, connection: AsyncConnection, case: int, review: Review, due: datetime, strike: Strike | None
    ) -> None:
        """Locked: an action that somebody finishes just now is either seen here as done, or sees the review."""
        incident, now = review.incident_id, self._database.clock.now()
        held = await strikes.hold(connection, case, actions.c.incident == incident, counting=strike is not None)
        await follow(connection, incident, now, due=due, held=held, called=review.call)
        if strike is not None:
            await strikes.weigh(self._database, connection, case, strike, held, now)

    async def appeal(
        self, community: CommunityRef, appeal: Appeal, then: Sequence[Action], *, due: datetime
    ) -> Filed | None:
        async with self._database.write() as connection:
            case = await self._locked(connection, community, appeal.incident_id)
            if case is None:
                return None
            if (await connection.execute(select(appeals.c.case).where(appeals.c.case == case))).first():
                return Filed.HEARD_BEFORE
            if await self._lately(connection, case, appeal.at - APPEALS_WITHIN) >= MOST_APPEALS:
                return Filed.TOO_MANY
            taken = await connection.execute(
                self._database.insert(appeals)
                .values(case=case, words=appeal.words, at=appeal.at)
                .on_conflict_do_nothing()
                .returning(appeals.c.case)
            )
            if taken.first() is None:
                return Filed.HEARD_BEFORE
            await add_actions(connection, appeal.incident_id, then, due=due, now=self._database.clock.now())
            await become(connection, appeal.incident_id, CaseState.APPEALED, appeal.at)
            return Filed.HEARD

    async def _lately(self, connection: AsyncConnection, case: int, since: datetime) -> int:
        """How often its member has objected since then; two at the same moment are counted one after the other."""
        place = select(cases.c.community, cases.c.member).where(cases.c.id == case)
        row = (await connection.execute(place)).one()
        await strikes.lock(connection, [row.community])
        theirs = (cases.c.community == row.community, cases.c.member == row.member, appeals.c.at > since)
        counted = select(func.count()).select_from(appeals.join(cases)).where(*theirs)
        return int((await connection.execute(counted)).scalar_one())
