"""Who is not connected does what is planned all the same: what it must know it asks, and nothing is told to it."""

import asyncio
from datetime import timedelta

import discord
import pytest

from adapters.chat.discord.errors import InvalidAnswers, lacking
from adapters.chat.discord.limits import Limiter, Rank
from adapters.chat.server_time import NetworkClock
from bot.core.rules.actions import Ban, Delete, Done, Flag, Refused, Timeout, Warn
from tests.adapters.discord.acting.test_executor import harmful, there
from tests.adapters.discord.cafe import Cafe, Heard, play
from tests.fakes.clock import ManualClock


def test_it_acts_and_shows_and_asks_once_about_a_server() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        high = place.wire.backend.create_role(place.guild, "높은 역할", position=99).id
        said = [await harmful(place, heard, str(number)) for number in range(6)]
        above = await harmful(place, heard, by=place.join("대장", high))
        connected = place.wire.identified
        chat = place.chat(hears=False)
        hearing = asyncio.create_task(anext(chat.messages()))
        try:
            deletes = (place.planned(Delete(), one, incident=number) for number, one in enumerate(said, 1))
            assert await asyncio.gather(*map(chat.perform, deletes)) == [Done()] * 6
            assert there(place) == ["나쁜 말"] and chat.connection.is_up is False
            assert await chat.perform(place.planned(Ban(), above)) == Refused("discord.above")
            quiet = await chat.perform(place.planned(Timeout(timedelta(minutes=5)), said[0]))
            place.planned(Warn(), said[0])  # so that the incident is on record
            shown = await chat.perform(place.planned(Flag(), said[0]))
            assert (quiet, type(shown)) == (Done(), Done)
            assert len(place.wire.backend.messages[place.mods]) == 2, "why nobody was banned, and a card"
            assert len([call for call in place.wire.calls if call.path == f"/guilds/{place.guild}"]) == 1
            assert not hearing.done() and place.wire.identified == connected, "nobody listens"
        finally:
            hearing.cancel()
            await asyncio.wait([hearing])

    play(scene)


def test_what_it_may_not_do_there_is_not_tried_and_what_discord_does_not_say_holds_nothing_up() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        said = [await harmful(place, heard, str(number)) for number in range(2)]
        place.wire.trouble("GET", f"/guilds/{place.guild}", 404, times=1)
        chat = place.chat(hears=False)
        hearing = asyncio.create_task(anext(chat.messages()))
        try:
            assert await chat.perform(place.planned(Delete(), said[0])) == Done()
            chat._servers._asked.clear()  # as a minute later, and many servers
            await chat._servers.at_hand(1)
            assert chat.client.get_guild(place.guild) is None, "nor is one remembered for ever"
            mine = next(role for role in place.wire.backend.guilds[place.guild].roles.values() if role.managed)
            allowed = discord.Permissions(mine.permissions)
            allowed.manage_messages = False
            place.wire.backend.edit_role(place.guild, mine.id, {"permissions": allowed.value})
            outcome = await chat.perform(place.planned(Delete(), said[1]))
            assert outcome == Refused(lacking(["manage_messages"]))
            assert len(place.wire.made("DELETE", "/messages/")) == 1
        finally:
            hearing.cancel()
            await asyncio.wait([hearing])

    play(scene)


@pytest.mark.parametrize("among", [2, 4, 7])
def test_d18_all_who_use_one_token_stay_below_the_global_limit_together(among: int) -> None:
    async def scenario() -> None:
        clock, gone = ManualClock(), list[float]()
        limiters = [
            Limiter(clock=NetworkClock(clock), invalid=InvalidAnswers(clock), among=lambda: among) for _ in range(among)
        ]

        async def ask(number: int) -> None:
            await limiters[number % among].turn(Rank.NOTICE)
            gone.append(clock.monotonic())

        asked = [asyncio.create_task(ask(number)) for number in range(200)]
        for _ in range(600):
            await clock.advance(0.01)
        assert len(gone) == 200 and all(task.done() for task in asked)
        assert max(len([at for at in gone if first <= at < first + 1]) for first in gone) < 50

    asyncio.run(scenario())
