"""The chat networks that there are, and those of them that a configuration wants."""

from collections.abc import Sequence

from adapters.chat.discord import Discord
from adapters.chat.rehearsal import REHEARSAL, RehearsalChat
from adapters.chat.telegram import Telegram
from bot.config import Config, chosen
from bot.core.base.clock import Clock
from bot.core.base.errors import Broken
from bot.core.moderators.network import Network
from bot.core.moderators.ports import ChatPlatform
from bot.core.text.catalogue import Texts

#: Every network, a package each, in the order in which people read of them.
NETWORKS: tuple[type[Network], ...] = (Discord, Telegram)
#: What can stand in a database that a process of ours has written.
PLATFORMS = (*(one.platform for one in NETWORKS), REHEARSAL)


def wanted(config: Config, say: Texts) -> Sequence[Network]:
    """Raises `Broken` where what is configured for one cannot work together."""
    found = [network for one in NETWORKS if (network := chosen(config, one)).is_on]
    for network in found:
        if objection := network.objection(say):
            raise Broken(objection)
    return found


def rehearsal_chat(path: str, say: Texts, clock: Clock, *, speed: float | None) -> ChatPlatform:
    return RehearsalChat(path, say, clock, speed=speed)
