"""What communities share, over the tables: bans that were handed on, and accounts that are one person's."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, exists, func, insert, or_, select, update

from bot.core.chat.message import CommunityRef
from bot.core.incidents.case import CaseState
from bot.core.incidents.ports import MOST_LINKED, SharedBan
from bot.core.rules.actions import Ban
from storage.columns import plain
from storage.community_key import community_of, key_of, of_community, read_community
from storage.database import Database
from storage.records import sanctions as standing
from storage.records import strikes
from storage.tables import cases, links, sanctions, shared_bans

_DAY = timedelta(days=1)


class SqlSharedBans:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def due(
        self, of: CommunityRef, to: CommunityRef, since: datetime, *, most: int, a_day: int
    ) -> Sequence[SharedBan]:
        now, there, own = self._database.clock.now(), sanctions.alias(), key_of(to)
        is_ban = (of_community(sanctions, of), sanctions.c.kind == Ban.kind, standing.running(now))
        new = (sanctions.c.begins_at >= since, sanctions.c.member.is_not(None))
        handed_on = exists().where(shared_bans.c.sanction == sanctions.c.id, shared_bans.c.community == own)
        is_copy = exists().where(shared_bans.c.case == sanctions.c.case)
        runs = and_(there.c.lifted_at.is_(None), or_(there.c.ends_at.is_(None), there.c.ends_at > now))
        is_settled = exists().where(
            there.c.community == own, there.c.member == sanctions.c.member, there.c.kind == Ban.kind,
            or_(runs, there.c.lifted_at >= sanctions.c.begins_at),
        )  # fmt: skip
        wanted = select(sanctions, cases.c.number).join(cases, cases.c.id == sanctions.c.case)
        wanted = wanted.where(*is_ban, *new, ~handed_on, ~is_copy, ~is_settled).order_by(sanctions.c.id)
        today = select(func.count()).where(
            shared_bans.c.community == own, shared_bans.c.at > now - _DAY, shared_bans.c.case.is_not(None)
        )
        async with self._database.read() as connection:
            room = a_day - (await connection.execute(today)).scalar_one()
            rows = (await connection.execute(wanted.limit(max(0, min(most, room))))).all() if room > 0 else ()
        return [
            SharedBan(id=row.id, case=row.number, member=row.member, began_at=row.begins_at, ends_at=row.ends_at)
            for row in rows
        ]

    async def done(self, ban: SharedBan, to: CommunityRef, case: int | None) -> None:
        key = await self._database.keys.of(to)
        this = select(cases.c.id).where(cases.c.community == key, cases.c.number == case).scalar_subquery()
        row: dict[str, Any] = {"sanction": ban.id, "community": key, "at": self._database.clock.now()}
        handed_on = self._database.insert(shared_bans).values(**row, case=None if case is None else this)
        async with self._database.write() as connection:
            await connection.execute(handed_on.on_conflict_do_nothing())

    async def freed(self, of: CommunityRef, to: CommunityRef, *, most: int) -> Sequence[int]:
        early = or_(sanctions.c.ends_at.is_(None), sanctions.c.lifted_at < sanctions.c.ends_at)
        lifted = and_(sanctions.c.lifted_at.is_not(None), early)
        wanted = (
            select(cases.c.number)
            .select_from(shared_bans)
            .join(sanctions, sanctions.c.id == shared_bans.c.sanction)
            .join(cases, cases.c.id == shared_bans.c.case)
            .where(of_community(shared_bans, to), of_community(sanctions, of), lifted)
            .where(cases.c.state != CaseState.UNDONE)
            .order_by(shared_bans.c.id)
            .limit(most)
        )
        async with self._database.read() as connection:
            return list((await connection.execute(wanted)).scalars())


class SqlLinks:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def link(
        self, one: tuple[CommunityRef, str], other: tuple[CommunityRef, str], *, by: str, at: datetime
    ) -> bool:
        accounts = [(await self._database.keys.of(place), plain(member)) for place, member in (one, other)]
        async with self._database.write() as connection:
            await strikes.lock(connection, sorted(key for key, _ in accounts))
            known = [await self._person(connection, *account) for account in accounts]
            persons = {person for person in known if person is not None}
            held = select(func.count()).where(links.c.person.in_(persons))
            if (await connection.execute(held)).scalar_one() + known.count(None) > MOST_LINKED:
                return False
            person = min(persons, default=secrets.randbits(62))
            await connection.execute(update(links).where(links.c.person.in_(persons)).values(person=person))
            rows = [
                {
                    "person": person, "community": key, "member": member, "moderator": plain(by), "at": at,
                    "member_hash": self._database.sealing.member_hash(key, member),
                }
                for (key, member), before in zip(accounts, known, strict=True) if before is None
            ]  # fmt: skip
            if rows:
                await connection.execute(insert(links), rows)
        return True

    async def _person(self, connection: Any, community: int, member: str) -> int | None:
        theirs = (links.c.community == community, links.c.member == member)
        found: int | None = (await connection.execute(select(links.c.person).where(*theirs))).scalar_one_or_none()
        return found

    async def unlink(self, community: CommunityRef, member: str) -> bool:
        theirs = (of_community(links, community), links.c.member == plain(member))
        async with self._database.write() as connection:
            return (await connection.execute(delete(links).where(*theirs))).rowcount == 1

    async def of(self, community: CommunityRef, member: str) -> Sequence[tuple[CommunityRef, str]]:
        own = and_(of_community(links, community), links.c.member == plain(member))
        person = select(links.c.person).where(own).scalar_subquery()
        others = select(*community_of(links), links.c.member).where(
            links.c.person == person, ~own, links.c.member.is_not(None)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(others.order_by(links.c.id))).all()
        return [(read_community(row), row.member) for row in rows]
