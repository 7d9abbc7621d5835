"""Raids over the tables: a case with those who take part in it, what is ordered for them, and what came of that."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, exists, func, insert, literal, or_, select, true, update
from sqlalchemy import case as sql_case
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.chat.message import CommunityRef, Platform
from bot.core.incidents.case import CaseKind, CaseState, Order, Person, new_code
from bot.core.incidents.raids.ports import Ordered, Running
from bot.core.incidents.raids.raid import CALM, MOST, Raid, Raider, Remedy, Sign, Whom
from bot.core.incidents.raids.watch import ON_RAID
from bot.core.rules.actions import ON_CARD, Ban, DeletePost, Done, Flag, Refused
from storage import codec
from storage.columns import SaidIn, plain, unordered
from storage.community_key import community_of, of_community, on_platform, read_community
from storage.database import Database
from storage.flow.calls import add_deeds
from storage.records.cases import numbers
from storage.tables import actions, appeals, cases, communities, incidents, raiders, reviews

SHOWN_APART = timedelta(seconds=5)  # two drawings of one card
YOUNG = timedelta(days=1)  # how long after it began more may come to be on record of a raid
BEFORE = timedelta(minutes=10)  # a raid is noticed, cards were posted that belong on its own

_IS_RAID = and_(cases.c.deed == CaseKind.RAID, cases.c.incident.is_(None))
_IS_ON = and_(_IS_RAID, cases.c.state == CaseState.OPEN)
_RAID = cases.c["id", "number", "words", "state", "opened_at"]
_FREE = raiders.c.remedy.is_(None)


class _Place(NamedTuple):
    """A community: its key, and what its network calls it."""

    key: int
    id: str


class SqlRaids:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def running(self) -> Sequence[Running]:
        wanted = select(cases.c.id, cases.c.words, cases.c.opened_at, *community_of(cases)).where(_IS_ON)
        found: list[Running] = []
        async with self._database.read() as connection:
            for row in (await connection.execute(wanted)).all():
                theirs = select(raiders.c.member, raiders.c.offended, raiders.c.at).where(raiders.c.case == row.id)
                members = (await connection.execute(theirs)).all()
                found.append(
                    Running(
                        community=read_community(row),
                        id=row.id,
                        sign=Sign(codec.read_words(row.words).words or Sign.JOINS),
                        began_at=row.opened_at,
                        last_at=max((one.at for one in members), default=row.opened_at),
                        members={one.member: one.offended for one in members if one.member},
                    )
                )
        return found

    async def join(
        self, community: CommunityRef, sign: Sign, found: Collection[Raider], *, language: str, at: datetime
    ) -> int:
        key, now = await self._database.keys.of(community), self._database.clock.now()
        async with self._database.write() as connection:
            # Whoever notices it at this moment waits, and sees it.
            locked = select(communities.c.key).where(communities.c.key == key)
            await connection.execute(locked.with_for_update(key_share=True))
            on = select(cases.c.id).where(cases.c.community == key, _IS_ON)
            raid = (await connection.execute(on)).scalars().first()
            if raid is None:
                raid = await self._open(connection, _Place(key, community.id), sign, language, at)
            adding = self._database.insert(raiders)
            rows = [
                {"community": key, "case": raid, "member": plain(one.id), "offended": one.offended, "at": one.at}
                for one in found
            ]
            if rows:
                worse = or_(raiders.c.offended, adding.excluded.offended)
                again = adding.on_conflict_do_update(
                    index_elements=[raiders.c.case, raiders.c.member], set_={"offended": worse}
                )
                await connection.execute(again, rows)
            await _show(connection, raid, now)
            return int(raid)

    async def _open(self, connection: AsyncConnection, place: "_Place", sign: Sign, language: str, at: datetime) -> int:
        number = (await numbers(self._database, connection, {place.key: 1}))[place.key]
        nobody = Person("")
        order = Order(
            kind=CaseKind.RAID, member=nobody, moderator=nobody, at=at, words=sign, language=language, channel=place.id
        )
        row = {
            "community": place.key,
            "number": number,
            "code": new_code(),
            "deed": CaseKind.RAID,
            "words": SaidIn(place.key, codec.write_words(order)),
            "state": CaseState.OPEN,
            "opened_at": at,
        }
        return int((await connection.execute(insert(cases).returning(cases.c.id).values(row))).scalar_one())

    async def get(self, platform: Platform, raid_id: int) -> Raid | None:
        return await self._read(cases.c.id == raid_id, on_platform(cases, [platform]))

    async def numbered(self, community: CommunityRef, number: int) -> Raid | None:
        return await self._read(of_community(cases, community), cases.c.number == number)

    async def _read(self, *this: ColumnElement[bool]) -> Raid | None:
        async with self._database.read() as connection:
            row = (await connection.execute(select(*_RAID, *community_of(cases)).where(_IS_RAID, *this))).one_or_none()
            if row is None:
                return None
            flags = (actions.c.case == row.id, actions.c.kind == Flag.kind, actions.c.state == Done.kind)
            shown = select(actions.c.reason).where(*flags).order_by(actions.c.id.desc()).limit(1)
            counted, came_of_it = await _counts(connection, row.id), await _outcomes(connection, row.id)
            return Raid(
                id=row.id,
                community=read_community(row),
                number=row.number,
                sign=Sign(codec.read_words(row.words).words or Sign.JOINS),
                began_at=row.opened_at,
                last_at=counted["last"] or row.opened_at,
                is_over=row.state != CaseState.OPEN,
                members=counted["members"],
                offenders=counted["offenders"],
                left={Whom.OFFENDERS: counted["left_offenders"], Whom.ALL: counted["left"]},
                banned=came_of_it.get(Done.kind, 0),
                refused=came_of_it.get(Refused.kind, 0),
                freed=came_of_it.get(CaseState.UNDONE, 0),
                receipt=(await connection.execute(shown)).scalar_one_or_none() or "",
            )

    async def order(self, raid_id: int, remedy: Remedy, whom: Whom, most: int, *, by: Person, at: datetime) -> int:
        key = select(cases.c.community).where(cases.c.id == raid_id, _IS_RAID)
        theirs = [raiders.c.case == raid_id, raiders.c.member.is_not(None)]
        if remedy is Remedy.UNDO:
            theirs.append(and_(raiders.c.remedy == Remedy.BAN, raiders.c.deed.is_not(None)))
        else:
            theirs += [_FREE, *([raiders.c.offended] if whom is Whom.OFFENDERS else [])]
        async with self._database.write() as connection:
            community = (await connection.execute(key.with_for_update(key_share=True))).scalar_one_or_none()
            if community is None:
                return 0
            first = (
                select(raiders.c.id)
                .where(*theirs)
                .order_by(raiders.c.id)
                .limit(most if remedy is Remedy.BAN else MOST)
                .scalar_subquery()
            )
            ordered = {
                "remedy": remedy, "moderator": plain(by.id), "moderator_name": SaidIn(community, by.name), "due": at,
            }  # fmt: skip
            noted = await connection.execute(update(raiders).where(raiders.c.id.in_(first)).values(ordered))
            await _show(connection, raid_id, self._database.clock.now())
            return noted.rowcount

    async def ordered(self, most: int) -> Sequence[Ordered]:
        raid, deed = cases.alias("raid"), cases.alias("deed")
        wanted = (
            select(
                *raiders.c["id", "member", "remedy", "moderator", "moderator_name", "due"],
                raid.c.number,
                raid.c.words,
                deed.c.number.label("deed_number"),
                *community_of(raiders),
            )
            .select_from(raiders.join(raid, raiders.c.case == raid.c.id).outerjoin(deed, raiders.c.deed == deed.c.id))
            .where(raiders.c.due.is_not(None), raiders.c.member.is_not(None))
            .order_by(raiders.c.id)
            .limit(most)
        )
        async with self._database.read() as connection:
            return [
                Ordered(
                    id=row.id,
                    community=read_community(row),
                    raid=row.number,
                    member=row.member,
                    remedy=Remedy(row.remedy),
                    by=Person(row.moderator or "", row.moderator_name or ""),
                    at=row.due,
                    language=codec.read_words(row.words).language,
                    case=row.deed_number if row.remedy == Remedy.UNDO else None,
                )
                for row in await connection.execute(wanted)
            ]

    async def done(self, order: Ordered, case: int) -> None:
        theirs = and_(cases.c.community == raiders.c.community, cases.c.number == case)
        this = select(cases.c.id).where(theirs).scalar_subquery()
        async with self._database.write() as connection:
            closing = update(raiders).where(raiders.c.id == order.id, raiders.c.due == order.at)
            await connection.execute(closing.values(due=None, deed=this))

    # ---- shown ------------------------------------------------------------------------------------------------------

    async def renew(self, now: datetime) -> int:
        young = select(unordered(raiders.c.case)).where(raiders.c.at > now - YOUNG).distinct()
        async with self._database.read() as connection:
            ids = (await connection.execute(young)).scalars().all()
        number = 0
        for raid in sorted(ids):
            async with self._database.write() as connection:
                number += await self._renew(connection, raid, now)
        return number

    async def _renew(self, connection: AsyncConnection, raid: int, now: datetime) -> bool:
        last = select(func.max(raiders.c.at)).where(raiders.c.case == raid).scalar_subquery()
        over = update(cases).where(cases.c.id == raid, _IS_ON, last < now - CALM)
        await connection.execute(over.values(state=CaseState.RESOLVED, closed_at=now))
        await _take_over(connection, raid, now)
        flags = (actions.c.case == raid, actions.c.kind == Flag.kind)
        shown = (await connection.execute(select(func.max(actions.c.finished_at)).where(*flags))).scalar_one()
        deeds = select(raiders.c.deed).where(raiders.c.case == raid, raiders.c.deed.is_not(None))
        changes = (
            select(func.max(actions.c.finished_at)).where(actions.c.case.in_(deeds)),
            select(cases.c.closed_at).where(cases.c.id == raid),
        )
        for change in changes:
            at = (await connection.execute(change)).scalar_one_or_none()
            if at is not None and shown is not None and at > shown:
                return await _show(connection, raid, now)
        return False


async def _show(connection: AsyncConnection, raid: int, now: datetime) -> bool:
    """Its card is drawn once more, now and then: what comes until then is on it."""
    flags = (actions.c.case == raid, actions.c.kind == Flag.kind)
    planned = (await connection.execute(select(actions.c.finished_at).where(*flags))).scalars().all()
    if any(finished is None for finished in planned):
        return False
    await add_deeds(connection, raid, (Flag(),), due=now + SHOWN_APART if planned else now, now=now)
    return True


async def _take_over(connection: AsyncConnection, raid: int, now: datetime) -> None:
    """Incidents of those who take part that are on cards of their own, and of which nobody has said anything yet, go
    onto the raid's card, and theirs are taken away."""
    began = select(cases.c.community, cases.c.opened_at).where(cases.c.id == raid, _IS_ON)
    if (row := (await connection.execute(began)).one_or_none()) is None:
        return
    said: ColumnElement[bool] = or_(
        exists().where(reviews.c.incident == incidents.c.id),
        exists().where(cases.c.incident == incidents.c.id, appeals.c.case == cases.c.id),
    )
    takes_part = exists().where(raiders.c.case == raid, raiders.c.member == incidents.c.author)
    shown = (actions.c.kind.in_(ON_CARD), actions.c.state == Done.kind)
    near = (
        select(actions.c.reason)
        .join_from(actions, incidents, actions.c.incident == incidents.c.id)
        .where(
            incidents.c.community == row.community,
            incidents.c.decided_at > row.opened_at - BEFORE,
            actions.c.reason != "",
            actions.c.reason.not_like(f"{ON_RAID}%"),
            *shown,
        )
    )
    cards = (
        select(actions.c.id, actions.c.reason, said.label("said"), takes_part.label("theirs"))
        .join_from(actions, incidents, actions.c.incident == incidents.c.id)
        .where(actions.c.community == row.community, actions.c.reason.in_(near), *shown)
    )
    on_card: dict[str, list[Any]] = {}
    for one in (await connection.execute(cards)).all():
        on_card.setdefault(one.reason, []).append(one)
    gone = {card: rows for card, rows in on_card.items() if all(one.theirs and not one.said for one in rows)}
    if gone:
        ids = [one.id for rows in gone.values() for one in rows]
        await connection.execute(update(actions).where(actions.c.id.in_(ids)).values(reason=f"{ON_RAID}{raid}"))
        await add_deeds(connection, raid, [DeletePost(card) for card in gone], due=now, now=now)


async def _counts(connection: AsyncConnection, raid_id: int) -> dict[str, Any]:
    columns = {
        "members": true(), "offenders": raiders.c.offended, "left": _FREE,
        "left_offenders": and_(_FREE, raiders.c.offended),
    }  # fmt: skip
    counted = select(
        func.max(raiders.c.at).label("last"),
        *(func.count().filter(one).label(name) for name, one in columns.items()),
    )
    row = (await connection.execute(counted.where(raiders.c.case == raid_id))).one()
    return dict(row._mapping)


async def _outcomes(connection: AsyncConnection, raid_id: int) -> Mapping[str, int]:
    """How many bans came to what; those that were taken back count as that alone."""
    state = sql_case((cases.c.state == CaseState.UNDONE, literal(str(CaseState.UNDONE))), else_=actions.c.state)
    counted = (
        select(state.label("state"), func.count().label("number"))
        .select_from(raiders.join(cases, raiders.c.deed == cases.c.id).join(actions, actions.c.case == cases.c.id))
        .where(raiders.c.case == raid_id, actions.c.kind == Ban.kind)
        .group_by(state)
    )
    return {row.state: row.number for row in await connection.execute(counted)}
