"""Outbox: what every implementation must do."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.chat.message import Message, Platform
from bot.core.incidents.incident import PlannedAction
from bot.core.incidents.review import BRIEFLY, Appeal, Call, Review
from bot.core.moderation.turns import Lane, UnderWay
from bot.core.rules.actions import (
    AWAY,
    DEFECT,
    Action,
    Ban,
    Care,
    Delete,
    DeletePost,
    Done,
    Flag,
    Gone,
    Notice,
    Outcome,
    Refused,
    Timeout,
    Unconfirmed,
    Unsanction,
    Warn,
)
from tests.builders import DISCORD, EVERYWHERE, NOW, TELEGRAM, later, message, settlement
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
            await store.outbox.postpone(warn, later(60), begun="7/8")
            assert await store.outbox.claim(100, now=later(59), platforms=EVERYWHERE) == []
        async with opens() as store:  # it was given back, so nothing about it is uncertain
            assert kinds(await store.outbox.claim(100, now=later(59), platforms=EVERYWHERE)) == []
            (again,) = await store.outbox.claim(100, now=later(60), platforms=EVERYWHERE)
            assert again == replace(warn, attempts=2, begun="7/8")
            await store.outbox.postpone(again, later(61))  # nothing new about it
            (again,) = await store.outbox.claim(100, now=later(61), platforms=EVERYWHERE)
            assert again.begun == "7/8"

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


def test_what_is_shown_already_says_where_and_whether_its_author_objects(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await decide(store, message("1"), Delete(), Flag())
            delete, flag = await claim(store)
            assert (flag.card, flag.appealed) == ("", False)
            await store.outbox.record([(delete, Done("no card")), (flag, Done("raid:7"))])
            community, objection = (
                flag.message.community,
                Appeal(incident_id=flag.incident_id, words="아니에요", at=NOW),
            )
            await store.reviews.appeal(community, objection, (Flag(),), due=NOW)
            (again,) = await claim(store)
            assert (again.action, again.card, again.appealed) == (Flag(), "raid:7", True)

    asyncio.run(scenario())


def names(planned: Sequence[PlannedAction]) -> list[str]:
    return [one.message.ref.message_id for one in planned]


async def claim(store: Store, limit: int = 100, now: float = 0, *platforms: Platform) -> Sequence[PlannedAction]:
    return await store.outbox.claim(limit, now=later(now), platforms=platforms or EVERYWHERE)


def on(platform: Platform, name: str, community: str = "cafe") -> Message:
    about = message(name, community=community)
    return replace(about, ref=replace(about.ref, platform=platform))


async def crowd(store: Store, number: int, *actions: Action, community: str = "raided") -> None:
    raid = [message(f"{community} {one}", community=community) for one in range(number)]
    await store.inbox.keep(raid)
    await store.inbox.settle([settlement(one, *actions) for one in raid])


def test_a_process_claims_only_for_the_platforms_that_it_has(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await decide(store, on(DISCORD, "d"), Delete())
            await decide(store, on(TELEGRAM, "t"), Delete(), Warn())
            assert await store.outbox.claim(10, now=NOW, platforms=()) == []
            assert names(await claim(store, 10, 0, TELEGRAM)) == ["t", "t"]
            assert await claim(store, 10, 0, TELEGRAM) == []
            assert names(await claim(store, 10, 0, DISCORD)) == ["d"]

    asyncio.run(scenario())


def test_what_protects_goes_before_everything_else_of_everybody(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await crowd(store, 20, Flag(), Warn())
            await decide(store, message("late", community="another"), Flag(), Delete())
            first, *rest = await claim(store, 3)
            assert (names([first]), kinds([first])) == (["late"], ["delete"])
            assert {one.message.community_id for one in rest} == {"raided", "another"}

    asyncio.run(scenario())


def test_communities_take_turns_over_all_claims(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            for community in "abcde":
                await crowd(store, 5, Delete(), community=community)
            turns = [one.message.community_id for _ in range(9) for one in await claim(store, 2)]
            assert [turns[place : place + 5] for place in (0, 5, 10)] == [list("abcde")] * 3
            assert await claim(store, 2, 0, DISCORD) == []

    asyncio.run(scenario())


def test_those_tried_least_come_first(opens: Opens) -> None:
    """What always fails must not stand before what is new."""

    async def scenario() -> None:
        async with opens() as store:
            await crowd(store, 5, Delete())
            for one in await claim(store, 5):
                await store.outbox.postpone(one, later(1))
            await decide(store, message("new", community="raided"), Delete())
            assert names(await claim(store, 2, 5)) == ["new", "raided 0"]

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", [Delete(), Flag()])
def test_a_hanging_platform_and_a_raid_hold_their_share_and_no_more(opens: Opens, kind: Action) -> None:
    """A deletion elsewhere is in the very next claim."""

    async def scenario() -> None:
        async with opens() as store:
            under_way = UnderWay(whole=64, platform=32, community=8)

            async def begin() -> list[PlannedAction]:
                claimed = await store.outbox.claim(64, now=NOW, platforms=EVERYWHERE, under_way=under_way)
                for one in claimed:
                    under_way.begin(Lane.of(one))
                return list(claimed)

            await crowd(store, 1000, kind)
            share = 8 if kind == Delete() else 6
            assert len(await begin()) == share, "a quarter is kept for what protects"
            hung = [on(DISCORD, f"{number}", community=f"c{number % 40}") for number in range(200)]
            await store.inbox.keep(hung)
            await store.inbox.settle([settlement(one, kind) for one in hung])
            assert len(await begin()) == 4 * share
            assert await begin() == []
            await decide(store, message("another", community="another"), Delete())
            await decide(store, message("same", community="raided"), Delete())
            claimed = names(await begin())
            assert sorted(claimed) == ["another", "same"] if kind == Flag() else claimed[:1] == ["another"]

    asyncio.run(scenario())


def test_a_repeated_postponement_takes_nothing_back(opens: Opens) -> None:
    """Its answer was lost the first time; meanwhile the action is done again, and a warning only once."""

    async def scenario() -> None:
        async with opens() as store:
            await decide(store, message("1"), Warn())
            (first,) = await claim(store)
            await store.outbox.postpone(first, later(5))
            (second,) = await claim(store, 10, 6)
            await store.outbox.postpone(first, later(5))
            assert await claim(store, 10, 7) == []
            await store.outbox.record([(first, Refused("of the attempt before"))])
            await store.outbox.record([(second, Done())])
            assert await outcomes(store) == [(Warn(), Done())]

    asyncio.run(scenario())


def test_who_was_thought_dead_may_still_say_what_came_of_it(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await decide(store, message("1"), Warn(), Delete())
            delete, warn = await claim(store)
        async with opens() as store:
            assert await outcomes(store) == [(Warn(), Unconfirmed()), (Delete(), None)]
            (again,) = await claim(store)
            await store.outbox.record([(warn, Done()), (delete, Gone())])
            assert await outcomes(store) == [(Warn(), Done()), (Delete(), None)], "somebody else deletes now"
            await store.outbox.record([(again, Done()), (warn, Refused("too late"))])
            assert await outcomes(store) == [(Warn(), Done()), (Delete(), Done())]

    asyncio.run(scenario())


def test_three_exceptions_of_its_own_end_it_and_moderators_see_it(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await decide(store, message("1"), Delete())
            for second in range(3):
                (poison,) = await claim(store, 10, second)
                assert poison.defect == ""
                await store.outbox.postpone(poison, later(second + 1), defect="KeyError")
        async with opens() as store:
            await decide(store, message("2"), Delete())
            claimed = await claim(store, 10, 9)
            assert [(one.message.ref.message_id, one.defect) for one in claimed] == [("1", "KeyError"), ("2", "")]
            await store.outbox.record([(claimed[0], Refused(DEFECT + "KeyError"))] * 2)
            (flag,) = await claim(store, 10, 9)
            assert (flag.action, names([flag])) == (Flag(), ["1"])
            await store.outbox.record([(flag, Refused(DEFECT + "TypeError"))])
            assert await claim(store, 10, 99) == [], "of what shows it there is nothing more to show"

    asyncio.run(scenario())


def test_an_outage_is_no_fault_and_what_is_given_up_after_it_is_shown(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await decide(store, message("1"), Delete())
            for second in range(20):
                (one,) = await claim(store, 10, second)
                assert (one.defect, one.attempts, one.planned_at) == ("", second + 1, NOW)
                await store.outbox.postpone(one, later(second))
            (one,) = await claim(store, 10, 20)
            await store.outbox.record([(one, Refused(AWAY))])
            assert kinds(await claim(store, 10, 20)) == ["flag"]

    asyncio.run(scenario())


def test_what_is_posted_to_be_seen_once_is_taken_away_by_whoever_comes_then(opens: Opens) -> None:
    """Also where the incident is called wrong meanwhile, or the process dies."""

    async def scenario() -> None:
        async with opens() as store:
            await decide(store, message("1"), Warn(), Notice())
            warn, notice = await claim(store)
            await store.outbox.record([(warn, Done("1/2", brief=True)), (notice, Done("1/3"))])
            await store.outbox.record([(warn, Done("1/2", brief=True))])
            assert await outcomes(store) == [
                (Warn(), Done("1/2")), (Notice(), Done("1/3")), (DeletePost("1/2"), None),
            ]  # fmt: skip
            wrong = Review(
                incident_id=warn.incident_id, call=Call.WRONG, moderator_id="2", moderator_name="지수", at=NOW
            )
            await store.reviews.record(warn.message.community, wrong, due=NOW)
            (undone,) = await claim(store, 10, BRIEFLY.total_seconds() - 1)
            assert undone.action == DeletePost("1/3")
        async with opens() as store:
            taken = await claim(store, 10, BRIEFLY.total_seconds())
            assert DeletePost("1/2") in [one.action for one in taken]

    asyncio.run(scenario())


def test_a_clock_that_is_put_back_holds_nothing(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await decide(store, message("1"), Delete())
            (one,) = await claim(store)
            await store.outbox.postpone(one, later(5))
            appeal = Appeal(incident_id=one.incident_id, words="", at=NOW)
            await store.reviews.appeal(one.message.community, appeal, [Unsanction()], due=NOW)
            assert kinds(await claim(store, 10, -3600)) == ["delete", "lift"]
        async with opens() as store:  # nor over a restart
            assert kinds(await claim(store, 10, -1800)) == ["delete", "lift"]

    asyncio.run(scenario())


def test_what_was_done_to_somebody_lately_is_known(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            for id_, author, community in (("1", "a", "x"), ("2", "a", "x"), ("3", "b", "x"), ("4", "a", "y")):
                await decide(store, message(id_, author=author, community=community), Care())
            first, second, other, elsewhere = sorted(
                await store.outbox.claim(100, now=NOW, platforms=EVERYWHERE), key=lambda one: one.message.ref.message_id
            )
            assert not await store.outbox.is_repeated(first, later(-60)), "the second comes after it"
            assert await store.outbox.is_repeated(second, later(-60)), "the first is just being done"
            await store.outbox.record([(first, Refused("no"))])
            assert not await store.outbox.is_repeated(second, later(-60)), "the first has come to nothing"
            await store.outbox.record([(second, Done())])
            await decide(store, message("5", author="a", community="x"), Care())
            (again,) = await store.outbox.claim(100, now=NOW, platforms=EVERYWHERE)
            assert await store.outbox.is_repeated(again, later(-60))
            assert not await store.outbox.is_repeated(again, later(60)), "long ago"
            for one in (other, elsewhere):
                assert not await store.outbox.is_repeated(one, later(-60))

    asyncio.run(scenario())
