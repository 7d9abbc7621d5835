"""Settled messages -> how much of each new member was heard, counted in the transaction that settles them."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.chat.message import CommunityRef
from bot.core.incidents.incident import Settlement
from bot.core.moderation.ports import Member
from bot.core.rules.conditions.author import MOST_FIRST
from storage import codec
from storage.columns import microseconds, plain
from storage.database import Database
from storage.flow import sql
from storage.tables import members as table

_TOGETHER = 400  # members in one statement


class SqlMemberRoll:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def heard(self, members: Collection[Member]) -> Mapping[Member, int]:
        keys = await self._database.keys.of_all({community for community, _ in members})
        named = {_named(self._database, keys[community], author): (community, author) for community, author in members}
        found: dict[Member, int] = {}
        names = list(named)
        async with self._database.read() as connection:
            for first in range(0, len(names), _TOGETHER):
                among = tuple_(table.c.community, table.c.member_hash).in_(names[first : first + _TOGETHER])
                for row in await connection.execute(select(table).where(among)):
                    found[named[row.community, row.member_hash]] = row.messages
        return found

    async def watched_since(self, communities: Collection[CommunityRef]) -> Mapping[CommunityRef, datetime]:
        keys = await self._database.keys.of_all(communities)
        first = select(table.c.community, func.min(table.c.since).label("first")).group_by(table.c.community)
        async with self._database.read() as connection:
            rows = await connection.execute(first.where(table.c.community.in_(keys.values())))
            since = {row.community: row.first for row in rows}
        return {community: since[key] for community, key in keys.items() if key in since}


async def count(database: Database, connection: AsyncConnection, settled: Iterable[tuple[int, Settlement]]) -> None:
    """Add messages that this very transaction has settled, each with the key of its community."""
    heard: dict[tuple[int, bytes], tuple[int, int]] = {}
    for community, settlement in settled:
        if settlement.counts_for:
            message = settlement.decision.message
            name = _named(database, community, message.author.id)
            times, since = heard.get(name, (0, microseconds(message.sent_at)))
            heard[name] = (min(MOST_FIRST, times + settlement.counts_for), min(since, microseconds(message.sent_at)))
    if heard:  # in one order everywhere, so that two processes never wait for each other
        given = codec.write_sealed_rows((*name, times, since) for name, (times, since) in sorted(heard.items()))
        await connection.execute(database.sql(sql.COUNT_MEMBERS), given | {"most": MOST_FIRST})


def _named(database: Database, community: int, author: str) -> tuple[int, bytes]:
    return community, database.sealing.member_hash(community, plain(author))
