"""Telegram: a group's messages come in through the Bot API, and moderation goes out through it."""

import logging
import os
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from urllib.parse import urlsplit

from adapters.chat.telegram.refs import TELEGRAM, address
from bot.core.communities.community import Community
from bot.core.moderators.network import Address, Context, Network
from bot.core.moderators.ports import ChatPlatform
from bot.core.operations.outside.checkup import Found
from bot.core.operations.outside.selftest import Ask, Tried
from bot.core.text.catalogue import Texts

os.environ.setdefault("PTB_TIMEDELTA", "true")  # python-telegram-bot: durations as timedelta, its future default

# python-telegram-bot logs whole updates where it cannot read one.
logging.getLogger("telegram").setLevel(logging.CRITICAL + 1)


@dataclass(frozen=True, kw_only=True)
class Telegram(Network, platform=TELEGRAM):
    api_url: Address = field(default="https://api.telegram.org", repr=False)
    """Base URL of the Bot API, for your own Bot API server."""

    webhook_url: str = field(default="", repr=False)
    """The public https:// address to which Telegram brings updates; empty: they are polled for."""

    webhook_listen: str = "127.0.0.1:8443"
    """HOST:PORT at which what comes to `webhook_url` arrives."""

    blocklist: str = "https://api.cas.chat"
    """The public blocklist (CAS) that is asked about newcomers, by their account ids alone, where a group has switched
    that on with /blocklist; empty: none ever is."""

    @property
    def looks_up(self) -> tuple[str, ...]:
        return tuple(filter(None, [urlsplit(self.blocklist).hostname]))

    def objection(self, say: Texts) -> str | None:
        number, colon, _ = self.token.partition(":")
        if not (number.isdigit() and colon):
            return say["telegram.no_token"]
        if self.webhook_url and not self.webhook_url.startswith("https://"):
            return say["telegram.webhook_url"]
        if self.webhook_url and not re.fullmatch(r"\S+:\d{1,5}", self.webhook_listen):
            return say["telegram.webhook_listen"]
        if self.blocklist and not self.blocklist.startswith(("https://", "http://127.0.0.1")):
            return say["telegram.blocklist"]
        return None

    def connect(self, context: Context) -> ChatPlatform:
        from adapters.chat.telegram.connection import TelegramChat

        return TelegramChat(
            token=self.token,
            desk=context.desk,
            inbox=context.inbox,
            hears=context.hears,
            among=partial(context.among, TELEGRAM),
            bookmarks=context.bookmarks,
            clock=context.clock,
            say=context.say,
            api_url=self.api_url,
            webhook_url=self.webhook_url,
            webhook_listen=self.webhook_listen,
            blocklist=self.blocklist.rstrip("/"),
        )

    async def link(self, say: Texts, bot: str = "") -> str:
        from adapters.chat.telegram.moderators.commands.serving import invitation, name_of

        return invitation(bot.removeprefix("@") or await name_of(self.token, self.api_url, say))

    @staticmethod
    def address(community: str, channel: str, message: str) -> str:
        return address(channel, message)

    def examine(self, communities: Sequence[Community], say: Texts) -> AsyncIterator[Found]:
        from adapters.chat.telegram.outside.checkup import checkup

        return checkup(self.token, communities, say, api_url=self.api_url, webhook_url=self.webhook_url)

    async def time(self) -> datetime | None:
        from adapters.chat.server_time import server_time

        return await server_time(self.api_url)

    def selftest(self, community: str, ask: Ask, say: Texts) -> AsyncIterator[Tried]:
        from adapters.chat.telegram.outside.selftest import HEARS, selftest

        return selftest(self.token, community, ask, say, api_url=self.api_url, hears=HEARS)
