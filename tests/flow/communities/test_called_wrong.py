"""A moderator calls an incident wrong before, while and after its message is taken away, over fakes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.core.base.errors import Unavailable
from bot.core.base.waiting import Wakeup
from bot.core.chat.message import CommunityRef
from bot.core.incidents.incident import PlannedAction
from bot.core.incidents.review import Call, Filed
from bot.core.incidents.reviewing import Reviewer
from bot.core.moderation.enforcement import Enforcer
from bot.core.rules.actions import Action, Ban, CalledOff, Delete, Done, Flag, Outcome, Restore, Unsanction, Warn
from tests.builders import REHEARSAL, message, settlement
from tests.fakes.chat import ScriptedPlatform
from tests.fakes.store import MemoryStore


class SlowPlatform(ScriptedPlatform):
    """One on which an action takes until `finish` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.finish = asyncio.Event()

    async def perform(self, planned: PlannedAction) -> Outcome:
        outcome = await super().perform(planned)
        await self.finish.wait()
        return outcome


class Scene:
    def __init__(self) -> None:
        self.store, self.platform, planned = MemoryStore(), SlowPlatform(), Wakeup()
        self.on_record: list[list[Outcome | None]] = []  # when something had changed
        self.reviewer = Reviewer(
            incidents=self.store.incidents,
            reviews=self.store.reviews,
            clock=self.store.clock,
            planned=planned,
            on_change=self.changed,
        )
        self.enforcer = Enforcer(
            outbox=self.store.outbox,
            platforms={REHEARSAL: self.platform},
            clock=self.store.clock,
            planned=planned,
            poll=0.005,
            on_change=self.changed,
        )

    def changed(self, community: CommunityRef, incident_id: int) -> None:
        self.on_record.append([action.outcome for action in self.store.actions.values()])

    @property
    def performed(self) -> list[Action]:
        return [planned.action for planned in self.platform.performed]

    async def decide(self, *actions: Action) -> None:
        await self.store.inbox.keep([message("1")])
        await self.store.inbox.settle([settlement(message("1"), *actions)])

    async def call_wrong(self) -> None:
        assert await self.reviewer.call(
            CommunityRef(REHEARSAL, "cafe"), 1, Call.WRONG, moderator_id="dal", moderator_name="달"
        )

    async def outcomes(self) -> list[tuple[Action, Outcome | None]]:
        incident = await self.store.incidents.get(CommunityRef(REHEARSAL, "cafe"), 1)
        assert incident
        return list(incident.outcomes)

    async def until(self, performed: int) -> None:
        async with asyncio.timeout(60):
            while len(self.performed) < performed:  # what is waited for happens in the enforcer
                await asyncio.sleep(0.005)

    @asynccontextmanager
    async def enforced(self) -> AsyncIterator[None]:
        running = asyncio.create_task(self.enforcer.run())
        yield
        await asyncio.sleep(0.05)  # a moment in which nothing else may happen
        running.cancel()
        await asyncio.wait([running])


def test_before_its_turn_the_message_stays() -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.decide(Delete(), Ban(), Warn(), Flag())
        await scene.call_wrong()
        async with scene.enforced():
            await scene.until(1)
        assert scene.performed == [Flag()]
        assert (await scene.outcomes())[:3] == [(Delete(), CalledOff()), (Ban(), CalledOff()), (Warn(), CalledOff())]

    asyncio.run(scenario())


def test_while_it_is_being_taken_away_it_comes_back_afterwards_and_not_before() -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.decide(Delete(), Ban())
        async with scene.enforced():
            await scene.until(2)
            await scene.call_wrong()
            await asyncio.sleep(0.03)
            assert scene.performed == [Delete(), Ban()]
            scene.platform.finish.set()
            await scene.until(4)
        assert scene.performed[2:] == [Restore(), Unsanction()]
        assert [outcome for _, outcome in await scene.outcomes()] == [Done()] * 4

    asyncio.run(scenario())


def test_while_the_platform_is_away_it_is_not_tried_again() -> None:
    async def scenario() -> None:
        scene = Scene()
        scene.platform.finish.set()
        scene.platform.answers["delete"] = Unavailable("away", retry_after=60)
        await scene.decide(Delete())
        async with scene.enforced():
            await scene.until(1)
            await scene.call_wrong()
            await scene.store.clock.advance(120)
        assert scene.performed == [Delete()]
        assert await scene.outcomes() == [(Delete(), CalledOff())]

    asyncio.run(scenario())


def test_afterwards_it_comes_back() -> None:
    async def scenario() -> None:
        scene = Scene()
        scene.platform.finish.set()
        await scene.decide(Delete())
        async with scene.enforced():
            await scene.until(1)
            await scene.call_wrong()
            await scene.until(2)
        assert scene.performed == [Delete(), Restore()]

    asyncio.run(scenario())


def test_the_board_hears_of_a_change_once_it_is_on_record_and_of_no_other() -> None:
    async def scenario() -> None:
        scene = Scene()
        scene.platform.finish.set()
        await scene.decide(Delete())
        async with scene.enforced():
            await scene.until(1)
            await asyncio.sleep(0.03)
            assert scene.on_record == [[Done()]]
            await scene.call_wrong()
            assert scene.on_record[1:] == [[Done(), None]]
            await scene.until(2)
            await asyncio.sleep(0.03)
            assert scene.on_record[2:] == [[Done(), Done()]]
            here = CommunityRef(REHEARSAL, "cafe")
            too_late = await scene.reviewer.call(here, 1, Call.BAN, moderator_id="2", moderator_name="별")
            assert too_late and too_late.earlier and len(scene.on_record) == 3
            assert await scene.reviewer.appeal(here, 1, "억울해요") and len(scene.on_record) == 4
            assert await scene.reviewer.appeal(here, 1, "다시") is Filed.HEARD_BEFORE and len(scene.on_record) == 4

    asyncio.run(scenario())
