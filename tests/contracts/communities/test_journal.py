"""Outages of the guard and changes of settings: what every implementation must do."""

import asyncio
from dataclasses import replace

from bot.core.chat.message import CommunityRef
from bot.core.communities.community import Community
from bot.core.communities.journal import AuditEntry, Outage
from bot.core.rules.policy import Watch
from tests.builders import DISCORD, NOW, TELEGRAM, later, put_settings
from tests.contracts.stores import Opens

CAFE = Community(platform=TELEGRAM, id="-5", name="카페", mode=Watch.LIVE, thresholds={"abuse": 0.7})


def test_an_outage_lasts_until_somebody_sees_the_guard_return(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            assert not await store.journal.guard_is_away()
            await store.journal.guard_came_back(NOW)  # of nothing
            for moment in (NOW, later(30)):
                await store.journal.guard_went(moment)
            assert await store.journal.outages(later(10), later(20)) == [Outage(NOW)]
        async with opens() as store:  # the process has died in between
            assert await store.journal.guard_is_away()
            for moment in (later(60), later(90)):
                await store.journal.guard_came_back(moment)
            await store.journal.guard_went(later(200))
            ended = Outage(NOW, later(60))
            assert await store.journal.outages(NOW, later(300)) == [ended, Outage(later(200))]
            assert await store.journal.outages(later(59), later(200)) == [ended]
            assert await store.journal.outages(later(60), later(200)) == []

    asyncio.run(scenario())


def test_who_changed_which_setting_is_on_record(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await put_settings(store.communities, CAFE, by="하늘")
            await put_settings(store.communities, replace(CAFE, welcomed=True, name="찻집"))  # no settings
            await store.clock.advance(60)
            raised = replace(CAFE, thresholds={"abuse": 0.8}, exempt_channels=frozenset({"b", "a"}))
            await put_settings(store.communities, raised, by="민재")
            first = [
                AuditEntry(at=NOW, by="하늘", setting="mode", before="", after="live"),
                AuditEntry(at=NOW, by="하늘", setting="thresholds.abuse", before="", after="0.7"),
            ]
            second = [
                AuditEntry(at=later(60), by="민재", setting="exempt_channels", before="", after="a, b"),
                AuditEntry(at=later(60), by="민재", setting="thresholds.abuse", before="0.7", after="0.8"),
            ]
            assert await store.journal.amendments(CAFE.ref, NOW, later(61)) == first + second
            assert await store.journal.amendments(CAFE.ref, later(1), later(61)) == second
            assert await store.journal.amendments(CommunityRef(TELEGRAM, "other"), NOW, later(61)) == []
            await store.communities.move(CAFE.ref, "-1005")
            moved = CommunityRef(TELEGRAM, "-1005")
            assert await store.journal.amendments(CAFE.ref, NOW, later(61)) == []
            assert await store.journal.amendments(moved, NOW, later(61)) == first + second

    asyncio.run(scenario())


def test_of_several_processes_one_tells_of_an_outage(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            began = await store.journal.guard_went(NOW)
            assert began == await store.journal.guard_went(later(1)) == NOW
            asked = [store.journal.is_first_to_tell(began, "away", DISCORD) for _ in range(2)]
            assert [await one for one in asked] == [True, False]
            assert await store.journal.is_first_to_tell(began, "away", TELEGRAM)
            ended = [await store.journal.guard_came_back(later(number)) for number in (60, 61)]
            assert ended == [NOW, NOW] and await store.journal.is_first_to_tell(NOW, "back", DISCORD)
        async with opens() as store:
            assert not await store.journal.is_first_to_tell(NOW, "back", DISCORD)

    asyncio.run(scenario())
