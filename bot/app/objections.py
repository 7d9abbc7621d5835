"""A configuration -> why `run` would refuse it: everything that this machine knows without asking the network."""

from bot.app import chats, guards, keeping
from bot.config import Config
from bot.core.text.catalogue import Texts


async def objections(config: Config, say: Texts) -> list[str]:
    return [*chats.objections(config, say), *await guards.objections(config, say), *keeping.objections(config)]
