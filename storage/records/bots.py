"""Settled messages -> what other bots have done in each community, counted in the transaction that settles them."""

from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.answers.bot import Bot
from bot.core.chat.message import CommunityRef
from bot.core.incidents.incident import Settlement
from bot.core.operations.sealing import NOTHING
from storage import codec
from storage.columns import AnyRow, plain
from storage.community_key import community_of, read_community
from storage.database import Database
from storage.flow import sql
from storage.tables import bots


class SqlBotRoll:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> Sequence[tuple[CommunityRef, Bot]]:
        known = select(*community_of(bots), *bots.c["bot", "name", "messages", "answers", "prose"])
        async with self._database.read() as connection:
            return [
                (read_community(row), _read(row))
                for row in await connection.execute(known.order_by("platform", "community", bots.c.bot))
            ]


async def count(database: Database, connection: AsyncConnection, settled: Iterable[tuple[int, Settlement]]) -> None:
    """Add messages that this very transaction has settled, each with the key of its community."""
    seen: dict[tuple[int, str], Bot] = {}
    for community, settlement in settled:
        message = settlement.decision.message
        if settlement.decision.tells_of_a_bot:
            key = (community, plain(message.author.id))
            seen[key] = seen.get(key, Bot(id=message.author.id)).having_said(message)
    sealing = database.sealing
    if seen:  # in one order everywhere, so that two processes never wait for each other
        given = codec.write_sealed_rows(
            (*key, sealing.seal(plain(bot.name), key[0]), bot.messages, bot.answers, bot.prose)
            for key, bot in sorted(seen.items())
        )
        await connection.execute(database.sql(sql.COUNT_BOTS), given | {"nameless": NOTHING})


def _read(row: AnyRow) -> Bot:
    return Bot(id=row.bot, name=row.name, messages=row.messages, answers=row.answers, prose=row.prose)
