"""Communities' settings as a table: every change has a number, which says to other processes what is new."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from pydantic import TypeAdapter
from sqlalchemy import delete, exists, func, insert, not_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.chat.message import Platform
from bot.core.communities.community import Community
from bot.core.communities.ports import Changes
from storage.database import Database
from storage.flow import tallies
from storage.records import bots
from storage.settings import journal
from storage.tables import AnyRow, actions, api_keys, communities, deliveries, incidents, messages

_SETTINGS = TypeAdapter(Community)
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

    async def change(
        self, platform: Platform, community_id: str, edit: Callable[[Community], Community], *, by: str
    ) -> Community:
        key = (communities.c.platform == platform, communities.c.id == community_id)
        async with self._database.write() as connection:
            version = await self._next_version(connection)
            known = (await connection.execute(select(*_STORED).where(*key).with_for_update())).one_or_none()
            before = _read(known) if known else Community(platform=platform, id=community_id)
            after = replace(edit(before), platform=platform, id=community_id, version=before.version)
            if after == before:
                return before
            await journal.note(connection, before, after, by=by, at=self._database.clock.now())
            return await _write(connection, after, version)

    async def move(self, platform: Platform, old_id: str, new_id: str) -> None:
        theirs = (messages.c.platform == platform, messages.c.community == old_id)
        async with self._database.write() as connection:
            version = await self._next_version(connection)
            moving = select(messages.c.id).where(*theirs)
            await connection.execute(update(incidents).where(incidents.c.message.in_(moving)).values(community=new_id))
            await connection.execute(update(messages).where(*theirs).values(community=new_id))
            of_theirs = (actions.c.platform == platform, actions.c.community == old_id)
            await connection.execute(update(actions).where(*of_theirs).values(community=new_id))
            await tallies.move(self._database, connection, old_id, new_id)
            await journal.move(connection, platform, old_id, new_id)
            await _move_deliveries(connection, platform, old_id, new_id)
            await bots.move(self._database, connection, platform, old_id, new_id)
            held = (api_keys.c.platform == platform, api_keys.c.community == old_id)
            await connection.execute(update(api_keys).where(*held).values(community=new_id))
            rows = await connection.execute(select(*_STORED).where(communities.c.platform == platform))
            known = {community.id: community for community in map(_read, rows)}
            for community in known.values():
                moved = community.moved(old_id, new_id)
                if moved == community:
                    continue
                if moved.id != community.id:
                    gone = (communities.c.platform == platform, communities.c.id == community.id)
                    await connection.execute(delete(communities).where(*gone))
                if moved.id == community.id or moved.id not in known:
                    await _write(connection, moved, version)

    async def _next_version(self, connection: AsyncConnection) -> int:
        if self._database.is_postgresql:  # SQLite has one writer
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({_CHANGING})"))
        newest = select(func.coalesce(func.max(communities.c.version), 0))
        return int((await connection.execute(newest)).scalar_one()) + 1


async def _move_deliveries(connection: AsyncConnection, platform: Platform, old_id: str, new_id: str) -> None:
    """All but those that there are under the new id, too: they stay what they were."""
    there = deliveries.alias()
    known = exists().where(
        there.c.platform == platform,
        there.c.community == new_id,
        there.c.kind == deliveries.c.kind,
        there.c.period == deliveries.c.period,
    )
    await connection.execute(
        update(deliveries)
        .where(deliveries.c.platform == platform, deliveries.c.community == old_id, not_(known))
        .values(community=new_id)
    )


def _read(row: AnyRow) -> Community:
    return replace(_SETTINGS.validate_json(row.settings), version=row.version)


async def _write(connection: AsyncConnection, community: Community, version: int) -> Community:
    """Returns it as it is stored."""
    key = (communities.c.platform == community.platform, communities.c.id == community.id)
    values = {"settings": _SETTINGS.dump_json(community, exclude={"version"}).decode(), "version": version}
    known = await connection.execute(update(communities).where(*key).values(values))
    if not known.rowcount:
        await connection.execute(insert(communities).values(platform=community.platform, id=community.id, **values))
    return replace(community, version=version)
