"""`jikimi run`: connect to the platforms that have a token and moderate until stopped."""

from bot.config import Config
from bot.errors import Broken
from bot.texts import Texts


async def run(config: Config, say: Texts) -> None:
    for platform in ("discord", "telegram"):
        if getattr(config, platform).token.get_secret_value():
            raise Broken(say("run.not_yet", platform=platform.title()))
    raise Broken(say["run.how_to_begin"].strip())
