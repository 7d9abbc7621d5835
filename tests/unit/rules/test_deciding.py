"""Where decisions are made: short texts at once, long ones beside the event loop, communities in turns, chats first."""

import asyncio
import threading
from dataclasses import dataclass, field

import pytest

from bot.core.chat.message import Message
from bot.core.guarding.verdict import TOO_SLOW, Task, Unscreened, Verdict
from bot.core.rules.actions import Delete
from bot.core.rules.conditions import Check, Condition, Explanation, Past, Rank, Situation, Sought, Text, Words
from bot.core.rules.decider import LONG, Decider
from bot.core.rules.decision import Decision
from bot.core.rules.policy import Policy, Reason, Rule
from tests.builders import GUARD, NOW, message
from tests.servers.waiting import until

VERDICT = Verdict.of_scores({Task.PROMPT_HARM: 0.1}, guard=GUARD)


@dataclass(frozen=True, eq=False)
class Watching(Condition, key="watching", rank=Rank.WHAT):
    """A condition that notes where and for whom it was asked, and waits until it may go on."""

    asked: list[tuple[str, int]] = field(default_factory=list)
    may_go_on: threading.Event = field(default_factory=threading.Event)

    def check(self, situation: Situation) -> Check:
        self.asked.append((situation.message.community_id, threading.get_ident()))
        assert self.may_go_on.wait(30)
        return True, Explanation("always")

    async def was_asked(self, times: int) -> None:
        await until(lambda: len(self.asked) >= times)


def policy(*when: Condition) -> Policy:
    return Policy(rules=(Rule(name="r", when=when, then=(Delete(),), reason=Reason(ko="이유", en="reason")),))


async def decide(decider: Decider, said: Message, under: Policy, *, guest: bool = False) -> Decision:
    return await decider.decide(said, VERDICT, under, at=NOW, past=Past(), guest=guest)


def test_a_long_text_is_decided_beside_the_event_loop() -> None:
    async def scenario() -> None:
        watching, decider = Watching(), Decider()
        watching.may_go_on.set()
        short, long = message(text="가" * LONG), message(text="가" * (LONG + 1))
        assert decider.is_quick(short, policy(watching)) and not decider.is_quick(long, policy(watching))
        await decide(decider, short, policy(watching))
        await decide(decider, long, policy(watching))
        (_, at_once), (_, beside) = watching.asked
        assert at_once == threading.get_ident() != beside
        decider.close()

    asyncio.run(scenario())


def test_communities_take_turns_and_chats_come_first() -> None:
    async def scenario() -> None:
        watching, decider = Watching(), Decider()
        under = policy(watching)

        def ask(community: str, *, guest: bool) -> "asyncio.Task[Decision]":
            said = message(text="가" * (LONG + 1), community=community)
            return asyncio.create_task(decide(decider, said, under, guest=guest))

        asked = [ask("greedy", guest=True) for _ in range(6)]
        await watching.was_asked(1)
        asked += [ask("modest", guest=True), *(ask("raided", guest=False) for _ in range(3)), ask("quiet", guest=False)]
        await asyncio.sleep(0)
        watching.may_go_on.set()
        await asyncio.gather(*asked)
        order = [community for community, _ in watching.asked]
        assert order == ["greedy", "raided", "quiet", "raided", "raided", "greedy", "modest", *["greedy"] * 4]
        assert len({where for _, where in watching.asked}) == 1
        decider.close()

    asyncio.run(scenario())


def test_what_nobody_waits_for_is_not_begun_and_an_error_comes_back() -> None:
    async def scenario() -> None:
        watching, decider = Watching(), Decider()
        long = message(text="가" * (LONG + 1))
        under_way = asyncio.create_task(decide(decider, long, policy(watching)))
        left = asyncio.create_task(decide(decider, long, policy(watching)))
        await watching.was_asked(1)
        left.cancel()
        watching.may_go_on.set()
        await under_way
        assert left.cancelled() or ((await asyncio.wait([left])) and left.cancelled())

        class Failing(Watching, key="failing", rank=Rank.WHAT):
            def check(self, situation: Situation) -> Check:
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await decide(decider, long, policy(Failing()))
        assert len(watching.asked) == 1
        decider.close()

    asyncio.run(scenario())


def test_slow_expressions_are_searched_elsewhere_and_what_was_given_up_is_unscreened() -> None:
    slow = Text(any_of=("/(?<!가)나/",))

    class Searching:
        async def find(self, text: Sought, content: str) -> Words:
            if "끝" in content:
                raise TimeoutError
            return text.trusted().find(content)

    async def scenario() -> None:
        decider = Decider(searcher=Searching())
        assert not decider.is_quick(message(text="나"), policy(slow))
        assert (await decide(decider, message(text="나"), policy(slow))).actions == (Delete(),)
        assert not (await decide(decider, message(text="가나"), policy(slow))).is_incident
        given_up = await decide(decider, message(text="나 끝없이"), policy(slow))
        assert given_up.screening == Unscreened(TOO_SLOW, GUARD)
        unsearched = await decide(Decider(), message(text="나"), policy(slow))
        assert unsearched.screening == Unscreened(TOO_SLOW, GUARD)

    asyncio.run(scenario())
