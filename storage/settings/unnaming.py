"""A member's id -> out of what a community has set, of what it had set before, and of what is on record about that."""

import re
from typing import Any

from sqlalchemy import Table, select, update

from bot.core.chat.message import CommunityRef, Platform
from storage import codec
from storage.columns import SaidIn
from storage.database import Database
from storage.settings.communities import SqlCommunities
from storage.tables import amendments, communities, policies

#: Settings that may name people: whom to call, who is exempt, whom a bot belongs to.
_NAMING = ("urgent", "exempt_roles", "bot_owners")


async def unname(database: Database, key: int, member: str) -> int:
    """Returns how many rows named them."""
    this = select(communities.c.platform, communities.c.id, communities.c.settings).where(communities.c.key == key)
    async with database.read() as connection:
        row = (await connection.execute(this)).first()
    if row is None:
        return 0
    number = 0
    if row.settings and (now := codec.read_settings(row.settings)) != now.without(member):
        place = CommunityRef(Platform(row.platform), row.id)
        await SqlCommunities(database).change(place, lambda one: one.without(member), by="")
        number = 1
    return number + await _in_versions(database, key, member) + await _in_changes(database, key, member)


async def _in_versions(database: Database, key: int, member: str) -> int:
    async with database.read() as connection:
        rows = (await connection.execute(_of(policies, key, policies.c.settings))).all()
    kept = {row.id: codec.read_settings(row.settings) for row in rows if row.settings}
    changed = {id_: one.without(member) for id_, one in kept.items() if one != one.without(member)}
    async with database.write() as connection:
        for id_, one in changed.items():
            settings = SaidIn(key, codec.write_settings(one))
            await connection.execute(update(policies).where(policies.c.id == id_).values(settings=settings))
    return len(changed)


async def _in_changes(database: Database, key: int, member: str) -> int:
    them = re.compile(rf"(?<!\w){re.escape(member)}(?!\w)")
    wanted = (amendments.c.setting, amendments.c.before, amendments.c.after)
    async with database.read() as connection:
        rows = (await connection.execute(_of(amendments, key, *wanted))).all()
    changed = {
        row.id: {side: SaidIn(key, them.sub("-", getattr(row, side))) for side in ("before", "after")}
        for row in rows
        if row.setting.partition(".")[0] in _NAMING and them.search(f"{row.before}\n{row.after}")
    }
    async with database.write() as connection:
        for id_, values in changed.items():
            await connection.execute(update(amendments).where(amendments.c.id == id_).values(values))
    return len(changed)


def _of(table: Table, key: int, *wanted: Any) -> Any:
    return select(table.c.id, *wanted).where(table.c.community == key)
