"""A bot token and communities -> whether Discord takes it, what it lets the bot hear, and which rights are missing."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

import discord
from discord.http import Route

from adapters.chat.discord.connection import intents
from adapters.chat.discord.errors import OUT_OF_REACH, missing
from adapters.chat.discord.moderators.commands.host import needed
from adapters.chat.discord.moderators.problems import CARD
from adapters.chat.discord.refs import DISCORD
from bot.core.communities.community import Community
from bot.core.operations.outside.checkup import Found, State
from bot.core.text.catalogue import Texts

PAGE = 200  # servers in an answer, Discord's most
ROOMS = 50  # moderators' rooms that are looked at: each takes three requests


async def checkup(
    token: str, communities: Sequence[Community], say: Texts, *, api_url: str, member_names: bool
) -> AsyncIterator[Found]:
    Route.BASE = api_url.rstrip("/")
    async with discord.Client(intents=intents(member_names=member_names)) as client:
        try:
            await client.login(token)
            yield Found(DISCORD, State.WELL, say("doctor.token", name=client.user.name if client.user else ""))
            for found in _unheard(client, say, member_names=member_names):
                yield found
            servers = {server["id"]: server async for server in _servers(client)}
            for found in _rights(servers, communities, say, needed(member_names=member_names)):
                yield found
            rooms = [one for one in communities if one.moderators_channel and one.id in servers]
            for one in rooms[:ROOMS]:
                if lacking := await _room_lacks(client, one):
                    told = say("doctor.room", community=one.name or one.id, missing=missing(lacking, say))
                    yield Found(DISCORD, State.ODD, told, say["doctor.room_remedy"])
        except discord.LoginFailure:
            yield Found(DISCORD, State.ILL, say["discord.bad_token"])
        except OUT_OF_REACH as error:
            told = say("doctor.out_of_reach", why=type(error).__name__)
            yield Found(DISCORD, State.ILL, told, say["doctor.out_of_reach_remedy"])


def _unheard(client: discord.Client, say: Texts, *, member_names: bool) -> Iterator[Found]:
    """What the developer portal has to allow, and does not."""
    flags = client.application_flags
    if not (flags.gateway_message_content or flags.gateway_message_content_limited):
        yield Found(DISCORD, State.ILL, say["discord.intents"])
    elif member_names and not (flags.gateway_guild_members or flags.gateway_guild_members_limited):
        yield Found(DISCORD, State.ILL, say["discord.intents_with_names"])


async def _servers(client: discord.Client) -> AsyncIterator[Mapping[str, str]]:
    after: str | None = None
    while page := await client.http.get_guilds(PAGE, after=after):
        for server in page:
            yield server  # type: ignore[misc]
        if len(page) < PAGE:
            return
        after = str(page[-1]["id"])


def _rights(
    servers: Mapping[str, Mapping[str, str]], communities: Sequence[Community], say: Texts, wanted: Sequence[str]
) -> Iterator[Found]:
    well = 0
    for server in servers.values():
        has = discord.Permissions(int(server["permissions"]))
        lacking = [] if has.administrator else [name for name in wanted if not getattr(has, name)]
        if lacking:
            told = say("doctor.lacks", community=server["name"], missing=missing(lacking, say))
            yield Found(DISCORD, State.ODD, told, say("doctor.lacks_remedy", platform=DISCORD))
        else:
            well += 1
    for one in communities:
        if one.left_at is None and one.id not in servers:
            told = say("doctor.not_in", community=one.name or one.id)
            yield Found(DISCORD, State.ODD, told, say("doctor.lacks_remedy", platform=DISCORD))
    yield Found(DISCORD, State.WELL, say("doctor.rights", number=well))


async def _room_lacks(client: discord.Client, community: Community) -> list[str]:
    assert client.user is not None
    try:
        guild = await client.fetch_guild(int(community.id))
        me = await guild.fetch_member(client.user.id)
        rooms = {str(channel.id): channel for channel in await guild.fetch_channels()}
    except (discord.Forbidden, discord.NotFound):  # it was taken out just now
        return ["view_channel"]
    if (room := rooms.get(community.moderators_channel or "")) is None:
        return ["view_channel"]
    has = room.permissions_for(me)
    return [name for name in CARD if not getattr(has, name)]
