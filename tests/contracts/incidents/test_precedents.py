"""Precedents: what every implementation must do."""

import asyncio
from datetime import timedelta

from bot.core.incidents.ports import MOST
from bot.core.incidents.review import Call, Review
from bot.core.operations.sealing import Openly
from bot.core.rules.actions import Flag
from bot.core.rules.precedent import Precedent, Ruling, likeness
from tests.builders import NOW, home, later, message, settlement
from tests.contracts.stores import Opens, Store


def precedent(
    incident_id: int, ruling: Ruling = Ruling.WRONG, text: str = "이번 보스 진짜 죽여버리자", case: int = 0
) -> Precedent:
    seen = likeness(message(text=text), Openly().text_hash)
    assert seen
    until = NOW + timedelta(days=180)
    return Precedent(
        incident_id=incident_id, case=case or incident_id, ruling=ruling, rules=frozenset({"규칙", "a,b"}),
        likeness=seen, until=until,
    )  # fmt: skip


async def call(store: Store, incident_id: int, what: Call, made: Precedent | None, community: str = "cafe") -> None:
    review = Review(incident_id=incident_id, call=what, moderator_id="m", moderator_name="달", at=store.clock.now())
    await store.reviews.record(home(community), review, due=NOW, precedent=made)


async def incident(store: Store, name: str, community: str = "cafe") -> int:
    about = message(name, community=community)
    await store.inbox.keep([about])
    await store.inbox.settle([settlement(about, Flag())])
    (opened,) = await store.incidents.of([about.ref])
    return opened.id


def test_it_stands_and_falls_with_the_review(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            first = await incident(store, "1")
            await call(store, first, Call.WRONG, precedent(first))
            assert await store.precedents.of(home()) == [precedent(first)]
            assert await store.precedents.since(NOW) == [(home(), first, precedent(first))]
            await store.clock.advance(60)
            await call(store, first, Call.RIGHT, precedent(first, Ruling.RIGHT))
            assert await store.precedents.of(home()) == [precedent(first, Ruling.RIGHT)]
            await store.clock.advance(60)
            await call(store, first, Call.LIFT, None)
            assert await store.precedents.of(home()) == []
            assert await store.precedents.since(later(120)) == [(home(), first, None)], "others hear of it, too"

    asyncio.run(scenario())


def test_it_is_withdrawn_by_its_community_alone_and_once(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            first, second = await incident(store, "1"), await incident(store, "2", "other")
            await call(store, first, Call.WRONG, precedent(first))
            await call(store, second, Call.WRONG, precedent(second, case=1), "other")
            assert not await store.precedents.withdraw(home(), 2), "that is the number of an incident, of another's"
            assert await store.precedents.withdraw(home(), 1)
            assert not await store.precedents.withdraw(home(), 1)
            assert await store.precedents.of(home()) == []
            assert await store.precedents.of(home("other")) == [precedent(second, case=1)]

    asyncio.run(scenario())


def test_there_are_not_more_than_can_be_looked_through() -> None:
    assert MOST <= 200
