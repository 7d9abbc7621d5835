"""The chat networks that there are, and those of them that a configuration wants."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import structlog

from adapters.chat.discord import Discord
from adapters.chat.rehearsal import REHEARSAL, RehearsalChat
from adapters.chat.telegram import Telegram
from bot.app.runner import Turn
from bot.config import Config, chosen, token_variable
from bot.core.base.clock import Clock
from bot.core.base.errors import Broken
from bot.core.chat.message import CommunityRef, Platform
from bot.core.moderators.network import Network
from bot.core.moderators.ports import ChatPlatform
from bot.core.operations.division import Post
from bot.core.text.catalogue import Texts
from storage.database import Database
from storage.flow.leases.shares import SqlShares

_log = structlog.get_logger(__name__)

#: Every network, a package each, in the order in which people read of them.
NETWORKS: tuple[type[Network], ...] = (Discord, Telegram)
#: What can stand in a database that a process of ours has written.
PLATFORMS = (*(one.platform for one in NETWORKS), REHEARSAL)


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


def nothing_on(config: Config, say: Texts) -> str:
    """How to begin; "": something is switched on."""
    if on(config) or config.http.listen or config.http.metrics_listen:
        return ""
    tokens = ", ".join(f"[{one.platform}] token" for one in NETWORKS)
    variables = ", ".join(token_variable(one.platform) for one in NETWORKS)
    return say("run.how_to_begin", tokens=tokens, variables=variables).strip()


def looks_up(config: Config) -> tuple[str, ...]:
    """Who hears the numbers of members who come in, where a community wants that."""
    return tuple(host for network in on(config) for host in network.looks_up)


def on(config: Config) -> Sequence[Network]:
    return [network for one in NETWORKS if (network := chosen(config, one)).is_on]


def posts(database: Database, platforms: Sequence[ChatPlatform], clock: Clock) -> Mapping[Platform, Post]:
    """Of the processes on one database, one is connected to each."""
    return {
        one.platform: Post(shares=SqlShares(database, f"chat/{one.platform}", parts=1), clock=clock)
        for one in platforms
    }


def turn_of(platforms: Sequence[ChatPlatform], posts: Mapping[Platform, Post], *heard: dict[Platform, Any]) -> Turn:
    """`heard` have the platforms that it is this process's turn to be connected to: for which there is no post, all
    the time."""

    async def turn(chat: ChatPlatform) -> None:
        if post := posts.get(chat.platform):
            if not post.taken.is_set():
                _log.info("stands by", platform=chat.platform)
            await post.taken.wait()
            for one in heard:
                one[chat.platform] = chat

    for one in heard:
        one.update({chat.platform: chat for chat in platforms if chat.platform not in posts})
    return turn


def rehearsal_chat(path: str, say: Texts, clock: Clock, *, speed: float | None, zone: str) -> ChatPlatform:
    return RehearsalChat(path, say, clock, speed=speed, zone=zone)
