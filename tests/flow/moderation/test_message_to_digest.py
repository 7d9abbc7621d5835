"""One message all the way, over fakes: it arrives, is judged, decided, acted on, recorded and summarised."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.app.runner import moderate
from bot.core.base.errors import Broken, Unavailable
from bot.core.base.waiting import Wakeup
from bot.core.chat.message import Author, Kind, Message
from bot.core.communities.community import Community
from bot.core.communities.policies import Policies
from bot.core.guarding.queue import GuardQueue
from bot.core.guarding.verdict import Task, Unscreened
from bot.core.incidents.incident import Settlement
from bot.core.moderation import screening
from bot.core.moderation.bots import Bots
from bot.core.moderation.enforcement import Enforcer
from bot.core.moderation.screening import Screener, exchange_of
from bot.core.operations.alarm import Alarm
from bot.core.reporting.building import Reporter
from bot.core.rules.actions import Delete, Done, Flag, Gone, Refused, Unconfirmed, Warn
from bot.core.rules.conditions import ByBot, IsUnscreened, Repeats, Score
from bot.core.rules.policy import Mode, Policy, Reason, Rule
from bot.core.text.catalogue import texts
from tests.builders import NOW, REHEARSAL, later, message, put_settings
from tests.fakes.chat import ScriptedPlatform
from tests.fakes.clock import ManualClock
from tests.fakes.guarding import ScriptedGuard
from tests.fakes.moderation import MemoryInbox
from tests.fakes.store import MemoryStore

REASON = Reason(ko="욕설", en="abuse")
POLICY = Policy(
    version="p1",
    rules=(
        Rule(
            name="abuse",
            when=(Score(task=Task.PROMPT_HARM, at_least=0.9),),
            then=(Delete(), Warn(), Flag()),
            reason=REASON,
            cooldown=timedelta(minutes=10),
        ),
        Rule(
            name="tryout",
            when=(Score(task=Task.PROMPT_HARM, at_least=0.3),),
            then=(Delete(),),
            reason=REASON,
            mode=Mode.SHADOW,
        ),
        Rule(name="flood", when=(Repeats(at_least=3, within=timedelta(minutes=1)),), then=(Flag(),), reason=REASON),
        Rule(name="blind", when=(IsUnscreened(),), then=(Flag(),), reason=REASON),
        Rule(
            name="bot",
            when=(Score(task=Task.RESPONSE_HARM, at_least=0.9), ByBot(bot=True)),
            then=(Delete(), Warn()),
            reason=REASON,
        ),
    ),
)


class ListeningPlatform(ScriptedPlatform):
    """One that is still connected when everything was said."""

    async def messages(self) -> AsyncGenerator[Sequence[Message], None]:
        async for batch in super().messages():
            yield batch
        await asyncio.Event().wait()


class Flow:
    """The whole application over fakes."""

    def __init__(self, *batches: Sequence[Message], guard: ScriptedGuard, store: MemoryStore | None = None) -> None:
        self.store, self.guard = store or MemoryStore(), guard
        self.clock = self.store.clock
        self.platform = ScriptedPlatform(*batches)
        self.settled: list[Settlement] = []

    async def run(self) -> None:
        planned = Wakeup()
        queue = GuardQueue(guard=self.guard, clock=self.clock)
        screener = Screener(
            inbox=self.store.inbox,
            queue=queue,
            policy_of=lambda message: POLICY,
            clock=self.clock,
            arrived=Wakeup(),
            planned=planned,
            bots=Bots(roll=self.store.bot_roll),
            meet=self.platform.meet,
            on_settled=self.settled.extend,
            poll=0.01,
        )
        policies = Policies(store=self.store.communities, build=lambda community: POLICY, clock=self.clock)
        await policies.load()
        alarm = Alarm(
            answers={"guard": queue.answers},
            policies=policies,
            platforms={REHEARSAL: self.platform},
            journal=self.store.journal,
            inbox=self.store.inbox,
            clock=self.clock,
            language="ko",
        )
        enforcer = Enforcer(
            outbox=self.store.outbox,
            platforms={REHEARSAL: self.platform},
            clock=self.clock,
            planned=planned,
            poll=0.01,
        )
        await moderate(
            platforms=[self.platform],
            inbox=self.store.inbox,
            screener=screener,
            enforcer=enforcer,
            services=[queue.run, alarm.run],
            clock=self.clock,
        )

    def performed(self) -> list[tuple[str, str]]:
        return [(planned.message.ref.message_id, planned.action.kind) for planned in self.platform.performed]


def test_from_message_to_digest() -> None:
    async def scenario() -> None:
        good, bad, unseen = message("1", "안녕"), message("2", "욕"), message("3", "??", author="other")
        guard = ScriptedGuard({"욕": 0.95})
        guard.answers["??"] = Unscreened("unparseable", guard.version)
        flow = Flow([good, bad], [unseen, bad], guard=guard)
        await flow.run()
        assert flow.platform.confirmed == 2
        assert sorted(flow.performed()) == [("2", "delete"), ("2", "flag"), ("2", "warn"), ("3", "flag")]
        reporter = Reporter(inbox=flow.store.inbox, incidents=flow.store.incidents)
        digest = await reporter.digest(NOW, later(60))
        assert (digest.kept, digest.settled, len(digest.incidents), digest.unscreened) == (3, 3, 2, 1)
        assert digest.by_rule == {"abuse": 1, "blind": 1}
        assert digest.actions == {"delete": 1, "warn": 1, "flag": 2}
        assert flow.store.messages[good.ref].text == "", "the text of a message without an incident is erased"

    asyncio.run(scenario())


def test_an_author_is_asked_for_again_while_the_platform_is_just_coming_up() -> None:
    """A process that starts with a backlog judges it before every network is connected: what is harmful is not left
    standing for that."""

    async def scenario() -> None:
        bad = message("1", "욕")
        bad = replace(bad, author=replace(bad.author, unmet=True))
        flow = Flow([bad], guard=ScriptedGuard({"욕": 0.95}))
        flow.platform.authors[bad.author.id] = Unavailable("not there (yet)")
        running = asyncio.create_task(flow.run())
        async with asyncio.timeout(60):
            while not flow.platform.met:
                await asyncio.sleep(0.01)
            await flow.clock.advance(0.5)
            del flow.platform.authors[bad.author.id]
            await flow.clock.advance(5.0)
            await running
        assert ("1", "delete") in flow.performed()

    asyncio.run(scenario())


class CountedClaims(MemoryInbox):
    """Counts how often it is asked for work."""

    claims = 0

    async def claim(self, limit: int, *, fresh_since: datetime) -> Sequence[Message]:
        self.claims += 1
        return await super().claim(limit, fresh_since=fresh_since)


def test_nobody_asks_for_work_that_cannot_be_there() -> None:
    """One claim finds the inbox empty, and each message that arrives brings about one more."""

    async def scenario() -> None:
        store, clock, arrived = MemoryStore(), ManualClock(), Wakeup()
        store.inbox = inbox = CountedClaims(store)
        queue = GuardQueue(guard=ScriptedGuard(), clock=clock)
        screener = Screener(
            inbox=inbox, queue=queue, policy_of=lambda message: POLICY, clock=clock, arrived=arrived, planned=Wakeup(),
            bots=Bots(roll=store.bot_roll), poll=60.0,
        )  # fmt: skip
        async with asyncio.TaskGroup() as stages:
            working = [stages.create_task(queue.run()), stages.create_task(screener.run())]
            for number in range(5):
                await inbox.keep([message(str(number))])
                arrived.wake()
                async with asyncio.timeout(60):
                    while not all(await inbox.settled([message(str(number)).ref])):
                        await asyncio.sleep(0.01)
            for task in working:
                task.cancel()
        assert inbox.claims <= 6

    asyncio.run(scenario())


def test_only_authors_of_what_is_about_something_are_met_and_staff_is_spared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screening, "MEETING", 0.2)  # a real minute otherwise, for whoever cannot be asked about

    async def scenario() -> None:
        unknown = [
            replace(message(str(number), text), author=Author(id=author, unmet=True))
            for number, (text, author) in enumerate([("안녕", "a"), ("욕", "b"), ("욕", "c"), ("욕", "d")])
        ]
        flow = Flow(unknown, guard=ScriptedGuard({"욕": 0.95}))
        flow.platform.authors = {
            "b": Author(id="b", name="회원"),
            "c": Author(id="c", roles=frozenset({"moderator"})),
            "d": Unavailable("away"),
        }
        await flow.run()
        assert {ref.message_id for ref in flow.platform.met} == {"1", "2", "3"}
        done = {(planned.message.ref.message_id, planned.action.kind) for planned in flow.platform.performed}
        assert done == {("1", "delete"), ("1", "warn"), ("1", "flag"), ("3", "flag")}
        (kept,) = await flow.store.incidents.of([unknown[1].ref])
        assert kept.decision.message.author == flow.platform.authors["b"]
        (unsure,) = await flow.store.incidents.of([unknown[3].ref])
        assert [why.code for why in unsure.decision.restraints] == ["unmet"]

    asyncio.run(scenario())


def test_a_deletion_is_settled_without_asking_the_guard() -> None:
    async def scenario() -> None:
        bad = message("1", "욕")
        gone = message("1", "", revision=1, kind=Kind.DELETE, sent_at=later(1))
        flow = Flow([bad, gone, message("2", " \n")], guard=ScriptedGuard({"욕": 0.95}))
        flow.platform.answers["delete"] = Gone()
        await flow.run()
        assert flow.guard.count == 1
        assert len(flow.settled) == 3
        (incident,) = await flow.store.incidents.of([bad.ref])
        assert incident.withdrawn_at == later(1)
        assert [outcome for _, outcome in incident.outcomes] == [Gone(), Done(), Done()]

    asyncio.run(scenario())


def test_a_failing_action_does_not_stop_the_next_and_is_tried_again() -> None:
    async def scenario() -> None:
        flow = Flow([message("1", "욕")], guard=ScriptedGuard({"욕": 0.95}))
        flow.platform.answers |= {"delete": Unavailable("busy", retry_after=3), "warn": Refused("no direct messages")}
        running = asyncio.create_task(flow.run())
        while len(flow.performed()) < 3:
            await asyncio.sleep(0.01)
        flow.platform.answers["delete"] = Done()
        while not running.done():
            await flow.clock.advance(6)
            await asyncio.sleep(0.02)
        await running
        assert flow.performed().count(("1", "delete")) == 1, "due again only after its pause"
        # drained: what is postponed stays planned for the next process
        second = Flow(guard=ScriptedGuard(), store=flow.store)
        await second.clock.advance(60)
        await second.run()
        assert second.performed() == [("1", "delete")]
        (incident,) = await flow.store.incidents.of([message("1").ref])
        assert [outcome for _, outcome in incident.outcomes] == [Done(), Refused("no direct messages"), Done()]

    asyncio.run(scenario())


def test_repeats_and_cooldown_are_remembered_between_messages() -> None:
    async def scenario() -> None:
        spam = [message(str(n), "같은 말", sent_at=later(n)) for n in range(3)]
        abuse = [message(f"a{n}", f"욕{n}", author="rude", sent_at=later(n)) for n in range(2)]
        flow = Flow(spam, [abuse[0]], [abuse[1]], guard=ScriptedGuard({"욕0": 0.95, "욕1": 0.95}))
        await flow.run()
        assert ("2", "flag") in flow.performed() and ("1", "flag") not in flow.performed()
        assert [kind for _, kind in flow.performed()].count("warn") == 1
        assert [kind for _, kind in flow.performed()].count("delete") == 2

    asyncio.run(scenario())


def test_an_answer_of_a_bot_is_judged_as_an_answer() -> None:
    answer = message("1", "답", author="bot", prompt="질문")
    bot = replace(answer, author=replace(answer.author, bot=True))
    exchange = exchange_of(bot, POLICY)
    assert exchange and (exchange.prompt, exchange.response) == ("질문", "답")

    async def scenario() -> None:
        flow = Flow([bot], guard=ScriptedGuard({"답": 0.95}))
        await flow.run()
        assert flow.performed() == [("1", "delete"), ("1", "flag")], "bots are not warned; moderators see it instead"

    asyncio.run(scenario())


def test_a_broken_platform_ends_the_run_after_what_was_kept_is_done() -> None:
    class Revoked(ScriptedPlatform):
        async def messages(self) -> AsyncGenerator[Sequence[Message], None]:
            yield [message("1", "욕")]
            raise Broken("the token was revoked")

    async def scenario() -> None:
        flow = Flow(guard=ScriptedGuard({"욕": 0.95}))
        flow.platform = Revoked()
        with pytest.raises(Broken, match="revoked"):
            await flow.run()
        assert len(flow.performed()) == 3

    asyncio.run(scenario())


def test_a_broken_guard_ends_the_run_and_nothing_is_lost() -> None:
    async def scenario() -> None:
        guard = ScriptedGuard()
        guard.trouble = Broken("engine is dead")
        flow = Flow([message("1", "욕")], guard=guard)
        with pytest.raises(Broken, match="engine"):
            await flow.run()
        flow.store.restart()
        second = Flow(guard=ScriptedGuard({"욕": 0.95}), store=flow.store)
        await second.run()
        assert len(second.performed()) == 3

    asyncio.run(scenario())


class Killed(BaseException):
    """What no stage can survive."""


def test_a_started_warning_is_never_given_twice() -> None:
    async def scenario() -> None:
        store = MemoryStore()
        flow = Flow([message("1", "욕")], guard=ScriptedGuard({"욕": 0.95}), store=store)
        flow.platform.answers |= dict.fromkeys(("delete", "warn", "flag"), Killed())
        with pytest.raises(BaseExceptionGroup):
            await flow.run()
        store.restart()
        second = Flow(guard=ScriptedGuard(), store=store)
        await second.run()
        assert sorted(kind for _, kind in second.performed()) == ["delete", "flag"]
        (incident,) = await store.incidents.of([message("1").ref])
        assert Unconfirmed() in [outcome for _, outcome in incident.outcomes]

    asyncio.run(scenario())


def test_moderators_are_told_once_that_the_guard_is_away() -> None:
    async def scenario() -> None:
        guard = ScriptedGuard({"욕": 0.95})
        guard.trouble = Unavailable("restarting")
        flow = Flow([message(str(number), f"글 {number}") for number in range(5)], guard=guard)
        for name, channel in (("cafe", "staff"), ("other", "mods"), ("quiet", None)):
            await put_settings(
                flow.store.communities,
                Community(platform=REHEARSAL, id=name, moderators_channel=channel, language="ko"),
            )
        running = asyncio.create_task(flow.run())
        while not running.done():
            await flow.clock.advance(20)
            await asyncio.sleep(0.01)
        await running
        assert flow.settled == [] and await flow.store.inbox.waiting() == 5, "they wait, and make no card each"
        assert sorted(channel for channel, _ in flow.platform.announced) == ["mods", "staff"]
        (outage,) = flow.store.journal.away
        assert outage.end is None and outage.begin - NOW <= timedelta(seconds=1)  # not when patience was lost

        guard.trouble = None
        second = Flow([message("6", "글 6")], guard=guard, store=flow.store)  # the first process has died
        second.clock, back = ManualClock(NOW + timedelta(hours=2)), NOW + timedelta(hours=2, seconds=1)
        second.platform = ListeningPlatform(*second.platform.batches)
        running = asyncio.create_task(second.run())
        while len(second.platform.announced) < 2 or len(second.settled) < 6:
            await second.clock.advance(1)
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait([running])
        (ended,) = await flow.store.journal.outages(NOW, later(9999))
        assert ended.begin == outage.begin and ended.end is not None and ended.end >= back
        told = dict(second.platform.announced)
        assert told["mods"] == texts("ko")["alarm.guard_back"]
        assert told["staff"] == texts("ko")("alarm.guard_back_waited", messages=5, channels=1)
        assert not any(isinstance(one.decision.screening, Unscreened) for one in second.settled)
        assert flow.performed() == second.performed() == []

    asyncio.run(scenario())
