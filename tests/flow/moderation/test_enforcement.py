"""Actions that fail, hang or are defective: each is its own trouble only."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from bot.core.base.errors import Broken, Unavailable
from bot.core.base.waiting import Wakeup
from bot.core.incidents.incident import PlannedAction
from bot.core.moderation.enforcement import AGAIN, GIVEN_UP, LAST_WORD, Enforcer
from bot.core.moderation.turns import UnderWay
from bot.core.rules.actions import (
    AWAY,
    CARE_APART,
    DEFECT,
    Action,
    Ban,
    Care,
    Delete,
    Done,
    Escalate,
    Flag,
    Kick,
    Outcome,
    Refused,
    Warn,
)
from tests.builders import REHEARSAL, message, settlement
from tests.fakes.chat import ScriptedPlatform
from tests.fakes.store import MemoryStore

Perform = Callable[[PlannedAction], Awaitable[Outcome]]


class Acting(ScriptedPlatform):
    """Does what a test says, and writes down what was begun and what was ended."""

    def __init__(self, perform: Perform | None = None) -> None:
        super().__init__()
        self.ended: list[str] = []
        self._perform = perform

    async def perform(self, planned: PlannedAction) -> Outcome:
        outcome = await super().perform(planned)
        if self._perform:
            outcome = await self._perform(planned)
        self.ended.append(planned.action.kind)
        return outcome

    @property
    def begun(self) -> list[str]:
        return [f"{one.message.ref.message_id} {one.action.kind}" for one in self.performed]


class Scene:
    def __init__(self, perform: Perform | None = None, **more: Any) -> None:
        self.store, self.chat = MemoryStore(), Acting(perform)
        self.enforcer = Enforcer(
            outbox=self.store.outbox,
            platforms={REHEARSAL: self.chat},
            clock=self.store.clock,
            planned=Wakeup(),
            backoff=replace(AGAIN, chance=lambda: 1.0),
            **more,
        )

    async def decide(self, name: str, *actions: Action, community: str = "cafe") -> None:
        about = message(name, community=community)
        await self.store.inbox.keep([about])
        await self.store.inbox.settle([settlement(about, *actions)])
        self.enforcer.planned.wake()

    async def outcomes(self, name: str) -> dict[str, Outcome | None]:
        (incident,) = await self.store.incidents.of([message(name).ref])
        return {action.kind: outcome for action, outcome in incident.outcomes}

    async def pass_time(self, seconds: float, *, step: float = 1.0) -> None:
        for _ in range(int(seconds / step)):
            await self.store.clock.advance(step)
            self.enforcer.planned.wake()
            await self.store.clock.advance(0)

    @asynccontextmanager
    async def at_work(self) -> Any:
        working = asyncio.create_task(self.enforcer.run())
        await self.store.clock.advance(0)
        try:
            yield
        finally:
            working.cancel()
            await asyncio.wait([working])
            assert working.cancelled(), "it works until it is told to stop"


def test_what_was_told_when_to_come_back_is_not_kept_waiting_ever_longer() -> None:
    """A full room opens by itself; who is turned away often has not waited less than the others."""
    tried: list[float] = []

    async def full(planned: PlannedAction) -> Outcome:
        tried.append(scene.store.clock.monotonic())
        raise Unavailable("too many", retry_after=12)

    async def run() -> None:
        await scene.decide("1", Flag())
        async with scene.at_work():
            await scene.pass_time(600)
        apart = [after - before for before, after in pairwise(tried)]
        assert len(tried) > 15 and min(apart) >= 12 and max(apart) <= 32

    scene = Scene(full)
    asyncio.run(run())


def test_an_action_that_always_raises_is_given_up_and_shown_and_no_other_waits_for_it() -> None:
    async def odd(planned: PlannedAction) -> Outcome:
        if planned.message.ref.message_id == "poison" and planned.action == Delete():
            raise KeyError("한 글자라도")
        return Done()

    async def scenario() -> None:
        scene = Scene(odd)
        async with scene.at_work():
            await scene.decide("poison", Delete())
            await scene.decide("1", Delete())
            await scene.pass_time(60)
            await scene.decide("2", Delete())
            await scene.pass_time(2)
        assert scene.chat.begun.count("poison delete") == 3
        assert await scene.outcomes("poison") == {"delete": Refused(DEFECT + "KeyError"), "flag": Done()}
        assert await scene.outcomes("1") == await scene.outcomes("2") == {"delete": Done()}

    asyncio.run(scenario())


def test_what_must_not_be_repeated_is_not_tried_again_after_an_exception_of_its_own() -> None:
    """It may have been done before it raised."""

    async def odd(planned: PlannedAction) -> Outcome:
        if planned.action == Warn():
            raise TypeError
        return Done()

    async def scenario() -> None:
        scene = Scene(odd)
        async with scene.at_work():
            await scene.decide("1", Warn())
            await scene.pass_time(60)
        assert scene.chat.begun == ["1 warn", "1 flag"]
        assert await scene.outcomes("1") == {"warn": Refused(DEFECT + "TypeError"), "flag": Done()}

    asyncio.run(scenario())


def test_an_outage_is_nobodys_fault_pauses_grow_and_after_a_day_moderators_are_shown_what_was_not_done() -> None:
    at: list[float] = []

    async def scenario() -> None:
        async def away(planned: PlannedAction) -> Outcome:
            if planned.action == Flag():
                return Done()
            at.append(scene.store.clock.monotonic())
            raise Unavailable("out of reach") if len(at) % 2 else Broken("the token was revoked")

        scene = Scene(away)
        async with scene.at_work():
            await scene.decide("1", Delete())
            await scene.pass_time(200)
            pauses = [later - earlier for earlier, later in pairwise(at)]
            assert pauses == sorted(pauses) and pauses[-1] > 8 * pauses[0]
            await scene.pass_time(GIVEN_UP.total_seconds() + 700, step=50)
        assert len(at) < 24 * 60 * 60 / 300
        assert await scene.outcomes("1") == {"delete": Refused(AWAY), "flag": Done()}

    asyncio.run(scenario())


def test_who_is_removed_is_told_why_before_but_nobody_waits_for_it_for_ever() -> None:
    async def scenario() -> None:
        told = asyncio.Event()

        async def slow_word(planned: PlannedAction) -> Outcome:
            if planned.action == Warn():
                await told.wait()
            return Done()

        scene = Scene(slow_word)
        async with scene.at_work():
            await scene.decide("1", Delete(), Warn(), Ban())
            await scene.pass_time(1)
            assert scene.chat.ended == ["delete"]
            told.set()
            await scene.pass_time(1)
            assert scene.chat.ended == ["delete", "warn", "ban"]
            told.clear()
            await scene.decide("2", Warn(), Kick())
            await scene.pass_time(LAST_WORD - 1)
            assert scene.chat.ended[3:] == []
            await scene.pass_time(1)
            assert scene.chat.ended[3:] == ["kick"]
            await scene.decide("3", Ban())
            await scene.pass_time(1)
            assert scene.chat.ended[4:] == ["ban"], "without a word there is nothing to wait for"

    asyncio.run(scenario())


def test_a_community_that_hangs_keeps_no_other_waiting() -> None:
    async def hang(planned: PlannedAction) -> Outcome:
        if planned.message.community_id == "raided":
            await asyncio.Event().wait()
        return Done()

    async def scenario() -> None:
        scene = Scene(hang, under_way=UnderWay(whole=16, platform=8, community=4))
        for number in range(100):
            await scene.decide(f"raid {number}", Delete(), community="raided")
        async with scene.at_work():
            assert len(scene.chat.performed) == 4
            for number in range(20):
                await scene.decide(f"{number}", Delete())
            await scene.store.clock.advance(0)
            await scene.pass_time(3)
            assert len(scene.chat.ended) == 20

    asyncio.run(scenario())


def test_what_is_under_way_is_finished_when_it_is_to_stop_and_nothing_more_is_begun() -> None:
    async def scenario() -> None:
        go_on, stopping = asyncio.Event(), asyncio.Event()

        async def slow(planned: PlannedAction) -> Outcome:
            await go_on.wait()
            return Done()

        scene = Scene(slow)
        working = asyncio.create_task(scene.enforcer.run(stopping=stopping))
        await scene.decide("1", Warn())
        await scene.store.clock.advance(0)
        stopping.set()
        await scene.decide("2", Warn())
        await scene.store.clock.advance(0)
        go_on.set()
        await working
        scene.store.restart()
        assert scene.chat.begun == ["1 warn"]
        assert await scene.outcomes("1") == {"warn": Done()}
        assert await scene.outcomes("2") == {"warn": None}

    asyncio.run(scenario())


def test_nothing_that_is_due_is_left_where_what_is_under_way_ends_during_a_claim(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The claim found no room, and when it answered there was room: that is no reason to end."""
    go_on = asyncio.Event()

    async def wait(planned: PlannedAction) -> Outcome:
        await go_on.wait()
        return Done()

    async def scenario() -> None:
        scene, closing = Scene(wait, under_way=UnderWay(whole=1, platform=1, community=1)), asyncio.Event()
        claim = scene.store.outbox.claim

        async def slowly(*args: Any, **more: Any) -> Any:
            claimed = await claim(*args, **more)
            if not claimed and not go_on.is_set():
                go_on.set()
                while not scene.enforcer.under_way.is_empty:
                    await asyncio.sleep(0)
            return claimed

        monkeypatch.setattr(scene.store.outbox, "claim", slowly)
        for name in ("1", "2", "3"):
            await scene.decide(name, Delete())
        closing.set()
        async with asyncio.timeout(60):
            await scene.enforcer.run(closing)
        assert len(scene.chat.ended) == 3

    asyncio.run(scenario())


def test_a_platform_that_is_not_here_loses_nothing() -> None:
    async def scenario() -> None:
        scene = Scene()
        scene.enforcer.platforms = {}
        async with scene.at_work():
            await scene.decide("1", Delete())
            await scene.pass_time(5)
            assert await scene.outcomes("1") == {"delete": None}
            scene.enforcer.platforms = {REHEARSAL: scene.chat}
            await scene.pass_time(5)
            assert await scene.outcomes("1") == {"delete": Done()}

    asyncio.run(scenario())


def test_where_the_card_itself_cannot_be_made_moderators_are_told_so_once() -> None:
    async def odd(planned: PlannedAction) -> Outcome:
        raise KeyError

    async def scenario() -> None:
        scene = Scene(odd, room_of=lambda message: "room")
        async with scene.at_work():
            await scene.decide("1", Delete())
            await scene.pass_time(200)
        assert await scene.outcomes("1") == dict.fromkeys(("delete", "flag"), Refused(DEFECT + "KeyError"))
        ((room, said),) = scene.chat.announced
        assert room == "room" and "#1" in said

    asyncio.run(scenario())


def test_nobody_hears_the_caring_word_twice_in_a_week() -> None:
    async def scenario() -> None:
        scene = Scene()
        async with scene.at_work():
            for name in ("1", "2", "3"):
                await scene.decide(name, Care(), Escalate())
            await scene.pass_time(10)
            assert [one for one in scene.chat.begun if one.endswith("care")] == ["1 care"]
            (lately,) = {str((await scene.outcomes(name))["care"]) for name in ("2", "3")}
            assert "Refused" in lately and "7" in lately
            assert (await scene.outcomes("3"))["escalate"] == Done(), "people are called all the same"
            await scene.store.clock.advance(CARE_APART.total_seconds() + 60)
            await scene.decide("4", Care())
            await scene.pass_time(2)
            assert (await scene.outcomes("4"))["care"] == Done()

    asyncio.run(scenario())
