"""A community <-> its key, the number by which every table refers to it: only statements know both.

Whoever writes asks `community_keys.CommunityKeys`, whoever reads leaves it to the statement, written with these.
"""

from collections.abc import Collection, Mapping

from sqlalchemy import ColumnElement, FromClause, Label, ScalarSelect, and_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.chat.message import CommunityRef, Platform
from bot.core.operations.division import PARTS
from storage.columns import AnyRow, plain
from storage.tables import communities


def named(community: CommunityRef) -> tuple[str, str]:
    """As a row of `communities` does."""
    return community.platform, plain(community.id)


def is_named(community: CommunityRef) -> ColumnElement[bool]:
    """The condition that a row of `communities` is this one's."""
    platform, id_ = named(community)
    return and_(communities.c.platform == platform, communities.c.id == id_)


def key_of(community: CommunityRef) -> ScalarSelect[int]:
    """None where nothing is known of it."""
    return select(communities.c.key).where(is_named(community)).scalar_subquery()


def of_community(table: FromClause, community: CommunityRef) -> ColumnElement[bool]:
    """The condition that a row is this community's."""
    condition: ColumnElement[bool] = table.c.community == key_of(community)
    return condition


def community_of(table: FromClause) -> tuple[Label[str], Label[str]]:
    """To be selected; one row's, so that what is grouped is grouped by the key."""
    platform, id_ = (
        select(column).where(communities.c.key == table.c.community).scalar_subquery()
        for column in (communities.c.platform, communities.c.id)
    )
    return platform.label("platform"), id_.label("community")


def on_platform(table: FromClause, platforms: Collection[Platform]) -> ColumnElement[bool]:
    """The condition that a row's community is on one of them."""
    there = select(communities.c.key).where(communities.c.platform.in_(platforms))
    condition: ColumnElement[bool] = table.c.community.in_(there)
    return condition


def in_shares(community: ColumnElement[int], shares: Collection[int] | None) -> ColumnElement[bool]:
    """The condition that a community, by its key, belongs to one of these shares; None: whichever it is."""
    return true() if shares is None else (community % PARTS).in_(shares)


def read_community(row: AnyRow) -> CommunityRef:
    """`row` has the columns `community_of`."""
    return CommunityRef(Platform(row.platform), row.community)


async def refs_of(connection: AsyncConnection, keys: Collection[int]) -> Mapping[int, CommunityRef]:
    """Of a few: one statement, where a row's own would be asked for with each of very many rows."""
    found = select(communities.c.key, communities.c.platform, communities.c.id.label("community"))
    return {row.key: read_community(row) for row in await connection.execute(found.where(communities.c.key.in_(keys)))}
