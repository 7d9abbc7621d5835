"""Keys to the HTTP API: what every implementation must do."""

import asyncio
from dataclasses import replace

from bot.core.chat.message import CommunityRef
from bot.core.operations.keys import ApiKey, Scope, digest
from tests.builders import DISCORD, NOW, TELEGRAM, later
from tests.contracts.stores import Opens

KEY = ApiKey(
    id="a1",
    digest=digest("secret"),
    community=CommunityRef(DISCORD, "100"),
    name="도우미 봇",
    created_at=NOW,
)


def test_a_key_is_found_again_as_it_was_added(opens: Opens) -> None:
    async def scenario() -> None:
        second = replace(KEY, id="a0", name="둘째", created_at=later(1), used_at=later(2))
        second = replace(second, scope=frozenset(Scope), expires_at=later(9))
        async with opens() as store:
            assert list(await store.keys.all()) == []
            await store.keys.add(second)
            await store.keys.add(KEY)
        async with opens() as store:
            assert list(await store.keys.all()) == [KEY, second]

    asyncio.run(scenario())


def test_a_key_is_revoked_once(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await store.keys.add(KEY)
            assert await store.keys.revoke("a1", later(5))
            assert not await store.keys.revoke("a1", later(6))
            assert not await store.keys.revoke("nobody", later(6))
            assert list(await store.keys.all()) == [replace(KEY, revoked_at=later(5))]

    asyncio.run(scenario())


def test_the_latest_use_counts(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await store.keys.add(KEY)
            await store.keys.note_use({"a1": later(9), "nobody": later(9)})
            await store.keys.note_use({"a1": later(3)})
            await store.keys.note_use({})
            assert [key.used_at for key in await store.keys.all()] == [later(9)]

    asyncio.run(scenario())


def test_keys_follow_a_community_that_moves(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            other = replace(KEY, id="b2", community=CommunityRef(TELEGRAM, "100"))
            await store.keys.add(KEY)
            await store.keys.add(other)
            await store.communities.move(CommunityRef(TELEGRAM, "100"), "-100100")
            assert [(key.id, key.community.id) for key in await store.keys.all()] == [("a1", "100"), ("b2", "-100100")]

    asyncio.run(scenario())


def test_a_key_that_is_replaced_ends_a_while_later(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await store.keys.add(replace(KEY, scope=frozenset({Scope.FEEDBACK}), expires_at=later(3600)))
            second = KEY.successor("a2", "other", later(10))
            assert await store.keys.replace("a1", second, later(60))
            held = {key.id: key for key in await store.keys.all()}
            assert held["a1"].expires_at == later(60) and held["a2"] == second
            third = KEY.successor("a3", "third", later(20))
            assert await store.keys.replace("a1", third, later(90))
            assert {key.id: key for key in await store.keys.all()}["a1"].expires_at == later(60), "never later"
            await store.keys.revoke("a1", later(30))
            assert not await store.keys.replace("a1", replace(third, id="a4"), later(90))
            assert not await store.keys.replace("nobody", replace(third, id="a4"), later(90))
            assert {key.id for key in await store.keys.all()} == {"a1", "a2", "a3"}

    asyncio.run(scenario())


def test_a_successor_is_valid_for_as_long_as_the_first_was_meant_to_be() -> None:
    first = replace(KEY, expires_at=later(100), used_at=later(5), scope=frozenset({Scope.WEBHOOKS}))
    second = first.successor("a2", "other", later(50))
    assert (second.expires_at, second.created_at, second.used_at) == (later(150), later(50), None)
    assert second.scope == first.scope and second.opens_with("other") and not second.opens_with("secret")
    assert not second.is_over(later(149)) and second.is_over(later(150))
    assert KEY.successor("a2", "other", later(50)).expires_at is None
