"""What moderators do by hand, over both databases: numbered, done once, taken back, found again; and what runs."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, rule
from hypothesis.strategies import DataObject, data, integers, sampled_from
from sqlalchemy import func, select, text
from sqlalchemy.dialects import sqlite

from bot.core.incidents.case import CODE, Case, CaseKind, CaseState, Look, Order, Person, Search, measures, native
from bot.core.incidents.incident import PlannedAction
from bot.core.incidents.ports import Cases
from bot.core.incidents.review import Filed
from bot.core.rules.actions import (
    AWAY,
    Action,
    Answer,
    Ban,
    CalledOff,
    Delete,
    DeletePost,
    Done,
    Flag,
    Gone,
    Outcome,
    Refused,
    Timeout,
    Unconfirmed,
    Unsanction,
    Warn,
)
from storage.database import Database
from storage.records.deeds import SqlCases, newest
from storage.records.erasing import SqlErasing
from storage.tables import looks
from tests.builders import DISCORD, EVERYWHERE, NOW, TELEGRAM, home, later, message, settlement
from tests.contracts.stores import store
from tests.fakes.cases import ScriptedCases
from tests.fakes.clock import ManualClock
from tests.servers.databases import sqlite_in
from tests.servers.postgres import Postgres

HERE, THERE = home("-5", TELEGRAM), home("-7", TELEGRAM)
MINJI, JISU, DAL = Person("7", "민지"), Person("9", "지수"), Person("8", "달")
HOUR = timedelta(hours=1)


def order(kind: CaseKind, member: Person = MINJI, *, by: Person = JISU, at: datetime = NOW, **more: object) -> Order:
    lasting = HOUR if kind in (CaseKind.MUTE, CaseKind.BAN) else timedelta()
    given = Order(kind=kind, member=member, moderator=by, at=at, channel="-5", actions=measures(kind, lasting))
    return replace(given, **more)  # type: ignore[arg-type]


class Office:
    """A database, its clock, and whoever does what is planned."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.database, self.clock = database, clock
        self.cases, self.store = SqlCases(database), store(database, clock)

    async def claim(self) -> Sequence[PlannedAction]:
        return await self.store.outbox.claim(100, now=self.clock.now(), platforms=EVERYWHERE)

    async def do_all(self, outcome: Outcome | None = None) -> list[Action]:
        planned = await self.claim()
        await self.store.outbox.record([(one, outcome or Done()) for one in planned])
        return [one.action for one in planned]

    async def running(self) -> list[tuple[int, str]]:
        return [(one.case, one.kind) for one in await self.cases.running(HERE, most=100)]

    async def case(self, number: int) -> Case:
        found = await self.cases.get(HERE, number)
        assert found
        return found


def in_office(url: str, scene: Callable[[Office], Awaitable[None]]) -> None:
    async def scenario() -> None:
        clock = ManualClock()
        async with Database.open(url, clock) as database:
            await scene(Office(database, clock))

    asyncio.run(scenario())


def test_a_deed_is_a_case_and_its_actions_say_all_that_a_platform_needs(url: str) -> None:
    async def scene(office: Office) -> None:
        said = message("a", community="-5", platform=TELEGRAM)
        await office.store.inbox.keep([said])
        await office.store.inbox.settle([settlement(said, Delete())])
        case, is_new = await office.cases.open(HERE, order(CaseKind.MUTE, words="도배", language="en"))
        assert is_new and (case.number, case.kind, case.words) == (2, CaseKind.MUTE, "도배")
        assert (case.member, case.moderator) == (MINJI, JISU)
        assert case.outcomes == ((Warn(), None), (Timeout(HOUR), None))
        delete, warn, mute = await office.claim()
        assert (delete.action, delete.case, delete.incident_id) == (Delete(), None, 1)
        assert (warn.action, mute.action, mute.incident_id) == (Warn(), Timeout(HOUR), 0)
        assert mute.case and (mute.case.number, mute.reason.ko, mute.language) == (2, "도배", "en")
        assert (mute.message.community, mute.message.author.id, mute.message.sent_at) == (HERE, "7", NOW)
        assert mute.message.ref.channel_id == "-5"
        await office.store.outbox.record([(delete, Done()), (warn, Refused("DM")), (mute, Done())])
        assert (await office.case(2)).outcomes == ((Warn(), Refused("DM")), (Timeout(HOUR), Done()))
        incident = await office.case(1)
        assert (incident.kind, incident.incident, incident.outcomes) == (CaseKind.INCIDENT, 1, ((Delete(), Done()),))
        assert await office.cases.get(THERE, 2) is None, "another community's number is as good as none"

    in_office(url, scene)


def test_a_member_knows_what_was_done_to_them_by_a_code_that_names_it_alone(url: str) -> None:
    async def scene(office: Office) -> None:
        kinds = (CaseKind.MUTE, CaseKind.NOTE, CaseKind.UNBAN)
        mute, note, unban = [(await office.cases.open(HERE, order(kind)))[0] for kind in kinds]
        assert len({mute.code, note.code, unban.code}) == 3
        called = {(planned.number, planned.code) for planned in await office.claim()}
        assert called == {(1, mute.code), (3, unban.code)}
        for case in (mute, note, unban):
            assert await office.cases.get(HERE, case.number) == case and re.fullmatch(CODE, case.code)
        found = await office.cases.mine(TELEGRAM, MINJI.id, mute.code)
        assert found == (HERE, await office.case(1))
        for platform, member, code in (
            (TELEGRAM, DAL.id, mute.code), (DISCORD, MINJI.id, mute.code), (TELEGRAM, MINJI.id, note.code),
            (TELEGRAM, MINJI.id, unban.code), (TELEGRAM, MINJI.id, str(mute.number)), (TELEGRAM, "", mute.code),
        ):  # fmt: skip
            assert await office.cases.mine(platform, member, code) is None

    in_office(url, scene)


def test_what_is_ordered_twice_is_done_once(url: str) -> None:
    async def scene(office: Office) -> None:
        twice = await asyncio.gather(*(office.cases.open(HERE, order(CaseKind.BAN, by=by)) for by in (JISU, DAL)))
        assert sorted((case.number, is_new) for case, is_new in twice) == [(1, False), (1, True)]
        again = await office.cases.open(HERE, order(CaseKind.BAN))
        assert again[1] is False, "delivered a second time"
        others = [
            await office.cases.open(HERE, one)
            for one in (
                order(CaseKind.BAN, DAL),
                order(CaseKind.KICK),
                order(CaseKind.BAN, at=later(11)),
                order(CaseKind.NOTE),
                order(CaseKind.NOTE, at=later(1)),
            )
        ]
        assert [is_new for _, is_new in others] == [True] * 5
        assert (await office.cases.open(HERE, order(CaseKind.NOTE)))[1] is False

    in_office(url, scene)


def test_two_processes_do_it_once(postgres: Postgres) -> None:
    url = postgres.create()

    async def scenario() -> None:
        async with Database.open(url, ManualClock()) as one, Database.open(url, ManualClock()) as two:
            for turn in range(10):
                at = later(60 * turn)
                both = await asyncio.gather(
                    *(
                        SqlCases(one if by is DAL else two).open(HERE, order(CaseKind.BAN, by=by, at=at))
                        for by in (DAL, JISU)
                    )
                )
                assert sorted((case.number, is_new) for case, is_new in both) == [(turn + 1, False), (turn + 1, True)]

    asyncio.run(scenario())


def test_a_deed_survives_its_process_between_plan_and_act(url: str) -> None:
    """What is harmless is done again, a word to the member at most once."""

    async def scenario() -> None:
        clock = ManualClock()
        async with Database.open(url, clock) as database:
            office = Office(database, clock)
            await office.cases.open(HERE, order(CaseKind.MUTE))
        async with Database.open(url, clock) as database:
            office = Office(database, clock)
            assert [one.action for one in await office.claim()] == [Warn(), Timeout(HOUR)]
        async with Database.open(url, clock) as database:
            office = Office(database, clock)
            assert await office.do_all() == [Timeout(HOUR)]
            assert (await office.case(1)).outcomes == ((Warn(), Unconfirmed()), (Timeout(HOUR), Done()))
            assert await office.running() == [(1, "timeout")]

    asyncio.run(scenario())


def test_what_is_done_is_taken_back_and_what_waits_is_called_off(url: str) -> None:
    async def scene(office: Office) -> None:
        await office.cases.open(HERE, order(CaseKind.BAN))
        await office.do_all()
        undone = await office.cases.undo(HERE, 1, by="8", at=NOW)
        assert undone and undone[1] and undone[0].state is CaseState.UNDONE
        assert await office.do_all() == [Unsanction()] and await office.running() == []
        again = await office.cases.undo(HERE, 1, by="9", at=NOW)
        assert again and again[1] is False and await office.claim() == []
        await office.cases.open(HERE, order(CaseKind.BAN, DAL))
        assert await office.cases.undo(HERE, 2, by="8", at=NOW)
        assert (await office.case(2)).outcomes == ((Warn(), CalledOff()), (Ban(HOUR), CalledOff()))
        assert await office.claim() == []
        await office.cases.open(HERE, order(CaseKind.WARN, Person("6")))
        assert await office.do_all(Done("-5/1", brief=True)) == [Warn()]
        assert await office.cases.undo(HERE, 3, by="8", at=NOW)
        await office.clock.advance(60)
        assert await office.do_all() == [DeletePost("-5/1")], "a notice of ours goes all the same"
        assert await office.cases.undo(THERE, 1, by="8", at=NOW) is None
        assert await office.cases.undo(HERE, 99, by="8", at=NOW) is None

    in_office(url, scene)


def test_what_is_under_way_while_it_is_taken_back_is_undone_when_it_is_done(url: str) -> None:
    async def scene(office: Office) -> None:
        await office.cases.open(HERE, order(CaseKind.MUTE))
        warn, mute = await office.claim()
        assert await office.cases.undo(HERE, 1, by="8", at=NOW)
        await office.store.outbox.record([(warn, Done()), (mute, Done())])
        assert await office.do_all() == [Unsanction()] and await office.running() == []

    in_office(url, scene)


def test_who_was_silenced_by_hand_objects_and_two_who_answer_at_once_give_one_answer(url: str) -> None:
    async def scene(office: Office) -> None:
        await office.cases.open(HERE, order(CaseKind.MUTE))
        await office.cases.open(HERE, order(CaseKind.NOTE))
        await office.do_all()
        filed = [
            await office.cases.appeal(place, number, member, "왜요", at=NOW)
            for place, number, member in (
                (HERE, 1, "8"),
                (THERE, 1, "7"),
                (HERE, 2, "7"),
                (HERE, 1, "7"),
                (HERE, 1, "7"),
            )
        ]
        assert filed == [None, None, None, Filed.HEARD, Filed.HEARD_BEFORE]
        (shown,) = await office.claim()
        assert shown.action == Flag() and shown.case and shown.case.objection == "왜요"
        await office.store.outbox.record([(shown, Done())])
        case = await office.case(1)
        assert (case.state, case.objection, case.is_under_way) == (CaseState.APPEALED, "왜요", False)
        assert case.deed == (Timeout(HOUR), Done())
        answers = await asyncio.gather(
            office.cases.uphold(HERE, 1, by="8", at=later(60)), office.cases.undo(HERE, 1, by="9", at=later(60.01))
        )
        done = [found and found[1] for found in answers]
        assert sorted(map(bool, done)) == [False, True]
        given = await office.do_all()
        assert given == ([Answer(accepted=False)] if done[0] else [Unsanction(), Answer(accepted=True)])
        assert await office.running() == ([(1, "timeout")] if done[0] else [])
        assert (await office.case(1)).state is (CaseState.RESOLVED if done[0] else CaseState.UNDONE)
        await SqlErasing(office.database).erase_member(HERE, MINJI.id)
        assert (await office.case(1)).objection == ""

    in_office(url, scene)


def test_sanctions_run_whoever_imposed_them_and_end(url: str) -> None:
    async def scene(office: Office) -> None:
        said = message("a", community="-5", platform=TELEGRAM, author="7")
        await office.store.inbox.keep([said])
        await office.store.inbox.settle([settlement(said, Timeout(timedelta(minutes=10)))])
        await office.cases.open(HERE, order(CaseKind.BAN, DAL))
        await office.cases.open(HERE, order(CaseKind.BAN, Person("6"), actions=(Ban(),)))
        await office.do_all()
        assert await office.running() == [(3, "ban"), (2, "ban"), (1, "timeout")]
        runs = await office.cases.running(HERE, most=9)
        assert [one.ends_at for one in runs] == [None, NOW + HOUR, later(600)]
        assert [one.moderator for one in runs] == [JISU, JISU, Person("")]
        assert [one.case for one in await office.cases.running(HERE, most=9, member="8")] == [2]
        await office.clock.advance(601)
        assert await office.running() == [(3, "ban"), (2, "ban")]
        assert await office.cases.end(office.clock.now(), 10) == 1 and await office.claim() == []
        await office.clock.advance(3600)
        assert await office.running() == [(3, "ban")]
        ended = await asyncio.gather(*(office.cases.end(office.clock.now(), 10) for _ in range(3)))
        assert sorted(ended) == [0, 0, 1]
        (lift,) = await office.claim()
        assert lift.action == Unsanction() and lift.case and lift.case.number == 2
        await office.store.outbox.record([(lift, Gone())])
        assert await office.cases.end(office.clock.now(), 10) == 0

    in_office(url, scene)


def test_who_frees_a_member_by_hand_ends_what_ran(url: str) -> None:
    async def scene(office: Office) -> None:
        await office.cases.open(HERE, order(CaseKind.MUTE))
        await office.cases.open(HERE, order(CaseKind.MUTE, at=later(60)))
        await office.cases.open(HERE, order(CaseKind.MUTE, DAL))
        await office.do_all()
        assert len(await office.running()) == 3
        await office.cases.open(HERE, order(CaseKind.UNMUTE))
        await office.do_all(Refused("no right"))
        assert len(await office.running()) == 3, "it was not lifted"
        await office.cases.open(HERE, order(CaseKind.UNMUTE, at=later(60)))
        await office.do_all()
        assert await office.running() == [(3, "timeout")]

    in_office(url, scene)


def test_what_others_hold_is_what_was_done_by_hand_and_not_taken_back(url: str) -> None:
    """The same of the cases that stand before the record in tests."""

    async def held(cases: Cases, besides: int | None = None, who: Person = MINJI) -> int | None:
        found = await cases.held(HERE, who.id, Ban.kind, besides=besides)
        return found.case if found else None

    async def scene(cases: Cases, done: Callable[[], Awaitable[object]]) -> None:
        for number, lasting in enumerate((HOUR, timedelta(), 2 * HOUR)):
            ban = order(CaseKind.BAN, at=later(60 * number), actions=native(CaseKind.BAN, lasting), done=Done())
            await cases.open(HERE, ban)
        await cases.open(HERE, order(CaseKind.MUTE, DAL, done=Done(), actions=native(CaseKind.MUTE)))
        assert [await held(cases), await held(cases, 2), await held(cases, who=DAL)] == [2, 3, None]
        assert await cases.undo(HERE, 2, by="9", at=later(200)) and await held(cases) == 3
        await done()
        assert await held(cases, 3) == 1
        freed = order(CaseKind.UNBAN, at=later(300), done=Done(), actions=native(CaseKind.UNBAN))
        await cases.open(HERE, freed)
        assert await held(cases) is None

    async def in_database(office: Office) -> None:
        said = message("a", community="-5", platform=TELEGRAM, author=DAL.id)
        await scene(office.cases, partial(office.do_all, Refused("somebody else has banned them")))
        await office.store.inbox.keep([said])
        await office.store.inbox.settle([settlement(said, Ban())])
        await office.do_all()
        assert (5, "ban") not in await office.running() and (6, "ban") in await office.running()
        assert await held(office.cases, who=DAL) is None, "the rules' own"

    async def nothing() -> None: ...

    in_office(url, in_database)
    asyncio.run(scene(ScriptedCases(), nothing))


def test_what_was_done_already_is_on_record_once_and_is_not_done_again(url: str) -> None:
    async def scene(office: Office) -> None:
        theirs = order(CaseKind.MUTE, done=Done("123"), actions=native(CaseKind.MUTE, HOUR))
        for _ in range(2):
            await office.cases.open(HERE, theirs)
        assert await office.claim() == [] and await office.running() == [(1, "timeout")]
        assert (await office.case(1)).outcomes == ((Timeout(HOUR), Done("123")),)
        lifted = order(CaseKind.UNMUTE, done=Done(), actions=native(CaseKind.UNMUTE), at=later(60))
        await office.cases.open(HERE, lifted)
        assert await office.running() == [] and await office.claim() == []

    in_office(url, scene)


class DeedsAndUndos(RuleBasedStateMachine):
    """Whatever moderators do and take back, in whatever order it is carried out: what runs is what was not taken back,
    and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = TemporaryDirectory()
        self.clock = ManualClock()
        self.opened = Database.open(sqlite_in(Path(self.folder.name)), self.clock)
        self.office = Office(self.loop.run_until_complete(self.opened.__aenter__()), self.clock)
        self.at = 0
        self.imposed: dict[int, bool] = {}  # by case: whether it was taken back
        self.claimed: list[PlannedAction] = []

    @rule(
        kind=sampled_from([CaseKind.WARN, CaseKind.MUTE, CaseKind.KICK, CaseKind.BAN]),
        member=sampled_from([MINJI, DAL]),
    )
    def order(self, kind: CaseKind, member: Person) -> None:
        self.at += 60
        case, is_new = self.loop.run_until_complete(
            self.office.cases.open(HERE, order(kind, member, at=later(self.at), actions=measures(kind, 99 * HOUR)))
        )
        assert is_new
        if kind in (CaseKind.MUTE, CaseKind.BAN):
            self.imposed[case.number] = False

    @rule(number=integers(1, 8))
    def undo(self, number: int) -> None:
        undone = self.loop.run_until_complete(self.office.cases.undo(HERE, number, by="8", at=NOW))
        if undone and number in self.imposed:
            self.imposed[number] = True

    @rule()
    def begin(self) -> None:
        self.claimed += self.loop.run_until_complete(self.office.claim())

    @rule(data=data())
    def finish(self, data: DataObject) -> None:
        if self.claimed:
            one = self.claimed.pop(data.draw(integers(0, len(self.claimed) - 1)))
            self.loop.run_until_complete(self.office.store.outbox.record([(one, Done())]))

    def teardown(self) -> None:
        async def settle() -> None:
            while self.claimed or (more := await self.office.claim()):
                await self.office.store.outbox.record([(one, Done()) for one in self.claimed or more])
                self.claimed = []
            running = {case for case, _ in await self.office.running()}
            assert running == {case for case, is_undone in self.imposed.items() if not is_undone}
            await self.opened.__aexit__(None, None, None)

        self.loop.run_until_complete(settle())
        self.loop.close()
        self.folder.cleanup()


TestDeedsAndUndos = DeedsAndUndos.TestCase
TestDeedsAndUndos.settings = settings(max_examples=10, stateful_step_count=20, deadline=None)


@pytest.mark.long
class TestManyDeedsAndUndos(DeedsAndUndos.TestCase):  # type: ignore[valid-type, misc]  # hypothesis makes it
    settings = settings(max_examples=100, stateful_step_count=30, deadline=None)


def test_what_was_given_up_is_on_record(url: str) -> None:
    async def scene(office: Office) -> None:
        await office.cases.open(HERE, order(CaseKind.KICK))
        await office.do_all(Refused(AWAY))
        assert await office.claim() == []

    in_office(url, scene)


def test_cases_are_found_by_what_is_known_of_them_page_by_page(url: str) -> None:
    async def scene(office: Office) -> None:
        for number in range(12):
            kind, member = (CaseKind.NOTE, MINJI) if number % 3 else (CaseKind.WARN, DAL)
            by = JISU if number % 2 else DAL
            await office.cases.open(HERE, order(kind, member, by=by, at=later(86_400 * number)))
        await office.cases.open(THERE, order(CaseKind.NOTE))
        await office.cases.undo(HERE, 4, by="8", at=NOW)

        async def found(before: int | None = None, most: int = 100, **wanted: object) -> list[int]:
            search = Search(**wanted)  # type: ignore[arg-type]
            return [one.number for one in await office.cases.find(HERE, search, most=most, before=before)]

        assert await found(most=5) == [12, 11, 10, 9, 8] and await found(8, 3) == [7, 6, 5]
        assert await found(member="8") == [10, 7, 4, 1] and await found(kind=CaseKind.WARN) == [10, 7, 4, 1]
        assert await found(moderator="9", member="8") == [10, 4]
        assert await found(state=CaseState.UNDONE) == [4] and await found(kind=CaseKind.INCIDENT) == []
        assert await found(since=later(86_400 * 9)) == [12, 11, 10]
        assert await found(since=later(86_400 * 2), until=later(86_400 * 4)) == [4, 3]
        assert await found(until=later(86_400)) == [1] and await found(since=later(86_400 * 99)) == []

    in_office(url, scene)


def test_what_was_done_in_a_group_belongs_to_what_it_becomes(url: str) -> None:
    async def scene(office: Office) -> None:
        await office.cases.open(THERE, order(CaseKind.NOTE))
        await office.cases.open(HERE, order(CaseKind.BAN))
        await office.do_all()
        await office.cases.looked(HERE, Person("9"), Look.CASE, case=1)
        await office.store.communities.move(HERE, THERE.id)
        found = await office.cases.find(THERE, Search(), most=9)
        assert [(one.number, one.kind) for one in found] == [(2, CaseKind.BAN), (1, CaseKind.NOTE)]
        assert [one.case for one in await office.cases.running(THERE, most=9)] == [2]

    in_office(url, scene)


def test_who_looked_is_on_record(url: str) -> None:
    async def scene(office: Office) -> None:
        await office.cases.open(HERE, order(CaseKind.NOTE))
        await office.cases.looked(HERE, Person("9"), Look.CASE, case=1)
        await office.cases.looked(HERE, Person("9"), Look.HISTORY)
        async with office.database.read() as connection:
            assert (await connection.execute(select(func.count(), func.count(looks.c.case)))).one() == (2, 1)

    in_office(url, scene)


@pytest.mark.parametrize(
    "search",
    [
        Search(), Search(member="7"), Search(moderator="9"), Search(kind=CaseKind.BAN), Search(kind=CaseKind.INCIDENT),
        Search(state=CaseState.OPEN), Search(since=NOW, until=later(60)), Search(member="7", kind=CaseKind.WARN),
    ],
)  # fmt: skip
def test_no_search_walks_over_all_cases(search: Search, tmp_path: Path) -> None:
    """It begins at an index, and what it finds comes in order: a page costs the same, however many there are."""

    async def scene(office: Office) -> None:
        wanted = newest(HERE, search, 11, before=50_000)
        literal = wanted.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
        async with office.database.read() as connection:
            plan = [row.detail for row in await connection.execute(text(f"EXPLAIN QUERY PLAN {literal}"))]
        assert plan and not [step for step in plan if step.startswith("SCAN") or "TEMP B-TREE" in step]

    in_office(sqlite_in(tmp_path), scene)


@pytest.mark.parametrize("words", ["가" * 4000, "@everyone \0 \ud83d", ""])
def test_any_words_are_kept(url: str, words: str) -> None:
    async def scene(office: Office) -> None:
        case, _ = await office.cases.open(HERE, order(CaseKind.NOTE, words=words))
        assert case.words[:10] == words.replace("\ud83d", "?")[:10]

    in_office(url, scene)
