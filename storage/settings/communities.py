"""Communities' settings as a table: every change has a number, which says to other processes what is new."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from sqlalchemy import delete, exists, func, insert, not_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.chat.message import CommunityRef
from bot.core.communities.community import Community
from bot.core.communities.ports import Changes
from storage import codec
from storage.community_key import community_columns, of_community
from storage.database import Database
from storage.flow import tallies
from storage.records import bots
from storage.settings import journal
from storage.tables import AnyRow, actions, api_keys, communities, deliveries, incidents, messages

_STORED = (communities.c.settings, communities.c.version)

#: Held while settings change, as PostgreSQL numbers its advisory locks: versions are seen in the order they were given.
_CHANGING = 0x73657474696E67  # "setting"


class SqlCommunities:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> Sequence[Community]:
        async with self._database.read() as connection:
            rows = await connection.execute(select(*_STORED).order_by(communities.c.platform, communities.c.id))
            return [_read(row) for row in rows]

    async def since(self, version: int) -> Changes:
        newer = select(*_STORED).where(communities.c.version > version).order_by(communities.c.version)
        async with self._database.read() as connection:
            changed = [_read(row) for row in await connection.execute(newer)]
            number = (await connection.execute(select(func.count()).select_from(communities))).scalar_one()
        return Changes(changed, number)

    async def change(self, community: CommunityRef, edit: Callable[[Community], Community], *, by: str) -> Community:
        theirs = of_community(communities, community)
        async with self._database.write() as connection:
            version = await self._next_version(connection)
            known = (await connection.execute(select(*_STORED).where(theirs).with_for_update())).one_or_none()
            before = _read(known) if known else Community.blank(community)
            after = replace(edit(before), platform=community.platform, id=community.id, version=before.version)
            if after == before:
                return before
            await journal.note(connection, before, after, by=by, at=self._database.clock.now())
            return await _write(connection, after, version)

    async def move(self, community: CommunityRef, new_id: str) -> None:
        old, new = community, replace(community, id=new_id)
        async with self._database.write() as connection:
            version = await self._next_version(connection)
            for table in (incidents, messages, actions, api_keys):
                await connection.execute(update(table).where(of_community(table, old)).values(community_columns(new)))
            await tallies.move(self._database, connection, old, new)
            await journal.move(connection, old, new)
            await _move_deliveries(connection, old, new)
            await bots.move(self._database, connection, old, new)
            rows = await connection.execute(select(*_STORED).where(communities.c.platform == old.platform))
            known = {one.ref: one for one in map(_read, rows)}
            for ref, settings in known.items():
                moved = settings.moved(old.id, new.id)
                if moved == settings:
                    continue
                if moved.ref != ref:
                    await connection.execute(delete(communities).where(of_community(communities, ref)))
                if moved.ref == ref or moved.ref not in known:
                    await _write(connection, moved, version)

    async def _next_version(self, connection: AsyncConnection) -> int:
        if self._database.is_postgresql:  # SQLite has one writer
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({_CHANGING})"))
        newest = select(func.coalesce(func.max(communities.c.version), 0))
        return int((await connection.execute(newest)).scalar_one()) + 1


async def _move_deliveries(connection: AsyncConnection, old: CommunityRef, new: CommunityRef) -> None:
    """All but those that there are under the new id, too: they stay what they were."""
    there = deliveries.alias()
    known = exists().where(
        of_community(there, new),
        there.c.kind == deliveries.c.kind,
        there.c.period == deliveries.c.period,
    )
    await connection.execute(
        update(deliveries).where(of_community(deliveries, old), not_(known)).values(community_columns(new))
    )


def _read(row: AnyRow) -> Community:
    return replace(codec.read_settings(row.settings), version=row.version)


async def _write(connection: AsyncConnection, community: Community, version: int) -> Community:
    """Returns it as it is stored."""
    values = {"settings": codec.write_settings(community), "version": version}
    known = await connection.execute(update(communities).where(of_community(communities, community.ref)).values(values))
    if not known.rowcount:
        await connection.execute(insert(communities).values(platform=community.platform, id=community.id, **values))
    return replace(community, version=version)
