"""What the doctor finds at Discord, over TCP."""

import asyncio
from dataclasses import replace

import discord
from simcord.backend.models import Overwrite
from simcord.enums import OverwriteType

from adapters.chat.discord import Discord
from bot.core.communities.community import Community
from bot.core.operations.outside.checkup import Found, State
from bot.core.text.catalogue import texts
from tests.adapters.discord.cafe import Cafe, cafe
from tests.builders import DISCORD
from tests.servers.discord import TOKEN

SAY = texts("en")


async def found(place: Cafe, token: str = TOKEN, *more: Community, names: bool = False) -> list[Found]:
    network = Discord(token=token, api_url=place.wire.api_url, member_names=names)
    ours = place.desk.settings[str(place.guild)]
    return [one async for one in network.examine([replace(ours, name="카페"), *more], SAY)]


def test_what_is_missing_is_named_with_the_place_and_changes_nothing() -> None:
    async def scenario() -> None:
        async with cafe() as place:
            backend = place.wire.backend
            mine = next(role for role in backend.guilds[place.guild].roles.values() if role.managed)
            everything = discord.Permissions.all_channel() | discord.Permissions(
                moderate_members=True, kick_members=True, ban_members=True, manage_guild=True, manage_nicknames=True,
                manage_roles=True, view_audit_log=True,
            )  # fmt: skip
            backend.edit_role(place.guild, mine.id, {"permissions": everything.value})
            assert [one.state for one in await found(place)] == [State.WELL, State.WELL]
            place.wire.application_flags = 1 << 19  # unverified: limited, and that is enough
            assert {one.state for one in await found(place)} == {State.WELL}
            assert [one for one in await found(place, names=True) if one.state is State.ILL], "members are not"

            place.wire.application_flags = 0
            backend.edit_role(place.guild, mine.id, {"permissions": 0})
            backend.edit_role(place.guild, place.guild, {"permissions": discord.Permissions.text().value})
            hidden = Overwrite(place.guild, OverwriteType.ROLE, deny=discord.Permissions(view_channel=True).value)
            backend.set_overwrite(place.mods, hidden)
            elsewhere = Community(platform=DISCORD, id="77", name="옛집")
            told = await found(place, TOKEN, elsewhere, replace(elsewhere, id="78", left_at=place.wire.clock.now()))
            ill = [one.told for one in told if one.state is State.ILL]
            odd = [one.told for one in told if one.state is State.ODD]
            assert len(ill) == 1 and "MESSAGE CONTENT INTENT" in ill[0]
            assert len(odd) == 3 and odd[0].startswith("카페:") and SAY["permission.moderate_members"] in odd[0]
            assert odd[1].startswith("옛집") and "moderators' room" in odd[2]
            assert all(one.remedy for one in told if one.state is State.ODD)
            assert {call.method for call in place.wire.calls} == {"GET"}

    asyncio.run(scenario())


def test_a_wrong_token_and_a_network_that_is_away_are_told_apart() -> None:
    async def scenario() -> None:
        async with cafe() as place:
            (wrong,) = await found(place, "wrong")
            assert wrong.state is State.ILL and "developer portal" in wrong.told and "wrong" not in wrong.told[20:]
            place.wire.trouble("GET", "/users/@me", 503)
            (away,) = await found(place)
            assert away.state is State.ILL and away.remedy == SAY["doctor.out_of_reach_remedy"]
            network = Discord(token=TOKEN, api_url=place.wire.api_url)
            assert await network.time() is not None
            assert await replace(network, api_url="http://127.0.0.1:9").time() is None

    asyncio.run(scenario())
