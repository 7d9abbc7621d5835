"""A group that gets a new id: everything of it goes along, and what is still under way."""

import asyncio
from dataclasses import replace

from bot.core.chat.message import Author, CommunityRef
from bot.core.communities.journal import Tally
from bot.core.reporting.delivery.delivery import Delivery
from bot.core.reporting.delivery.schedule import Kind
from bot.core.rules.actions import Delete
from tests.builders import EVERYWHERE, NOW, TELEGRAM, home, later, message, settlement
from tests.contracts.stores import Opens, Store


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


def test_a_group_whose_new_id_is_known_already_becomes_one_with_it(opens: Opens) -> None:
    """What was written in the group that it has become may come in before anybody says that it moved."""
    old, new = home("-5", TELEGRAM), home("-1005", TELEGRAM)
    robot = Author(id="robot", name="로봇", bot=True)

    async def lived_in(store: Store, community: CommunityRef) -> None:
        said = [
            message(f"{community.id} {number}", "글", community=community.id, platform=TELEGRAM) for number in "123"
        ]
        answer = replace(said[2], author=robot, reply_to="1")
        await store.inbox.keep([*said[:2], answer])
        await store.inbox.settle([settlement(said[0], Delete()), settlement(answer)])
        await store.communities.change(community, lambda now: replace(now, preset="strict"), by=community.id)
        weeks = [Delivery(community=community, kind=Kind.WEEK, period=f"2026-W{week}", due=NOW) for week in (20, 21)]
        await store.deliveries.plan(weeks if community == old else weeks[:1])

    async def scenario() -> None:
        async with opens() as store:
            for community in (new, old):
                await lived_in(store, community)
            for _ in range(2):
                await store.communities.move(old, new.id)
            assert (await store.incidents.history(new, "minji")).incidents == 2
            assert (await store.incidents.history(old, "minji")).incidents == 0
            assert await store.inbox.tally(NOW, later(1), new) == Tally(kept=6, settled=4)
            assert [(community, one.messages) for community, one in await store.bots.all()] == [(new, 2)]
            assert [one.ref for one in await store.communities.all()] == [new]
            assert sorted(one.by for one in await store.journal.amendments(new, NOW, later(1))) == ["-1005", "-5"]
            assert sorted({one.period for one in await store.deliveries.latest(9, new)}) == ["2026-W20", "2026-W21"]
            planned = await store.outbox.claim(10, now=NOW, platforms=EVERYWHERE)
            assert [one.message.community for one in planned] == [new, new]
            claimed = await store.inbox.claim(10, fresh_since=NOW)
            assert [one.community for one in claimed] == [new, new]
            await lived_in(store, old)  # a straggler, from before
            await store.communities.move(old, new.id)
            assert {community for community, _ in await store.bots.all()} == {new}

    asyncio.run(scenario())
