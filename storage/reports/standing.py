"""The database -> how things stand in it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import Boolean, ColumnElement, Select, func, literal_column, select, text, true
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.chat.message import Platform
from bot.core.operations.outside.standing import Backlog, Standing
from storage.database import Database
from storage.opening.server_time import server_time
from storage.tables import actions, communities, holders, messages, outages, queue, shares, workers

_SIZE_POSTGRESQL = text("SELECT pg_database_size(current_database())")
_SIZE_SQLITE = text("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
_SCHEMA = text("SELECT version_num FROM alembic_version")

_open = actions.c.finished_at.is_(None)


class SqlStandings:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def answers(self) -> bool:
        return await self._database.answers()

    async def backlog(self) -> Backlog:
        async with self._database.read() as connection:
            return Backlog(**(await connection.execute(_backlog())).one()._mapping)

    async def standing(self) -> Standing:
        of_each = select(communities.c.platform, func.count()).group_by(communities.c.platform)
        away = select(func.max(outages.c.began_at)).where(outages.c.ended_at.is_(None))
        last = select(messages.c.settled_at).order_by(messages.c.id.desc()).limit(1)
        size = _SIZE_POSTGRESQL if self._database.is_postgresql else _SIZE_SQLITE
        async with self._database.read() as connection:
            return Standing(
                database=self._database.called,
                schema=(await connection.execute(_SCHEMA)).scalar_one(),
                size=(await connection.execute(size)).scalar_one(),
                processes=(await connection.execute(self._living())).scalar_one(),
                works=await self._works(connection),
                communities={Platform(name): number for name, number in await connection.execute(of_each)},
                backlog=Backlog(**(await connection.execute(_backlog())).one()._mapping),
                last_settled=(await connection.execute(last)).scalar_one_or_none(),
                guard_away_since=(await connection.execute(away)).scalar_one_or_none(),
            )

    async def _works(self, connection: AsyncConnection) -> Mapping[str, Sequence[int]]:
        w, held = workers.c, (shares.c.work == workers.c.work) & (shares.c.holder == workers.c.holder)
        counted = select(w.work, func.count(shares.c.share)).select_from(workers.join(holders).outerjoin(shares, held))
        works = defaultdict[str, list[int]](list)
        for work, number in await connection.execute(counted.where(self._alive()).group_by(w.work, w.holder)):
            works[work].append(number)
        return {work: sorted(works[work], reverse=True) for work in sorted(works)}

    def _living(self) -> Select[int]:
        return select(func.count()).select_from(holders).where(self._alive())

    def _alive(self) -> ColumnElement[bool]:
        """A file's process that was killed is so until the next one starts."""
        return literal_column(f"alive_until >= {server_time()}", Boolean) if self._database.is_postgresql else true()


def _backlog() -> Select[tuple[int, object, int, int, object]]:
    """What waits longest came first: found at the beginning of an index, however much waits behind it."""
    waits = queue.c.aside_at.is_(None)
    parts = {
        "messages": select(func.count()).select_from(queue),
        "messages_since": select(queue.c.kept_at).where(waits).order_by(queue.c.id).limit(1),
        "aside": select(func.count()).where(queue.c.aside_at.is_not(None)),
        "actions": select(func.count()).where(_open),
        "actions_since": select(actions.c.planned_at).where(_open).order_by(actions.c.id).limit(1),
    }
    return select(*(part.scalar_subquery().label(name) for name, part in parts.items()))
