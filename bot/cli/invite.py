"""`jikimi invite`: how a platform's bot is made and brought into a community, with the link that does it."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bot.cli.line import Line
from bot.core.text.catalogue import Texts

if TYPE_CHECKING:
    from bot.config import Config


def declare(line: Line) -> None:
    say = line.say

    @line.app.command("invite", help=say["help.invite"])
    def command(
        platform: Annotated[Literal["discord", "telegram"], typer.Argument(help=say["help.invite_platform"])],
        config: Annotated[Path | None, line.config] = None,
    ) -> None:
        asyncio.run(INVITATIONS[platform](line.settings(config), say))


async def discord(config: "Config", say: Texts) -> None:
    """The steps in the developer portal, what the bot needs and why, then the invite link where there is a token."""
    from bot.app import chats

    names = say["invite.discord_names_on" if config.discord.member_names else "invite.discord_names_off"]
    print(say("invite.discord", names=names).strip() + "\n")
    for name in chats.discord_needs(config):
        print(f"  {say[f'permission.{name}']}: {say[f'permission_for.{name}']}")
    if config.discord.token.get_secret_value():
        print("\n" + say("invite.discord_link", link=await chats.discord_invitation(config, say)))
    else:
        print("\n" + say["invite.discord_no_token"])


async def telegram(config: "Config", say: Texts) -> None:
    """The steps at BotFather, then the add-to-group link; without a token only the steps."""
    from bot.app import chats

    print(say["invite.telegram"].strip())
    if config.telegram.token.get_secret_value():
        print("\n" + say("invite.telegram_link", link=await chats.telegram_invitation(config, say)))
    else:
        print("\n" + say["invite.telegram_no_token"])


#: One function a platform.
INVITATIONS = {"discord": discord, "telegram": telegram}
