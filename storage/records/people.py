"""A member's id -> where anything is on record about them, and what; a community -> who has looked at that."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, tuple_, union
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.chat.message import CommunityRef, Kind, Platform
from bot.core.incidents.case import Case, CaseKind, Look, Sanction, Search
from bot.core.incidents.incident import Incident
from bot.core.operations.privacy import Dossier
from bot.core.reporting.figures import Looking
from storage.columns import plain
from storage.community_key import of_community
from storage.database import Database
from storage.records.deeds import SqlCases
from storage.records.incidents import SqlIncidents
from storage.settings.sharing import SqlLinks
from storage.tables import cases, communities, flags, incidents, links, looks, members, messages, queue, sanctions

_TOGETHER = 400  # hashes in one statement
_MOST = 10_000  # of each, in one dossier
_SENT = 1_000  # messages of which it is told that they were there

#: Where a member is named, and of which community that is.
_NAMING = (
    (incidents.c.community, incidents.c.author),
    (cases.c.community, cases.c.member),
    (sanctions.c.community, sanctions.c.member),
    (queue.c.community, queue.c.author),
    (flags.c.community, flags.c.member),
    (links.c.community, links.c.member),
)
#: Where they are known by a hash.
_KNOWING = (
    (members.c.community, members.c.member_hash),
    (messages.c.community, messages.c.author_hash),
    (incidents.c.community, incidents.c.other_hash),
)


class SqlPeople:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def places(self, platform: Platform, member: str) -> Sequence[CommunityRef]:
        there = select(communities.c.key).where(communities.c.platform == platform)
        named_in = union(*(select(place).where(who == plain(member), place.in_(there)) for place, who in _NAMING))
        all_ = select(communities.c.key, communities.c.id).where(communities.c.platform == platform)
        async with self._database.read() as connection:
            ids = {row.key: row.id for row in (await connection.execute(all_)).all()}
            keys = set((await connection.execute(named_in)).scalars())
            hashes = [(key, self._database.sealing.member_hash(key, plain(member))) for key in ids.keys() - keys]
            for first in range(0, len(hashes), _TOGETHER):
                some = hashes[first : first + _TOGETHER]
                known = [(place, who.is_not(None), tuple_(place, who).in_(some)) for place, who in _KNOWING]
                known_in = union(*(select(place).where(*these) for place, *these in known))
                keys |= set((await connection.execute(known_in)).scalars())
        return sorted(CommunityRef(platform, ids[key]) for key in keys & ids.keys())

    async def sent(self, community: CommunityRef, member: str, channel: str, *, most: int) -> Sequence[str]:
        m, key = messages.c, await self._database.keys.known(community)
        hashed = self._database.sealing.member_hash(key or 0, plain(member))
        theirs = (m.community == key, m.author_hash == hashed, m.channel == plain(channel), m.kind == Kind.NEW)
        newest = select(m.message).where(*theirs).order_by(m.sent_at.desc(), m.id.desc()).limit(most)
        async with self._database.read() as connection:
            return (await connection.execute(newest)).scalars().all()

    async def of_member(self, community: CommunityRef, member: str) -> Dossier:
        record, log = SqlCases(self._database), SqlIncidents(self._database)
        found: Sequence[Case] = await record.find(community, Search(member=member), most=_MOST)
        running: Sequence[Sanction] = await record.running(community, most=_MOST, member=member)
        theirs: Sequence[Incident] = await log.of_member(community, member)
        key = await self._database.keys.known(community)
        hashed = self._database.sealing.member_hash(key or 0, plain(member))
        said = select(messages.c.channel, messages.c.sent_at).where(
            messages.c.community == key, messages.c.author_hash == hashed
        )
        async with self._database.read() as connection:
            sent = (await connection.execute(said.order_by(messages.c.sent_at.desc()).limit(_SENT))).all()
        return Dossier(
            community=community,
            incidents=theirs,
            deeds=[one for one in found if one.kind not in (CaseKind.INCIDENT, CaseKind.NOTE)],
            sanctions=running,
            sent=[(row.channel, row.sent_at) for row in sent],
            linked=[place for place, _ in await SqlLinks(self._database).of(community, member)],
        )


async def looks_between(
    connection: AsyncConnection, community: CommunityRef, start: datetime, end: datetime
) -> tuple[Looking, ...]:
    """In start <= t < end, who looked most first, by the name that they had last."""
    there = (of_community(looks, community), looks.c.at >= start, looks.c.at < end)
    counted = select(looks.c.moderator, looks.c.what, func.count().label("number"), func.max(looks.c.id).label("last"))
    rows = (await connection.execute(counted.where(*there).group_by(looks.c.moderator, looks.c.what))).all()
    newest = {row.moderator: max(one.last for one in rows if one.moderator == row.moderator) for row in rows}
    called = select(looks.c.moderator, looks.c.moderator_name).where(looks.c.id.in_(newest.values()))
    names = {row.moderator: row.moderator_name for row in await connection.execute(called)}
    found: dict[str, dict[Look, int]] = {}
    for row in rows:
        found.setdefault(row.moderator, {})[Look(row.what)] = row.number
    made = (Looking(moderator=names.get(one) or one, looks=counts) for one, counts in found.items())
    return tuple(sorted(made, key=lambda one: (-sum(one.looks.values()), one.moderator)))
