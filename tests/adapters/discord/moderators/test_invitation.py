"""The invite link, and the five minutes around it, over TCP."""

import asyncio
from urllib.parse import parse_qs, urlsplit

import discord
import pytest

from adapters.chat.discord import Discord
from adapters.chat.discord.moderators.commands.host import needed
from adapters.chat.discord.moderators.invitation import application_of
from bot.core.base.errors import Broken, Unavailable
from bot.core.text.catalogue import texts
from tests.servers.discord import TOKEN, DiscordWire

NEEDED = needed(member_names=False)


def test_the_link_asks_for_exactly_what_is_needed() -> None:
    async def scenario() -> None:
        async with DiscordWire() as wire:
            link = urlsplit(await Discord(token=TOKEN, api_url=wire.api_url).link(texts("ko")))
            asked = parse_qs(link.query)
            assert asked["client_id"] == [str(wire.backend.application_id)]
            assert asked["scope"] == ["bot applications.commands"]
            needed = discord.Permissions(**dict.fromkeys(NEEDED, True))
            assert asked["permissions"] == [str(needed.value)]
            assert not needed.administrator and not needed.manage_guild

    asyncio.run(scenario())


def test_names_ask_for_one_permission_more_and_the_steps_say_so() -> None:
    async def scenario() -> None:
        async with DiscordWire() as wire:
            say = texts("ko")
            for names in (False, True):
                network = Discord(token=TOKEN, api_url=wire.api_url, member_names=names)
                told = network.steps(say)
                assert ("SERVER MEMBERS INTENT도 켭니다" in told) is names
                assert (say["permission_for.manage_nicknames"] in told) is names
                assert "MESSAGE CONTENT INTENT" in told and "1만 명" in told
                (asked,) = parse_qs(urlsplit(await network.link(say)).query)["permissions"]
                assert discord.Permissions(int(asked)).manage_nicknames is names

    asyncio.run(scenario())


def test_a_wrong_token_is_broken_and_discord_away_is_unavailable() -> None:
    async def scenario() -> None:
        async with DiscordWire() as wire:
            with pytest.raises(Broken):
                await application_of("wrong", texts("ko"), api_url=wire.api_url)
            wire.trouble("GET", "/users/@me", 503)
            with pytest.raises(Unavailable):
                await application_of(TOKEN, texts("ko"), api_url=wire.api_url)

    asyncio.run(scenario())


def test_d36_no_permission_is_thought_to_come_with_another() -> None:
    assert "pin_messages" not in NEEDED and "bypass_slowmode" not in NEEDED
    assert {"manage_messages", "moderate_members"} <= set(NEEDED)
