"""Two platforms' communities may have the same id: nothing of one meets anything of the other."""

import asyncio
from dataclasses import replace
from typing import Any

from bot.core.chat.message import Author, CommunityRef, Message, Pairing
from bot.core.communities.journal import Aside, Tally
from bot.core.incidents.review import Appeal, Call, Review
from bot.core.moderation.turns import UnderWay
from bot.core.reporting.delivery.delivery import Delivery
from bot.core.reporting.delivery.schedule import Kind
from bot.core.rules.actions import Delete, Flag
from tests.builders import DISCORD, EVERYWHERE, NOW, TELEGRAM, home, later, message, settlement
from tests.contracts.stores import Opens, Store

SERVER, GROUP = home("7", DISCORD), home("7", TELEGRAM)


def said(community: CommunityRef, id: str = "1", **more: Any) -> Message:
    return message(id, community=community.id, platform=community.platform, **more)


async def opened(store: Store, community: CommunityRef, id: str = "1") -> int:
    about = said(community, id)
    await store.inbox.keep([about])
    await store.inbox.settle([settlement(about, Delete())])
    return (await store.incidents.of([about.ref]))[0].id


def test_messages_and_actions_take_turns(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            raid = [said(SERVER, str(number), sent_at=later(number)) for number in range(5)]
            quiet = said(GROUP, sent_at=later(9))
            await store.inbox.keep([*raid, quiet])
            claimed = [*await store.inbox.claim(2, fresh_since=NOW), *await store.inbox.claim(2, fresh_since=NOW)]
            assert sorted(one.community for one in claimed) == [SERVER, SERVER, SERVER, GROUP]
            await store.inbox.settle([settlement(one, Delete()) for one in (*raid, quiet)])
            alone = UnderWay(whole=10, platform=10, community=1)
            planned = await store.outbox.claim(10, now=later(60), platforms=EVERYWHERE, under_way=alone)
            assert sorted(one.message.community for one in planned) == [SERVER, GROUP]

    asyncio.run(scenario())


def test_incidents_and_histories(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            ours, theirs, third = (
                await opened(store, SERVER),
                await opened(store, GROUP),
                await opened(store, GROUP, "2"),
            )
            assert await store.incidents.get(GROUP, ours) is None
            assert await store.incidents.whose(TELEGRAM, theirs) == GROUP
            assert await store.incidents.whose(DISCORD, theirs) is None
            called = Review(incident_id=ours, call=Call.WRONG, moderator_id="1", moderator_name="지수", at=NOW)
            assert await store.reviews.record(GROUP, called, due=NOW) is None
            assert not await store.reviews.appeal(GROUP, Appeal(incident_id=ours, words="", at=NOW), [Flag()], due=NOW)
            untouched = await store.incidents.get(SERVER, ours)
            assert untouched and untouched.review is None and untouched.appeal is None
            assert [one.id for one in await store.incidents.between(NOW, later(1), GROUP)] == [theirs, third]
            assert await store.incidents.count(SERVER, NOW, later(1)) == 1
            assert (await store.incidents.history(GROUP, "minji")).incidents == 2
            newest = await store.incidents.traces(NOW, each=1, most=99)
            assert sorted(one.community for one in newest) == [SERVER, GROUP], "each member has a newest one"
            assert await store.inbox.tally(NOW, later(1), SERVER) == Tally(kept=1, settled=1)

    asyncio.run(scenario())


def test_what_was_set_aside_bots_and_deliveries(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            robot = Author(id="robot", bot=True)
            told = [
                replace(said(one), author=robot, pairing=Pairing.CERTAIN, text="답입니다") for one in (SERVER, GROUP)
            ]
            await store.inbox.keep(told)
            await store.inbox.claim(10, fresh_since=NOW)
            await store.inbox.set_aside([told[0].ref])
            assert await store.inbox.were_aside(NOW) == {SERVER: Aside(1, 1, 0)}
            await store.inbox.settle([settlement(told[1])])
            assert [community for community, _ in await store.bots.all()] == [GROUP]
            due = [Delivery(community=one, kind=Kind.WEEK, period="2026-W20", due=NOW) for one in (SERVER, GROUP)]
            assert list(await store.deliveries.plan(due)) == [True, True]
            assert [one.community for one in await store.deliveries.latest(9, SERVER)] == [SERVER]

    asyncio.run(scenario())


def test_settings_and_who_changed_them(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await store.communities.change(SERVER, lambda now: replace(now, preset="strict"), by="달")
            await store.communities.change(GROUP, lambda now: replace(now, preset="gentle"), by="별")
            assert [one.by for one in await store.journal.amendments(SERVER, NOW, later(1))] == ["달"]
            await store.communities.move(GROUP, "-1007")
            assert sorted((one.ref, one.preset) for one in await store.communities.all()) == [
                (SERVER, "strict"), (replace(GROUP, id="-1007"), "gentle"),
            ]  # fmt: skip
            assert [one.by for one in await store.journal.amendments(SERVER, NOW, later(1))] == ["달"]

    asyncio.run(scenario())


def test_a_group_that_moves_leaves_a_server_of_its_id_alone(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            ours, theirs = await opened(store, SERVER), await opened(store, GROUP)
            await store.communities.move(GROUP, "-1007")
            assert await store.incidents.get(SERVER, ours) is not None
            assert await store.incidents.get(replace(GROUP, id="-1007"), theirs) is not None

    asyncio.run(scenario())
