"""The Discord connection: gateway events -> messages in batches, planned actions -> outcomes."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import aiohttp
import discord
import structlog
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from adapters.chat.discord.acting.executor import Executor
from adapters.chat.discord.acting.private import PrivateMessages
from adapters.chat.discord.acting.restoring import Restoring
from adapters.chat.discord.acting.warning import Warnings
from adapters.chat.discord.errors import OUT_OF_REACH, InvalidAnswers, missing_here
from adapters.chat.discord.limits import Limiter, Room
from adapters.chat.discord.members import Members
from adapters.chat.discord.moderators.appeals import Appeals
from adapters.chat.discord.moderators.automod import NativeAutoMod
from adapters.chat.discord.moderators.cards.board import CardBoard
from adapters.chat.discord.moderators.cards.posted import PostedCards
from adapters.chat.discord.moderators.cards.pressing import Presses
from adapters.chat.discord.moderators.commands import Commands
from adapters.chat.discord.moderators.greeting import Greeting
from adapters.chat.discord.moderators.posting import Posting
from adapters.chat.discord.moderators.problems import Complaints
from adapters.chat.discord.receiving.arrivals import Arrivals
from adapters.chat.discord.receiving.catching_up import CatchingUp
from adapters.chat.discord.receiving.names import Names, hear_member_updates
from adapters.chat.discord.receiving.pairing import Pairs
from adapters.chat.discord.receiving.reading import (
    ATTACHED,
    author_of,
    is_readable,
    read,
    read_deletion,
    read_filtered,
    read_name,
    read_title,
    text_files,
    text_of,
)
from adapters.chat.discord.refs import DISCORD, guild_ref
from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.base.errors import Broken, Unavailable
from bot.core.base.waiting import Backoff, patiently
from bot.core.chat.message import Author, CommunityRef, Message
from bot.core.chat.ports import Bookmarks
from bot.core.chat.post import Post
from bot.core.incidents.incident import PlannedAction
from bot.core.moderation.ports import Inbox
from bot.core.moderators.ports import Desk
from bot.core.rules.actions import Outcome
from bot.core.text.catalogue import Texts, texts

_log = structlog.get_logger(__name__)

AGAIN = Backoff(first=1.0, longest=30.0)  # while Discord cannot be logged in to
REMEMBERED = 50_000  # texts, as hashes, to tell edits from link previews and pins
PATIENCE = 20.0  # seconds that an action waits for the first connection
LONGEST_WAIT = 30.0  # seconds that a request waits for its route to open, the least that discord.py allows
NOTICES, NOTICES_EACH = 16, 2  # under way at a time: altogether, in one channel
MEMBERS, MEMBERS_EACH = 64, 4  # sanctions under way at a time: altogether, in one server
FETCH = 5.0  # seconds for the beginning of a text file


def intents(*, member_names: bool) -> discord.Intents:
    """What we ask Discord for, and nothing more."""
    return discord.Intents(
        guilds=True, guild_messages=True, message_content=True, auto_moderation_execution=True, members=member_names
    )


class DiscordChat:
    """`say` speaks to whoever runs the bot. `gateway_url` empty: the one that Discord names. `shard_ids` empty:
    all shards; otherwise `shard_count` says of how many. `member_names`: names are judged, too. `inbox` tells at a
    start what was said just before."""

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
    ) -> None:
        self._token, self._say, self._clock, self._member_names = token, say, clock, member_names
        self._desk = desk
        self._api_url, self._gateway_url = api_url.rstrip("/"), gateway_url
        invalid = InvalidAnswers(clock)
        self._limiter = Limiter(clock=clock, invalid=invalid)
        self.client = discord.AutoShardedClient(
            intents=intents(member_names=member_names),
            shard_count=shard_count,
            max_messages=None,  # edits bring the whole message, deletions need none: nothing to cache
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            allowed_mentions=discord.AllowedMentions.none(),
            http_trace=self._limiter.trace(),
            max_ratelimit_timeout=LONGEST_WAIT,
        )
        if shard_ids:
            self.client.shard_ids = list(shard_ids)
        self._arrivals = Arrivals(clock)
        self._pairs = Pairs(clock=clock, inbox=inbox)
        self._catching_up = CatchingUp(
            bookmarks=bookmarks,
            name=f"discord {','.join(map(str, shard_ids)) or 'all'}",
            arrivals=self._arrivals,
            clock=clock,
            take=self._take_late,
            skipped=self._skipped,
        )
        notices = Room(clock=clock, at_once=NOTICES, each=NOTICES_EACH)
        private = PrivateMessages(client=self.client, clock=clock)
        self._complaints = complaints = Complaints(client=self.client, desk=desk, clock=clock, private=private)
        self._members = Members(clock=clock)
        self._posted = PostedCards(client=self.client, desk=desk, clock=clock, notices=notices)
        cards = CardBoard(client=self.client, desk=desk, clock=clock, notices=notices, posted=self._posted)
        Presses(client=self.client, desk=desk, posted=self._posted)
        appeals = Appeals(client=self.client, desk=desk)
        self._greeting = Greeting(client=self.client, desk=desk, clock=clock)
        self._names = Names()
        warnings = Warnings(client=self.client, desk=desk, private=private, notices=notices)
        self._restoring = Restoring(client=self.client, clock=clock)
        self._hands = Executor(
            client=self.client,
            cards=cards,
            complaints=complaints,
            private=private,
            warnings=warnings,
            restoring=self._restoring,
            notices=notices,
            members=Room(clock=clock, at_once=MEMBERS, each=MEMBERS_EACH),
            names=self._names,
            clock=clock,
            invalid=invalid,
        )
        self._posting = Posting(client=self.client, clock=clock, invalid=invalid, say=say)
        self._automod = NativeAutoMod(client=self.client, desk=desk, clock=clock, complaints=complaints)
        self._commands = Commands(self.client, desk, clock, self._automod, appeals, member_names=member_names)
        self._texts = Bounded[int, int](REMEMBERED)  # message id -> hash of its text
        self._tasks: set[asyncio.Task[None]] = set()
        self._logged_in = asyncio.Event()
        self._ours: frozenset[int] = frozenset()
        self._files: aiohttp.ClientSession | None = None
        for event in (
            self.on_message, self.on_raw_message_edit, self.on_raw_message_delete, self.on_raw_bulk_message_delete,
            self.on_thread_create, self.on_member_join, self.on_automod_action,
            self.on_shard_ready, self.on_ready, self.on_shard_resumed, self.on_shard_disconnect,
            self.on_guild_available, self.on_guild_unavailable,
        ):  # fmt: skip
            self.client.event(event)
        if member_names:
            hear_member_updates(self.client, self.on_member_join)

    async def messages(self) -> AsyncGenerator[Sequence[Message], None]:
        """Raises `Broken` where the token or a switch in Discord's developer portal has to be put right."""
        running = asyncio.create_task(self._run())
        running.add_done_callback(lambda _: self._arrivals.end())
        try:
            async for batch in self._arrivals.batches():
                yield batch
                if self._arrivals.overflowed and self._arrivals.is_drained:
                    self._read_what_overflowed()
            await running
        finally:
            for task in (running, *self._tasks):
                task.cancel()
            await asyncio.gather(running, *self._tasks, return_exceptions=True)
            await self.client.close()

    async def perform(self, planned: PlannedAction) -> Outcome:
        await self._connection()
        if self.client.is_closed():
            raise Broken(self._say("discord.closed", code="-"))
        return await self._hands.perform(planned)

    def incident_changed(self, community: CommunityRef, incident_id: int) -> None:
        self._posted.changed(community, incident_id)

    async def meet(self, message: Message) -> Author:
        await self._connection()
        guild = self.client.get_guild(int(message.community_id))
        if guild is None:
            raise Unavailable("a server that is not there (yet)")
        member = await self._members.find(guild, int(message.author.id))
        return author_of(member, guild) if member else replace(message.author, unmet=False)

    async def _connection(self) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._logged_in.wait()
        except TimeoutError:
            raise Unavailable("not yet connected to Discord", retry_after=5) from None

    async def announce(self, channel_id: str, text: str) -> None:
        await self._connection()
        guild = getattr(self.client.get_channel(int(channel_id)), "guild", None)
        if guild and missing_here(guild, int(channel_id), ("view_channel", "send_messages")):
            _log.warning("nowhere to announce", channel=channel_id)
            return
        try:
            await self.client.get_partial_messageable(int(channel_id)).send(text)
        except (discord.Forbidden, discord.NotFound):
            _log.warning("nowhere to announce", channel=channel_id)
        except (discord.DiscordException, OSError, TimeoutError) as error:
            raise Unavailable(f"Discord does not take it ({type(error).__name__})") from error

    async def publish(self, channel_id: str, post: Post, *, mark: str) -> Outcome:
        await self._connection()
        return await self._posting.post(int(channel_id), post, mark)

    # ---- the connection

    async def _run(self) -> None:
        Route.BASE = self._api_url  # discord.py knows one address in a process
        await self._pairs.begin()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=FETCH)) as self._files:
            try:
                await self._log_in()
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
                raise Unavailable(f"Discord is out of reach ({type(error).__name__})") from error

    async def _log_in(self) -> None:
        await patiently(self._try_to_log_in, self._clock, AGAIN)
        assert self.client.user is not None and self.client.application_id is not None
        self._limiter.application_id = self.client.application_id
        self._ours = frozenset({self.client.user.id, self.client.application_id})
        self._logged_in.set()
        self._begin(self._commands.register())

    async def _try_to_log_in(self) -> None:
        try:
            await self.client.login(self._token)
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

    async def on_guild_available(self, guild: discord.Guild) -> None:
        await self._catching_up.available(guild)

    async def on_guild_unavailable(self, guild: discord.Guild) -> None:
        self._catching_up.unavailable(guild)

    async def on_shard_resumed(self, shard_id: int) -> None:
        """The old session: Discord has replayed what was missed."""
        self._catching_up.resumed(shard_id)

    async def on_shard_disconnect(self, shard_id: int) -> None:
        self._catching_up.lost(shard_id)

    def _read_what_overflowed(self) -> None:
        self._begin(self._catching_up.read_back(list(self.client.guilds)))
        self._arrivals.overflowed = False

    # ---- what is said

    async def on_message(self, message: discord.Message) -> None:
        self._take(message)

    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        if self._texts.get(payload.message_id) != hash(text_of(payload.message)):
            self._take(payload.message)

    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        self._withdraw(payload.guild_id, payload.channel_id, payload.message_id)

    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        for message_id in sorted(payload.message_ids):
            self._withdraw(payload.guild_id, payload.channel_id, message_id)

    async def on_thread_create(self, thread: discord.Thread) -> None:
        if thread.owner_id not in self._ours:
            self._arrivals.put(read_title(thread))

    async def on_member_join(self, member: discord.Member) -> None:
        """Somebody has come, or has changed in some way."""
        if not member.bot and self._names.is_new(member):
            self._arrivals.put(read_name(member, self._clock.now()))

    async def on_automod_action(self, execution: discord.AutoModAction) -> None:
        """What AutoMod stops does not come as a message."""
        if self._automod.is_news(execution):
            self._arrivals.put(read_filtered(execution, self._clock.now()))

    async def _take_late(self, message: discord.Message) -> None:
        self._take(message, late=True)

    async def _skipped(self, guild: discord.Guild, until: datetime) -> None:
        """Moderators are told what nobody has looked at."""
        language = self._desk.community(guild_ref(guild.id)).language
        say = texts(language) if language else self._say
        problem = say("discord.not_read", until=discord.utils.format_dt(until, "f"))
        await self._complaints.tell(str(guild.id), problem, say)

    def _take(self, message: discord.Message, *, late: bool = False) -> None:
        if not is_readable(message, self._ours | self._restoring.own_webhooks):
            return
        text = text_of(message)
        if message.flags.components_v2 and not text:
            _log.warning("components that we cannot read", guild=message.guild and message.guild.id, message=message.id)
        self._texts[message.id] = hash(text)
        files = text_files(message)
        if files or self._pairs.needs_a_look(message):
            self._begin(self._arrivals.put_when_read(self._read_more(message, files), late=late))
        else:
            self._arrivals.put(self._pairs.complete(message, read(message)), late=late)

    async def _read_more(self, message: discord.Message, files: Sequence[discord.Attachment]) -> Message:
        attached = await asyncio.gather(*(self._beginning(file) for file in files))
        if self._pairs.needs_a_look(message):
            await self._pairs.look(message)
        return self._pairs.complete(message, read(message, attached=attached))

    def _withdraw(self, guild_id: int | None, channel_id: int, message_id: int) -> None:
        if guild_id is not None:
            self._arrivals.put(read_deletion(guild_id, channel_id, message_id, self._clock.now()))

    async def _beginning(self, file: discord.Attachment) -> str:
        """The first 64 KB of a text file; nothing of one that cannot be had."""
        assert self._files is not None
        try:
            async with self._files.get(file.url, headers={"Range": f"bytes=0-{ATTACHED - 1}"}) as answer:
                if answer.status not in (200, 206):
                    return ""
                content = b""
                while len(content) < ATTACHED and (chunk := await answer.content.read(ATTACHED - len(content))):
                    content += chunk
                return content.decode("utf-8", "replace")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            _log.warning("text file not read", message=file.id, error=type(error).__name__)
            return ""

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
