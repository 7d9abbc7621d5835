"""Versions of communities' policies as a table: written with the change, the oldest dropped."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.chat.message import CommunityRef
from bot.core.communities.community import Community
from bot.core.communities.versions import MOST, Version, is_versioned, only_policy
from storage import codec
from storage.columns import SaidIn
from storage.community_key import of_community
from storage.tables import policies


async def versions_of(connection: AsyncConnection, community: CommunityRef) -> Sequence[Version]:
    """The newest first. What they say about the community itself is as it is called now."""
    table = policies.c
    wanted = (
        select(table.number, table.at, table.by, table.settings)
        .where(of_community(policies, community))
        .order_by(table.number.desc())
    )
    return [
        Version(number=row.number, at=row.at, by=row.by, policy=_called(codec.read_settings(row.settings), community))
        for row in await connection.execute(wanted)
    ]


def _called(policy: Community, now: CommunityRef) -> Community:
    """A group may have moved since."""
    return policy if policy.ref == now else policy.moved(policy.ref, now.id)


async def note_version(
    connection: AsyncConnection, key: int, before: Community, after: Community, *, by: str, at: datetime
) -> None:
    """In the transaction that changes it; before the first change also what it was until then. `key`: the
    community's."""
    if not is_versioned(before, after):
        return
    newest = select(func.max(policies.c.number)).where(policies.c.community == key)
    number = (await connection.execute(newest)).scalar_one_or_none()
    if number is None:
        number = 1
        await connection.execute(insert(policies).values(_row(key, number, before, "", at)))
    await connection.execute(insert(policies).values(_row(key, number + 1, after, by, at)))
    old = delete(policies).where(policies.c.community == key, policies.c.number <= number + 1 - MOST)
    await connection.execute(old)


def _row(key: int, number: int, community: Community, by: str, at: datetime) -> dict[str, object]:
    settings = SaidIn(key, codec.write_settings(only_policy(community)))
    return {"community": key, "number": number, "at": at, "by": SaidIn(key, by), "settings": settings}
