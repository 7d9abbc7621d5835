"""Deliveries: what every implementation must do."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.core.chat.message import CommunityRef, Platform
from bot.core.communities.community import Community
from bot.core.reporting.delivery.delivery import FINAL, Delivery, State
from bot.core.reporting.delivery.schedule import Kind
from tests.builders import DISCORD, NOW, TELEGRAM, later, put_settings
from tests.contracts.stores import Opens, Store

HERE = (DISCORD, TELEGRAM)


def weekly(community: str = "cafe", period: str = "2026-W20", platform: Platform = DISCORD, **more: Any) -> Delivery:
    given = Delivery(community=CommunityRef(platform, community), kind=Kind.WEEK, period=period, due=NOW)
    return replace(given, **more)


async def claim(store: Store, limit: int = 10, *, at: float = 0, platforms: Sequence[Platform] = HERE) -> list[str]:
    claimed = await store.deliveries.claim(limit, now=later(at), platforms=platforms)
    return [one.community.id for one in claimed]


async def one(store: Store, community: str = "cafe", platform: Platform = DISCORD) -> Delivery:
    (found,) = await store.deliveries.latest(10, CommunityRef(platform, community))
    return found


def test_there_is_one_for_each_platform_community_kind_and_period(opens: Opens) -> None:
    others = [
        weekly(platform=TELEGRAM), weekly("other"), weekly(kind=Kind.DAY), weekly(period="2026-W21"),
    ]  # fmt: skip

    async def scenario() -> None:
        async with opens() as store:
            assert await store.deliveries.plan([weekly(), *others, weekly("other")]) == [*[True] * 5, False]
            assert await store.deliveries.plan([weekly(due=later(5), size=3)]) == [False]
            assert await store.deliveries.plan([]) == []
            assert len(await store.deliveries.latest(100)) == 5
            assert await one(store, "other")
        async with opens() as store:
            assert list(await store.deliveries.plan([weekly(), weekly("new")])) == [False, True]

    asyncio.run(scenario())


def test_the_largest_go_first_and_nobody_gets_what_another_has(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            sizes = {"small": 5, "large": 5000, "quiet": 0, "middle": 70}
            await store.deliveries.plan([weekly(name, size=size) for name, size in sizes.items()])
            await store.deliveries.plan([weekly("tomorrow", due=later(60), size=9999)])
            await store.deliveries.plan([weekly("elsewhere", platform=TELEGRAM, size=9999)])
            assert await claim(store, 1, platforms=[DISCORD]) == ["large"]
            claims = await asyncio.gather(*(claim(store, 1, platforms=[DISCORD]) for _ in range(5)))
            assert sorted(name for claimed in claims for name in claimed) == ["middle", "quiet", "small"]
            assert await claim(store, at=60) == ["tomorrow", "elsewhere"]

    asyncio.run(scenario())


@pytest.mark.parametrize("state", FINAL)
def test_what_came_of_it_stays(opens: Opens, state: State) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await store.deliveries.plan([weekly()])
            await claim(store)
            number = (await one(store)).id
            assert await store.deliveries.start(number)
            assert not await store.deliveries.start(number)
            await store.deliveries.record(number, state, receipt="1/2", reason="why")
            await store.deliveries.record(number, State.FAILED, reason="later")
            await store.deliveries.postpone(number, NOW, reason="later")
        async with opens() as store:
            found = await one(store)
            assert (found.state, found.receipt, found.reason, found.attempts) == (state, "1/2", "why", 1)
            assert found.started_at == found.finished_at == found.planned_at == store.clock.now()
            assert await claim(store, at=9999) == []
            assert list(await store.deliveries.plan([weekly()])) == [False]

    asyncio.run(scenario())


def test_a_postponed_one_comes_back_in_its_time(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await store.deliveries.plan([weekly()])
            await claim(store)
            number = (await one(store)).id
            await store.deliveries.start(number)
            await store.deliveries.postpone(number, later(60), reason="away")
            assert not await store.deliveries.start(number)
            assert await claim(store, at=59) == []
        async with opens() as store:
            found = await one(store)
            assert (found.state, found.reason, found.attempts) == (State.PLANNED, "away", 1)
            assert await claim(store, at=60) == ["cafe"]
            assert await store.deliveries.start(number)
            assert (await one(store)).attempts == 2

    asyncio.run(scenario())


def test_after_a_restart_what_was_not_started_is_handed_out_again_and_what_was_is_not(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await store.deliveries.plan([weekly("rendered", size=2), weekly("sending", size=1)])
            await claim(store)
            assert await store.deliveries.start((await one(store, "sending")).id)
        async with opens() as store:
            assert await claim(store) == ["rendered"]
            assert (await one(store, "sending")).state is State.UNCONFIRMED
            assert list(await store.deliveries.plan([weekly("sending")])) == [False]

    asyncio.run(scenario())


def test_who_comes_late_gets_the_latest_only(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await store.deliveries.plan([weekly(), weekly("sending"), weekly("other", kind=Kind.DAY)])
            await claim(store, 9, platforms=[TELEGRAM])
            held = await store.deliveries.claim(9, now=NOW, platforms=[DISCORD])
            for one_ in held:
                if one_.community.id != "sending":
                    await store.deliveries.postpone(one_.id, NOW, reason="away")
            new = [weekly(name, "2026-W21", due=later(60)) for name in ("cafe", "sending", "other")]
            await store.deliveries.plan(new)
            found = {(one_.community.id, one_.kind, one_.period): one_ for one_ in await store.deliveries.latest(9)}
            skipped = {key for key, one_ in found.items() if one_.state is State.SKIPPED}
            assert skipped == {("cafe", Kind.WEEK, "2026-W20")}
            assert found["cafe", Kind.WEEK, "2026-W20"].reason == "overtaken"

    asyncio.run(scenario())


def test_alerts_keep_their_distance(opens: Opens) -> None:
    def alert(minute: int, community: str = "cafe") -> Delivery:
        return weekly(community, f"minute {minute}", kind=Kind.ALERT, due=later(60 * minute))

    async def scenario() -> None:
        async with opens() as store:
            await put_settings(store.communities, Community(platform=DISCORD, id="cafe"))
            hour = timedelta(hours=1)
            planned = [await store.deliveries.plan([alert(minute)], apart=hour) for minute in (0, 1, 59, 60, 61)]
            assert [list(one) for one in planned] == [[True], [False], [False], [True], [False]]
            assert list(await store.deliveries.plan([alert(61, "other")], apart=hour)) == [True]
            assert list(await store.deliveries.plan([weekly()])) == [True]

    asyncio.run(scenario())


def test_a_group_that_moves_takes_its_deliveries_along(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await store.deliveries.plan([weekly("-5", platform=TELEGRAM), weekly("-5")])
            for _ in range(2):
                await store.communities.move(CommunityRef(TELEGRAM, "-5"), "-1005")
            assert list(await store.deliveries.plan([weekly("-1005", platform=TELEGRAM)])) == [False]
            assert await one(store, "-5", DISCORD)
            assert await claim(store, platforms=[TELEGRAM]) == ["-1005"]

    asyncio.run(scenario())


def test_incidents_are_counted(opens: Opens) -> None:
    from bot.core.rules.actions import Delete
    from tests.builders import home, message, settlement

    async def scenario() -> None:
        async with opens() as store:
            for number in range(4):
                about = message(str(number), sent_at=later(min(number, 2)))
                await store.inbox.keep([about])
                await store.inbox.settle([settlement(about, Delete(), decided_at=later(number))])
            late = message("8")  # sent before
            await store.inbox.keep([late])
            await store.inbox.settle([settlement(late, Delete(), decided_at=later(2))])
            shadow = message("9", sent_at=later(1))
            await store.inbox.keep([shadow])
            await store.inbox.settle([settlement(shadow, decided_at=later(1), incident=True)])
            counts = [
                await store.incidents.count(community, later(1), later(2))
                for community in (home(), CommunityRef(DISCORD, "cafe"), home("x"))
            ]
            assert counts == [2, 0, 0]

    asyncio.run(scenario())
