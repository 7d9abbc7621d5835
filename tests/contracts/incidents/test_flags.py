"""Members who point to messages: what every implementation must do."""

import asyncio
from dataclasses import replace

from bot.core.incidents.incident import Incident
from bot.core.incidents.review import MOST_FLAGGED, MOST_TOLD, Call, Filed, Review
from bot.core.moderation.flagging import Flagging
from bot.core.rules.actions import Flag, Inform
from tests.builders import NOW, home, later, message, settlement
from tests.contracts.stores import Opens, Store

HERE, ELSEWHERE = home(), home("another")
SAID = message("1", author="dal", text="나쁜 말")


def flagging(store: Store) -> Flagging:
    return Flagging(flags=store.flags, inbox=store.inbox, clock=store.clock)


async def opened(store: Store) -> Incident:
    """What was pointed to is claimed, decided and settled as anything else."""
    (claimed,) = await store.inbox.claim(10, fresh_since=later(-600))
    await store.inbox.settle([settlement(claimed, Flag())])
    (incident,) = await store.incidents.of([claimed.ref])
    return incident


async def call(store: Store, incident: Incident, which: Call) -> None:
    made = Review(incident_id=incident.id, call=which, moderator_id="mod", moderator_name="mod", at=later(60))
    assert await store.reviews.record(HERE, made, due=NOW) is None


def test_what_several_point_to_is_one_incident_that_counts_them(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await store.inbox.keep([SAID])
            await store.inbox.claim(1, fresh_since=later(-600))
            await store.inbox.settle([settlement(SAID)])
            for member in ("minji", "saebom"):
                assert await flagging(store).flag(SAID, member) is Filed.HEARD
            incident = await opened(store)
            assert (incident.flags, incident.decision.message.text) == (2, "나쁜 말")
            assert await flagging(store).flag(replace(SAID, text="다른 말"), "owner") is Filed.HEARD
            assert await flagging(store).flag(SAID, "minji") is Filed.HEARD_BEFORE
            assert not await store.inbox.claim(10, fresh_since=later(-600)), "and it is not judged again"
            again = await store.incidents.get(HERE, incident.id)
            assert again and (again.flags, again.decision.message.text) == (3, "나쁜 말")

    asyncio.run(scenario())


def test_whoever_dies_between_writing_down_and_keeping_goes_on(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await store.flags.add(SAID, "minji", at=NOW)
        async with opens() as store:
            assert await flagging(store).flag(SAID, "minji") is Filed.HEARD_BEFORE
            assert (await opened(store)).flags == 1

    asyncio.run(scenario())


def test_neither_one_nor_many_can_fill_the_moderators_room(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            assert (await store.flags.add(SAID, "minji", at=NOW))[0] is Filed.HEARD
            assert (await store.flags.add(message("2"), "minji", at=later(59)))[0] is Filed.TOO_MANY
            told = [(await store.flags.add(message(f"m{n}"), f"alt{n}", at=later(n)))[0] for n in range(20)]
            assert told.count(Filed.HEARD) == MOST_FLAGGED - 1
            assert (await store.flags.add(SAID, "late", at=later(20)))[0] is Filed.HEARD, "that takes no more room"
            other = replace(message("m0"), community_id=ELSEWHERE.id)
            assert (await store.flags.add(other, "alt1", at=later(20)))[0] is Filed.HEARD, "nor do they elsewhere"
            assert (await store.flags.add(message("m19"), "alt19", at=later(90)))[0] is Filed.HEARD
            for n in range(40):
                (last, _) = await store.flags.add(message(f"day{n}"), "eager", at=later(1000 + 61 * n))
            assert last is Filed.TOO_MANY_TODAY

    asyncio.run(scenario())


def test_who_pointed_is_told_once_and_then_not_known(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await flagging(store).flag(SAID, "minji")
            incident = await opened(store)
            for n in range(MOST_TOLD + 5):
                await store.flags.add(SAID, f"m{n}", at=NOW)
            assert not await flagging(store).untold(ELSEWHERE, incident.id)
            await call(store, incident, Call.TIMEOUT)
            found = await store.incidents.get(HERE, incident.id)
            assert found and Inform(acted=True) in [action for action, _ in found.outcomes]
            (first, who), *others = await flagging(store).untold(HERE, incident.id)
            assert who == "minji" and len(others) == MOST_TOLD - 1
            await flagging(store).told(first)
            assert "minji" not in [member for _, member in await flagging(store).untold(HERE, incident.id)]
            assert await flagging(store).flag(SAID, "minji") is Filed.HEARD_BEFORE
            ours = replace(SAID, author=replace(SAID.author, myself=True))
            assert await flagging(store).flag(ours, "minji") is Filed.OURS
            await store.flags.add(SAID, "late", at=NOW)
            found = await store.incidents.get(HERE, incident.id)
            assert found and [action for action, _ in found.outcomes].count(Inform(acted=True)) == 2

    asyncio.run(scenario())


def test_nobody_is_told_where_nobody_pointed(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await store.inbox.keep([SAID])
            incident = await opened(store)
            await call(store, incident, Call.RIGHT)
            found = await store.incidents.get(HERE, incident.id)
            assert found and [action for action, _ in found.outcomes] == [Flag()]

    asyncio.run(scenario())
