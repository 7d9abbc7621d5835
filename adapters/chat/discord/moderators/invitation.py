"""A bot token -> the link that brings the bot into a server, with exactly the permissions that it needs."""

import aiohttp
import discord
from discord.http import Route

from adapters.chat.discord.connection import intents
from adapters.chat.discord.moderators.commands.host import needed
from bot.core.base.errors import Broken, Unavailable
from bot.core.text.catalogue import Texts

SCOPES = ("bot", "applications.commands")


async def invitation(token: str, say: Texts, *, api_url: str = Route.BASE, member_names: bool = False) -> str:
    """Asks Discord which application the token belongs to. Raises `Broken` for a wrong token."""
    Route.BASE = api_url.rstrip("/")
    async with discord.Client(intents=intents(member_names=member_names)) as client:
        try:
            await client.login(token)
        except discord.LoginFailure as error:
            raise Broken(say["discord.bad_token"]) from error
        except (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unavailable("Discord is out of reach ({why})", why=type(error).__name__) from error
        assert client.application_id is not None
        permissions = discord.Permissions(**dict.fromkeys(needed(member_names=member_names), True))
        return discord.utils.oauth_url(client.application_id, permissions=permissions, scopes=SCOPES)
