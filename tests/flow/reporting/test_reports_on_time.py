"""From a schedule to a report in the chat, on a clock that the test moves."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import Executor, Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.config import Config
from bot.core.base.errors import Broken, Unavailable
from bot.core.base.waiting import Wakeup
from bot.core.chat.message import CommunityRef, Platform
from bot.core.chat.post import Post
from bot.core.communities.community import Community
from bot.core.communities.hours import Hours
from bot.core.communities.policies import Policies
from bot.core.incidents.case import Case, CaseKind, CaseState, Person, Severity
from bot.core.reporting.building import ReportBuilder
from bot.core.reporting.delivery.bursts import BurstWatch
from bot.core.reporting.delivery.delivering import DeliveryWorker
from bot.core.reporting.delivery.delivery import Delivery, State
from bot.core.reporting.delivery.schedule import Kind
from bot.core.reporting.delivery.scheduling import PLACE, Scheduler
from bot.core.reporting.delivery.waiting import APART, WaitingWatch
from bot.core.reporting.report import Report
from bot.core.rules.actions import Delete, Done, Gone, Refused, Unconfirmed
from tests.builders import REHEARSAL, TELEGRAM, home, message, put_settings, settlement
from tests.fakes.cases import ScriptedCases
from tests.fakes.chat import ScriptedPlatform
from tests.fakes.clock import ManualClock
from tests.fakes.reporting import MemoryAlarmClock, QuietQueries, ScriptedRenderer
from tests.fakes.store import MemoryStore

SUNDAY = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR, DAY = 3600.0, 86_400.0


class SizedQueries(QuietQueries):
    def __init__(self) -> None:
        self.of: dict[CommunityRef, int] = {}

    async def sizes(self, start: datetime, end: datetime) -> Mapping[CommunityRef, int]:
        assert start.minute % 15 == end.minute % 15 == start.second == end.second == 0
        return self.of


class FailingRenderer(ScriptedRenderer):
    trouble: Exception | None = None

    def render(self, report: Report, language: str, *, with_pdf: bool = True) -> Post:
        if FailingRenderer.trouble:
            raise FailingRenderer.trouble
        return super().render(report, language, with_pdf=with_pdf)


class InPlace(Executor):
    """No thread: a busy machine lets one wait."""

    def submit(self, work: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        done = Future[Any]()
        try:
            done.set_result(work(*given, **named))
        except Exception as error:
            done.set_exception(error)
        return done


@dataclass
class Office:
    """Everything that reports need, as one process has it. `store` outlives it."""

    clock: ManualClock = field(default_factory=lambda: ManualClock(SUNDAY))
    chat: ScriptedPlatform = field(default_factory=ScriptedPlatform)
    queries: SizedQueries = field(default_factory=SizedQueries)

    def __post_init__(self) -> None:
        self.store = MemoryStore(self.clock)
        self.config = Config()
        self.cases = ScriptedCases()
        self.raided = set[CommunityRef]()
        self.left = set[Platform]()  # to processes that do nothing else

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Office"]:
        store, clock, planned = self.store, self.clock, Wakeup()
        self.alarm_clock = MemoryAlarmClock(clock)
        self.policies = Policies(store=store.communities, build=self.config.policy_of, clock=clock)
        await self.policies.load()
        builder = ReportBuilder(
            queries=self.queries, policies=self.policies, renderer=FailingRenderer, clock=clock, threads=InPlace()
        )
        schedule_of = self.config.schedule_of
        scheduler = Scheduler(
            communities=store.communities, schedule_of=schedule_of, alarm_clock=self.alarm_clock,
            deliveries=store.deliveries, queries=self.queries, bookmarks=store.bookmarks, clock=clock, planned=planned,
        )  # fmt: skip
        self.policies.on_change = scheduler.changed
        worker = DeliveryWorker(
            deliveries=store.deliveries, builder=builder, cases=self.cases, policies=self.policies,
            schedule_of=schedule_of, platforms={self.chat.platform: self.chat}, clock=clock, planned=planned,
            at_once=1, poll=0.01, is_left=self.left.__contains__,
        )  # fmt: skip
        self.bursts = BurstWatch(
            policies=self.policies, schedule_of=schedule_of, incidents=store.incidents,
            deliveries=store.deliveries, clock=clock, planned=planned, is_raided=self.raided.__contains__,
        )  # fmt: skip
        self.waiting = WaitingWatch(
            policies=self.policies, schedule_of=schedule_of, cases=self.cases, deliveries=store.deliveries,
            clock=clock, planned=planned,
        )  # fmt: skip
        working = [asyncio.create_task(service()) for service in (scheduler.run, worker.run, self.bursts.run)]
        try:
            await self.settle()
            yield self
        finally:
            for task in working:
                task.cancel()
            results = await asyncio.gather(*working, return_exceptions=True)
            assert all(isinstance(result, asyncio.CancelledError) for result in results), results
            store.restart()

    async def settle(self) -> None:
        """The worker looks every hundredth of a second; what it does then takes turns of the loop, and no time."""
        for _ in range(4):
            await asyncio.sleep(0.011)
            for _ in range(100):
                await asyncio.sleep(0)

    async def wait(self, seconds: float, step: float = HOUR) -> None:
        while seconds > 0:
            await self.clock.advance(min(step, seconds))
            self.alarm_clock.look()
            await self.settle()
            seconds -= step

    async def set(self, id_: str = "cafe", **settings: Any) -> None:
        known = self.policies.community(home(id_))
        await put_settings(self.policies, replace(known, **settings))
        await self.settle()

    @property
    def sent(self) -> list[str]:
        return [f"{channel}: {post.text}" for channel, post, _ in self.chat.published]

    def states(self) -> list[tuple[str, State, str]]:
        return [(one.period, one.state, one.reason) for one in self.store.deliveries.all.values()]


def play(scene: Callable[[Office], Awaitable[None]]) -> None:
    async def scenario() -> None:
        FailingRenderer.trouble = None
        office = Office()
        await put_settings(
            office.store.communities,
            Community(platform=REHEARSAL, id="cafe", report_channel="news", moderators_channel="mods"),
        )
        await scene(office)

    asyncio.run(scenario())


def test_on_monday_at_nine_the_report_is_posted_once() -> None:
    async def scene(office: Office) -> None:
        async with office.open():
            await office.wait(11.99 * HOUR)
            assert office.sent == []
            await office.wait(0.02 * HOUR)
            assert office.sent == ["news: cafe 2026-W47 ko"]
            (_, post, mark) = office.chat.published[0]
            assert len(post.files) == 3 and len(mark) <= 25
            await office.wait(2 * DAY, step=12 * HOUR)
        async with office.open():
            await office.wait(4 * DAY, step=12 * HOUR)
            assert len(office.sent) == 1
            await office.wait(2 * DAY, step=12 * HOUR)
            assert office.sent[1:] == ["news: cafe 2026-W48 ko"]

    play(scene)


def test_what_was_missed_while_the_process_was_down_is_caught_up_once() -> None:
    async def scene(office: Office) -> None:
        async with office.open():
            await office.set(daily_digest=True)
        await office.clock.advance(16 * DAY)  # two Mondays and sixteen days
        async with office.open():
            assert sorted(office.sent) == ["news: cafe 2026-12-07 ko", "news: cafe 2026-W49 ko"]
            await office.wait(2 * HOUR)
            assert len(office.sent) == 2

    play(scene)


def test_who_dies_after_the_bell_has_rung_plans_what_it_rang_for_and_nothing_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene(office: Office) -> None:
        async with office.open():
            pass
        began = await office.store.bookmarks.place(PLACE)
        await office.clock.advance(12 * HOUR)
        with monkeypatch.context() as until_then, pytest.raises(AssertionError, match="died"):
            until_then.setattr(office.store.deliveries, "plan", dies)
            async with office.open():
                pass
        assert office.sent == [] and await office.store.bookmarks.place(PLACE) == began
        async with office.open():
            assert office.sent == ["news: cafe 2026-W47 ko"]
        await office.store.bookmarks.put(PLACE, str(began))  # the plan was made, and nothing more
        async with office.open():
            await office.wait(HOUR)
            assert len(office.sent) == 1 and await office.store.bookmarks.place(PLACE) != began

    async def dies(*_: object, **__: object) -> Any:
        raise AssertionError("died")

    play(scene)


def test_a_database_that_knows_no_bookmark_goes_on_from_its_newest_delivery() -> None:
    async def scene(office: Office) -> None:
        async with office.open():
            await office.wait(12 * HOUR, step=12 * HOUR)
        office.store.bookmarks.places.clear()
        await office.clock.advance(7 * DAY)
        async with office.open():
            assert office.sent == ["news: cafe 2026-W47 ko", "news: cafe 2026-W48 ko"]

    play(scene)


def test_what_was_switched_on_after_its_time_waits_for_the_next_over_a_restart_too() -> None:
    async def scene(office: Office) -> None:
        async with office.open():
            await office.wait(20 * HOUR)
            await office.set("late", report_channel="late")
        async with office.open():
            await office.wait(DAY, step=12 * HOUR)
            assert office.sent == ["news: cafe 2026-W47 ko"]

    play(scene)


def test_alarms_follow_the_settings() -> None:
    async def scene(office: Office) -> None:
        key = home()
        async with office.open():
            seen = [office.alarm_clock.alarms[key]]
            for settings in (
                {"report_day": "wednesday", "report_hour": 18},
                {"timezone": "America/New_York"},
                {"daily_digest": True},
                {"daily_digest": False, "report_day": "off"},
            ):
                await office.set(**settings)
                seen.append(office.alarm_clock.alarms.get(key, SUNDAY))
            assert [f"{at:%a %H:%M}" for at in seen] == [
                "Mon 00:00", "Wed 09:00", "Wed 23:00", "Sun 23:00", "Sun 12:00"
            ]  # fmt: skip
            assert key not in office.alarm_clock.alarms
            await office.set("late", report_channel="x")
            await office.policies.move(home("late"), "moved")
            await office.settle()
            assert set(office.alarm_clock.alarms) == {home("moved")}
        del office.store.communities.settings[home("moved")]
        async with office.open():
            assert office.alarm_clock.alarms == {}

    play(scene)


def test_switching_on_sends_nothing_that_lies_behind() -> None:
    async def scene(office: Office) -> None:
        async with office.open():
            await office.wait(13 * HOUR)
            await office.set(daily_digest=True, report_hour=8)
            await office.wait(HOUR)
            assert len(office.sent) == 1
            await office.wait(22 * HOUR)
            assert office.sent[1:] == ["news: cafe 2026-11-23 ko"]
            assert [file.name for file in office.chat.published[1][1].files] == ["report.html", "report.csv"]

    play(scene)


def test_the_largest_community_comes_first() -> None:
    async def scene(office: Office) -> None:
        office.queries.of = {home("large"): 5000, home("middle"): 70, home(): 3}
        async with office.open():
            for id_ in ("quiet", "middle", "large"):
                await office.set(id_, report_channel=id_)
            await office.wait(12 * HOUR, step=12 * HOUR)
            await office.settle()
            assert [channel for channel, _, _ in office.chat.published] == ["large", "middle", "news", "quiet"]

    play(scene)


def test_without_a_report_channel_it_goes_to_the_moderators_and_without_both_nowhere() -> None:
    async def scene(office: Office) -> None:
        async with office.open():
            await office.set(report_channel=None)
            await office.set("alone", name="혼자")
            await office.wait(12 * HOUR, step=12 * HOUR)
            assert office.sent == ["mods: cafe 2026-W47 ko"]
            assert ("2026-W47", State.SKIPPED, "nowhere") in office.states()

    play(scene)


def test_a_channel_that_is_gone_leaves_the_moderators(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(office: Office) -> None:
        asked: list[str] = []

        async def publish(channel_id: str, post: Post, *, mark: str) -> Any:
            asked.append(channel_id)
            return Gone() if channel_id == "news" else Refused("attach_files")

        monkeypatch.setattr(office.chat, "publish", publish)
        async with office.open():
            await office.wait(12 * HOUR, step=12 * HOUR)
        assert asked == ["news", "mods"]
        assert office.states() == [("2026-W47", State.FAILED, "attach_files")]

    play(scene)


def test_a_platform_that_is_away_is_tried_for_a_day() -> None:
    async def scene(office: Office) -> None:
        office.chat.answers["publish"] = Unavailable("away")
        async with office.open():
            await office.wait(14 * HOUR)
            assert office.states() == [("2026-W47", State.PLANNED, "away")]
            office.chat.answers["publish"] = Done("1/2")
            await office.wait(HOUR)
            assert office.states() == [("2026-W47", State.SENT, "")]
            office.chat.answers["publish"] = Unavailable("away")
            await office.wait(7 * DAY - 3 * HOUR, step=12 * HOUR)
            await office.wait(26 * HOUR, step=2 * HOUR)
            assert office.states()[1] == ("2026-W48", State.FAILED, "away")
            assert len(office.sent) == 1

    play(scene)


def test_an_answer_that_was_lost_is_not_asked_for_again() -> None:
    async def scene(office: Office) -> None:
        office.chat.answers["publish"] = Unconfirmed()
        async with office.open():
            await office.wait(12 * HOUR, step=12 * HOUR)
            await office.wait(4 * HOUR)
        assert office.states() == [("2026-W47", State.UNCONFIRMED, "lost")] and len(office.sent) == 1

    play(scene)


def test_a_report_that_cannot_be_drawn_stops_nothing_else() -> None:
    async def scene(office: Office) -> None:
        FailingRenderer.trouble = Broken("no library")
        async with office.open():
            await office.set(daily_digest=True)
            await office.wait(12 * HOUR, step=12 * HOUR)
            assert {state for _, state, _ in office.states()} == {State.FAILED}
            FailingRenderer.trouble = None
            await office.wait(24 * HOUR)
            assert office.sent == ["news: cafe 2026-11-23 ko"]

    play(scene)


def test_a_process_that_dies_while_it_posts_leaves_no_second_post(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(office: Office) -> None:
        begun = asyncio.Event()

        async def publish(channel_id: str, post: Post, *, mark: str) -> Any:
            office.chat.published.append((channel_id, post, mark))
            begun.set()
            await asyncio.Event().wait()

        with monkeypatch.context() as until_then:
            until_then.setattr(office.chat, "publish", publish)
            async with office.open():
                await office.wait(12 * HOUR, step=12 * HOUR)
                await begun.wait()
                until_then.setattr("bot.core.reporting.delivery.delivering.GRACE", 0.01)
        async with office.open():
            await office.wait(3 * HOUR)
        assert len(office.sent) == 1
        assert office.states() == [("2026-W47", State.UNCONFIRMED, "")]

    play(scene)


def test_a_burst_of_incidents_is_told_once_and_to_the_moderators() -> None:
    async def scene(office: Office) -> None:
        numbers = iter(range(1, 1000))

        async def incidents(count: int, *, sent: datetime | None = None) -> None:
            for _ in range(count):
                now = office.clock.now()
                about = message(str(next(numbers)), sent_at=sent or now)
                decided = settlement(about, Delete(), decided_at=now)
                await office.store.inbox.keep([about])
                await office.store.inbox.settle([decided])
                office.bursts.settled([decided])
            await office.wait(5, step=5)

        async with office.open():
            await office.set(alert_at=5, report_day="off")
            await incidents(9, sent=SUNDAY - timedelta(hours=2))  # a backlog: late, and no news
            await incidents(4)
            assert office.sent == []
            await incidents(4)
            assert office.sent == [f"mods: {office.sent[0][6:]}"] and "cafe 2026-11-22 ko" in office.sent[0]
            assert "10분" in office.sent[0] and "5건" in office.sent[0]
            await incidents(4)
            await office.wait(0.5 * HOUR, step=HOUR)
            await incidents(9)  # another burst, too soon
            assert len(office.sent) == 1
            await office.wait(6 * HOUR, step=6 * HOUR)
            await incidents(2)
            await incidents(9)
            assert len(office.sent) == 2
            await office.wait(7 * HOUR, step=7 * HOUR)
            office.raided.add(home())
            await incidents(9)
            assert len(office.sent) == 2, "its card has told of the raid"
            office.raided.clear()
            await office.set(alert_at=0)
            await office.wait(7 * HOUR, step=7 * HOUR)
            await incidents(9)
            assert len(office.sent) == 2
        assert {one.kind for one in office.store.deliveries.all.values()} == {Kind.ALERT}

    play(scene)


def test_what_is_planned_for_another_process_is_left_to_it() -> None:
    async def scene(office: Office) -> None:
        far = Delivery(community=CommunityRef(TELEGRAM, "-1"), kind=Kind.WEEK, period="2026-W47", due=SUNDAY)
        await office.store.deliveries.plan([far])
        async with office.open():
            await office.wait(HOUR)
        assert office.states() == [("2026-W47", State.PLANNED, "")]

    play(scene)


def test_what_others_do_who_do_nothing_else_is_left_to_them_for_as_long_as_they_live() -> None:
    async def scene(office: Office) -> None:
        office.left.add(office.chat.platform)
        async with office.open():
            await office.wait(13 * HOUR)
            assert office.sent == [] and office.states() == [("2026-W47", State.PLANNED, "")]
            office.left.clear()
            await office.wait(0.01 * HOUR)
            assert office.sent == ["news: cafe 2026-W47 ko"]

    play(scene)


# ---- what waits -----------------------------------------------------------------------------------------------------


def waits(number: int, severity: Severity) -> tuple[CommunityRef, Case]:
    case = Case(
        number=number, kind=CaseKind.INCIDENT, state=CaseState.OPEN, opened_at=SUNDAY, member=Person("7"),
        severity=severity,
    )  # fmt: skip
    return home("cafe"), case


def test_what_waits_is_told_once_in_a_while_the_most_severe_first_whoever_looks() -> None:
    async def scene(office: Office) -> None:
        office.cases.waits = [waits(9, Severity.URGENT), waits(3, Severity.WAITS), waits(1, Severity.DONE)]
        async with office.open():
            await asyncio.gather(*(office.waiting.look() for _ in range(2)))
            await office.settle()
            ((room, told),) = office.chat.announced
            assert room == "mods" and told.index("#9") < told.index("#3") and "#1" not in told
        async with office.open():  # and whoever starts anew
            await office.waiting.look()
            await office.settle()
            assert len(office.chat.announced) == 1
            await office.clock.advance(APART.total_seconds() + 1)
            await office.waiting.look()
            await office.settle()
            assert len(office.chat.announced) == 2

    play(scene)


def test_nobody_is_reminded_in_quiet_hours_or_of_what_was_called_meanwhile() -> None:
    async def scene(office: Office) -> None:
        office.cases.waits = [waits(3, Severity.WAITS)]
        async with office.open():
            hour = office.clock.now().astimezone(ZoneInfo("Asia/Seoul")).hour
            await office.set(quiet=Hours(start=hour, end=(hour + 2) % 24))
            await office.waiting.look()
            await office.settle()
            assert office.chat.announced == []
            await office.set(quiet=None)
            await office.waiting.look()
            office.cases.waits = []
            await office.settle()
            assert office.chat.announced == []

    play(scene)
