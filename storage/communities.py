"""Communities' settings as a table."""

from collections.abc import Sequence
from dataclasses import replace

from pydantic import TypeAdapter
from sqlalchemy import Insert, delete, insert, select, update

from bot.domain.community import Community
from bot.domain.message import Platform
from storage import bots, tallies
from storage.database import Database
from storage.tables import communities, incidents, messages

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

    async def put(self, community: Community) -> None:
        key = (communities.c.platform == community.platform, communities.c.id == community.id)
        async with self._database.write() as connection:
            await connection.execute(delete(communities).where(*key))
            await connection.execute(_row(community))

    async def move(self, platform: Platform, old_id: str, new_id: str) -> None:
        of_platform = messages.c.platform == platform
        async with self._database.write() as connection:
            moved = select(messages.c.id).where(of_platform, messages.c.community == old_id)
            await connection.execute(update(incidents).where(incidents.c.message.in_(moved)).values(community=new_id))
            await connection.execute(
                update(messages).where(of_platform, messages.c.community == old_id).values(community=new_id)
            )
            await connection.execute(
                update(messages).where(of_platform, messages.c.channel == old_id).values(channel=new_id)
            )
            await tallies.move(self._database, connection, old_id, new_id)
            await bots.move(self._database, connection, platform, old_id, new_id)
            key = (communities.c.platform == platform, communities.c.id == old_id)
            settings = (await connection.execute(select(communities.c.settings).where(*key))).scalar_one_or_none()
            if settings is None:
                return
            await connection.execute(delete(communities).where(*key))
            known = select(communities.c.id).where(communities.c.platform == platform, communities.c.id == new_id)
            if (await connection.execute(known)).first() is None:
                community = _moved(_SETTINGS.validate_json(settings), old_id, new_id)
                await connection.execute(_row(community))


def _row(community: Community) -> Insert:
    settings = _SETTINGS.dump_json(community).decode()
    return insert(communities).values(platform=community.platform, id=community.id, settings=settings)


def _moved(community: Community, old_id: str, new_id: str) -> Community:
    """The same settings under another id; channels that had the community's id get the new one."""

    def channel(name: str | None) -> str | None:
        return new_id if name == old_id else name

    return replace(
        community,
        id=new_id,
        moderators_channel=channel(community.moderators_channel),
        report_channel=channel(community.report_channel),
        exempt_channels=frozenset(new_id if name == old_id else name for name in community.exempt_channels),
        bot_owners={bot: new_id if name == old_id else name for bot, name in community.bot_owners.items()},
    )
