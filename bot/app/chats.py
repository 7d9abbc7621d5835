"""The chat networks that there are, those that a configuration wants, and what a process has to do with them."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import structlog

from adapters.chat.discord import Discord
from adapters.chat.rehearsal import REHEARSAL, RehearsalChat
from adapters.chat.telegram import Telegram
from bot.app.runner import Service, Turn
from bot.config import Config, chosen, token_variable
from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.base.errors import Broken
from bot.core.base.waiting import Wakeup, patiently
from bot.core.chat.message import CommunityRef, Platform
from bot.core.chat.ports import MessageSource
from bot.core.incidents.ports import CardBoard
from bot.core.moderators.network import Network
from bot.core.moderators.ports import ChatPlatform
from bot.core.operations.division import Crew, Division, Post
from bot.core.operations.outside.role import REACHING, Role
from bot.core.text.catalogue import Texts
from storage.database import Database
from storage.flow.leases.shares import SqlShares

_log = structlog.get_logger(__name__)

#: Every network, a package each, in the order in which people read of them.
NETWORKS: tuple[type[Network], ...] = (Discord, Telegram)
#: What can stand in a database that a process of ours has written.
PLATFORMS = (*(one.platform for one in NETWORKS), REHEARSAL)

NEWS, POLL = 5_000, 60.0  # incidents whose card is to be drawn anew; seconds


def wanted(config: Config, say: Texts) -> Sequence[Network]:
    """Raises `Broken` where what is configured for one cannot work together."""
    for objection in objections(config, say):
        raise Broken(objection)
    return on(config)


def objections(config: Config, say: Texts) -> Iterator[str]:
    """Why what is configured for networks cannot work together."""
    return filter(None, (network.objection(say) for network in on(config)))


def address(community: CommunityRef, channel: str, message: str) -> str:
    """Where a message opens, for those who may read it; "": nowhere."""
    network = next((one for one in NETWORKS if one.platform == community.platform), None)
    return network.address(community.id, channel, message) if network else ""


def nothing_on(config: Config, say: Texts, roles: frozenset[Role] = frozenset(Role)) -> str:
    """How to begin; "": something is switched on that a process of these roles is there for."""
    if roles.isdisjoint(REACHING):
        has_work = Role.GUARD in roles or bool(config.http.listen)
    else:
        has_work = bool(on(config)) or (Role.API in roles and bool(config.http.listen))
    if has_work:
        return ""
    tokens = ", ".join(f"[{one.platform}] token" for one in NETWORKS)
    variables = ", ".join(token_variable(one.platform) for one in NETWORKS)
    return say("run.how_to_begin", tokens=tokens, variables=variables).strip()


def looks_up(config: Config) -> tuple[str, ...]:
    """Who hears the numbers of members who come in, where a community wants that."""
    return tuple(host for network in on(config) for host in network.looks_up)


def on(config: Config) -> Sequence[Network]:
    return [network for one in NETWORKS if (network := chosen(config, one)).is_on]


@dataclass(slots=True, kw_only=True)
class Reach:
    """The networks of this process. `connected` is it to those that are its to hear by now; `reached` are those, or all
    of them over REST alone where it hears none. What takes part in which work begins once one is reached. Alone on a
    database (a file is one process's, and so is whatever does not stand by) everything is its."""

    database: Database
    roles: Collection[Role]
    stands_by: bool
    answers: bool = False  # over HTTP, where that is its role
    connected: dict[Platform, ChatPlatform] = field(default_factory=dict)
    reached: dict[Platform, ChatPlatform] = field(default_factory=dict)
    posts: dict[Platform, Post] = field(default_factory=dict)  # where to be connected is for one of several
    acting: Mapping[Platform, SqlShares] = field(init=False)  # the communities whose actions are done here
    tokens: Mapping[Platform, Crew] = field(init=False)  # who use one, and divide its limits
    reporting: Mapping[Platform, Crew] = field(init=False)  # who are there for nothing else
    answering: Crew | None = field(init=False)  # who answer over HTTP
    begun: asyncio.Event = field(default_factory=asyncio.Event)  # anything is reached
    lost: defaultdict[Platform, asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))

    def __post_init__(self) -> None:
        shared = [one.platform for one in NETWORKS] if self.stands_by and self.database.is_postgresql else []
        self.acting = {one: SqlShares(self.database, f"act/{one}") for one in shared}
        self.tokens = {one: self._crew("token", one) for one in shared}
        self.reporting = {one: self._crew("report", one, joins=Role.REPORT in self.roles) for one in shared}

        self.answering = self._crew("api") if shared and self.answers and Role.API in self.roles else None

    def _crew(self, work: str, platform: Platform | None = None, *, joins: bool = True) -> Crew:
        shares = SqlShares(self.database, f"{work}/{platform}" if platform else work, parts=0)
        return Crew(shares, self.database.clock, joins)

    @property
    def hears(self) -> bool:
        return Role.CHAT in self.roles

    def among(self, platform: Platform) -> int:
        """How many processes use a network's token."""
        return max(1, self.tokens[platform].number) if platform in self.tokens else 1

    def serving(self) -> int:
        """How many processes answer over HTTP."""
        return max(1, self.answering.number) if self.answering else 1

    def is_left(self, platform: Platform) -> bool:
        """Whether reports there are for others."""
        crew = self.reporting.get(platform)
        return crew is not None and not crew.joins and crew.number > 0

    def begin(self, platforms: Sequence[ChatPlatform], chats: dict[Platform, MessageSource]) -> Turn:
        """`chats` is told what this process is connected to."""
        if self.stands_by and self.hears:
            self.posts |= {one.platform: self._post(one.platform) for one in platforms}

        def reach(chat: ChatPlatform) -> None:
            self.reached[chat.platform] = chat
            if self.hears:
                self.connected[chat.platform] = chats[chat.platform] = chat
            self.begun.set()

        async def turn(chat: ChatPlatform) -> None:
            if post := self.posts.get(chat.platform):
                await post.taken.wait()
                _log.info("connects", platform=chat.platform)
                reach(chat)

        for chat in platforms:
            if chat.platform not in self.posts:
                reach(chat)
        return turn

    def _post(self, platform: Platform) -> Post:
        shares = SqlShares(self.database, f"chat/{platform}", parts=1)
        return Post(
            shares=shares,
            clock=self.database.clock,
            stands_by=lambda: _log.info("stands by", platform=platform),
        )

    def services(self, platforms: Sequence[ChatPlatform], acting: Mapping[Platform, Division]) -> Iterator[Service]:
        """What says to the others what this process is there for."""
        yield from (post.run for post in self.posts.values())
        if self.answering:
            yield self.answering.run
        for platform in (one.platform for one in platforms if one.platform in self.tokens):
            yield self._in_turn(platform, self.tokens[platform].run)
            if platform in acting:
                yield self._in_turn(platform, acting[platform].run)
            reporting = self.reporting[platform]
            yield self._in_turn(platform, reporting.run) if reporting.joins else reporting.run

    def lose(self, platform: Platform) -> None:
        """Others may do there what this process cannot do any more."""
        self.reached.pop(platform, None)
        self.lost[platform].set()

    def _in_turn(self, platform: Platform, service: Service) -> Service:
        """Until the platform is lost."""

        async def run() -> None:
            if post := self.posts.get(platform):
                await post.taken.wait()
            working, lost = asyncio.create_task(service()), asyncio.create_task(self.lost[platform].wait())
            try:
                await asyncio.wait([working, lost], return_when=asyncio.FIRST_COMPLETED)
            finally:
                lost.cancel()
                working.cancel()
                with suppress(asyncio.CancelledError):
                    await working

        return run

    def once_begun(self, service: Service) -> Service:
        """What one who stands by does not do."""

        async def run() -> None:
            await self.begun.wait()
            await service()

        return run


@dataclass(slots=True, kw_only=True)
class Showing:
    """Something new is on record about an incident -> whoever has its card draws it anew, whichever process that is.
    What nobody heard who is just taking over is drawn when its card is found again."""

    boards: Mapping[Platform, CardBoard]
    is_ours: Callable[[CommunityRef], Awaitable[bool]]
    clock: Clock
    say: Callable[[str], None] | None = None  # to the others; None: there are none
    _news: Bounded[tuple[CommunityRef, int], "_News"] = field(default_factory=lambda: Bounded(NEWS))
    _woken: Wakeup = field(default_factory=Wakeup)

    def changed(self, community: CommunityRef, incident_id: int) -> None:
        self._note(community, incident_id, _News(own=True))

    def emptied(self, community: CommunityRef, incident_id: int) -> None:
        self._note(community, incident_id, _News(own=True, emptied=True))

    def heard(self, said: str) -> None:
        emptied, incident_id, platform, community = said.split(" ", 3)
        self._note(CommunityRef(Platform(platform), community), int(incident_id), _News(emptied=emptied == "1"))

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            while self._news:
                (community, incident_id), news = self._news.popitem(last=False)
                if community.platform in self.boards and await patiently(partial(self.is_ours, community), self.clock):
                    self._draw(community, incident_id, news)
                elif news.own and self.say:
                    self.say(f"{int(news.emptied)} {incident_id} {community.platform} {community.id}")
            await self._woken.wait(POLL)

    def _note(self, community: CommunityRef, incident_id: int, news: "_News") -> None:
        if self.say is None:
            self._draw(community, incident_id, news)
            return
        before = self._news.get((community, incident_id), _News())
        self._news[community, incident_id] = _News(before.own or news.own, before.emptied or news.emptied)
        self._woken.nudge()

    def _draw(self, community: CommunityRef, incident_id: int, news: "_News") -> None:
        if board := self.boards.get(community.platform):
            board.incident_changed(community, incident_id, emptied=news.emptied)


class _News(NamedTuple):
    """`own`: nobody else knows of it yet. `emptied`: see `CardBoard`."""

    own: bool = False
    emptied: bool = False


def rehearsal_chat(path: str, say: Texts, clock: Clock, *, speed: float | None, zone: str) -> ChatPlatform:
    return RehearsalChat(path, say, clock, speed=speed, zone=zone)
