"""One message that something goes wrong with stays one message: real stages over memory, SQLite and PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.core.base.errors import Broken, Unavailable
from bot.core.base.waiting import Wakeup
from bot.core.chat.message import Message
from bot.core.guarding.queue import GuardQueue
from bot.core.guarding.verdict import Screening, Task, Unscreened
from bot.core.incidents.incident import Incident, Settlement
from bot.core.moderation import screening
from bot.core.moderation.bots import Bots
from bot.core.moderation.screening import DEFECT, Screener
from bot.core.rules.actions import Action, Delete, Flag
from bot.core.rules.conditions import Score
from bot.core.rules.decision import Decision, decide
from bot.core.rules.policy import Policy, Reason, Rule
from tests.builders import NOW, later, message
from tests.contracts.stores import Opens, Store
from tests.fakes.guarding import ScriptedGuard

HARMFUL = Score(task=Task.PROMPT_HARM, at_least=0.9, below=None)
POLICY = Policy(rules=(Rule(name="abuse", when=(HARMFUL,), then=(Delete(), Flag()), reason=Reason(ko="", en="")),))


class Stages:
    """What screens, over a store, until it has nothing to do."""

    def __init__(self, store: Store, guard: ScriptedGuard, stand_in: ScriptedGuard | None = None) -> None:
        self.store, self.settled = store, list[Settlement]()
        self.queue = GuardQueue(guard=guard, clock=store.clock, stand_in=stand_in)
        self.screener = Screener(
            inbox=store.inbox,
            queue=self.queue,
            policy_of=lambda message: POLICY,
            clock=store.clock,
            arrived=Wakeup(),
            planned=Wakeup(),
            bots=Bots(roll=store.bots),
            on_settled=self.settled.extend,
            poll=0.01,
        )

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as stages:
            working = [stages.create_task(self.queue.run()), stages.create_task(self.screener.run())]
            yield
            for task in working:
                task.cancel()

    async def until(self, holds: Callable[[], bool], step: float = 1.0) -> None:
        async with asyncio.timeout(60):
            while not holds():
                await self.store.clock.advance(step)
                await asyncio.sleep(0.01)

    async def screen(self, *messages: Message) -> None:
        await self.store.inbox.keep(messages)
        expected = len(self.settled) + len(messages)
        async with self.at_work():
            await self.until(lambda: len(self.settled) >= expected)

    async def incidents(self) -> Sequence[Incident]:
        return await self.store.incidents.between(NOW, later(999_999))


def texts_of(settled: Sequence[Settlement]) -> dict[str, Screening]:
    return {one.decision.message.ref.message_id: one.decision.screening for one in settled}


def shown_once_as_a_defect(incidents: Sequence[Incident]) -> None:
    (incident,) = incidents
    assert incident.decision.actions == (Flag(),) and incident.decision.message.ref.message_id == "poison"
    assert isinstance(incident.decision.screening, Unscreened)
    assert incident.decision.screening.reason.startswith("defect")


def test_rules_that_raise_on_one_message(opens: Opens, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(about: Message, *args: Any, **named: Any) -> Decision:
        if about.text == "독":
            raise ZeroDivisionError
        return decide(about, *args, **named)

    monkeypatch.setattr(screening, "decide", fails)

    async def scenario() -> None:
        async with opens() as store:
            stages = Stages(store, ScriptedGuard())
            await stages.screen(message("poison", "독"), *(message(str(number)) for number in range(20)))
            assert texts_of(stages.settled)["poison"] == Unscreened(DEFECT, ScriptedGuard.version)
            shown_once_as_a_defect(await stages.incidents())
        async with opens() as store:
            again = Stages(store, ScriptedGuard())
            await again.screen(message("next"))
            assert [*texts_of(again.settled)] == ["next"], "settled once, also over restarts"
            shown_once_as_a_defect(await again.incidents())

    asyncio.run(scenario())


def test_no_suspect_is_left_where_the_others_are_settled_during_a_claim(
    opens: Opens,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Suspects are handed out in halves. A claim that found the first half in hand, and answered when it was settled,
    used to end the stage."""

    async def scenario() -> None:
        async with opens() as store:
            await store.inbox.keep([message(str(number)) for number in range(4)])
            assert len(await store.inbox.claim(4, fresh_since=NOW)) == 4
            await store.die()
        async with opens() as store:
            stages, closing, claims = Stages(store, ScriptedGuard()), asyncio.Event(), asyncio.Event()
            claim, settle = store.inbox.claim, store.inbox.settle

            async def claim_slowly(limit: int, *, fresh_since: datetime) -> Sequence[Message]:
                claimed = await claim(limit, fresh_since=fresh_since)
                if not claimed:
                    claims.set()
                    await stages.until(lambda: not stages.screener._settler.busy)
                return claimed

            async def settle_meanwhile(settlements: Sequence[Settlement]) -> Sequence[bool]:
                await claims.wait()
                return await settle(settlements)

            monkeypatch.setattr(store.inbox, "claim", claim_slowly)
            monkeypatch.setattr(store.inbox, "settle", settle_meanwhile)
            closing.set()
            async with asyncio.TaskGroup() as group:
                queue = group.create_task(stages.queue.run())
                screening = group.create_task(stages.screener.run(closing))
                await stages.until(screening.done)
                queue.cancel()
            assert {*texts_of(stages.settled)} == {"0", "1", "2", "3"}

    asyncio.run(scenario())


def test_a_settlement_that_the_store_refuses(opens: Opens, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with opens() as store:
            settle = store.inbox.settle

            async def refuses(settlements: Sequence[Settlement]) -> Sequence[bool]:
                given = [one.decision for one in settlements if one.decision.message.ref.message_id == "poison"]
                if any(not isinstance(one.screening, Unscreened) for one in given):
                    raise Broken("it cannot be stored")
                return await settle(settlements)

            monkeypatch.setattr(store.inbox, "settle", refuses)
            stages = Stages(store, ScriptedGuard())
            await stages.screen(message("poison", "독"), *(message(str(number)) for number in range(20)))
            shown_once_as_a_defect(await stages.incidents())
            assert len(stages.settled) == 21

    asyncio.run(scenario())


def test_what_cannot_even_be_closed_stays_and_keeps_nobody(
    opens: Opens,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        async with opens() as store:
            settle, tries = store.inbox.settle, 0

            async def refuses(settlements: Sequence[Settlement]) -> Sequence[bool]:
                nonlocal tries
                if any(one.decision.message.ref.message_id == "poison" for one in settlements):
                    tries += len(settlements) == 1
                    raise Broken("it cannot be stored")
                return await settle(settlements)

            monkeypatch.setattr(store.inbox, "settle", refuses)
            stages = Stages(store, ScriptedGuard())
            await store.inbox.keep([message("poison", "독")])
            async with stages.at_work():
                await stages.until(lambda: tries == 6)
                await store.inbox.keep([message(str(number)) for number in range(20)])
                await stages.until(lambda: len(stages.settled) == 20)
                await store.clock.advance(60)
            assert tries == 6 and await store.inbox.waiting() == 1

    asyncio.run(scenario())


class StandIn(ScriptedGuard):
    tasks = frozenset({Task.PROMPT_HARM})


@pytest.mark.parametrize(
    ("minutes", "then"), [(2, (Delete(), Flag())), (20, (Flag(),))], ids=["fresh", "read by everybody"]
)
def test_while_the_guard_is_away_the_stand_in_decides_and_the_guard_looks_at_what_that_missed(
    opens: Opens, minutes: int, then: Sequence[Action]
) -> None:
    """What everybody has read meanwhile is left to people."""

    async def scenario() -> None:
        async with opens() as store:
            guard, stand_in = ScriptedGuard({"놓친 욕": 0.95, "욕": 0.95}), StandIn({"욕": 0.95})
            guard.trouble = Unavailable("down")
            stages = Stages(store, guard, stand_in)
            talk = [message(str(number), f"글 {number}") for number in range(30)]
            await store.inbox.keep([message("bad", "욕"), message("missed", "놓친 욕"), *talk])
            async with stages.at_work():
                await stages.until(lambda: len(stages.settled) == 1)
                assert await store.inbox.waiting() == 31
                (incident,) = await stages.incidents()
                assert incident.decision.actions == (Delete(), Flag()), "at once, on the stand-in's word"
                await stages.until(lambda: store.clock.now() > NOW + timedelta(minutes=minutes), step=15.0)
                guard.trouble = None
                await stages.until(lambda: len(stages.settled) == 32)
            missed, bad = sorted(await stages.incidents(), key=lambda one: one.decision.message.ref.message_id)[::-1]
            assert missed.decision.actions == then
            assert set(missed.decision.actions + missed.decision.withheld) == {Delete(), Flag()}
            assert bad == incident, "one card each, and none for what nobody finds harmful"
            assert await store.inbox.waiting() == 0

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "url",
    ["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.long)],  # each of its steps: tests/contracts
    indirect=True,
)
def test_what_no_guard_can_judge_waits_without_a_card_for_six_hours(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            guard = ScriptedGuard({"욕": 0.95})
            guard.trouble = Unavailable("down")
            stages = Stages(store, guard)
            await store.inbox.keep([message(str(number), f"글 {number}") for number in range(40)])
            async with stages.at_work():
                await stages.until(lambda: store.clock.now() > NOW + timedelta(hours=3), step=600.0)
                later_on = replace(message("bad", "욕"), sent_at=store.clock.now())
                await store.inbox.keep([later_on])
                await stages.until(lambda: store.clock.now() > NOW + timedelta(hours=5), step=600.0)
                assert stages.settled == []
                await stages.until(lambda: len(stages.settled) == 40, step=60.0)
                assert {one.decision.is_incident for one in stages.settled} == {False}
                guard.trouble = None
                await stages.until(lambda: len(stages.settled) == 41)
            (incident,) = await stages.incidents()
            assert incident.decision.actions == (Delete(), Flag()), "judged as late, which forbids to punish"

    asyncio.run(scenario())
