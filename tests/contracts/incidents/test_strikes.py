"""Strikes and the ladder: what every implementation must do."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from bot.core.incidents.incident import Incident
from bot.core.incidents.review import Call, Review
from bot.core.rules.actions import Action, Ban, Delete, Done, Flag, Outcome, Restore, Timeout, Unsanction, Warn
from bot.core.rules.ladder import Ladder
from tests.builders import EVERYWHERE, NOW, home, later, message, settlement
from tests.contracts.stores import Opens, Store

HERE = home()
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LADDER = Ladder(steps=(Warn(), Timeout(10 * MINUTE), Timeout(HOUR), Ban()), reach="timeout")


async def offend(
    store: Store,
    id: str,
    *planned: Action,
    weight: int = 1,
    author: str = "minji",
    at: float = 0,
    ladder: Ladder = LADDER,
) -> Incident:
    said = message(id, author=author, sent_at=later(at))
    await store.inbox.keep([said])
    one = settlement(said, *(planned or (Delete(),)), decided_at=later(at))
    struck = replace(one, decision=replace(one.decision, strike=weight), ladder=ladder)
    await store.inbox.settle([struck])
    await store.inbox.settle([struck])
    (opened,) = await store.incidents.of([said.ref])
    return opened


async def act(store: Store) -> list[Action]:
    planned = await store.outbox.claim(20, now=store.clock.now(), platforms=EVERYWHERE)
    await store.outbox.record([(one, Done()) for one in planned])
    return [one.action for one in planned]


async def call(
    store: Store, incident: Incident, which: Call, weight: int | None, *, by: str = "dal", at: float = 60
) -> None:
    made = Review(incident_id=incident.id, call=which, moderator_id=by, moderator_name=by, at=later(at))
    strike = None if weight is None else LADDER.strike(weight)
    assert await store.reviews.record(HERE, made, due=NOW, strike=strike) is None


async def outcomes(store: Store, incident: Incident) -> Sequence[tuple[Action, Outcome | None]]:
    found = await store.incidents.get(HERE, incident.id)
    assert found
    return found.outcomes


async def strikes(store: Store, author: str = "minji") -> int:
    return (await store.incidents.history(HERE, author)).strikes


def test_each_strike_is_a_step_and_what_may_not_be_taken_is_proposed(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            taken = [(await offend(store, str(number))).decision for number in range(5)]
            assert [one.actions for one in taken] == [
                (Delete(), Warn()),
                (Delete(), Warn(), Timeout(10 * MINUTE)),
                (Delete(), Warn(), Timeout(HOUR)),
                (Delete(), Flag()),
                (Delete(), Flag()),
            ]
            assert [(one.step, one.proposed) for one in taken[2:]] == [(3, None), (4, Ban()), (4, Ban())]
            assert await strikes(store) == 5 and await strikes(store, "other") == 0
            other = (await offend(store, "x", Timeout(HOUR), weight=2, author="other")).decision
            assert (other.actions, other.step) == ((Warn(), Timeout(HOUR)), 2), "the longer one"
            none = (await offend(store, "y", weight=0, author="third")).decision
            assert (none.actions, none.step) == ((Delete(),), 0)

    asyncio.run(scenario())


def test_a_ladder_that_is_off_only_proposes(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            off = replace(LADDER, reach="off")
            found = [(await offend(store, str(number), Delete(), Warn(), ladder=off)).decision for number in range(3)]
            assert [one.actions for one in found] == [(Delete(), Warn()), *[(Delete(), Warn(), Flag())] * 2]
            assert [one.proposed for one in found] == [None, Timeout(10 * MINUTE), Timeout(HOUR)]

    asyncio.run(scenario())


def test_strikes_decay(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            short = replace(LADDER, lasting=DAY)
            await offend(store, "1", ladder=short)
            assert (await offend(store, "2", at=80_000, ladder=short)).decision.step == 2
            assert (await offend(store, "3", at=100_000, ladder=short)).decision.step == 2, "the first is forgiven"
            store.clock.jump(timedelta(days=3))
            assert await strikes(store) == 0

    asyncio.run(scenario())


def test_what_is_called_wrong_counts_no_more_nor_does_what_it_led_to(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            first, second, third = [await offend(store, str(number), at=number) for number in range(3)]
            await act(store)
            await call(store, first, Call.WRONG, 0)
            assert await strikes(store) == 2
            freed = [await outcomes(store, one) for one in (second, third)]
            assert [one[-1][0] for one in freed] == [Unsanction(), Unsanction()]
            assert len(freed[0]) == 4, "once"
            assert (await act(store)).count(Unsanction()) == 2
            assert (await offend(store, "4", at=9)).decision.step == 3
            await call(store, first, Call.RIGHT, 1, at=120)
            assert await strikes(store) == 4

    asyncio.run(scenario())


def test_what_waits_of_a_step_is_called_off_with_the_strike_that_led_to_it(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            first, second = await offend(store, "1"), await offend(store, "2", at=1)
            await call(store, first, Call.WRONG, 0)
            done = dict(await outcomes(store, second))
            assert getattr(done[Timeout(10 * MINUTE)], "kind", None) == "called_off" and done[Delete()] is None

    asyncio.run(scenario())


def test_what_a_moderator_has_imposed_stays(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            first, second, third = [await offend(store, str(number), at=number) for number in range(3)]
            await act(store)
            await call(store, third, Call.BAN, 1)
            await call(store, second, Call.UPHOLD, None, at=61)
            await act(store)
            await call(store, first, Call.WRONG, 0, at=120)
            assert await act(store) == [Restore(), Unsanction()], "of the first the message, of the second the time-out"
            found = await store.incidents.get(HERE, third.id)
            assert found and found.standing.sanction == Ban()
            assert found.review and found.review.call is Call.BAN, "a moderator's call is the one that counts"

    asyncio.run(scenario())


def test_what_two_strikes_lead_to_is_not_taken_back_with_a_third(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await offend(store, "1", weight=2)
            second, third = await offend(store, "2", at=1), await offend(store, "3", at=2)
            assert (second.decision.step, third.decision.step) == (3, 4)
            await act(store)
            await call(store, third, Call.WRONG, 0)
            assert Unsanction() not in await act(store)
            assert await strikes(store) == 3

    asyncio.run(scenario())


def test_what_moderators_add_counts(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            shown = await offend(store, "1", Flag(), weight=0)
            await call(store, shown, Call.DELETE, 1)
            assert await strikes(store) == 1
            assert (await offend(store, "2", at=1)).decision.step == 2

    asyncio.run(scenario())
