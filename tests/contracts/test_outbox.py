"""Outbox: what every implementation must do."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from bot.domain.actions import Action, Ban, Delete, Done, Flag, Gone, Outcome, Refused, Timeout, Unconfirmed, Warn
from bot.domain.incident import PlannedAction
from bot.domain.message import Message
from tests.builders import EVERYWHERE, NOW, later, message, settlement
from tests.contracts.stores import Opens, Store


async def decide(store: Store, about: Message, *actions: Action) -> None:
    await store.inbox.keep([about])
    await store.inbox.settle([settlement(about, *actions)])


async def outcomes(store: Store) -> list[tuple[Action, Outcome | None]]:
    return [pair for incident in await store.incidents.between(NOW, later(1)) for pair in incident.outcomes]


def kinds(planned: Sequence[PlannedAction]) -> list[str]:
    return [one.action.kind for one in planned]


def test_actions_come_out_in_order_with_all_that_a_platform_needs(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await decide(store, message("1"), Delete(), Timeout(timedelta(minutes=10)))
            await decide(store, message("2"), Flag())
            planned = await store.outbox.claim(100, now=NOW, platforms=EVERYWHERE)
            assert [one.action for one in planned] == [Delete(), Timeout(timedelta(minutes=10)), Flag()]
            assert [one.message for one in planned] == [message("1"), message("1"), message("2")]
            assert planned[0].incident_id == planned[1].incident_id != planned[2].incident_id
            decided = settlement(message("1"), Delete()).decision
            assert (planned[0].rule, planned[0].reason, planned[0].language) == (decided.rule, decided.reason, "ko")

    asyncio.run(scenario())


def test_a_started_action_is_not_handed_out_twice(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await decide(store, message("1"), Delete(), Flag(), Ban())
            assert kinds(await store.outbox.claim(2, now=NOW, platforms=EVERYWHERE)) == ["delete", "flag"]
            claims = await asyncio.gather(*(store.outbox.claim(2, now=NOW, platforms=EVERYWHERE) for _ in range(5)))
            assert [kind for claimed in claims for kind in kinds(claimed)] == ["ban"]

    asyncio.run(scenario())


def test_the_first_outcome_counts(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await decide(store, message("1"), Delete(), Ban(), Flag())
            first, second, _ = await store.outbox.claim(100, now=NOW, platforms=EVERYWHERE)
            await store.outbox.record([(first, Gone()), (second, Refused("ban_members"))])
            await store.outbox.record([(first, Done()), (second, Refused("ban_members"))])
            await store.outbox.record([])
            assert await outcomes(store) == [(Delete(), Gone()), (Ban(), Refused("ban_members")), (Flag(), None)]
        async with opens() as store:
            assert kinds(await store.outbox.claim(100, now=NOW, platforms=EVERYWHERE)) == ["flag"]

    asyncio.run(scenario())


def test_a_postponed_action_waits_for_its_time(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await decide(store, message("1"), Delete(), Warn())
            delete, warn = await store.outbox.claim(100, now=NOW, platforms=EVERYWHERE)
            await store.outbox.record([(delete, Done())])
            await store.outbox.postpone(delete, later(1))  # too late
            await store.outbox.postpone(warn, later(60))
            assert await store.outbox.claim(100, now=later(59), platforms=EVERYWHERE) == []
        async with opens() as store:  # it was given back, so nothing about it is uncertain
            assert kinds(await store.outbox.claim(100, now=later(59), platforms=EVERYWHERE)) == []
            (again,) = await store.outbox.claim(100, now=later(60), platforms=EVERYWHERE)
            assert again == replace(warn, attempts=2)

    asyncio.run(scenario())


def test_after_a_restart_harmless_actions_are_done_again_and_others_are_not(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await decide(store, message("1"), Delete(), Warn())
            await decide(store, message("2"), Warn())
            assert kinds(await store.outbox.claim(2, now=NOW, platforms=EVERYWHERE)) == ["delete", "warn"]
        async with opens() as store:
            planned = await store.outbox.claim(100, now=NOW, platforms=EVERYWHERE)
            assert [(one.message, one.action) for one in planned] == [(message("1"), Delete()), (message("2"), Warn())]
            await store.outbox.record([(one, Done()) for one in planned])
            assert await outcomes(store) == [(Delete(), Done()), (Warn(), Unconfirmed()), (Warn(), Done())]

    asyncio.run(scenario())
