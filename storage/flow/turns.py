"""The queue -> messages whose turn it is (ids): one community after the other, fresh ones first, the newest of each."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain, islice, zip_longest

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import codec
from storage.columns import microseconds
from storage.database import Database
from storage.flow import sql, suspects

_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


class Turns:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._served = 0  # the community that had the last turn

    async def next(self, connection: AsyncConnection, limit: int, fresh_since: datetime) -> list[int]:
        waiting: list[int] = sorted((await connection.execute(text(sql.WAITING))).scalars())
        next_ = bisect_right(waiting, self._served)
        turns = waiting[next_:] + waiting[:next_]
        chosen = await self._newest(connection, turns, limit, fresh_since, _LAST)
        if len(chosen) < limit:
            chosen += await self._newest(connection, turns, limit - len(chosen), _FIRST, fresh_since)
        if chosen:
            self._served = chosen[-1][0]
        return [id_ for _, id_ in chosen]

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
