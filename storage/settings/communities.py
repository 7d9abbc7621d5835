"""Communities' settings as a table: every change has a number, which says to other processes what is new."""

import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.base.errors import Unavailable
from bot.core.chat.message import CommunityRef, Platform
from bot.core.communities.community import Community
from bot.core.communities.ports import Changes
from bot.core.communities.versions import Version
from storage import codec
from storage.columns import AnyRow, SaidIn, plain
from storage.community_key import is_named
from storage.database import Database
from storage.flow.bells import SETTINGS, tell
from storage.records import strikes
from storage.settings import journal
from storage.settings.merging import merge
from storage.settings.versions import note_version, versions_of
from storage.tables import communities

_STORED = (communities.c.platform, communities.c.id, communities.c.settings, communities.c.version)
_SET = communities.c.settings.is_not(None)
_TOGETHER = 500  # rows at a time, of all

#: Held while settings change, as PostgreSQL numbers its advisory locks: versions are seen in the order they were given.
_CHANGING = 0x73657474696E67  # "setting"


class SqlCommunities:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> Sequence[Community]:
        wanted = select(*_STORED).where(_SET).order_by(communities.c.platform, communities.c.id)
        async with self._database.read() as connection:
            found = await connection.stream(wanted.execution_options(yield_per=_TOGETHER))
            return [_read(row) async for row in found]

    async def refs(self) -> Collection[CommunityRef]:
        async with self._database.read() as connection:
            found = await connection.execute(select(communities.c.platform, communities.c.id).where(_SET))
            return {CommunityRef(Platform(platform), id_) for platform, id_ in found}

    async def since(self, version: int) -> Changes:
        newer = select(*_STORED).where(_SET, communities.c.version > version).order_by(communities.c.version)
        async with self._database.read() as connection:
            changed = [_read(row) for row in await connection.execute(newer)]
            number = (await connection.execute(select(func.count()).select_from(communities).where(_SET))).scalar_one()
        return Changes(changed, number)

    async def change(self, community: CommunityRef, edit: Callable[[Community], Community], *, by: str) -> Community:
        key = await self._database.keys.of(community)
        async with self._database.write() as connection:
            version = await self._next_version(connection)
            this = select(*_STORED).where(communities.c.key == key).with_for_update()
            if (row := (await connection.execute(this)).one_or_none()) is None:
                raise Unavailable("The community has just been forgotten.")  # who tries again gets a new row
            before = _read(row)
            after = replace(edit(before), platform=before.platform, id=before.id, version=before.version)
            if after == before:
                return before
            at = self._database.clock.now()
            await journal.note(connection, key, before, after, by=by, at=at)
            await note_version(connection, key, before, after, by=by, at=at)
            await tell(connection, [SETTINGS], self._database.holder)
            return await _write(connection, key, after, version)

    async def versions(self, community: CommunityRef) -> Sequence[Version]:
        async with self._database.read() as connection:
            return await versions_of(connection, community)

    async def move(self, community: CommunityRef, new_id: str) -> None:
        old, new = community, replace(community, id=new_id)
        async with self._database.write() as connection:
            version = await self._next_version(connection)
            if (from_ := await _key(connection, old)) is not None:
                if (to := await _key(connection, new)) is not None:
                    from_ = await merge(connection, from_, to)
                    await strikes.rehash(self._database, connection, from_)
                named = update(communities).where(communities.c.key == from_)
                await connection.execute(named.values(id=plain(new.id)))
            wanted = select(communities.c.key, *_STORED).where(_SET).execution_options(yield_per=_TOGETHER)
            found = await connection.stream(wanted)
            moved = [(row.key, _moved(row, old, new)) async for row in found if old.id in (row.settings or "")]
            for key, now in moved:
                if now:
                    await _write(connection, key, now, version)
            await tell(connection, [SETTINGS], self._database.holder)
        self._database.keys.forget()

    async def _next_version(self, connection: AsyncConnection) -> int:
        if self._database.is_postgresql:  # SQLite has one writer
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({_CHANGING})"))
        newest = select(func.coalesce(func.max(communities.c.version), 0))
        return int((await connection.execute(newest)).scalar_one()) + 1


def _moved(row: AnyRow, old: CommunityRef, new: CommunityRef) -> Community | None:
    """None: what is stored of it stays as it is."""
    moved = _read(row).moved(old, new.id)
    return None if moved == _read(row, as_stored=True) else moved


async def _key(connection: AsyncConnection, community: CommunityRef) -> int | None:
    found = select(communities.c.key).where(is_named(community)).with_for_update()
    return (await connection.execute(found)).scalar_one_or_none()


def _read(row: AnyRow, *, as_stored: bool = False) -> Community:
    """Its id is that of the row: a group may have moved since its settings were written. `as_stored`: it is the id that
    it had then."""
    platform = Platform(sys.intern(row.platform))
    if row.settings is None:
        return Community(platform=platform, id=row.id)
    stored = replace(codec.read_settings(row.settings), version=row.version)
    return stored if as_stored else replace(stored, platform=platform, id=row.id)


async def _write(connection: AsyncConnection, key: int, community: Community, version: int) -> Community:
    """Returns it as it is stored."""
    this = update(communities).where(communities.c.key == key)
    await connection.execute(this.values(settings=SaidIn(key, codec.write_settings(community)), version=version))
    return replace(community, version=version)
