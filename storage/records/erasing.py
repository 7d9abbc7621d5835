"""A community or a member -> gone from every table at once; what counts against a member stays as a keyed hash."""

import asyncio
from typing import Any

from sqlalchemy import Table, and_, delete, exists, not_, or_, select, update

from bot.core.chat.message import CommunityRef
from storage.columns import plain
from storage.database import Database
from storage.records.forgetting import PAUSE, erase, some, without_texts
from storage.tables import actions, appeals, cases, communities, incidents, metadata, queue, sanctions

#: The columns that name a member, by the column that their hash stands in, where there is one.
_MEMBERS = {"author": "author_hash", "member": "member_hash", "moderator": None, "taken_by": None, "imposed_by": None}


class SqlErasing:
    """Tables of later versions take part by their columns: `community`, those that name a member, foreign keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def erase_community(self, community: CommunityRef) -> int:
        key, number = await self._database.keys.known(community), 0
        if key is None:
            return 0
        for table in reversed(metadata.sorted_tables):
            if "community" in table.c:
                number += await erase(self._database, table, table.c.community == key)
        async with self._database.write() as connection:
            number += (await connection.execute(delete(communities).where(communities.c.key == key))).rowcount
        self._database.keys.forget()
        return number

    async def erase_member(self, community: CommunityRef, member: str) -> int:
        key = await self._database.keys.known(community)
        if key is None:
            return 0
        name, number = plain(member), 0
        hashed = self._database.sealing.member_hash(key, name)
        # Evidence that is held stays until then, and so does whom something is still to be done to.
        not_held = and_(
            or_(incidents.c.held_until.is_(None), incidents.c.held_until <= self._database.clock.now()),
            not_(exists().where(actions.c.incident == incidents.c.id, actions.c.finished_at.is_(None))),
        )
        while due := await some(
            self._database,
            select(incidents.c.id).where(incidents.c.community == key, incidents.c.author == name, not_held),
        ):
            ids = [row.id for row in due]
            theirs = select(cases.c.id).where(cases.c.incident.in_(ids))
            async with self._database.write() as connection:
                await without_texts(connection, ids)
                await connection.execute(update(appeals).where(appeals.c.case.in_(theirs)).values(words=""))
                this = update(incidents).where(incidents.c.id.in_(ids))
                number += (await connection.execute(this.values(author=None, author_hash=hashed))).rowcount
            await asyncio.sleep(PAUSE)
        number += await erase(self._database, queue, and_(queue.c.community == key, queue.c.author == name))
        for table in metadata.sorted_tables:
            for column, hash_ in _MEMBERS.items():
                if column in table.c and table is not queue:
                    number += await self._unname(table, column, hash_, key, name, hashed)
        return number

    async def _unname(self, table: Table, column: str, hash_: str | None, key: int, name: str, hashed: bytes) -> int:
        known = table.c[column]
        gone: dict[str, Any] = {column: None if known.nullable else ""}
        if hash_ and hash_ in table.c:
            gone[hash_] = hashed
        if column == "moderator" and "moderator_name" in table.c:
            gone["moderator_name"] = ""
        if "community" in table.c:
            there = table.c.community == key
        elif "incident" in table.c:
            there = table.c.incident.in_(select(incidents.c.id).where(incidents.c.community == key))
        else:
            return 0
        if table is incidents:
            there = and_(there, incidents.c.body.is_(None))
        elif table is cases:  # while a sanction runs, somebody must be known to lift it from
            gone["words"] = None
            running = exists().where(sanctions.c.case == cases.c.id, sanctions.c.lifted_at.is_(None))
            kept = exists().where(incidents.c.id == cases.c.incident, incidents.c.author.is_not(None))
            there = and_(there, not_(running), not_(kept)) if column == "member" else there
            gone = gone if column == "member" else {column: gone[column]}
        elif table is sanctions:
            there = and_(there, sanctions.c.lifted_at.is_not(None))
        async with self._database.write() as connection:
            return (await connection.execute(update(table).where(there, known == name).values(gone))).rowcount
