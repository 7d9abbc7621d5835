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
