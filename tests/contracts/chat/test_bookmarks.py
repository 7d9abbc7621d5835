"""Bookmarks: what every implementation must do."""

import asyncio

from tests.contracts.stores import Opens


def test_the_last_place_is_found_again_by_name(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            assert await store.bookmarks.place("discord") is None
            await store.bookmarks.put("discord", "하나")
            await store.bookmarks.put("discord", "둘")
            await store.bookmarks.put("other", "셋")
        async with opens() as store:
            assert await store.bookmarks.place("discord") == "둘"
            assert await store.bookmarks.place("other") == "셋"

    asyncio.run(scenario())


def test_places_within_a_name_are_put_and_taken_away_together(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await store.bookmarks.put_all({f"all/{number}": f"{number}" for number in range(1200)})
            await store.bookmarks.put_all({"all": "끝", "all/7": None, "all/8": "여덟", "al_": "x", "al_/1": "y"})
        async with opens() as store:
            within = await store.bookmarks.within("all")
            assert len(within) == 1199 and "7" not in within and (within["8"], within["9"]) == ("여덟", "9")
            assert await store.bookmarks.within("al_") == {"1": "y"} and await store.bookmarks.within("x") == {}
            assert await store.bookmarks.place("all") == "끝"

    asyncio.run(scenario())
