"""A public blocklist that hangs, fails or has everybody on it harms nobody, and is asked no more than need be."""

import asyncio

from bot.core.base.waiting import Wakeup
from bot.core.communities.community import Community, Listing
from bot.core.incidents.case import Person
from bot.core.incidents.deeds import Deeds
from bot.core.incidents.elsewhere.blocklists import AT_ONCE, DISTRUSTED, FAILURES, KEPT, PAUSE, TOO_MANY, Blocklists
from bot.core.rules.ladder import USUAL
from bot.core.rules.policy import Policy
from tests.builders import NOW, home
from tests.fakes.cases import ScriptedCases
from tests.fakes.clock import ManualClock

HERE = home()


class Scripted:
    name, host = "CAS", "cas.example"

    def __init__(self, answer: bool | None = True) -> None:
        self.answer, self.asked = answer, list[str]()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def lists(self, member: str) -> bool | None:
        self.asked.append(member)
        await self.may_answer.wait()
        return self.answer


class Scene:
    def __init__(self, answer: bool | None = True) -> None:
        self.list, self.clock, self.cases = Scripted(answer), ManualClock(), ScriptedCases()
        self.settings = Community(platform=HERE.platform, id=HERE.id, blocklist=Listing.RESTRICT)

        async def tell(channel: str, text: str) -> None: ...

        deeds = Deeds(cases=self.cases, clock=self.clock, planned=Wakeup(), ladder_of=lambda _: USUAL)
        self.blocklists = Blocklists(
            blocklist=self.list, community_of=lambda _: self.settings, policy_of=lambda _: Policy(rules=()),
            deeds=deeds, tell=tell, clock=self.clock,
        )  # fmt: skip

    async def come(self, *who: str) -> int:
        """How many cases that has made."""
        before = len(self.cases.opened)
        for one in who:
            await self.blocklists.came(HERE, Person(one), NOW)
        return len(self.cases.opened) - before


def test_an_answer_holds_for_a_while_and_nobody_is_a_case_twice() -> None:
    async def scenario() -> None:
        scene = Scene()
        assert await scene.come("1", "1") == 1 and scene.list.asked == ["1"]
        await scene.clock.advance(KEPT[True] + 1)
        assert await scene.come("1") == 0 and scene.list.asked == ["1", "1"]
        scene.list.answer = False
        assert await scene.come("2", "2") == 0 and scene.list.asked == ["1", "1", "2"]

    asyncio.run(scenario())


def test_a_list_that_does_not_answer_is_left_alone_for_a_while() -> None:
    async def scenario() -> None:
        scene = Scene(None)
        assert await scene.come(*map(str, range(FAILURES + 20))) == 0
        assert len(scene.list.asked) == FAILURES
        scene.list.answer = True
        assert await scene.come("77") == 0
        await scene.clock.advance(PAUSE + 1)
        assert await scene.come("77") == 1

    asyncio.run(scenario())


def test_a_list_that_hangs_holds_up_a_few_questions_and_nobody_else() -> None:
    async def scenario() -> None:
        scene = Scene()
        scene.list.may_answer.clear()
        coming = [asyncio.create_task(scene.come(str(one))) for one in range(50)]
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(scene.list.asked) == AT_ONCE and sum(one.done() for one in coming) == 50 - AT_ONCE
        scene.list.may_answer.set()
        await asyncio.gather(*coming)

    asyncio.run(scenario())


def test_a_list_with_everybody_on_it_is_not_believed() -> None:
    async def scenario() -> None:
        scene = Scene()
        assert await scene.come(*map(str, range(200))) == TOO_MANY - 1
        assert await scene.come("1") == 0, "nor is what it said before"
        await scene.clock.advance(DISTRUSTED + 1)
        assert await scene.come("900") == 1

    asyncio.run(scenario())
