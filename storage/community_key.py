"""A community <-> its key, the number by which every table refers to it: nothing else knows how one becomes the other.

Whoever writes asks `CommunityKeys`, whoever reads leaves it to the statement.
"""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, FromClause, Label, ScalarSelect, and_, select, tuple_

from bot.core.base.bounded import Bounded
from bot.core.chat.message import CommunityRef, Platform
from storage.columns import AnyRow, plain
from storage.tables import communities

if TYPE_CHECKING:
    from storage.database import Database

#: How many communities a process remembers the keys of.
_MOST = 10_000
_TOGETHER = 1000  # communities in one statement


class CommunityKeys:
    """One that is not known gets its key in a transaction of its own: whatever is rolled back later, it stays true."""

    def __init__(self, database: "Database") -> None:
        self._database = database
        self._known: Bounded[CommunityRef, int] = Bounded(_MOST)

    async def of(self, community: CommunityRef) -> int:
        return (await self.of_all([community]))[community]

    async def of_all(self, wanted: Collection[CommunityRef]) -> Mapping[CommunityRef, int]:
        found: dict[CommunityRef, int] = {}
        for ref in set(wanted):
            if ref in self._known:
                found[ref] = self._known[ref]
        if unknown := set(wanted) - found.keys():
            stored = {ref: _stored(ref) for ref in unknown}
            named = sorted(set(stored.values()))
            keys: dict[tuple[str, str], int] = {}
            for first in range(0, len(named), _TOGETHER):
                keys |= await self._look_up(named[first : first + _TOGETHER])
            for ref, name in stored.items():
                found[ref] = self._known[ref] = keys[name]
        return found

    def forget(self) -> None:
        """After anything that may have made them untrue: a community that moved, a database that has lost its end."""
        self._known.clear()

    async def _look_up(self, wanted: list[tuple[str, str]]) -> dict[tuple[str, str], int]:
        columns = communities.c.platform, communities.c.id, communities.c.key
        there = select(*columns).where(tuple_(communities.c.platform, communities.c.id).in_(wanted))
        async with self._database.read() as connection:
            keys = {(row.platform, row.id): row.key for row in await connection.execute(there)}
        if new := [name for name in wanted if name not in keys]:
            insert = self._database.insert(communities)
            added = insert.values([{"platform": platform, "id": id_, "version": 0} for platform, id_ in new])
            # Another process may have been faster: then its row is given back.
            either = added.on_conflict_do_update(
                index_elements=[communities.c.platform, communities.c.id], set_={"id": insert.excluded.id}
            )
            async with self._database.write() as connection:
                rows = await connection.execute(either.returning(*columns))
                keys |= {(row.platform, row.id): row.key for row in rows}
        return keys


def _stored(community: CommunityRef) -> tuple[str, str]:
    return community.platform, plain(community.id)


def is_named(community: CommunityRef) -> ColumnElement[bool]:
    """The condition that a row of `communities` is this one's."""
    platform, id_ = _stored(community)
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


def read_community(row: AnyRow) -> CommunityRef:
    """`row` has the columns `community_of`."""
    return CommunityRef(Platform(row.platform), row.community)
