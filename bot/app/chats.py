"""A configuration -> the chat networks that are wanted."""

from collections.abc import Callable

from adapters.chat.rehearsal import REHEARSAL, RehearsalChat
from bot.app.parts import Core
from bot.config import Config
from bot.core.base.clock import Clock
from bot.core.chat.message import Platform
from bot.core.moderators.ports import ChatPlatform
from bot.core.text.catalogue import Texts


def _discord(core: Core, say: Texts) -> ChatPlatform:
    from adapters.chat.discord.connection import DiscordChat

    chosen = core.config.discord
    return DiscordChat(
        chosen.token.get_secret_value(),
        desk=core.desk,
        bookmarks=core.bookmarks,
        clock=core.clock,
        say=say,
        api_url=chosen.api_url,
        gateway_url=chosen.gateway_url,
        shard_ids=chosen.shard_ids,
        shard_count=chosen.shard_count or None,
        member_names=chosen.member_names,
        inbox=core.inbox,
    )


def _telegram(core: Core, say: Texts) -> ChatPlatform:
    from adapters.chat.telegram import TelegramChat

    chosen = core.config.telegram
    return TelegramChat(
        token=chosen.token.get_secret_value(),
        desk=core.desk,
        inbox=core.inbox,
        bookmarks=core.bookmarks,
        clock=core.clock,
        say=say,
        api_url=chosen.api_url,
        webhook_url=chosen.webhook_url,
        webhook_listen=chosen.webhook_listen,
    )


#: Chat networks by name, as configured. Each brings its libraries with it only when it is wanted.
CHATS: dict[str, Callable[[Core, Texts], ChatPlatform]] = {"discord": _discord, "telegram": _telegram}
PLATFORMS = (*map(Platform, CHATS), REHEARSAL)


async def discord_invitation(config: Config, say: Texts) -> str:
    """The link that brings the bot into a server. Asks Discord whose token it is."""
    from adapters.chat.discord.moderators.invitation import invitation

    chosen = config.discord
    return await invitation(
        chosen.token.get_secret_value(), say, api_url=chosen.api_url, member_names=chosen.member_names
    )


def discord_needs(config: Config) -> tuple[str, ...]:
    """The permissions that the bot needs in a server, as Discord calls them."""
    from adapters.chat.discord.moderators.commands import needed

    return needed(member_names=config.discord.member_names)


async def telegram_invitation(config: Config, say: Texts) -> str:
    """The link that adds the configured bot to a group, with the rights it needs."""
    from adapters.chat.telegram.moderators.commands import invitation

    return await invitation(config.telegram.token.get_secret_value(), config.telegram.api_url, say)


def rehearsal_chat(path: str, say: Texts, clock: Clock, *, speed: float | None) -> ChatPlatform:
    return RehearsalChat(path, say, clock, speed=speed)
