"""The stores that the contract suite runs over, each behind the same door."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sqlalchemy import text

from adapters.keyring import Keyring, master_key
from bot.core.answers.ports import BotRoll
from bot.core.chat.ports import Bookmarks
from bot.core.communities.ports import Communities, Journal
from bot.core.incidents.ports import Flags, Incidents, Precedents, Reviews
from bot.core.moderation.ports import Inbox, MemberRoll, Outbox
from bot.core.operations.ports import ApiKeys
from bot.core.reporting.ports import Deliveries
from storage.database import Database
from storage.flow.inbox import SqlInbox
from storage.flow.outbox import SqlOutbox
from storage.records.incidents import SqlIncidents
from storage.records.precedents import SqlPrecedents
from storage.records.reviews import SqlReviews
from storage.records.rolls import SqlBotRoll, SqlMemberRoll
from storage.reports.deliveries import SqlDeliveries
from storage.settings.api_keys import SqlApiKeys
from storage.settings.bookmarks import SqlBookmarks
from storage.settings.communities import SqlCommunities
from storage.settings.flags import SqlFlags
from storage.settings.journal import SqlJournal
from tests.fakes.clock import ManualClock
from tests.fakes.store import MemoryStore


@dataclass(frozen=True, kw_only=True)
class Store:
    inbox: Inbox
    outbox: Outbox
    incidents: Incidents
    reviews: Reviews
    precedents: Precedents
    flags: Flags
    communities: Communities
    journal: Journal
    bookmarks: Bookmarks
    keys: ApiKeys
    deliveries: Deliveries
    bots: BotRoll
    members: MemberRoll
    clock: ManualClock
    die: Callable[[], Awaitable[None]]  # what the process has in hand is found by the next as a dead process leaves it


class Opens(Protocol):
    """Opens the same store again and again, as one process after the other would."""

    def __call__(self) -> AbstractAsyncContextManager[Store]: ...


def in_memory() -> Opens:
    clock = ManualClock()
    memory = MemoryStore(clock)

    async def die() -> None:
        memory.suspects.die()

    @asynccontextmanager
    async def opens() -> AsyncIterator[Store]:
        yield Store(
            inbox=memory.inbox,
            outbox=memory.outbox,
            incidents=memory.incidents,
            reviews=memory.reviews,
            precedents=memory.precedents,
            flags=memory.flagged,
            communities=memory.communities,
            journal=memory.journal,
            bookmarks=memory.bookmarks,
            keys=memory.keys,
            deliveries=memory.deliveries,
            bots=memory.bot_roll,
            members=memory.member_roll,
            clock=clock,
            die=die,
        )
        memory.restart()

    return opens


def in_database(url: str, keys: Path) -> Opens:
    """Everything that people say is sealed there."""
    clock = ManualClock()
    master = master_key(keys, {})

    @asynccontextmanager
    async def opens() -> AsyncIterator[Store]:
        async with Database.open(url, clock, Keyring(keys, master, clock)) as database:
            yield store(database, clock)

    return opens


def store(database: Database, clock: ManualClock) -> Store:
    async def die() -> None:
        async with database.write() as connection:
            for work in ("queue", "actions"):
                nobody = text(f"UPDATE {work} SET holder = -1 WHERE holder = {database.holder}")
                await connection.execute(nobody)

    return Store(
        inbox=SqlInbox(database),
        outbox=SqlOutbox(database),
        incidents=SqlIncidents(database),
        reviews=SqlReviews(database),
        precedents=SqlPrecedents(database),
        flags=SqlFlags(database),
        communities=SqlCommunities(database),
        journal=SqlJournal(database),
        bookmarks=SqlBookmarks(database),
        keys=SqlApiKeys(database),
        deliveries=SqlDeliveries(database),
        bots=SqlBotRoll(database),
        members=SqlMemberRoll(database),
        clock=clock,
        die=die,
    )
