"""The incident log over the tables: what was decided, and what came of it, read back for people."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, TextClause, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.chat.message import CommunityRef, MessageRef, Platform
from bot.core.incidents.case import CaseState
from bot.core.incidents.incident import Incident, Trace
from bot.core.incidents.review import Appeal, Call, History, Review
from bot.core.rules.actions import ON_CARD, RULE_ACTIONS, Action, Care, Done, Outcome, Weight
from storage import codec
from storage.columns import AnyRow, in_words, plain, unordered
from storage.community_key import community_of, in_shares, of_community, on_platform, read_community, refs_of
from storage.database import Database
from storage.flow import sql
from storage.records import strikes
from storage.settings.flags import ABOUT
from storage.tables import actions, appeals, cases, flags, incidents, messages, opinions, reviews

_CLOSES = in_words("reviews.closes")

#: Actions that are noticed by others than the moderators, and are no kindness.
_NOTICED = [action.kind for action in RULE_ACTIONS if action.weight >= Weight.MESSAGE and action is not Care]


class SqlIncidents:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def between(
        self, start: datetime, end: datetime, community: CommunityRef | None = None
    ) -> Sequence[Incident]:
        wanted = [incidents.c.decided_at >= start, incidents.c.decided_at < end]
        if community is not None:
            wanted.append(of_community(incidents, community))
        async with self._database.read() as connection:
            return await _read(connection, *wanted)

    async def of(self, refs: Sequence[MessageRef]) -> Sequence[Incident]:
        among = self._database.sql(sql.AMONG_SETTLED).bindparams(given=codec.write_refs(refs))
        async with self._database.read() as connection:
            return await _read(connection, among)

    async def traces(
        self, since: datetime, *, each: int, most: int, shares: Collection[int] | None = None
    ) -> Sequence[Trace]:
        i = incidents.c
        newest_first = func.row_number().over(
            partition_by=(unordered(i.community), i.author), order_by=(i.decided_at.desc(), i.id.desc())
        )
        recent = (
            select(i.id, i.decided_at, newest_first.label("place"))
            .where(i.decided_at >= since, i.rule.is_not(None), in_shares(i.community, shares))
            .subquery()
        )
        first = (recent.c.place, recent.c.decided_at.desc(), recent.c.id.desc())
        # Those first, and only then what else is to be known of them: a raid leaves many more.
        chosen = select(recent).where(recent.c.place <= each).order_by(*first).limit(most).subquery()
        acted = exists().where(actions.c.incident == chosen.c.id, actions.c.kind.in_(_NOTICED))
        wanted = (
            select(
                i.community.label("key"), i.author, messages.c.channel, messages.c.sent_at, i.decided_at, i.rule, acted
            )
            .select_from(chosen.join(incidents, i.id == chosen.c.id).join(messages, messages.c.id == i.message))
            .order_by(chosen.c.place, chosen.c.decided_at.desc(), chosen.c.id.desc())
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(wanted)).all()
            named = await refs_of(connection, {row.key for row in rows})
        newest = [Trace(named[row.key], *row[1:]) for row in rows]
        newest.reverse()  # of one moment, those that came first
        newest.sort(key=lambda trace: trace.decided_at)
        return newest

    async def get(self, community: CommunityRef, incident_id: int) -> Incident | None:
        return await self._one(of_community(incidents, community), incidents.c.id == incident_id)

    async def mine(self, platform: Platform, author_id: str, code: str) -> Incident | None:
        theirs = (on_platform(incidents, [platform]), incidents.c.author == plain(author_id))
        named = select(cases.c.incident).where(cases.c.code == code).scalar_subquery()
        found = await self._one(*theirs, incidents.c.id == named)
        if found is None and code.isdecimal():  # as earlier versions called it
            found = await self._one(*theirs, incidents.c.id == int(code))
        return found

    async def numbers(self, community: CommunityRef, incidents: Sequence[int]) -> Mapping[int, int]:
        return {row.incident: row.number for row in await self._called(community, cases.c.incident.in_(incidents))}

    async def numbered(self, community: CommunityRef, numbers: Sequence[int]) -> Mapping[int, int]:
        return {row.number: row.incident for row in await self._called(community, cases.c.number.in_(numbers))}

    async def _called(self, community: CommunityRef, which: ColumnElement[bool]) -> Sequence[AnyRow]:
        those = (of_community(cases, community), cases.c.incident.is_not(None), which)
        async with self._database.read() as connection:
            return (await connection.execute(select(cases.c.incident, cases.c.number).where(*those))).all()

    async def on_card(self, community: CommunityRef, receipt: str) -> Sequence[int]:
        shown = (actions.c.kind.in_(ON_CARD), actions.c.state == Done.kind)
        there = select(actions.c.incident).where(
            of_community(actions, community), actions.c.reason == plain(receipt), *shown
        )
        wanted = (
            select(actions.c.incident, actions.c.reason)
            .where(actions.c.incident.in_(there), *shown)
            .order_by(actions.c.incident, actions.c.position)
        )
        async with self._database.read() as connection:
            newest = {row.incident: row.reason for row in await connection.execute(wanted)}
        return [id_ for id_, where in newest.items() if where == plain(receipt)]

    async def whose(self, platform: Platform, incident_id: int) -> CommunityRef | None:
        known = select(*community_of(incidents)).where(
            incidents.c.id == incident_id, on_platform(incidents, [platform])
        )
        async with self._database.read() as connection:
            row = (await connection.execute(known)).one_or_none()
        return read_community(row) if row else None

    async def _one(self, *wanted: ColumnElement[bool]) -> Incident | None:
        async with self._database.read() as connection:
            return next(iter(await _read(connection, *wanted)), None)

    async def of_member(self, community: CommunityRef, author_id: str) -> Sequence[Incident]:
        """Everything that is on record about a member's messages, oldest first."""
        async with self._database.read() as connection:
            return await _read(connection, of_community(incidents, community), incidents.c.author == plain(author_id))

    async def history(self, community: CommunityRef, author_id: str, *, besides: Collection[int] = ()) -> History:
        """Who has had their words and name erased since then is known by the hash that is left."""
        key = await self._database.keys.known(community)
        hashed = self._database.sealing.member_hash(key or 0, plain(author_id))
        theirs = or_(incidents.c.author == author_id, incidents.c.author_hash == hashed)
        counted = (
            select(
                func.count(incidents.c.id),
                func.count().filter(reviews.c.call.is_not(None), reviews.c.call != Call.WRONG),
                func.count().filter(reviews.c.call == Call.WRONG),
                func.max(incidents.c.decided_at),
            )
            .select_from(incidents.outerjoin(reviews, (reviews.c.incident == incidents.c.id) & _CLOSES))
            .where(of_community(incidents, community), theirs, incidents.c.id.not_in(besides))
        )
        async with self._database.read() as connection:
            number, upheld, overturned, last_at = (await connection.execute(counted)).one()
            points = await strikes.running(connection, key or 0, hashed, self._database.clock.now())
        return History(incidents=number, upheld=upheld, overturned=overturned, last_at=last_at, strikes=points)

    async def count(self, community: CommunityRef, start: datetime, end: datetime) -> int:
        counted = (
            select(func.count())
            .select_from(incidents.join(messages))
            .where(
                of_community(incidents, community),
                incidents.c.decided_at >= start,
                incidents.c.decided_at <= end,
                incidents.c.rule.is_not(None),
                messages.c.sent_at >= start,
            )
        )
        async with self._database.read() as connection:
            return (await connection.execute(counted)).scalar_one()


async def _read(connection: AsyncConnection, *wanted: ColumnElement[bool] | TextClause) -> list[Incident]:
    found = incidents.join(messages)
    rows = await connection.execute(
        select(incidents.c.id, incidents.c.decided_at, incidents.c.decision, incidents.c.withdrawn_at, *codec.JUDGED)
        .select_from(found)
        .where(*wanted)
        .order_by(incidents.c.decided_at, incidents.c.id)
    )
    taken = await connection.execute(
        select(actions.c.incident, actions.c.args, actions.c.state, actions.c.reason)
        .select_from(found.join(actions))
        .where(*wanted)
        .order_by(actions.c.incident, actions.c.position)
    )
    outcomes: dict[int, list[tuple[Action, Outcome | None]]] = defaultdict(list)
    for row in taken:
        outcomes[row.incident].append((codec.read_action(row.args), codec.read_outcome(row.state, row.reason)))
    closed = await connection.execute(select(reviews).select_from(found.join(reviews)).where(*wanted, _CLOSES))
    review_of = {row.incident: read_review(row) for row in closed}
    counted = await connection.execute(
        select(*cases.c["incident", "number", "code", "state"], appeals.c.words, appeals.c.at)
        .select_from(found.join(cases).outerjoin(appeals))
        .where(*wanted)
    )
    case_of = {row.incident: row for row in counted}
    pointed = select(incidents.c.id, func.count()).select_from(found.join(flags, ABOUT)).where(*wanted)
    flags_of = {row[0]: row[1] for row in await connection.execute(pointed.group_by(incidents.c.id))}
    said = select(opinions.c.incident, opinions.c.words).select_from(found.join(opinions))
    opinion_of = {row.incident: row.words for row in await connection.execute(said.where(*wanted)) if row.words}
    taken_of = await _taken(connection, [id_ for id_, row in case_of.items() if row.state == CaseState.TAKEN])
    return [
        Incident(
            id=row.id,
            decision=codec.read_decision(row.decision, codec.read_message(row)),
            decided_at=row.decided_at,
            outcomes=tuple(outcomes[row.id]),
            review=review_of.get(row.id),
            appeal=_appeal(case_of[row.id]),
            withdrawn_at=row.withdrawn_at,
            case=case_of[row.id].number,
            code=case_of[row.id].code,
            taken=taken_of.get(row.id),
            flags=flags_of.get(row.id, 0),
            opinion=codec.read_opinion(opinion_of[row.id]) if row.id in opinion_of else None,
        )
        for row in rows
    ]


async def _taken(connection: AsyncConnection, incidents: Sequence[int]) -> dict[int, Review]:
    if not incidents:
        return {}
    taking = select(reviews).where(reviews.c.incident.in_(incidents), reviews.c.call == Call.TAKE)
    return {row.incident: read_review(row) for row in await connection.execute(taking.order_by(reviews.c.id))}


def _appeal(row: AnyRow) -> Appeal | None:
    return None if row.at is None else Appeal(incident_id=row.incident, words=row.words, at=row.at)


def read_review(row: AnyRow) -> Review:
    """`row` has the columns of tables.reviews."""
    return Review(
        incident_id=row.incident,
        call=Call(row.call),
        moderator_id=row.moderator,
        moderator_name=row.moderator_name,
        at=row.at,
    )
