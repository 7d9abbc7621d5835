"""The Discord connection: gateway events -> messages in batches, planned actions -> outcomes."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import datetime

import aiohttp
import discord
import structlog
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from adapters.chat.discord.acting.by_hand import ByHand
from adapters.chat.discord.acting.executor import Executor
from adapters.chat.discord.acting.private import PrivateMessages
from adapters.chat.discord.acting.restoring import Restoring
from adapters.chat.discord.acting.warning import Warnings
from adapters.chat.discord.errors import OUT_OF_REACH, InvalidAnswers
from adapters.chat.discord.limits import Limiter, Room
from adapters.chat.discord.members import Members
from adapters.chat.discord.moderators.appeals import Appeals
from adapters.chat.discord.moderators.automod import NativeAutoMod
from adapters.chat.discord.moderators.cards.board import CardBoard
from adapters.chat.discord.moderators.cards.posted import PostedCards
from adapters.chat.discord.moderators.cards.pressing import Presses
from adapters.chat.discord.moderators.commands.serving import Commands
from adapters.chat.discord.moderators.greeting import Greeting
from adapters.chat.discord.moderators.posting import Posting
from adapters.chat.discord.moderators.problems import Complaints
from adapters.chat.discord.moderators.taking_in import TakingIn
from adapters.chat.discord.receiving.arrivals import Arrivals
from adapters.chat.discord.receiving.catching_up import CatchingUp
from adapters.chat.discord.receiving.hearing import FETCH, Hearing
from adapters.chat.discord.receiving.names import Names
from adapters.chat.discord.receiving.pairing import Pairs
from adapters.chat.discord.refs import DISCORD, guild_ref
from adapters.chat.discord.servers import Servers
from adapters.chat.pacing import alone
from adapters.chat.server_time import NetworkClock
from bot.core.base.clock import Clock
from bot.core.base.errands import Errands
from bot.core.base.errors import Broken, Unavailable
from bot.core.base.waiting import Backoff, patiently
from bot.core.chat.message import Author, CommunityRef, Message
from bot.core.chat.ports import Bookmarks, Connection
from bot.core.chat.post import Post
from bot.core.incidents.incident import PlannedAction
from bot.core.moderation.ports import Inbox
from bot.core.moderators.ports import Desk
from bot.core.rules.actions import Outcome
from bot.core.text.catalogue import Texts, texts

_log = structlog.get_logger(__name__)

AGAIN = Backoff(first=1.0, longest=30.0)  # while Discord cannot be logged in to
PATIENCE = 20.0  # seconds that an action waits for the first connection
LONGEST_WAIT = 30.0  # seconds that a request waits for its route to open, the least that discord.py allows
NOTICES, NOTICES_EACH = 16, 2  # under way at a time: altogether, in one channel
MEMBERS, MEMBERS_EACH = 64, 4  # sanctions under way at a time: altogether, in one server


def intents(*, member_names: bool) -> discord.Intents:
    """What we ask Discord for, and nothing more."""
    return discord.Intents(
        guilds=True,
        guild_messages=True,
        message_content=True,
        auto_moderation_execution=True,
        moderation=True,
        members=member_names,
    )


def _client(
    limiter: Limiter, shard_ids: Sequence[int], shard_count: int | None, *, member_names: bool
) -> discord.AutoShardedClient:
    client = discord.AutoShardedClient(
        intents=intents(member_names=member_names),
        shard_count=shard_count,
        max_messages=None,  # edits bring the whole message, deletions need none: nothing to cache
        member_cache_flags=discord.MemberCacheFlags.none(),
        chunk_guilds_at_startup=False,
        allowed_mentions=discord.AllowedMentions.none(),
        http_trace=limiter.trace(),
        max_ratelimit_timeout=LONGEST_WAIT,
    )
    if shard_ids:
        client.shard_ids = list(shard_ids)
    return client


class DiscordChat:
    """`say` speaks to whoever runs the bot. `gateway_url` empty: the one that Discord names. `shard_ids` empty:
    all shards; otherwise `shard_count` says of how many. `member_names`: names are judged, too. `inbox` tells at a
    start what was said just before. Not `hears`: no gateway, REST alone. `among`: see `Context`."""

    platform = DISCORD

    def __init__(
        self,
        token: str,
        *,
        desk: Desk,
        bookmarks: Bookmarks,
        clock: Clock,
        say: Texts,
        api_url: str = Route.BASE,
        gateway_url: str = "",
        shard_ids: Sequence[int] = (),
        shard_count: int | None = None,
        member_names: bool = False,
        inbox: Inbox | None = None,
        hears: bool = True,
        among: Callable[[], int] = alone,
    ) -> None:
        self._token, self._say, self._clock, self._desk, self._hears = token, say, clock, desk, hears
        clock = NetworkClock(clock)
        self._member_names, self._api_url, self._gateway_url = member_names, api_url.rstrip("/"), gateway_url
        invalid = InvalidAnswers(clock, among)
        self._limiter = Limiter(clock=clock, invalid=invalid, among=among)
        self.client = _client(self._limiter, shard_ids, shard_count, member_names=member_names)
        notices = Room(clock=clock, at_once=NOTICES, each=NOTICES_EACH)
        private = PrivateMessages(client=self.client, clock=clock, among=among)
        self._complaints = complaints = Complaints(client=self.client, desk=desk, clock=clock, private=private)
        self._members = Members(clock=clock)
        self._posted = PostedCards(client=self.client, desk=desk, clock=clock, notices=notices)
        cards = CardBoard(client=self.client, desk=desk, clock=clock, notices=notices, posted=self._posted)
        Presses(client=self.client, desk=desk, posted=self._posted)
        appeals = Appeals(client=self.client, desk=desk)
        TakingIn(client=self.client, desk=desk)
        self._greeting = Greeting(client=self.client, desk=desk, clock=clock)
        names, members = Names(), Room(clock=clock, at_once=MEMBERS, each=MEMBERS_EACH)
        warnings = Warnings(client=self.client, desk=desk, private=private, notices=notices)
        restoring = Restoring(client=self.client, clock=clock)
        by_hand = ByHand(client=self.client, desk=desk, clock=clock, notices=notices, members=members)
        self._executor = Executor(
            client=self.client, cards=cards, complaints=complaints, private=private, warnings=warnings, clock=clock,
            restoring=restoring, by_hand=by_hand, notices=notices, members=members, names=names, invalid=invalid,
        )  # fmt: skip
        self._posting = Posting(client=self.client, clock=clock, invalid=invalid, say=say, among=among)
        self._automod = NativeAutoMod(client=self.client, desk=desk, clock=clock, complaints=complaints)
        self._commands = Commands(self.client, desk, clock, self._automod, appeals, member_names=member_names)
        self._arrivals, self._pairs = Arrivals(clock), Pairs(clock=clock, inbox=inbox)
        self._hearing = Hearing(
            arrivals=self._arrivals, pairs=self._pairs, names=names, automod=self._automod,
            own_webhooks=restoring.own_webhooks, clock=clock,
        )  # fmt: skip
        self._hearing.listen(self.client, member_names=member_names)
        self._catching_up = CatchingUp(
            bookmarks=bookmarks, name=f"discord {','.join(map(str, shard_ids)) or 'all'}", arrivals=self._arrivals,
            clock=clock, take=self._hearing.take_late, skipped=self._skipped, told=self._hearing.told,
        )  # fmt: skip
        self._errands, self._logged_in = Errands(), asyncio.Event()
        self._servers = Servers(client=self.client, clock=clock, errands=self._errands)
        self._catching_up.listen(self.client)
        for event in (self.on_ready, self.on_shard_ready):
            self.client.event(event)

    @property
    def connection(self) -> Connection:
        is_up = bool(self.client.shards) and self._catching_up.is_told_by(self.client.shards)
        return Connection(is_up and not self.client.is_closed(), len(self.client.guilds))

    async def messages(self) -> AsyncGenerator[Sequence[Message], None]:
        """Raises `Broken` where the token or a switch in Discord's developer portal has to be put right."""
        running = asyncio.create_task(self._run())
        running.add_done_callback(lambda _: self._arrivals.end())
        try:
            async for batch in self._arrivals.batches():
                yield batch
                if self._arrivals.overflowed and self._arrivals.is_drained:
                    self._errands.begin(self._catching_up.read_back(list(self.client.guilds)))
                    self._arrivals.overflowed = False
            await running
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await self._errands.close()
            await self._hearing.close()
            await self._posted.errands.close()
            await self.client.close()

    async def perform(self, planned: PlannedAction) -> Outcome:
        await self._connection()
        if self.client.is_closed():
            raise Broken(self._say("discord.closed", code="-"))
        if not self._hears:
            await self._servers.at_hand(int(planned.message.community_id))
        return await self._executor.perform(planned)

    def incident_changed(self, community: CommunityRef, incident_id: int, *, emptied: bool = False) -> None:
        if emptied or self._logged_in.is_set():  # before, there is no card that could be drawn
            self._posted.changed(community, incident_id, emptied=emptied)

    def taken_over(self) -> None:
        self._posted.forget_rooms()

    def forget(self, community: CommunityRef, is_theirs: Callable[[str], bool]) -> None:
        self._hearing.forget(is_theirs)

    async def meet(self, message: Message) -> Author:
        await self._connection()
        return await self._members.meet(message, self.client.get_guild(int(message.community_id)))

    async def owner(self, community: CommunityRef) -> str | None:
        guild = self.client.get_guild(int(community.id))
        return str(guild.owner_id) if guild and guild.owner_id else None

    async def _connection(self) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._logged_in.wait()
        except TimeoutError:
            raise Unavailable("not yet connected to Discord", retry_after=5) from None

    async def announce(self, channel_id: str, text: str) -> None:
        await self._connection()
        await self._posting.announce(int(channel_id), text)

    async def publish(self, channel_id: str, post: Post, *, mark: str) -> Outcome:
        await self._connection()
        return await self._posting.post(int(channel_id), post, mark)

    async def _run(self) -> None:
        Route.BASE = self._api_url  # discord.py knows one address in a process
        await self._pairs.begin()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=FETCH)) as self._hearing.files:
            try:
                await self._log_in()
                if not self._hears:
                    await asyncio.Event().wait()
                beside = [asyncio.create_task(work) for work in (self._catching_up.run(), self._automod.keep())]
                try:
                    await self.client.connect()
                finally:
                    for task in beside:
                        task.cancel()
            except discord.LoginFailure as error:
                raise Broken(self._say["discord.bad_token"]) from error
            except discord.PrivilegedIntentsRequired as error:
                raise Broken(
                    self._say["discord.intents_with_names" if self._member_names else "discord.intents"]
                ) from error
            except discord.ConnectionClosed as error:
                sentence = "discord.bad_token" if error.code == 4004 else "discord.closed"
                raise Broken(self._say(sentence, code=error.code)) from error
            except OUT_OF_REACH as error:
                raise Unavailable("Discord is out of reach ({why})", why=type(error).__name__) from error

    async def _log_in(self) -> None:
        await patiently(self._try_to_log_in, self._clock, AGAIN)
        assert self.client.user is not None and self.client.application_id is not None
        self._limiter.application_id = self.client.application_id
        self._hearing.ours = frozenset({self.client.user.id, self.client.application_id})
        self._logged_in.set()
        if self._hears:
            self._errands.begin(self._commands.register())

    async def _try_to_log_in(self) -> None:
        try:
            await self.client.login(self._token)
            if not self._hears:
                return
            shards, gateway, _ = await self.client.http.get_bot_gateway()
            DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(self._gateway_url or gateway)
            self.client.shard_count = self.client.shard_count or shards
            await self._catching_up.begin()
        except (discord.LoginFailure, discord.PrivilegedIntentsRequired):
            raise
        except (*OUT_OF_REACH, Unavailable) as error:
            await self.client.http.close()  # the next try opens a session of its own
            self.client.http.connector = discord.utils.MISSING
            raise Unavailable(type(error).__name__) from error

    async def on_shard_ready(self, shard_id: int) -> None:
        """A new session: whatever was said since the bookmark may have been missed."""
        guilds = [guild for guild in self.client.guilds if guild.shard_id == shard_id]
        await self._catching_up.read_back(guilds, shard_id)

    async def on_ready(self) -> None:
        self._catching_up.keep_only({guild.id for guild in self.client.guilds})
        self._catching_up.resumed(None)
        await self._greeting.catch_up()

    async def _skipped(self, guild: discord.Guild, until: datetime) -> None:
        """Moderators are told what nobody has looked at."""
        language = self._desk.community(guild_ref(guild.id)).language
        say = texts(language) if language else self._say
        problem = say("discord.not_read", until=discord.utils.format_dt(until, "f"))
        await self._complaints.tell(str(guild.id), problem, say)
