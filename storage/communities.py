"""Communities' settings as a table."""

from collections.abc import Sequence

from pydantic import TypeAdapter
from sqlalchemy import Insert, delete, exists, insert, not_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.community import Community
from bot.domain.message import Platform
from storage import bots, journal, tallies
from storage.database import Database
from storage.tables import actions, api_keys, communities, deliveries, incidents, messages

_SETTINGS = TypeAdapter(Community)


class SqlCommunities:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> Sequence[Community]:
        async with self._database.read() as connection:
            rows = await connection.execute(
                select(communities.c.settings).order_by(communities.c.platform, communities.c.id)
            )
            return [_SETTINGS.validate_json(settings) for settings in rows.scalars()]

    async def put(self, community: Community, *, by: str = "") -> None:
        key = (communities.c.platform == community.platform, communities.c.id == community.id)
        async with self._database.write() as connection:
            known = (await connection.execute(select(communities.c.settings).where(*key))).scalar_one_or_none()
            blank = Community(platform=community.platform, id=community.id)
            before = blank if known is None else _SETTINGS.validate_json(known)
            await journal.note(connection, before, community, by=by, at=self._database.clock.now())
            await connection.execute(delete(communities).where(*key))
            await connection.execute(_row(community))

    async def move(self, platform: Platform, old_id: str, new_id: str) -> None:
        theirs = (messages.c.platform == platform, messages.c.community == old_id)
        async with self._database.write() as connection:
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
            rows = await connection.execute(select(communities.c.settings).where(communities.c.platform == platform))
            known = {community.id: community for community in map(_SETTINGS.validate_json, rows.scalars())}
            for community in known.values():
                moved = community.moved(old_id, new_id)
                if moved == community:
                    continue
                key = (communities.c.platform == platform, communities.c.id == community.id)
                await connection.execute(delete(communities).where(*key))
                if moved.id == community.id or moved.id not in known:
                    await connection.execute(_row(moved))


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


def _row(community: Community) -> Insert:
    settings = _SETTINGS.dump_json(community).decode()
    return insert(communities).values(platform=community.platform, id=community.id, settings=settings)
