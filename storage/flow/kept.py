"""What waits and what was settled -> answers to whoever only asks."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import case, func, null, select, union_all

from bot.core.chat.message import CommunityRef, Message, MessageRef
from bot.core.communities.journal import Aside, Tally
from storage import codec
from storage.community_key import community_of, of_community, read_community
from storage.database import Database
from storage.flow import sql
from storage.tables import incidents, messages, queue


class Kept:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def were_aside(self, since: datetime) -> Mapping[CommunityRef, Aside]:
        unjudged = case((messages.c.score.is_(None), 1))
        looked_at = union_all(
            *(
                select(table.c.community, table.c.channel, closed.label("unjudged")).where(
                    table.c.aside_at.is_not(None), table.c.aside_at >= since
                )
                for table, closed in ((queue, null()), (messages, unjudged))
            )
        ).subquery()
        counted = (
            select(
                *community_of(looked_at),
                func.count(),
                func.count(looked_at.c.channel.distinct()),
                func.count(looked_at.c.unjudged),
            )
            .select_from(looked_at)
            .group_by(looked_at.c.community)
        )
        async with self.database.read() as connection:
            return {read_community(row): Aside(*row[2:]) for row in await connection.execute(counted)}

    async def settled(self, refs: Sequence[MessageRef]) -> Sequence[bool]:
        among = self.database.sql(sql.AMONG_SETTLED).bindparams(given=codec.write_refs(refs))
        async with self.database.read() as connection:
            found = await connection.execute(select(*codec.SETTLED_REF).where(among))
            closed = set(map(codec.read_ref, found))
        return [ref in closed for ref in refs]

    async def waiting(self) -> int:
        async with self.database.read() as connection:
            return (await connection.execute(select(func.count()).select_from(queue))).scalar_one()

    async def recent(self, since: datetime) -> Sequence[Message]:
        place = community_of(messages)[1]
        settled = (
            select(
                *codec.SETTLED_REF, place, incidents.c.author, messages.c.kind, messages.c.sent_at, incidents.c.body,
                messages.c.id,
            )
            .select_from(messages.outerjoin(incidents))
            .where(messages.c.sent_at >= since)
        )  # fmt: skip
        waiting = select(*codec.QUEUED, queue.c.id).where(queue.c.sent_at >= since)
        async with self.database.read() as connection:
            rows = [row for part in (settled, waiting) for row in await connection.execute(part)]
        return [codec.read_message(row) for row in sorted(rows, key=lambda row: (row.sent_at, row.id))]

    async def tally(self, start: datetime, end: datetime, community: CommunityRef | None = None) -> Tally:
        counts = []
        for table in (messages, queue):
            count = select(func.count()).where(table.c.sent_at >= start, table.c.sent_at < end)
            counts.append(count if community is None else count.where(of_community(table, community)))
        async with self.database.read() as connection:
            found = await connection.execute(select(*(count.scalar_subquery() for count in counts)))
            settled, waiting = found.one()
        return Tally(kept=settled + waiting, settled=settled)
