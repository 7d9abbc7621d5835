"""Discord: gateway events become messages, actions become REST calls, moderators talk back by buttons and commands.

discord.py lives in this package and nowhere else.
"""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from adapters.chat.discord.refs import DISCORD, address
from bot.core.communities.community import Community
from bot.core.moderators.network import Context, Count, Network
from bot.core.moderators.ports import ChatPlatform
from bot.core.operations.outside.checkup import Found
from bot.core.operations.outside.selftest import Ask, Tried
from bot.core.text.catalogue import Texts

API = "https://discord.com/api/v10"


@dataclass(frozen=True, kw_only=True)
class Discord(Network, platform=DISCORD):
    api_url: str = field(default=API, repr=False)
    """Base URL of the REST API, for a proxy or a test server."""

    gateway_url: str = field(default="", repr=False)
    """URL of the gateway; empty: the one that Discord names."""

    shard_ids: tuple[int, ...] = ()
    """The shards of this process; empty: all."""

    shard_count: Count = 0
    """The shards of all processes together, needed with `shard_ids`; 0: Discord decides."""

    member_names: bool = False
    """Whether members' names are judged, too; needs the SERVER MEMBERS INTENT."""

    def objection(self, say: Texts) -> str | None:
        if self.shard_ids and not self.shard_count:
            return say["discord.shard_count"]
        is_token = self.api_url != API or re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", self.token)  # a proxy has its own
        return None if is_token else say["discord.no_token"]

    def connect(self, context: Context) -> ChatPlatform:
        from adapters.chat.discord.connection import DiscordChat

        return DiscordChat(
            self.token,
            desk=context.desk,
            bookmarks=context.bookmarks,
            clock=context.clock,
            say=context.say,
            api_url=self.api_url,
            gateway_url=self.gateway_url,
            shard_ids=self.shard_ids,
            shard_count=self.shard_count or None,
            member_names=self.member_names,
            inbox=context.inbox,
            hears=context.hears,
            among=partial(context.among, DISCORD),
        )

    def steps(self, say: Texts) -> str:
        from adapters.chat.discord.moderators.commands.host import needed

        names = say["discord.steps_names" if self.member_names else "discord.steps_no_names"]
        asked = needed(member_names=self.member_names)
        rights = (f"  {say[f'permission.{one}']}: {say[f'permission_for.{one}']}" for one in asked)
        return "\n".join((say("discord.steps", names=names).strip(), "", *rights))

    async def link(self, say: Texts, bot: str = "") -> str:
        from adapters.chat.discord.moderators.invitation import application_of, invitation

        application = bot or await application_of(self.token, say, api_url=self.api_url)
        return invitation(application, member_names=self.member_names)

    @staticmethod
    def address(community: str, channel: str, message: str) -> str:
        return address(community, channel, message)

    def examine(self, communities: Sequence[Community], say: Texts) -> AsyncIterator[Found]:
        from adapters.chat.discord.outside.checkup import checkup

        return checkup(self.token, communities, say, api_url=self.api_url, member_names=self.member_names)

    async def time(self) -> datetime | None:
        from adapters.chat.server_time import server_time

        return await server_time(self.api_url)

    def selftest(self, community: str, ask: Ask, say: Texts) -> AsyncIterator[Tried]:
        from adapters.chat.discord.outside.selftest import RESUMES, selftest

        place = {"api_url": self.api_url, "gateway_url": self.gateway_url}
        return selftest(self.token, community, ask, say, **place, resumes=RESUMES)
