"""The Discord connection: gateway events -> messages in batches, planned actions -> outcomes, moderators -> the desk."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any

import aiohttp
import discord
import structlog
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from adapters.discord.acting import Hands
from adapters.discord.answers import InvalidAnswers
from adapters.discord.arrivals import Arrivals
from adapters.discord.cards import CardBoard
from adapters.discord.catching_up import CatchingUp
from adapters.discord.commands import Commands
from adapters.discord.reading import ATTACHED, is_readable, read, read_deletion, read_title, text_files
from bot.domain.actions import Outcome
from bot.domain.incident import PlannedAction
from bot.domain.message import Message, Platform
from bot.errors import BotError, Broken, Unavailable
from bot.ports import Bookmarks, Clock, Desk
from bot.texts import Texts

_log = structlog.get_logger(__name__)

REMEMBERED = 50_000  # texts, as hashes, to tell edits from link previews and pins
PATIENCE = 20.0  # seconds that an action waits for the first connection
FETCH = 5.0  # seconds for the beginning of a text file

#: What we ask Discord for, and nothing more.
INTENTS = discord.Intents(guilds=True, guild_messages=True, message_content=True)


class DiscordChat:
    """`say` speaks to whoever runs the bot. `gateway_url` empty: the one that Discord names. `shard_ids` empty:
    all shards; otherwise `shard_count` says of how many."""

    platform = Platform.DISCORD

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
    ) -> None:
        self._token, self._say, self._clock = token, say, clock
        self._api_url, self._gateway_url = api_url.rstrip("/"), gateway_url
        invalid = InvalidAnswers(clock)
        self.client = discord.AutoShardedClient(
            intents=INTENTS,
            shard_ids=list(shard_ids) or None,
            shard_count=shard_count,
            max_messages=None,  # edits bring the whole message, deletions need none: nothing to cache
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            allowed_mentions=discord.AllowedMentions.none(),
            http_trace=invalid.trace(),
        )
        self._arrivals = Arrivals(clock)
        self._catching_up = CatchingUp(
            bookmarks=bookmarks,
            name=f"discord {','.join(map(str, shard_ids)) or 'all'}",
            arrivals=self._arrivals,
            clock=clock,
            take=self._take,
        )
        self._cards = CardBoard(client=self.client, desk=desk, clock=clock)
        self._hands = Hands(client=self.client, cards=self._cards, clock=clock, invalid=invalid)
        self._commands = Commands(client=self.client, desk=desk, clock=clock)
        self._texts: OrderedDict[int, int] = OrderedDict()  # message id -> hash of its text
        self._tasks: set[asyncio.Task[None]] = set()
        self._logged_in = asyncio.Event()
        self._trouble: BotError | None = None
        for event in (
            self.on_message, self.on_raw_message_edit, self.on_raw_message_delete, self.on_raw_bulk_message_delete,
            self.on_thread_create, self.on_shard_ready, self.on_shard_resumed, self.on_shard_disconnect,
        ):  # fmt: skip
            self.client.event(event)

    async def messages(self) -> AsyncIterator[Sequence[Message]]:
        """Raises `Broken` for a token or a setting in Discord's developer portal that has to be put right."""
        async with self._log_in():
            ...
