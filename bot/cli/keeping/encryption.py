"""`jikimi encryption`: the keys that what people say is sealed with, renewed; while Jikimi is running, too."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from bot.cli.line import Line
from bot.core.text.catalogue import Texts

if TYPE_CHECKING:
    from bot.config import Config


def declare(line: Line) -> None:
    say = line.say

    @line.encryption.command("rotate", help=say["help.encryption_rotate"])
    def rotate_command(config: Annotated[Path | None, line.config] = None) -> None:
        asyncio.run(rotate(line.settings(config), say))

    @line.encryption.command("rewrap", help=say["help.encryption_rewrap"])
    def rewrap_command(config: Annotated[Path | None, line.config] = None) -> None:
        asyncio.run(rewrap(line.settings(config), say))

    @line.encryption.command("adopt", help=say["help.encryption_adopt"])
    def adopt_command(config: Annotated[Path | None, line.config] = None) -> None:
        asyncio.run(adopt(line.settings(config), say))


async def rotate(config: "Config", say: Texts) -> None:
    from bot.app import keeping

    async with keeping.rotating(config) as rotation:
        rotation.sealing.rotate()
    print(say["encryption.rotated"])


async def rewrap(config: "Config", say: Texts) -> None:
    from bot.app import keeping

    async with keeping.rotating(config) as rotation:
        rows = await rotation.rewrap()
    print(say("encryption.rewrapped", rows=rows))


async def adopt(config: "Config", say: Texts) -> None:
    from bot.app import keeping

    await keeping.adopt(config)
    print(say["encryption.adopted"])
