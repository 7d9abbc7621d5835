"""A group that gets a new id while a message of it is being judged: what is counted goes to the new one."""

import asyncio
from dataclasses import replace

from bot.core.chat.message import Author
from tests.builders import NOW, home, message, settlement
from tests.contracts.stores import Opens


def test_what_is_settled_after_a_move_counts_for_the_new_id(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            bot = Author(id="bot", name="로봇", bot=True)
            answer = replace(message("2", "답입니다", community="old", reply_to="1"), author=bot)
            await store.inbox.keep([answer])
            (claimed,) = await store.inbox.claim(10, fresh_since=NOW)
            await store.communities.move(home("old"), "new")
            await store.inbox.settle([settlement(claimed)])
            assert [community for community, _ in await store.bots.all()] == [home("new")]

    asyncio.run(scenario())
