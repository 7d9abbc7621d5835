"""Moderators hear of an outage that lasts, and of its end, once each; of a short one nothing."""

import asyncio
from collections.abc import Callable, Coroutine

from bot.core.base.errors import Unavailable
from bot.core.communities.community import Community
from bot.core.communities.policies import Policies
from bot.core.operations.alarm import GUARD, Alarm
from bot.core.rules.policy import Policy
from bot.core.text.catalogue import texts
from tests.builders import REHEARSAL, put_settings
from tests.fakes.chat import ScriptedPlatform
from tests.fakes.clock import ManualClock
from tests.fakes.store import MemoryStore

AWAY, BACK = texts("ko")["alarm.database_away"], texts("ko")["alarm.database_back"]


class Scene:
    """A database that a test takes away, and three communities: two with a moderators' channel."""

    def __init__(self) -> None:
        self.is_there, self.clock, self.platform = True, ManualClock(), Moody()

    async def answers(self) -> bool:
        return self.is_there

    @property
    def told(self) -> list[tuple[str, str]]:
        return self.platform.announced


class Moody(ScriptedPlatform):
    """A platform that may refuse an announcement for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.troubles: list[Unavailable] = []

    async def announce(self, channel_id: str, text: str) -> None:
        if self.troubles:
            raise self.troubles.pop()
        await super().announce(channel_id, text)


def run(scenario: Callable[[Scene], Coroutine[None, None, None]]) -> None:
    async def main() -> None:
        scene, store = Scene(), MemoryStore()
        for name, channel in (("cafe", "staff"), ("quiet", None)):
            await put_settings(store.communities, Community(platform=REHEARSAL, id=name, moderators_channel=channel))
        policies = Policies(store=store.communities, build=lambda _: Policy(rules=()), clock=scene.clock)
        await policies.load()
        alarm = Alarm(
            answers={"database": scene.answers},
            policies=policies,
            platforms={REHEARSAL: scene.platform},
            journal=store.journal,
            inbox=store.inbox,
            clock=scene.clock,
            language="ko",
        )
        watching = asyncio.create_task(alarm.run())
        await scenario(scene)
        watching.cancel()
        await asyncio.wait([watching])

    asyncio.run(main())


def test_an_outage_that_lasts_is_told_once_and_its_end_once() -> None:
    async def scenario(scene: Scene) -> None:
        scene.is_there = False
        await scene.clock.advance(9)
        assert scene.told == []
        await scene.clock.advance(60)
        assert scene.told == [("staff", AWAY)]
        scene.is_there = True
        await scene.clock.advance(60)
        assert scene.told == [("staff", AWAY), ("staff", BACK)]
        scene.is_there = False
        await scene.clock.advance(60)
        assert scene.told[2:] == [("staff", AWAY)], "the next outage is another one"

    run(scenario)


def test_a_short_outage_is_nobodys_business() -> None:
    async def scenario(scene: Scene) -> None:
        for _ in range(3):
            scene.is_there = False
            await scene.clock.advance(8)
            scene.is_there = True
            await scene.clock.advance(8)
        assert scene.told == []

    run(scenario)


def test_what_was_surely_not_said_is_said_later_and_what_may_have_been_said_is_not_said_twice() -> None:
    async def scenario(scene: Scene) -> None:
        scene.platform.troubles = [Unavailable("too many calls", retry_after=30)]
        scene.is_there = False
        await scene.clock.advance(30)
        assert scene.told == []
        await scene.clock.advance(30)
        assert scene.told == [("staff", AWAY)]
        scene.platform.troubles = [Unavailable("no answer came")]
        scene.is_there = True
        await scene.clock.advance(60)
        assert scene.told == [("staff", AWAY)]

    run(scenario)


def test_of_two_processes_one_tells_that_the_guard_is_away_and_one_that_it_is_back() -> None:
    async def main() -> None:
        scene, store = Scene(), MemoryStore()
        cafe = Community(platform=REHEARSAL, id="cafe", moderators_channel="staff")
        await put_settings(store.communities, cafe)
        policies = Policies(store=store.communities, build=lambda _: Policy(rules=()), clock=scene.clock)
        await policies.load()
        alarms = [
            Alarm(
                answers={GUARD: scene.answers},
                policies=policies,
                platforms={REHEARSAL: scene.platform},
                journal=store.journal,
                inbox=store.inbox,
                clock=scene.clock,
                language="ko",
                is_stood_in_for=True,
            )
            for _ in range(2)
        ]
        watching = [asyncio.create_task(alarm.run()) for alarm in alarms]
        scene.is_there = False
        await scene.clock.advance(60)
        scene.is_there = True
        await scene.clock.advance(60)
        for one in watching:
            one.cancel()
        say = texts("ko")
        assert [words for _, words in scene.told] == [say["alarm.guard_away_stood_in"], say["alarm.guard_back"]]

    asyncio.run(main())
