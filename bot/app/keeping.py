"""What people say, at rest: the keys that it is sealed with."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from adapters.keyring import KEYRING, Keyring, is_there, made_key, master_key
from adapters.system_clock import SystemClock
from bot.app import chats
from bot.app.parts import Stores
from bot.app.runner import Service
from bot.config import Config
from bot.core.base.clock import Clock
from bot.core.base.errors import BotError, Broken
from bot.core.chat.message import Platform
from bot.core.chat.ports import Bookmarks
from bot.core.communities.policies import Policies
from bot.core.communities.ports import Communities
from bot.core.incidents.ports import Cases, Changed, Incidents, Precedents
from bot.core.incidents.raids.watch import RaidWatch
from bot.core.moderation.screening import Screener
from bot.core.moderators.ports import ChatPlatform
from bot.core.operations.erasing import Erased, Erasing, Forgetful, Memory
from bot.core.operations.privacy import People, Privacy
from bot.core.operations.retention import Forgetting, Limits, Retention
from bot.core.operations.rotation import Rotation
from bot.core.operations.sealing import Openly, Sealing
from bot.core.reporting.ports import ReportQueries
from bot.core.text import lately
from bot.core.text.catalogue import Texts
from storage.database import NONE_YET, OTHER_KEYS, Database, keys_of
from storage.migrations import copying, upgrading
from storage.opening import place
from storage.records.deeds import SqlCases
from storage.records.erasing import SqlErasing
from storage.records.forgetting import SqlForgetting
from storage.records.incidents import SqlIncidents
from storage.records.people import SqlPeople
from storage.records.precedents import SqlPrecedents
from storage.records.resealing import SqlResealing
from storage.reports.coarsening import SqlCoarsening
from storage.reports.queries import SqlReportQueries
from storage.settings.bookmarks import SqlBookmarks
from storage.settings.communities import SqlCommunities

_log = structlog.get_logger(__name__)


def sealing(config: Config, clock: Clock) -> Sealing:
    """Where a master key is made for it, that is logged, once in its life."""
    folder = config.storage.keys_folder
    if folder is None:
        return Openly()

    def said(path: Path) -> None:
        _log.warning(
            "a master key was made: keep a copy in a safe place of its own, not in back-ups of the database; without it"
            " nobody can read what people said",
            path=str(path),
        )

    return Keyring(folder, master_key(folder, said=said), clock)


def remarks(config: Config, say: Texts) -> list[str]:
    """What to do about keys that nobody has chosen a place for."""
    path = config.storage.keys_folder and made_key(config.storage.keys_folder)
    return [say("encryption.beside", path=path)] if path else []


def objections(config: Config, say: Texts) -> Iterator[str]:
    """Why the database or the keys cannot be worked with, as far as this machine knows; a server is not asked, and
    nothing is changed."""
    for look in (place.look, upgrading.look):
        try:
            look(config.storage.url)
        except BotError as error:
            yield say.why(error)
            break
    yield from objections_to_keys(config, say)


def objections_to_keys(config: Config, say: Texts) -> Iterator[str]:
    folder = config.storage.keys_folder
    try:
        if folder and is_there(folder):
            key = master_key(folder)
            if (folder / KEYRING).exists():
                Keyring(folder, key, SystemClock())
    except Broken as error:
        yield say.why(error)


async def _own_sealing(config: Config, clock: Clock) -> Sealing:
    """No keys are made for a database that is sealed with others: a folder that is misspelt stays as it is. Raises what
    `Database.open` raises."""
    folder = config.storage.keys_folder
    if folder and not is_there(folder) and exists(config) and await keys_of(config.storage.url, clock):
        raise Broken(OTHER_KEYS)
    return sealing(config, clock)


async def objections_to_others(config: Config, say: Texts) -> list[str]:
    """That the database is sealed with other keys, as far as it can be asked."""
    folder, clock = config.storage.keys_folder, SystemClock()
    try:
        theirs = await keys_of(config.storage.url, clock) if folder and exists(config) else ""
        mine = sealing(config, clock).name if theirs and folder and is_there(folder) else ""
    except BotError:  # said elsewhere
        return []
    return [say.why(Broken(OTHER_KEYS))] if theirs != mine else []


@asynccontextmanager
async def opened(config: Config, clock: Clock) -> AsyncIterator[Database]:
    """For the process that works on it."""
    async with Database.open(config.storage.url, clock, await _own_sealing(config, clock)) as database:
        yield database


def services(
    config: Config, database: Database, stores: Stores, policies: Policies, changed: Changed, memory: Memory
) -> Sequence[Service]:
    """What sees to it that nothing is kept longer than it is needed."""
    forgetful = Forgetful(erasing=SqlErasing(database), memories=(memory,), changed=changed, clock=database.clock)
    forgetting = retention(config, database, policies, changed)
    return (rotation(database, stores.bookmarks, database.clock).run, forgetting.run, forgetful.run)


def retention(config: Config, database: Database, policies: Policies, changed: Changed) -> Retention:
    return Retention(
        forgetting=SqlForgetting(database),
        erasing=SqlErasing(database),
        counts=SqlCoarsening(database),
        limits=limits(config),
        communities=policies.communities,
        timezone=lambda community: policies.of_community(community).timezone,
        clock=database.clock,
        changed=changed,
    )


def memory(screener: Screener, raids: RaidWatch, connected: Mapping[Platform, ChatPlatform]) -> Memory:
    """What this process has in mind of what members say and do."""

    def forget(erased: Erased) -> None:
        lately.forget()
        screener.recent.forget(erased.community, erased.is_theirs)
        screener.campaigns.forget(erased.community, erased.is_theirs)
        raids.forget(erased.community, erased.is_theirs)
        if screener.trial:
            screener.trial.forget(erased.community, erased.is_theirs)
        if screener.members:
            screener.members.forget(erased.community, erased.is_theirs)
        if chat := connected.get(erased.community.platform):
            chat.forget(erased.community, erased.is_theirs)

    return forget


def limits(config: Config) -> Limits:
    return Limits(**config.retention.model_dump())


def privacy(config: Config, database: Database) -> Privacy:
    return Privacy(
        people=SqlPeople(database),
        erasing=SqlErasing(database),
        limits=limits(config),
        clock=database.clock,
        judges=config.judging_hosts(),
        readers=config.house_rules.beyond(),
        in_the_clear=config.sent_to("http"),
        blocklists=chats.looks_up(config),
    )


@asynccontextmanager
async def visit(config: Config, *, early: bool = False) -> AsyncIterator[Database]:
    """For an errand beside the process that works on the database. `early`: it may come before that process, and then
    it makes the database."""
    if not early:
        _must_exist(config)
    clock = SystemClock()
    async with Database.visit(config.storage.url, clock, await _own_sealing(config, clock)) as database:
        yield database


def look(config: Config) -> AbstractAsyncContextManager[Database]:
    """The same, only to look: nothing is made or changed."""
    _must_exist(config)
    clock, folder = SystemClock(), config.storage.keys_folder
    keys = sealing(config, clock) if folder is None or is_there(folder) else Openly()
    return Database.visit(config.storage.url, clock, keys, as_it_is=True)


def has_keys(config: Config) -> bool:
    return config.storage.keys_folder is not None and is_there(config.storage.keys_folder)


def exists(config: Config) -> bool:
    """Whether the database's file is there; of a server nobody knows without asking."""
    path = place.file_of(place.parsed(config.storage.url))
    return path is None or path.exists()


def _must_exist(config: Config) -> None:
    if not exists(config):
        raise Broken(NONE_YET)


def rotation(database: Database, bookmarks: Bookmarks, clock: Clock) -> Rotation:
    return Rotation(sealing=database.sealing, stored=SqlResealing(database), bookmarks=bookmarks, clock=clock)


@asynccontextmanager
async def rotating(config: Config) -> AsyncIterator[Rotation]:
    """The keys and what they seal, beside a running process, too."""
    async with visit(config) as database:
        yield rotation(database, SqlBookmarks(database), database.clock)


@dataclass(frozen=True, slots=True)
class Record:
    """What is stored of people, for whoever answers for it."""

    communities: Communities
    forgetting: Forgetting
    erasing: Erasing
    people: People
    cases: Cases
    precedents: Precedents
    incidents: Incidents
    queries: ReportQueries
    clock: Clock


@asynccontextmanager
async def record(config: Config) -> AsyncIterator[Record]:
    """Beside a running process, too."""
    async with visit(config) as database:
        yield Record(
            SqlCommunities(database),
            SqlForgetting(database),
            SqlErasing(database),
            SqlPeople(database),
            SqlCases(database),
            SqlPrecedents(database),
            SqlIncidents(database),
            SqlReportQueries(database),
            database.clock,
        )


async def adopt(config: Config) -> None:
    """The database goes on with the keys that there are."""
    clock = SystemClock()
    async with Database.visit(config.storage.url, clock) as database:
        await database.adopt(sealing(config, clock).name)


def back_up(config: Config, to: Path) -> None:
    """Beside a running process, too."""
    copying.back_up(config.storage.url, to)


async def restore(config: Config, of: Path) -> Path | None:
    """Where the database is that was there before. It is back in its place where nobody could work on the copy."""
    clock = SystemClock()
    aside = copying.restore(config.storage.url, of, clock.now())
    try:
        async with opened(config, clock):
            return aside
    except BotError:
        if aside:
            copying.restore(config.storage.url, aside, clock.now())
        raise
