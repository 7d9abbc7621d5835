"""A bot's token, or its application -> the link that brings it into a server, with exactly the permissions it needs."""

import re

import aiohttp
import discord
from discord.http import Route

from adapters.chat.discord.connection import intents
from adapters.chat.discord.moderators.commands.host import needed
from bot.core.base.errors import Broken, Unavailable
from bot.core.text.catalogue import Texts

SCOPES = ("bot", "applications.commands")


async def application_of(token: str, say: Texts, *, api_url: str = Route.BASE) -> str:
    """Asks Discord which application the token belongs to. Raises `Broken` for a wrong token."""
    Route.BASE = api_url.rstrip("/")
    async with discord.Client(intents=intents(member_names=False)) as client:
        try:
            await client.login(token)
        except discord.LoginFailure as error:
            raise Broken(say["discord.bad_token"]) from error
        except (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unavailable("Discord is out of reach ({why})", why=type(error).__name__) from error
        return str(client.application_id)


def invitation(application: str, *, member_names: bool = False) -> str:
    """Raises `Broken` where that is no application's id."""
    if not re.fullmatch(r"[0-9]{17,20}", application):
        raise Broken(
            "{given}: an application id is a number of 17 to 20 digits (developer portal, General Information)",
            given=application,
        )
    permissions = discord.Permissions(**dict.fromkeys(needed(member_names=member_names), True))
    return discord.utils.oauth_url(int(application), permissions=permissions, scopes=SCOPES)
