"""Communities -> their keys, those of new ones among them; what was asked once is remembered."""

from collections.abc import Collection, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from sqlalchemy import Table, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.base.bounded import Bounded
from bot.core.chat.message import CommunityRef
from storage.community_key import key_of, named
from storage.tables import communities

#: How many communities a process remembers the keys of.
_MOST = 10_000
_TOGETHER = 1000  # communities in one statement


class Transactions(Protocol):
    """As much of a database as this needs."""

    def read(self) -> AbstractAsyncContextManager[AsyncConnection]: ...

    def write(self) -> AbstractAsyncContextManager[AsyncConnection]: ...

    def insert(self, table: Table) -> postgresql.Insert | sqlite.Insert: ...


class CommunityKeys:
    """One that is not known gets its key in a transaction of its own: whatever is rolled back later, it stays true."""

    def __init__(self, database: Transactions) -> None:
        self._database = database
        self._known: Bounded[CommunityRef, int] = Bounded(_MOST)
        self._names: Bounded[int, CommunityRef] = Bounded(_MOST)  # a key is never given twice: what it was stays true

    async def of(self, community: CommunityRef) -> int:
        return (await self.of_all([community]))[community]

    async def known(self, community: CommunityRef) -> int | None:
        """None: nothing is known of it, and that stays so."""
        if community not in self._known:
            async with self._database.read() as connection:
                key = (await connection.execute(select(key_of(community)))).scalar_one_or_none()
            if key is None:
                return None
            self._remember(community, key)
        return self._known[community]

    async def of_all(self, wanted: Collection[CommunityRef]) -> Mapping[CommunityRef, int]:
        found: dict[CommunityRef, int] = {}
        for ref in set(wanted):
            if ref in self._known:
                found[ref] = self._known[ref]
        if unknown := set(wanted) - found.keys():
            stored = {ref: named(ref) for ref in unknown}
            new = sorted(set(stored.values()))
            keys: dict[tuple[str, str], int] = {}
            for first in range(0, len(new), _TOGETHER):
                keys |= await self._look_up(new[first : first + _TOGETHER])
            for ref, name in stored.items():
                found[ref] = keys[name]
                self._remember(ref, keys[name])
        return found

    def called(self, key: int) -> CommunityRef | None:
        """What one was called that may be gone by now; None: nobody has asked for it here."""
        return self._names.get(key)

    def forget(self) -> None:
        """After anything that may have made them untrue: a community that moved, a database that has lost its end."""
        self._known.clear()

    def _remember(self, community: CommunityRef, key: int) -> None:
        self._known[community], self._names[key] = key, community

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
