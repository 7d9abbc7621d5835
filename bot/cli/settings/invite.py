"""`jikimi invite`: how a network's bot is made and brought into a community, with the link that does it."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.line import Line
from bot.core.base.errors import Broken
from bot.core.text.catalogue import Texts

if TYPE_CHECKING:
    from bot.config import Config


def declare(line: Line) -> None:
    say = line.say

    @line.app.command("invite", help=say["help.invite"])
    def command(
        platform: Annotated[str, typer.Argument(help=say["help.invite_platform"], show_default=False)],
        bot: Annotated[str, typer.Option("--bot", help=say["help.invite_bot"], show_default=False)] = "",
        config: Annotated[Path | None, line.config] = None,
    ) -> None:
        asyncio.run(invite(platform, line.settings(config), say, bot))


async def invite(platform: str, config: "Config", say: Texts, bot: str = "") -> None:
    """The steps, then the invite link, for which it takes the token or which `bot` it is. Raises `Broken` for an
    unknown platform."""
    from bot.app import chats
    from bot.config import chosen

    networks = {str(one.platform): one for one in chats.NETWORKS}
    if platform not in networks:
        raise Broken(say("run.unknown_platform", name=platform, names=", ".join(networks)))
    network = chosen(config, networks[platform])
    print(network.steps(say).strip() + "\n")
    if bot or network.is_on:
        print(say("invite.link", link=await network.link(say, bot)))
    else:
        print(say("invite.no_token", platform=platform, bot=say[f"{platform}.which_bot"]))
