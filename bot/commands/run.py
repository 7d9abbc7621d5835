"""`jikimi run`: connect to the platforms that have a token and moderate until stopped."""

import asyncio
import signal
from contextlib import suppress

from bot import wiring
from bot.config import Config
from bot.errors import Broken
from bot.texts import Texts

PLATFORMS = ("discord", "telegram")


async def run(config: Config, say: Texts) -> None:
    """Raises `Broken` where nothing is switched on, or something that is cannot work."""
    wanted = [name for name in PLATFORMS if getattr(config, name).token.get_secret_value()]
    if not wanted:
        raise Broken(say["run.how_to_begin"].strip())
    for name in wanted:
        if name not in wiring.CHATS:
            raise Broken(say("run.not_yet", platform=name.title()))
    if config.discord.shard_ids and not config.discord.shard_count:
        raise Broken(say["run.shard_count"])
    async with (
        wiring.guard(config, say) as guard,
        wiring.application(config, guard, lambda core: [wiring.CHATS[name](core, say) for name in wanted]) as jikimi,
    ):
        print(say("run.begins", platforms=", ".join(map(str.title, wanted)), database=config.storage.shown), flush=True)
        working = asyncio.ensure_future(jikimi.run())
        # Stopping at any moment is safe: what is not done is claimed again by the next process.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, working.cancel)
        with suppress(asyncio.CancelledError):
            await working
