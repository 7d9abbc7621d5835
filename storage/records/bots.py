"""Settled messages -> what other bots have done in each community, counted in the transaction that settles them."""

from collections.abc import Iterable, Sequence

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.answers.bot import Bot
from bot.core.chat.message import CommunityRef
from bot.core.incidents.incident import Settlement
from storage import codec
from storage.community_key import community_key, community_of, of_community, read_community
from storage.database import Database
from storage.tables import AnyRow, bots, plain

_ADD = """
    INSERT INTO bots (platform, community, bot, name, messages, answers, prose)
    SELECT
        given.value ->> 0, given.value ->> 1, given.value ->> 2, given.value ->> 3, CAST(given.value ->> 4 AS bigint),
        CAST(given.value ->> 5 AS bigint), CAST(given.value ->> 6 AS bigint)
    FROM {given} WHERE true
    ON CONFLICT (platform, community, bot) DO UPDATE SET
        name = CASE excluded.name WHEN '' THEN bots.name ELSE excluded.name END,
        messages = bots.messages + excluded.messages, answers = bots.answers + excluded.answers,
        prose = bots.prose + excluded.prose
"""


class SqlBotRoll:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> Sequence[tuple[CommunityRef, Bot]]:
        wanted = select(bots).order_by(*community_of(bots), bots.c.bot)
        async with self._database.read() as connection:
            return [(read_community(row), _read(row)) for row in await connection.execute(wanted)]


async def count(database: Database, connection: AsyncConnection, settled: Iterable[Settlement]) -> None:
    """Add messages that this very transaction has settled."""
    seen: dict[tuple[str, str, str], Bot] = {}
    for settlement in settled:
        message = settlement.decision.message
        if settlement.decision.tells_of_a_bot:
            key = (*community_key(message.community), message.author.id)
            seen[key] = seen.get(key, Bot(id=message.author.id)).having_said(message)
    await _add(database, connection, seen)


async def move(database: Database, connection: AsyncConnection, old: CommunityRef, new: CommunityRef) -> None:
    """A community has a new id."""
    moved = (await connection.execute(select(bots).where(of_community(bots, old)))).all()
    await connection.execute(delete(bots).where(of_community(bots, old)))
    await _add(database, connection, {(*community_key(new), row.bot): _read(row) for row in moved})


async def _add(database: Database, connection: AsyncConnection, seen: dict[tuple[str, str, str], Bot]) -> None:
    if seen:  # in one order everywhere, so that two processes never wait for each other
        rows = codec.write_rows(
            (*key, plain(bot.name), bot.messages, bot.answers, bot.prose) for key, bot in sorted(seen.items())
        )
        await connection.execute(database.sql(_ADD), {"given": rows})


def _read(row: AnyRow) -> Bot:
    return Bot(id=row.bot, name=row.name, messages=row.messages, answers=row.answers, prose=row.prose)
