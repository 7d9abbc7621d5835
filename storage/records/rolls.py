"""Settled messages -> what other bots have done, how much of each new member was heard, and by which hashes it is known
again who said what, written in the transaction that settles them."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.answers.bot import Bot
from bot.core.chat.amounts import Amounts
from bot.core.chat.message import CommunityRef, Kind, Message
from bot.core.incidents.incident import Settlement
from bot.core.moderation.ports import Member
from bot.core.moderation.recent import SaidBefore, as_compared
from bot.core.operations.sealing import NOTHING
from bot.core.rules.conditions.author import MOST_FIRST
from storage import codec
from storage.columns import AnyRow, microseconds, plain, writable
from storage.community_key import community_of, in_shares, read_community
from storage.database import Database
from storage.flow import sql
from storage.tables import bots, members, messages

_TOGETHER = 400  # members in one statement
#: Of a message by whom, what and how much it was is known no more.
NOT_KNOWN: Mapping[str, None] = dict.fromkeys(("author_hash", "text_hash", "amounts"))
MOST_SAID = 20_000  # messages, the newest, that a start reads


class SqlBotRoll:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self, shares: Collection[int] | None = None) -> Sequence[tuple[CommunityRef, Bot]]:
        known = select(*community_of(bots), *bots.c["bot", "name", "messages", "answers", "prose"])
        known = known.where(in_shares(bots.c.community, shares))
        async with self._database.read() as connection:
            return [
                (read_community(row), _read(row))
                for row in await connection.execute(known.order_by("platform", "community", bots.c.bot))
            ]


async def count_bots(
    database: Database, connection: AsyncConnection, settled: Iterable[tuple[int, Settlement]]
) -> None:
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


class SqlMemberRoll:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def heard(self, wanted: Collection[Member]) -> Mapping[Member, int]:
        keys = await self._database.keys.of_all({community for community, _ in wanted})
        named = {_named(self._database, keys[community], author): (community, author) for community, author in wanted}
        found: dict[Member, int] = {}
        names = list(named)
        async with self._database.read() as connection:
            for first in range(0, len(names), _TOGETHER):
                among = tuple_(members.c.community, members.c.member_hash).in_(names[first : first + _TOGETHER])
                for row in await connection.execute(select(members).where(among)):
                    found[named[row.community, row.member_hash]] = row.messages
        return found

    async def watched_since(self, communities: Collection[CommunityRef]) -> Mapping[CommunityRef, datetime]:
        keys = await self._database.keys.of_all(communities)
        first = select(members.c.community, func.min(members.c.since).label("first")).group_by(members.c.community)
        async with self._database.read() as connection:
            rows = await connection.execute(first.where(members.c.community.in_(keys.values())))
            since = {row.community: row.first for row in rows}
        return {community: since[key] for community, key in keys.items() if key in since}

    async def said_since(self, moment: datetime, shares: Collection[int] | None = None) -> SaidBefore:
        m = messages.c
        known = (m.author_hash.is_not(None), in_shares(m.community, shares))
        columns = m["author_hash", "text_hash", "amounts", "sent_at", "kind"]
        wanted = select(*community_of(messages), m.community.label("key"), *columns)
        async with self._database.read() as connection:
            newest = wanted.where(m.sent_at >= moment, *known).order_by(m.sent_at.desc()).limit(MOST_SAID)
            rows = (await connection.execute(newest)).all()
        keys = {read_community(row): row.key for row in rows}
        said = defaultdict[tuple[bytes, bytes | None], list[datetime]](list)
        amounts = defaultdict[bytes, list[tuple[datetime, Amounts]]](list)
        sayers = defaultdict[bytes, dict[bytes, datetime]](dict)  # when each of them said the same last
        for row in reversed(rows):
            said[row.author_hash, row.text_hash].append(row.sent_at)
            if row.text_hash is not None and row.kind != Kind.DELETE:
                sayers[row.text_hash][row.author_hash] = row.sent_at
            if row.kind == Kind.NEW:
                amounts[row.author_hash].append((row.sent_at, codec.read_amounts(row.amounts)))

        def posted(message: Message) -> Sequence[tuple[datetime, Amounts]]:
            key = keys.get(message.community)
            return () if key is None else amounts.get(_named(self._database, key, message.author.id)[1], ())

        def same(message: Message) -> Sequence[datetime]:
            key = keys.get(message.community)
            if key is None or not (text := said_hash(self._database, key, message)):
                return ()
            return said.get((_named(self._database, key, message.author.id)[1], text), ())

        def others(message: Message, besides: Collection[str]) -> Mapping[str, datetime]:
            key = keys.get(message.community)
            if key is None or not (text := said_hash(self._database, key, message)) or text not in sayers:
                return {}
            known = {_named(self._database, key, author)[1] for author in (message.author.id, *besides)}
            return {author.hex(): at for author, at in sayers[text].items() if author not in known}

        return SaidBefore(same, posted, others)


async def count_members(
    database: Database, connection: AsyncConnection, settled: Iterable[tuple[int, Settlement]]
) -> None:
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


def said_hash(database: Database, community: int, message: Message) -> bytes | None:
    """None where nothing was said. Another one in every community, as that of its author is."""
    said = as_compared(message)
    return database.sealing.text_hash(f"said {community} {writable(said)}") if said else None


def _named(database: Database, community: int, author: str) -> tuple[int, bytes]:
    return community, database.sealing.member_hash(community, plain(author))
