"""The queue -> messages whose turn it is (ids): one community after the other, fresh ones first, the newest of each."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain, islice, zip_longest

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import codec
from storage.columns import microseconds
from storage.database import Database
from storage.flow import sql
from storage.flow.leases import suspects

_BEGIN, _END = -1, 2**63 - 1  # around all keys of communities
_AT_ONCE = 128  # communities that are looked at at a time: each costs about as much as a handful of messages
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


class Turns:
    def __init__(
        self, database: Database, at_once: int | None = None, is_ours: Callable[[int], bool] | None = None
    ) -> None:
        """`at_once`: so many communities are looked at at a time; None: as many as messages are wanted, to _AT_ONCE.
        `is_ours`: of the community of a key; None: all are."""
        self._database, self._at_once, self._is_ours = database, at_once, is_ours
        self._served = 0  # the community that had the last turn

    async def next(self, connection: AsyncConnection, limit: int, fresh_since: datetime) -> list[int]:
        """Costs the same whether `limit` communities wait or many more: so many are looked at, at a time. Where there
        are more, those that have just said something are looked at beside them, so that nothing fresh waits for a turn
        behind everybody's backlog."""
        chosen: list[tuple[int, int]] = []
        beside: set[int] = set()
        start, at_once = microseconds(fresh_since), self._at_once or min(limit, _AT_ONCE)
        async for some in self._waiting(connection, at_once):
            turns = [community for community in some if community not in beside]
            if len(some) >= at_once and not beside:
                newest = await connection.execute(text(sql.NEWEST), {"limit": limit, "start": start})
                beside.update(set(self._ours(newest.scalars())).difference(turns))
            left = limit - len(chosen)
            fresh = [community for community in turns if some[community] >= start]
            found = await self._newest(connection, [*fresh, *sorted(beside)], left, fresh_since, _LAST)
            if len(found) < left:
                found += await self._newest(connection, turns, left - len(found), _FIRST, fresh_since)
            self._served = next((one for one, _ in reversed(found) if one not in beside), self._served)
            chosen += found
            if len(chosen) >= limit:
                break
        return [id_ for _, id_ in chosen]

    async def _waiting(self, connection: AsyncConnection, limit: int) -> AsyncIterator[Mapping[int, int]]:
        """The communities for which anything waits, the next one first, up to `limit` at a time; and when the newest
        of it was sent."""
        some: dict[int, int] = {}
        served = self._served
        for after, last in ((served, _END), (_BEGIN, served)):
            hops = after
            while hops < last:
                at_once = limit if self._is_ours else limit - len(some)  # or nothing may come of many small looks
                asked = {"after": hops, "last": last, "limit": at_once}
                found = {row.community: row.newest for row in await connection.execute(text(sql.WAITING), asked)}
                some |= {community: found[community] for community in self._ours(found)}
                if len(found) < at_once:
                    break
                hops = max(found)
                if len(some) >= limit:
                    yield some
                    some = {}
        if some:
            yield some

    def _ours(self, communities: Iterable[int]) -> Iterable[int]:
        return filter(self._is_ours, communities) if self._is_ours else communities

    async def _newest(
        self, connection: AsyncConnection, turns: Sequence[int], limit: int, start: datetime, end: datetime
    ) -> list[tuple[int, int]]:
        """Free messages (community and row), one of each community, then the next of each; the newest of each, in the
        order in which they were sent. Asks everybody for an equal share, then those who had that for twice as much:
        never reads much more than it returns."""
        free_of_each = self._database.sql(sql.FREE_POSTGRESQL if self._database.is_postgresql else sql.FREE_SQLITE)
        free: dict[int, list[int]] = {}
        asked, each = turns, -(-limit // max(1, len(turns)))
        while asked and sum(map(len, free.values())) < limit:
            free |= {community: [] for community in asked}
            given = {
                "given": codec.write_rows([community] for community in asked),
                "start": microseconds(start),
                "end": microseconds(end),
                "each": each,
                "most_faults": suspects.MOST_FAULTS,
            }
            for community, id_ in await connection.execute(free_of_each, given):
                free[community].append(id_)
            asked = [community for community in asked if len(free[community]) == each]
            each *= 2
        newest = list(islice(_rounds(free, turns), limit))
        number = Counter(community for community, _ in newest)
        oldest_first = {community: free[community][: number[community]][::-1] for community in turns}
        return list(_rounds(oldest_first, turns))


def _rounds(lines: Mapping[int, Sequence[int]], turns: Sequence[int]) -> Iterator[tuple[int, int]]:
    rounds = zip_longest(*([(community, id_) for id_ in lines.get(community, ())] for community in turns))
    return (one for one in chain.from_iterable(rounds) if one is not None)
