"""The queue, read as a log -> messages whose turn it is (ids): one community after the other, fresh ones first, the
newest of each.

A claim reads what has come since the one before and chooses from memory: it costs the same however much waits, in
however many communities, and however many dead rows an old transaction keeps PostgreSQL from sweeping.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import codec
from storage.columns import AnyRow
from storage.database import Database
from storage.flow import sql
from storage.flow.leases import entering, suspects
from storage.flow.leases.shares import SqlShares

TOGETHER = 10_000  # rows of the log that are read at a time
#: Messages that are known to wait. Beyond them, those that wait longest where most do are left out, and read again.
MOST = 100_000
AGAIN, PART = 60.0, 100  # seconds after which everything is read again, and at most one in so many of them goes into it
_END = 2**63 - 1


class _Moment(NamedTuple):
    """What had entered the log: everything before `end`, but for what was `pending` then."""

    end: int
    pending: Sequence[int] = ()


class Turns:
    """`shares`: of which messages are chosen, if not of all communities."""

    def __init__(self, database: Database, shares: SqlShares | None = None) -> None:
        self._database, self._shares = database, shares
        self._sql = sql.CLAIMING_POSTGRESQL if database.is_postgresql else sql.CLAIMING_SQLITE
        #: By community: when each was sent, and its id; the newest last.
        self._lines = dict[int, list[tuple[int, int]]]()
        #: Communities, the next one first.
        self._fresh, self._stale = OrderedDict[int, None](), OrderedDict[int, None]()
        self._known = set[int]()
        self._doubtful = list[int]()  # chosen, and not free: gone for good, or for a moment
        self._moment = _Moment(_END)
        self._begun: frozenset[int] | None = None
        self.read_again()

    def read_again(self) -> None:
        """All that waits: what is known of it may not be everything."""
        self._below, self._took, self._left_out = _END, 0.0, False
        self._again_at = float("inf")

    async def next(self, connection: AsyncConnection, limit: int, fresh_since: int) -> list[int]:
        """Free ones, locked until the transaction ends. `fresh_since`: microseconds since 1970."""
        await self._read(connection, fresh_since)
        found = list[int]()
        while len(found) < limit and (chosen := self._choose(limit - len(found), fresh_since)):
            asked = self._asked(given=codec.write_rows([id_] for id_ in chosen))
            free = set((await connection.execute(self._database.sql(self._sql.still_free), asked)).scalars())
            found += (id_ for id_ in chosen if id_ in free)
            self._doubtful += (id_ for id_ in chosen if id_ not in free)
        return found

    def _choose(self, limit: int, fresh_since: int) -> list[int]:
        """The newest of each community in turn; of one, in the order in which they were sent."""
        fresh, stale = list[tuple[int, int]](), list[tuple[int, int]]()
        while len(fresh) + len(stale) < limit and (turns := self._fresh or self._stale):
            community, _ = turns.popitem(last=False)
            line = self._lines[community]
            if turns is self._fresh and line[-1][0] < fresh_since:
                self._stale[community] = None
                continue
            _, id_ = line.pop()
            (fresh if turns is self._fresh else stale).append((community, id_))
            self._known.discard(id_)
            if line:
                turns[community] = None
            else:
                del self._lines[community]
        return [*_as_sent(fresh), *_as_sent(stale)]

    async def _read(self, connection: AsyncConnection, fresh_since: int) -> None:
        if self._shares and self._shares.begun != self._begun:
            self._begun = self._shares.begun
            self._leave()
            self.read_again()
        if self._is_due():
            self.read_again()
        doubtful, self._doubtful = self._doubtful, []
        last, self._moment = self._moment, await self._now(connection)
        if last.end > self._moment.end:  # the first time; or the server fell, and counts what it had just begun again
            self.read_again()
        else:
            marks = [*([one, None] for one in last.pending), *([None, one] for one in doubtful)]
            asked = self._asked(given=codec.write_rows(marks), end=last.end, limit=TOGETHER)
            arrived = (await connection.execute(self._database.sql(self._sql.arrived), asked)).all()
            self._add(arrived, fresh_since)
            if len(arrived) >= TOGETHER:
                self.read_again()
        if self._below:
            await self._read_down(connection, fresh_since)
        if len(self._known) > MOST:
            self._leave_out()

    def _is_due(self) -> bool:
        makes_room = self._left_out and len(self._known) < MOST // 2
        return not self._below and (makes_room or self._database.clock.monotonic() >= self._again_at)

    async def _now(self, connection: AsyncConnection) -> _Moment:
        if not self._database.is_postgresql:
            return _Moment((await connection.execute(text(f"SELECT {entering.SQLITE}"))).scalar_one())
        snapshot = (await connection.execute(text("SELECT CAST(pg_current_snapshot() AS text)"))).scalar_one()
        _, end, pending = snapshot.split(":")
        return _Moment(int(end), [int(one) for one in pending.split(",") if one])

    async def _read_down(self, connection: AsyncConnection, fresh_since: int) -> None:
        """The newest of what has waited for longer than all that was read."""
        clock, asked = self._database.clock, self._asked(below=self._below, limit=TOGETHER)
        began = clock.monotonic()
        found = (await connection.execute(self._database.sql(sql.BELOW), asked)).all()
        self._add(reversed(found), fresh_since)
        self._took += clock.monotonic() - began
        self._below = found[-1].id if len(found) == TOGETHER else 0
        self._again_at = clock.monotonic() + max(AGAIN, PART * self._took)

    def _add(self, rows: Iterable[AnyRow], fresh_since: int) -> None:
        new = defaultdict[int, list[tuple[int, int]]](list)
        for row in rows:
            if row.id not in self._known and (self._shares is None or self._shares.has(row.community)):
                self._known.add(row.id)
                new[row.community].append((row.sent_at, row.id))
        for community, some in new.items():
            line = self._lines.setdefault(community, [])
            line += some
            line.sort()
            if line[-1][0] >= fresh_since:
                self._stale.pop(community, None)
                self._fresh.setdefault(community)
            elif community not in self._fresh:
                self._stale.setdefault(community)

    def _leave(self) -> None:
        """What other processes claim from now on."""
        for community in [one for one in self._lines if self._shares and not self._shares.has(one)]:
            self._known.difference_update(id_ for _, id_ in self._lines.pop(community))
            self._fresh.pop(community, None)
            self._stale.pop(community, None)

    def _leave_out(self) -> None:
        """As much as is too much, of whom most waits."""
        room, most = MOST, 0
        for left, line in zip(range(len(self._lines), 0, -1), sorted(map(len, self._lines.values())), strict=True):
            most = max(1, room // left)
            if line > most:
                break
            room -= line
        for waiting in self._lines.values():
            self._known.difference_update(id_ for _, id_ in waiting[:-most])
            del waiting[:-most]
        self._left_out = True

    def _asked(self, **given: str | int) -> dict[str, str | int]:
        return {"most_faults": suspects.MOST_FAULTS, **given}


def _as_sent(newest: Sequence[tuple[int, int]]) -> Iterable[int]:
    """The newest first, of each community in turn -> the same communities in turn, the oldest of each first."""
    of_each = defaultdict[int, list[int]](list)
    for community, id_ in newest:
        of_each[community].append(id_)
    return (of_each[community].pop() for community, _ in newest)
