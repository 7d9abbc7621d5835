"""Versions of a policy: written with the change or not at all, bounded, the community's own, wherever it moves."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from bot.core.chat.message import CommunityRef
from bot.core.communities.community import Community
from bot.core.communities.versions import MOST, with_policy
from tests.builders import TELEGRAM, home
from tests.contracts.stores import Opens, Store

GROUP, ROOM, OTHER = home("-5", TELEGRAM), home("-6", TELEGRAM), home("-7", TELEGRAM)


async def put(store: Store, community: CommunityRef, *, by: str = "", **settings: Any) -> None:
    await store.communities.change(community, lambda now: replace(now, **settings), by=by)


async def told(store: Store, community: CommunityRef) -> list[tuple[int, str, str | None]]:
    return [(one.number, one.by, one.policy.preset) for one in await store.communities.versions(community)]


def test_each_change_of_the_policy_is_a_version_and_the_first_says_what_was_before(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            assert await told(store, GROUP) == []
            await put(store, GROUP, report_hour=3)
            assert await told(store, GROUP) == []
            for by, preset in (("하늘", "strict"), ("민재", "gentle")):
                await put(store, GROUP, by=by, preset=preset)
            await store.communities.change(OTHER, lambda now: replace(now, preset="strict"), by="지수")
            assert await told(store, GROUP) == [(3, "민재", "gentle"), (2, "하늘", "strict"), (1, "", None)]
            (_, second, _) = await store.communities.versions(GROUP)
            await store.communities.change(GROUP, lambda now: with_policy(now, second.policy), by="하늘")
            (now,) = [one for one in await store.communities.all() if one.ref == GROUP]
            assert (now.preset, now.report_hour) == ("strict", 3), "what is no policy stays"
        async with opens() as store:
            assert [number for number, _, _ in await told(store, GROUP)] == [4, 3, 2, 1]

    asyncio.run(scenario())


def test_a_change_that_breaks_off_leaves_neither_settings_nor_a_version(opens: Opens) -> None:
    def broken(now: Community) -> Community:
        raise ZeroDivisionError

    async def scenario() -> None:
        async with opens() as store:
            await store.communities.change(GROUP, lambda now: replace(now, preset="strict"), by="하늘")
            with pytest.raises(ZeroDivisionError):
                await store.communities.change(GROUP, broken, by="민재")
            assert [number for number, _, _ in await told(store, GROUP)] == [2, 1]

    asyncio.run(scenario())


def test_no_more_than_so_many_are_kept(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            for number in range(MOST + 3):
                await put(store, GROUP, thresholds={"slur": number / 100})
            kept = await told(store, GROUP)
            assert (len(kept), kept[0][0], kept[-1][0]) == (MOST, MOST + 4, 5)

    asyncio.run(scenario())


def test_a_group_that_became_a_supergroup_takes_them_along(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await put(store, GROUP, exempt_channels=frozenset({GROUP.id, "x"}), preset="strict")
            await put(store, ROOM, preset="gentle")
            await store.communities.move(GROUP, "-1005")
            moved = replace(GROUP, id="-1005")
            assert [number for number, _, _ in await told(store, moved)] == [2, 1] and await told(store, GROUP) == []
            newest, _ = await store.communities.versions(moved)
            assert newest.policy.ref == moved and newest.policy.exempt_channels == {"-1005", "x"}
            await store.communities.move(ROOM, "-1005")  # both turn out to be one
            assert [number for number, _, _ in await told(store, moved)] == [4, 3, 2, 1]

    asyncio.run(scenario())
