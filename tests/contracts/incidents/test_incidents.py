"""Incidents: what every implementation must do."""

import asyncio
from datetime import timedelta

from bot.core.guarding.verdict import GuardVersion, Task, Unscreened, Verdict
from bot.core.incidents.incident import Incident, Settlement
from bot.core.rules.actions import Delete, Done, Escalate, Flag, Timeout
from bot.core.rules.conditions import Explanation
from bot.core.rules.decision import Decision, Finding
from bot.core.rules.policy import Mode, Reason
from tests.builders import EVERYWHERE, NOW, home, later, message, settlement
from tests.contracts.stores import Opens


def ids(incidents: list[Incident]) -> list[str]:
    return [incident.decision.message.ref.message_id for incident in incidents]


def test_a_period_begins_with_its_start_and_ends_before_its_end(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            some = [message(str(number), community="ab"[number % 2]) for number in range(5)]
            await store.inbox.keep(some)
            await store.inbox.settle([settlement(one, Flag(), decided_at=later(9 - n)) for n, one in enumerate(some)])
            assert ids([*await store.incidents.between(later(6), later(9))]) == ["3", "2", "1"]
            assert ids([*await store.incidents.between(later(6), later(9), home("b"))]) == ["3", "1"]
            assert [*await store.incidents.between(later(10), later(20))] == []

    asyncio.run(scenario())


def test_every_community_counts_its_own_and_what_is_planned_knows_its_number_and_code(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            some = [message(str(number), community="ab"[number % 2]) for number in range(4)]
            for one in some:
                await store.inbox.keep([one])
                await store.inbox.settle([settlement(one, Flag())])
            first, second = await store.incidents.of([some[1].ref, some[3].ref])
            assert (first.case, second.case) == (1, 2) and first.code != second.code
            there, elsewhere = home("b"), home("a")
            assert await store.incidents.numbers(there, [first.id, second.id, 99]) == {first.id: 1, second.id: 2}
            assert await store.incidents.numbered(there, [2, 3]) == {2: second.id}
            assert await store.incidents.numbers(elsewhere, [second.id]) == {}, "it is another community's"
            planned = await store.outbox.claim(9, now=NOW, platforms=EVERYWHERE)
            called = {one.incident_id: (one.number, one.code) for one in planned}
            assert called[second.id] == (2, second.code) and len(called) == 4

    asyncio.run(scenario())


def test_those_on_a_card_are_known_by_its_receipt_and_stand_on_the_last_that_showed_them(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            some = [message(str(number), community="ab"[number == 3]) for number in range(5)]
            await store.inbox.keep(some)
            await store.inbox.settle(
                [settlement(one, Delete(), Flag(), Escalate(), decided_at=later(n)) for n, one in enumerate(some[:4])]
            )
            await store.inbox.settle([settlement(some[4], Flag(), decided_at=later(1020))])  # by a clock that is wrong
            planned = await store.outbox.claim(99, now=later(9), platforms=EVERYWHERE)
            receipts = {("0", Flag): "7/1", ("1", Flag): "7/1", ("1", Escalate): "7/2", ("2", Escalate): "7/1"}
            receipts |= {("3", Flag): "7/1", ("4", Flag): "7/1", ("0", Delete): "7/2"}
            await store.outbox.record(
                [
                    (one, Done(receipt=receipts.get((one.message.ref.message_id, type(one.action)), "")))
                    for one in planned
                    if (one.message.ref.message_id, type(one.action)) in receipts
                ]
            )
            first, second, third, last = [one.id for one in await store.incidents.between(NOW, later(9999), home("a"))]
            assert [*await store.incidents.on_card(home("a"), "7/1")] == [first, third, last]
            assert [*await store.incidents.on_card(home("a"), "7/2")] == [second]
            assert [*await store.incidents.on_card(home("a"), "")] == []

    asyncio.run(scenario())


def test_incidents_are_found_by_the_revision(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            some = [message("1"), message("1", revision=1), message("2"), message("3")]
            await store.inbox.keep(some)
            await store.inbox.settle([settlement(one, Flag()) for one in some[:3]] + [settlement(some[3])])
            found = await store.incidents.of([some[3].ref, some[2].ref, some[0].ref])
            assert [incident.decision.message.ref for incident in found] == [some[0].ref, some[2].ref]
            assert [*await store.incidents.of([])] == []

    asyncio.run(scenario())


def test_a_decision_is_read_as_it_was_made(opens: Opens) -> None:
    guard = GuardVersion(name="wildguard-ko", model="m1", dialect="d1", calibration="c1")
    full = Decision(
        message=message("1", "시1발"),
        screening=Verdict.of_scores(
            {Task.PROMPT_HARM: 1 / 3, Task.RESPONSE_HARM: 0.0},
            guard=guard,
            categories=frozenset({"hate", "profanity"}),
            evidence=("시1발",),
            windows=2,
        ),
        policy_version="p7",
        findings=(
            Finding(
                "insult", True, Explanation("score_reached", {"task": "prompt_harm", "score": 0.5, "bar": 1}), Mode.LIVE
            ),
            Finding("links", False, Explanation("no_link"), Mode.SHADOW),
        ),
        actions=(Delete(), Timeout(timedelta(microseconds=1_500_001))),
        withheld=(Flag(),),
        restraints=(Explanation("late"),),
        rule="insult",
        reason=Reason(ko="욕설", en="Insult"),
        thresholds={"insult": 0.1},
        language="en",
    )
    shadow = Decision(
        message=message("2"),
        screening=Unscreened(reason="timeout", guard=guard),
        policy_version="p7",
        findings=(Finding("trial", True, Explanation("always"), Mode.SHADOW),),
    )

    async def scenario() -> None:
        async with opens() as store:
            await store.inbox.keep([full.message, shadow.message])
            await store.inbox.settle([Settlement(decision=one, decided_at=later(0.000001)) for one in (full, shadow)])
            first, second = await store.incidents.between(NOW, later(1))
            assert (first.decision, second.decision) == (full, shadow)
            assert first.decided_at == second.decided_at == later(0.000001)
            assert first.outcomes == ((full.actions[0], None), (full.actions[1], None))
            assert second.outcomes == ()
            assert await store.outbox.claim(1, now=later(1), platforms=EVERYWHERE) != []

    asyncio.run(scenario())


def test_traces_are_the_newest_of_every_member(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            raid = [message(f"a{n}", author="raider", sent_at=later(n)) for n in range(5)]
            other, watched = message("b", author="other", channel="side"), message("c", author="watched")
            await store.inbox.keep([*raid, other, watched])
            await store.inbox.settle([settlement(one, Flag(), decided_at=one.sent_at) for one in raid])
            await store.inbox.settle(
                [settlement(other, Delete(), decided_at=later(9)), settlement(watched, incident=True)]
            )
            traces = await store.incidents.traces(NOW, each=2, most=9)
            assert [(one.author_id, one.sent_at, one.acted) for one in traces] == [
                ("raider", later(3), False),
                ("raider", later(4), False),
                ("other", NOW, True),
            ]
            assert traces[-1] == (home(), "other", "side", NOW, later(9), "insult", True)
            assert [one.author_id for one in await store.incidents.traces(later(9), each=2, most=9)] == ["other"]
            fewer = await store.incidents.traces(NOW, each=5, most=3)
            assert [(one.author_id, one.sent_at) for one in fewer] == [
                ("raider", later(3)), ("raider", later(4)), ("other", NOW),
            ], "a raid pushes nobody else out"  # fmt: skip

    asyncio.run(scenario())
