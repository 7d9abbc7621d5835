"""A community <-> the columns that name it, in every table: beside statements written out, nothing else knows them."""

from sqlalchemy import ColumnElement, FromClause, and_

from bot.core.chat.message import CommunityRef, Platform
from storage.tables import AnyRow, communities, plain

#: Values of the columns `platform` and `community`, as they are stored.
CommunityKey = tuple[str, str]


def community_key(community: CommunityRef) -> CommunityKey:
    return community.platform, plain(community.id)


def community_columns(community: CommunityRef) -> dict[str, str]:
    """To be inserted, or to be set."""
    return dict(zip(("platform", "community"), community_key(community), strict=True))


def community_of(table: FromClause) -> tuple[ColumnElement[str], ColumnElement[str]]:
    """To be selected, or grouped by."""
    return table.c.platform, table.c.id if table is communities else table.c.community


def of_community(table: FromClause, community: CommunityRef) -> ColumnElement[bool]:
    """The condition that a row is this community's."""
    return and_(*(column == value for column, value in zip(community_of(table), community_key(community), strict=True)))


def read_community(row: AnyRow) -> CommunityRef:
    """`row` has the columns `community_of`, of another table than `communities`."""
    return CommunityRef(Platform(row.platform), row.community)
