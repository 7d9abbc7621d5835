"""The journal as tables: outages of the guard, and changes of communities' settings."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import exists, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.chat.message import CommunityRef, Platform
from bot.core.communities.community import Community
from bot.core.communities.journal import AuditEntry, Outage
from bot.core.communities.journal import amendments as differences
from storage.columns import SaidIn
from storage.community_key import of_community
from storage.database import Database
from storage.tables import amendments, outages, tellings

_OPEN = outages.c.ended_at.is_(None)


class SqlJournal:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def guard_went(self, since: datetime) -> datetime:
        async with self._database.write() as connection:
            began: datetime | None = (
                await connection.execute(select(func.min(outages.c.began_at)).where(_OPEN))
            ).scalar()
            if began is None:
                await connection.execute(insert(outages).values(began_at=since))
            return began or since

    async def guard_came_back(self, at: datetime) -> datetime | None:
        async with self._database.write() as connection:
            await connection.execute(update(outages).where(_OPEN).values(ended_at=at))
            latest: datetime | None = (await connection.execute(select(func.max(outages.c.began_at)))).scalar()
            return latest

    async def is_first_to_tell(self, began: datetime, word: str, platform: Platform) -> bool:
        once = self._database.insert(tellings).on_conflict_do_nothing()
        told = once.values(began_at=began, word=word, platform=platform)
        async with self._database.write() as connection:
            return (await connection.execute(told.returning(tellings.c.word))).first() is not None

    async def guard_is_away(self) -> bool:
        async with self._database.read() as connection:
            return bool((await connection.execute(select(exists().where(_OPEN)))).scalar_one())

    async def outages(self, start: datetime, end: datetime) -> Sequence[Outage]:
        async with self._database.read() as connection:
            return await outages_between(connection, start, end)

    async def amendments(self, community: CommunityRef, start: datetime, end: datetime) -> Sequence[AuditEntry]:
        async with self._database.read() as connection:
            return await amendments_between(connection, community, start, end)


async def outages_between(connection: AsyncConnection, start: datetime, end: datetime) -> Sequence[Outage]:
    touching = (
        select(outages.c.began_at, outages.c.ended_at)
        .where(outages.c.began_at < end, or_(_OPEN, outages.c.ended_at > start))
        .order_by(outages.c.began_at, outages.c.id)
    )
    return [Outage(row.began_at, row.ended_at) for row in await connection.execute(touching)]


async def amendments_between(
    connection: AsyncConnection, community: CommunityRef, start: datetime, end: datetime
) -> Sequence[AuditEntry]:
    table = amendments.c
    made = (
        select(table.at, table.by, table.setting, table.before, table.after)
        .where(of_community(amendments, community), table.at >= start, table.at < end)
        .order_by(table.at, table.id)
    )
    return [AuditEntry(**row._mapping) for row in await connection.execute(made)]


async def note(
    connection: AsyncConnection, key: int, before: Community, after: Community, *, by: str, at: datetime
) -> None:
    """Write down what a change of settings changes, in the transaction that makes it. `key`: the community's."""
    made = differences(before, after, by=by, at=at)
    if made:
        rows = [
            {
                "community": key,
                "at": one.at,
                "by": SaidIn(key, one.by),
                "setting": one.setting,
                "before": SaidIn(key, one.before),
                "after": SaidIn(key, one.after),
            }
            for one in made
        ]
        await connection.execute(insert(amendments), rows)
