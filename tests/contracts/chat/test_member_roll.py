"""How much members have said: what every implementation must count, in the very settlement that closes a message."""

import asyncio
from dataclasses import replace

from bot.core.rules.conditions.author import MOST_FIRST
from tests.builders import NOW, TELEGRAM, home, later, message, settlement
from tests.contracts.stores import Opens

MINJI, DOYUN = (home(), "minji"), (home(), "doyun")


def test_what_a_member_says_is_counted_once_and_outlives_the_process(opens: Opens) -> None:
    async def scenario() -> None:
        said = [message(str(n), sent_at=later(n)) for n in range(3)]
        other = message("x", author="doyun", sent_at=later(9))
        async with opens() as store:
            await store.inbox.keep([*said, other, message("no", author="silent")])
            for _ in range(2):
                await store.inbox.settle([replace(settlement(one), counts_for=1) for one in said])
            await store.inbox.settle([replace(settlement(other), counts_for=MOST_FIRST), settlement(message("no"))])
        async with opens() as store:
            assert await store.members.heard({MINJI, DOYUN, (home(), "silent"), (home("other"), "minji")}) == {
                MINJI: 3, DOYUN: MOST_FIRST
            }  # fmt: skip
            assert await store.members.watched_since({home(), home("other")}) == {home(): NOW}
            more = message("more", author="doyun")
            await store.inbox.keep([more])
            await store.inbox.settle([replace(settlement(more), counts_for=3)])
            assert await store.members.heard([DOYUN]) == {DOYUN: MOST_FIRST}

    asyncio.run(scenario())


def test_members_of_a_group_that_gets_another_id_stay_known(opens: Opens) -> None:
    async def scenario() -> None:
        said = message("1", community="-5", channel="-5", platform=TELEGRAM)
        async with opens() as store:
            await store.inbox.keep([said])
            await store.inbox.settle([replace(settlement(said), counts_for=1)])
            await store.communities.move(home("-5", TELEGRAM), "-1005")
            here = (home("-1005", TELEGRAM), "minji")
            assert await store.members.heard([here]) == {here: 1}

    asyncio.run(scenario())
