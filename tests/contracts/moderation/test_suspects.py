"""What killed its process: every implementation finds it without condemning its neighbours."""

import asyncio
from collections.abc import Sequence

from bot.core.incidents.incident import PlannedAction
from bot.core.rules.actions import DEFECT, Delete, Flag, Refused
from tests.builders import EVERYWHERE, NOW, later, message, settlement
from tests.contracts.moderation.test_inbox import claim, ids
from tests.contracts.stores import Opens, Store

MANY = 20


async def fill(store: Store) -> None:
    await store.inbox.keep([message(str(number)) for number in range(MANY)])


def test_the_one_that_kills_is_found_and_its_neighbours_are_not_condemned(opens: Opens) -> None:
    """One start after the other: whoever works on "7" dies; all that it has finished before is settled."""

    async def start(number: int) -> tuple[bool, list[str]]:
        async with opens() as store:
            if not number:
                await fill(store)
            else:
                await store.inbox.keep([message(f"new in start {number}")])
            while claimed := await claim(store):
                if "7" in ids(claimed):
                    await store.die()
                    return True, []
                await store.inbox.settle([settlement(one) for one in claimed])
            return False, ids(await store.inbox.given_up(10))

    async def scenario() -> None:
        for number in range(30):
            died, given_up = await start(number)
            if not died:
                break
        assert given_up == ["7"]
        assert number <= 8, "twenty are halved five times; then it is alone, and three faults end it"
        async with opens() as store:
            assert await store.inbox.waiting() == 1

    asyncio.run(scenario())


def test_what_was_in_hand_for_its_second_look_when_its_process_died_is_judged_all_the_same(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await fill(store)
            await store.inbox.set_aside([one.ref for one in await claim(store)])
            assert len(await store.inbox.look_again(MANY, sent_before=later(60))) == MANY
            await store.die()
        async with opens() as store:
            for _ in range(MANY):
                claimed = [*await claim(store), *await store.inbox.look_again(MANY, sent_before=later(60))]
                await store.inbox.settle([settlement(one) for one in claimed])
            assert await store.inbox.waiting() == 0

    asyncio.run(scenario())


def test_what_was_given_up_and_is_not_yet_closed_is_no_company_for_the_next(opens: Opens) -> None:
    """Every process dies of whatever it is given to judge, before it can close what earlier ones gave up."""

    async def scenario() -> None:
        for _ in range(12):
            async with opens() as store:
                await store.inbox.keep([message("first"), message("second")])
                given_up = ids(await store.inbox.given_up(10))
                if not await claim(store):
                    assert sorted(given_up) == ["first", "second"]
                    return
                await store.die()
        raise AssertionError("nobody is ever given up")

    asyncio.run(scenario())


def test_what_nobody_suspects_goes_on_meanwhile(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await fill(store)
            await claim(store)
            await store.die()
        async with opens() as store:
            await store.inbox.keep([message("new")])
            claimed = ids(await claim(store))
            assert len(claimed) == MANY // 2 + 1 and "new" in claimed
            await store.inbox.keep([message("newer")])
            assert ids(await claim(store)) == ["newer"], "no more suspects while some are in hand"
            await store.die()
        async with opens() as store:
            again = ids(await claim(store))
            assert len(again) == MANY // 4 and not {"new", "newer"} & set(again), "beside the suspects: suspected, too"

    asyncio.run(scenario())


def test_what_kills_beside_suspects_is_found_and_they_do_not_pay_for_it(opens: Opens) -> None:
    """Twenty are suspected, for whatever reason; and then every start brings one more that kills."""
    deadly = "독"

    async def scenario() -> None:
        async with opens() as store:
            await fill(store)
            await claim(store)
            await store.die()
        given_up = list[str]()
        for start in range(40):
            async with opens() as store:
                if start < 3:
                    await store.inbox.keep([message(f"{deadly} {start}")])
                closed = await store.inbox.given_up(10)
                given_up += ids(closed)
                await store.inbox.settle([settlement(one) for one in closed])
                while claimed := await claim(store):
                    if any(id_.startswith(deadly) for id_ in ids(claimed)):
                        await store.die()
                        break
                    await store.inbox.settle([settlement(one) for one in claimed])
                else:
                    break
        assert sorted(given_up) == [f"{deadly} {number}" for number in range(3)]

    asyncio.run(scenario())


def test_suspects_that_do_no_harm_make_room_for_the_others(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await fill(store)
            await claim(store)
            await store.die()
        async with opens() as store:
            seen: list[str] = []
            for _ in range(2):
                claimed = await claim(store)
                seen += ids(claimed)
                await store.inbox.settle([settlement(one) for one in claimed])
            assert sorted(seen, key=int) == [str(number) for number in range(MANY)]
            assert await store.inbox.waiting() == 0

    asyncio.run(scenario())


def test_a_stop_is_no_death(opens: Opens) -> None:
    async def scenario() -> None:
        for start in range(5):
            async with opens() as store:
                if not start:
                    await store.inbox.keep([message("1")])
                assert ids(await claim(store)) == ["1"]

    asyncio.run(scenario())


def test_messages_and_actions_are_one_account(opens: Opens) -> None:
    """Whether it was the message or the action, nobody knows at first; the message is not condemned with the action."""

    async def start() -> Sequence[PlannedAction]:
        """Whoever begins the deletion dies."""
        async with opens() as store:
            begun: list[PlannedAction] = []
            for _ in range(3):
                claimed = await claim(store)
                begun += await store.outbox.claim(10, now=NOW, platforms=EVERYWHERE)
                if any(not one.defect for one in begun):
                    await store.die()
                    return ()
                await store.inbox.settle([settlement(one) for one in claimed])
            assert await store.inbox.waiting() == 0
            await store.outbox.record([(one, Refused(DEFECT + one.defect)) for one in begun])
            return begun

    async def scenario() -> None:
        async with opens() as store:
            await store.inbox.keep([message("1"), message("2")])
            await store.inbox.settle([settlement(message("1"), Delete())])
        deaths = 0
        while not (given_up := await start()):
            deaths += 1
            assert deaths < 10
        assert [(one.action, one.defect) for one in given_up] == [(Delete(), "died")]
        assert deaths == 4, "with the message, and three times alone"
        async with opens() as store:  # moderators see it
            assert [one.action for one in await store.outbox.claim(10, now=NOW, platforms=EVERYWHERE)] == [Flag()]

    asyncio.run(scenario())


def test_three_exceptions_of_its_own_end_it(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await store.inbox.keep([message("1", "독"), message("2")])
            for _ in range(3):
                claimed = await claim(store)
                assert "1" in ids(claimed)
                await store.inbox.fault(message("1").ref)
            assert list(await claim(store)) == []
        async with opens() as store:
            assert ids(await claim(store)) == ["2"]
            (given_up,) = await store.inbox.given_up(10)
            assert given_up.text == "독" and list(await store.inbox.given_up(10)) == []
            await store.inbox.settle([settlement(given_up)])
        async with opens() as store:
            assert list(await store.inbox.given_up(10)) == []
            await store.inbox.fault(message("1").ref)  # too late to matter
            assert await store.inbox.waiting() == 1

    asyncio.run(scenario())
