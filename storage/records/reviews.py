"""Moderators' calls and members' appeals as tables: of those that close a review, the last counts; what waits is shown
again."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.chat.message import CommunityRef
from bot.core.incidents.case import CaseState, Severity
from bot.core.incidents.reminding import CALL_AGAIN, MOST_CALLS, MOST_SHOWN, SHOW_AGAIN
from bot.core.incidents.review import APPEALS_WITHIN, MOST_APPEALS, Appeal, Call, Filed, Review
from bot.core.rules.actions import Action, Escalate, Flag, Inform
from bot.core.rules.ladder import Strike
from bot.core.rules.precedent import Precedent
from storage.columns import SaidIn, in_words, plain
from storage.community_key import of_community
from storage.database import Database
from storage.flow.calls import add_actions, follow
from storage.records import strikes
from storage.records.cases import become, weigh
from storage.records.incidents import read_review
from storage.records.precedents import rule
from storage.settings import flags
from storage.tables import actions, appeals, cases, incidents, reviews


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
            if first := await self._first(connection, review):
                return first
            earlier = await self._counting(connection, review.incident_id)
            if review.call in (Call.TAKE, Call.REOPEN):
                return await self._set(connection, review, earlier)
            counts = review.call.closes and not (earlier and review.call is Call.UPHOLD)
            if counts:
                await self._overrule(connection, review.incident_id)
            taken = await connection.execute(
                self._database.insert(reviews)
                .values(_row(review, closes=counts))
                .on_conflict_do_nothing()  # somebody else's was written at this very moment
                .returning(reviews.c.id)
            )
            if taken.first() is None:
                return await self._counting(connection, review.incident_id)
            await self._follow(connection, case, review, due, strike if counts else None)
            if review.call is Call.ESCALATE:
                await weigh(connection, cases.c.incident == review.incident_id, Severity.URGENT)
            if review.call.closes:
                await become(connection, review.incident_id, CaseState.RESOLVED, review.at)
                await self._inform(connection, review, due)
            if counts:
                now = self._database.clock.now()
                await rule(self._database, connection, review.incident_id, precedent, now)
            return None

    async def _inform(self, connection: AsyncConnection, review: Review, due: datetime) -> None:
        """Who pointed to its message hears of the first call that closes it."""
        if (await connection.execute(flags.untold(incidents.c.id == review.incident_id))).first():
            told = Inform(acted=review.call is not Call.WRONG)
            now = self._database.clock.now()
            await add_actions(connection, review.incident_id, (told,), due=due, now=now)

    async def _locked(self, connection: AsyncConnection, community: CommunityRef, incident_id: int) -> int | None:
        """Its case; whoever else calls or objects at this moment waits, and sees what was said."""
        this = select(cases.c.id).where(cases.c.incident == incident_id, of_community(cases, community))
        return (await connection.execute(this.with_for_update(key_share=True))).scalar_one_or_none()

    async def _first(self, connection: AsyncConnection, review: Review) -> Review | None:
        """Who else is at it, or has called it at this moment; also where that leaves what was called as it is."""
        if review.call is Call.ESCALATE:
            return None
        theirs = (reviews.c.incident == review.incident_id, reviews.c.moderator != strikes.NOBODY)
        said = select(reviews).where(*theirs, reviews.c.call != Call.ESCALATE).order_by(reviews.c.id.desc()).limit(1)
        row = (await connection.execute(said)).one_or_none()
        last = read_review(row) if row else None
        if last and (review.waits_for(last) if last.call is Call.TAKE else not review.overrules(last)):
            return last
        return None

    async def _set(self, connection: AsyncConnection, review: Review, earlier: Review | None) -> Review | None:
        """It is taken, or open again, and nothing follows."""
        is_taking = review.call is Call.TAKE
        if bool(earlier) is is_taking:
            return earlier
        await self._overrule(connection, review.incident_id)
        await connection.execute(insert(reviews).values(_row(review, closes=False)))
        if is_taking:
            await become(connection, review.incident_id, CaseState.TAKEN, review.at, by=plain(review.moderator_id))
        else:
            await become(connection, review.incident_id, CaseState.REOPENED, review.at)
            await rule(self._database, connection, review.incident_id, None, self._database.clock.now())
        return None

    async def _overrule(self, connection: AsyncConnection, incident_id: int) -> None:
        """What closed the review stays on record, and counts no more."""
        overruled = (reviews.c.incident == incident_id, reviews.c.closes)
        await connection.execute(update(reviews).where(*overruled).values(closes=False))

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
            if (filed := await file(connection, case, appeal.words, appeal.at)) is not Filed.HEARD:
                return filed
            await add_actions(connection, appeal.incident_id, then, due=due, now=self._database.clock.now())
            await become(connection, appeal.incident_id, CaseState.APPEALED, appeal.at)
            return Filed.HEARD


def _row(review: Review, *, closes: bool) -> dict[str, Any]:
    return {
        "incident": review.incident_id,
        "call": review.call,
        "moderator": review.moderator_id,
        "moderator_name": review.moderator_name,
        "at": review.at,
        "closes": closes,
    }


async def file(connection: AsyncConnection, case: int, words: str, at: datetime) -> Filed:
    """Two at the same moment are counted one after the other."""
    place = select(cases.c.community, cases.c.member).where(cases.c.id == case)
    row = (await connection.execute(place)).one()
    await strikes.lock(connection, [row.community])
    if (await connection.execute(select(appeals.c.case).where(appeals.c.case == case))).first():
        return Filed.HEARD_BEFORE
    theirs = (cases.c.community == row.community, cases.c.member == row.member, appeals.c.at > at - APPEALS_WITHIN)
    counted = select(func.count()).select_from(appeals.join(cases)).where(*theirs)
    if (await connection.execute(counted)).scalar_one() >= MOST_APPEALS:
        return Filed.TOO_MANY
    await connection.execute(insert(appeals).values(case=case, words=SaidIn(row.community, words), at=at))
    return Filed.HEARD


_URGENT = in_words("actions.kind = 'escalate'")


class _Reminder(NamedTuple):
    """What is done again, while a case is in this state."""

    action: Escalate | Flag
    state: CaseState
    most: int
    apart: timedelta


_CALL = _Reminder(Escalate(), CaseState.OPEN, MOST_CALLS, CALL_AGAIN)
_SHOW = _Reminder(Flag(), CaseState.APPEALED, MOST_SHOWN, SHOW_AGAIN)


async def remind(connection: AsyncConnection, now: datetime, most: int) -> int:
    """See `Cases.remind`."""
    last, first = now - CALL_AGAIN, now - MOST_CALLS * CALL_AGAIN
    called = select(actions.c.incident).where(_URGENT, actions.c.finished_at > first, actions.c.finished_at <= last)
    last, first = now - SHOW_AGAIN, now - (MOST_SHOWN + 1) * SHOW_AGAIN
    objected = select(cases.c.incident).join_from(appeals, cases).where(appeals.c.at > first, appeals.c.at <= last)
    planned = 0
    for reminder, wanted in ((_CALL, called), (_SHOW, objected)):
        found = (await connection.execute(wanted.distinct().limit(most))).scalars().all()
        for incident in sorted(one for one in found if one is not None):
            planned += await _again(connection, incident, reminder, now)
    return planned


async def _again(connection: AsyncConnection, incident: int, reminder: _Reminder, now: datetime) -> bool:
    """Whoever else reminds, or takes it at this moment, goes first, and is seen."""
    this = select(cases.c.id).where(cases.c.incident == incident, cases.c.state == reminder.state)
    case = (await connection.execute(this.with_for_update(key_share=True, skip_locked=True))).scalar_one_or_none()
    if case is None:
        return False
    since = await _since(connection, case, reminder)
    done = select(actions.c.finished_at).where(
        actions.c.incident == incident, actions.c.kind == reminder.action.kind, actions.c.planned_at >= since
    )
    ends: Sequence[datetime | None] = (await connection.execute(done)).scalars().all()
    if len(ends) >= reminder.most or any(end is None or end > now - reminder.apart for end in ends):
        return False
    await add_actions(connection, incident, (reminder.action,), due=now, now=now)
    return True


async def _since(connection: AsyncConnection, case: int, reminder: _Reminder) -> datetime:
    """From when on it counts how often it was shown: of an appeal, since it was written."""
    opened, written = (
        select(cases.c.opened_at).where(cases.c.id == case),
        select(appeals.c.at).where(appeals.c.case == case),
    )
    since: datetime = (await connection.execute(written if reminder is _SHOW else opened)).scalar_one()
    return since
