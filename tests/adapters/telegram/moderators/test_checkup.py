"""What the doctor finds at Telegram, over TCP."""

import asyncio

from adapters.chat.telegram import Telegram
from bot.core.communities.community import Community
from bot.core.operations.outside.checkup import Found, State
from bot.core.text.catalogue import texts
from tests.adapters.telegram.stage import Stage, stage
from tests.builders import TELEGRAM
from tests.servers.telegram import BOT_ID, TOKEN, Refusal

SAY = texts("en")


async def found(here: Stage, token: str = TOKEN, *more: str, **network: str) -> list[Found]:
    bot = Telegram(token=token, api_url=here.server.url, **network)
    groups = (str(here.group.id), *more)
    known = [Community(platform=TELEGRAM, id=one, name="동네") for one in groups]
    return [one async for one in bot.examine(known, SAY)]


def test_what_is_missing_is_named_with_the_place() -> None:
    async def scenario() -> None:
        async with stage() as here:
            assert [one.state for one in await found(here)] == [State.WELL, State.WELL]
            here.server.set_member(here.group, BOT_ID, "administrator", ["can_restrict_members"])
            _, odd, well = await found(here)
            assert odd.state is State.ODD and odd.told.startswith("동네: ") and "telegram" in odd.remedy
            assert SAY["telegram.missing.can_delete_messages"] in odd.told and " 0 " in well.told
            here.server.set_member(here.group, BOT_ID, "member")
            assert "no admin" in (await found(here))[1].told
            assert "not in it" in (await found(here, TOKEN, "-100777"))[2].told

            here.server.webhook = {"url": "https://other.example/"}
            assert SAY["doctor.webhook_other"] in [one.told for one in await found(here)]
            elsewhere = await found(here, webhook_url="https://other.example/")
            assert SAY["doctor.webhook_other"] not in [one.told for one in elsewhere]

    asyncio.run(scenario())


def test_a_wrong_token_and_a_network_that_is_away_are_told_apart() -> None:
    async def scenario() -> None:
        async with stage() as here:
            (wrong,) = await found(here, "1:wrong")
            assert wrong.state is State.ILL and "401" in wrong.told
            here.server.fail("getMe", Refusal(502, "Bad Gateway"))
            (away,) = await found(here)
            assert away.state is State.ILL and away.remedy == SAY["doctor.out_of_reach_remedy"]

    asyncio.run(scenario())
