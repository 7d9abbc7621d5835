"""Strikes over both databases: by hand and by rules, taken back with all that followed, kept by whoever is erased."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, rule
from hypothesis.strategies import DataObject, data, integers, sampled_from
from sqlalchemy import text

from bot.core.incidents.case import CaseKind, CaseState, Person
from bot.core.incidents.incident import Incident, PlannedAction, Settlement
from bot.core.incidents.review import Call, Review
from bot.core.rules.actions import Ban, Delete, Done, Timeout, Unsanction, Warn
from bot.core.rules.ladder import Ladder
from storage.database import Database
from storage.records.erasing import SqlErasing
from tests.adapters.storage.cases.test_deeds import DAL, HERE, MINJI, Office, in_office, order
from tests.adapters.storage.test_crash import forget_the_dead, kill_after
from tests.builders import EVERYWHERE, NOW, TELEGRAM, home, later, message, settlement
from tests.contracts.stores import store
from tests.fakes.clock import ManualClock
from tests.servers.databases import sqlite_in
from tests.servers.postgres import Postgres

LONG = timedelta(hours=99)
LADDER = Ladder(steps=(Timeout(LONG), Timeout(2 * LONG), Ban()), reach="ban")
STRIKE = LADDER.strike(1)


def offence(number: int, member: Person = MINJI, *, community: str = "-5") -> Settlement:
    at = later(number)
    said = message(f"{community} {number}", community=community, platform=TELEGRAM, author=member.id, sent_at=at)
    one = settlement(said, Delete(), decided_at=at)
    return replace(one, decision=replace(one.decision, strike=1), ladder=LADDER)


async def offend(office: Office, number: int, member: Person = MINJI, *, community: str = "-5") -> Incident:
    one = offence(number, member, community=community)
    await office.store.inbox.keep([one.decision.message])
    await office.store.inbox.settle([one])
    return (await office.store.incidents.of([one.decision.message.ref]))[0]


async def wrong(office: Office, incident: int, at: float = 9_000) -> None:
    made = Review(incident_id=incident, call=Call.WRONG, moderator_id="9", moderator_name="지수", at=later(at))
    assert await office.store.reviews.record(HERE, made, due=NOW, strike=LADDER.strike(0)) is None


async def strikes(office: Office, member: Person = MINJI) -> int:
    return (await office.store.incidents.history(HERE, member.id)).strikes


def test_what_moderators_do_by_hand_counts_and_what_they_take_back_does_not(url: str) -> None:
    async def scene(office: Office) -> None:
        for number, kind in enumerate((CaseKind.WARN, CaseKind.MUTE)):
            await office.cases.open(HERE, order(kind, at=later(60 * number), strike=STRIKE))
        await office.cases.open(HERE, order(CaseKind.NOTE, at=later(200)))
        await office.do_all()
        assert await strikes(office) == 2 and await strikes(office, DAL) == 0
        third = await offend(office, 300)
        assert third.decision.actions == (Delete(), Warn(), Ban())
        await office.do_all()
        assert await office.cases.undo(HERE, 1, by="8", at=NOW)
        assert await strikes(office) == 2
        assert await office.do_all() == [Unsanction()], "the ban that it led to"
        assert await office.cases.undo(HERE, 1, by="8", at=NOW)
        assert await office.claim() == []

    in_office(url, scene)


def test_who_erases_what_is_known_of_them_still_gets_the_third_step(url: str) -> None:
    async def scene(office: Office) -> None:
        await office.cases.open(HERE, order(CaseKind.WARN, strike=STRIKE))
        await offend(office, 100)
        await office.do_all()
        await SqlErasing(office.database).erase_member(HERE, MINJI.id)
        await office.clock.advance(LONG.total_seconds() * 3)
        await office.cases.end(office.clock.now(), 10)
        await SqlErasing(office.database).erase_member(HERE, MINJI.id)
        async with office.database.read() as connection:
            found = await connection.execute(text("SELECT count(*) FROM cases WHERE member IS NOT NULL"))
            assert found.scalar_one() == 0
        third = await offend(office, 200)
        assert third.decision.step == 3 and await strikes(office) == 3

    in_office(url, scene)


def test_what_goes_after_a_year_takes_its_strike_along(url: str) -> None:
    async def scene(office: Office) -> None:
        await office.cases.open(HERE, order(CaseKind.WARN, strike=STRIKE))
        await offend(office, 100, DAL)
        await office.do_all()
        await SqlErasing(office.database).erase_community(HERE)
        async with office.database.read() as connection:
            assert (await connection.execute(text("SELECT count(*) FROM strikes"))).scalar_one() == 0

    in_office(url, scene)


def test_strikes_go_along_where_a_group_becomes_another(url: str) -> None:
    async def scene(office: Office) -> None:
        new = home("-1005", TELEGRAM)
        await offend(office, 1, community="-1005")
        await offend(office, 2)
        await office.store.communities.move(HERE, new.id)
        assert (await office.store.incidents.history(new, MINJI.id)).strikes == 2
        assert (await offend(office, 3, community="-1005")).decision.step == 3

    in_office(url, scene)


def test_two_processes_count_one_after_the_other(postgres: Postgres) -> None:
    url = postgres.create()

    async def scenario() -> None:
        clock = ManualClock()
        async with Database.open(url, clock) as one, Database.open(url, clock) as two:
            offices = Office(one, clock), Office(two, clock)
            for turn in range(5):
                member = Person(f"{turn}")
                pair = [offence(10 * turn + place, member) for place in range(3)]
                await offices[0].store.inbox.keep([each.decision.message for each in pair])
                twice = [*pair, *reversed(pair)]
                await asyncio.gather(
                    *(offices[place % 2].store.inbox.settle([each]) for place, each in enumerate(twice))
                )
                found = await offices[0].store.incidents.of([each.decision.message.ref for each in pair])
                assert sorted(each.decision.step for each in found) == [1, 2, 3]
                assert await strikes(offices[1], member) == 3

    asyncio.run(scenario())


def test_a_process_that_is_killed_between_decision_and_record_has_taken_one_step(url: str) -> None:
    """What it had decided and not written is decided again; what it had written and not done is done, and no more."""
    kill_after(url, "strike")

    async def scenario() -> None:
        await forget_the_dead(url)
        clock = ManualClock()
        async with Database.open(url, clock) as database:
            here = store(database, clock)
            (undecided,) = await here.inbox.claim(9, fresh_since=NOW)
            again = settlement(undecided, Delete())
            struck = replace(again, decision=replace(again.decision, strike=1), ladder=LADDER)
            await here.inbox.settle([struck])
            found = await here.incidents.between(NOW, later(1))
            assert [one.decision.step for one in found] == [1, 2]
            assert (await here.incidents.history(home(), "minji")).strikes == 2
            planned = await here.outbox.claim(9, now=NOW, platforms=EVERYWHERE)
            timeouts = [one.action for one in planned if isinstance(one.action, Timeout)]
            assert sorted(timeouts, key=lambda one: one.lasting) == [Timeout(LONG), Timeout(2 * LONG)]

    asyncio.run(scenario())


class StrikesAndUndos(RuleBasedStateMachine):
    """Whatever rules and moderators do and take back, in whatever order it is carried out: what counts is what was not
    taken back, and what runs is what the strikes that are left lead to. Once all is taken back, all is as before."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = TemporaryDirectory()
        self.clock = ManualClock()
        self.opened = Database.open(sqlite_in(Path(self.folder.name)), self.clock)
        self.office = Office(self.loop.run_until_complete(self.opened.__aenter__()), self.clock)
        self.at = 0
        self.counts: dict[int, bool] = {}  # by case, in order
        self.steps: dict[int, int] = {}  # of those of incidents
        self.incidents: dict[int, int] = {}
        self.claimed: list[PlannedAction] = []

    @rule()
    def offend(self) -> None:
        self.at += 60
        incident = self.loop.run_until_complete(offend(self.office, self.at))
        number = len(self.counts) + 1
        self.counts[number] = True
        self.incidents[number] = incident.id
        self.steps[number] = min(3, sum(self.counts.values()))
        assert incident.decision.step == self.steps[number]

    @rule(kind=sampled_from([CaseKind.WARN, CaseKind.MUTE, CaseKind.BAN]))
    def order(self, kind: CaseKind) -> None:
        self.at += 60
        ordered = order(kind, at=later(self.at), strike=STRIKE)
        case, _ = self.loop.run_until_complete(self.office.cases.open(HERE, ordered))
        assert case.number == len(self.counts) + 1
        self.counts[case.number] = True

    @rule(number=integers(1, 8))
    def take_back(self, number: int) -> None:
        if number in self.counts:
            self.loop.run_until_complete(self._take_back(number))

    async def _take_back(self, number: int) -> None:
        self.at += 60
        if number in self.incidents:
            await wrong(self.office, self.incidents[number], self.at)
        else:
            await self.office.cases.undo(HERE, number, by="9", at=later(self.at))
        self.counts[number] = False

    @rule()
    def begin(self) -> None:
        self.claimed += self.loop.run_until_complete(self.office.claim())

    @rule(data=data())
    def finish(self, data: DataObject) -> None:
        if self.claimed:
            one = self.claimed.pop(data.draw(integers(0, len(self.claimed) - 1)))
            self.loop.run_until_complete(self.office.store.outbox.record([(one, Done())]))

    async def _do_all(self) -> None:
        while self.claimed or (more := await self.office.claim()):
            await self.office.store.outbox.record([(one, Done()) for one in self.claimed or more])
            self.claimed = []

    def _is_left(self, number: int) -> bool:
        counted = sum(counts for case, counts in self.counts.items() if case <= number)
        return self.counts[number] and counted >= self.steps[number]

    async def _end(self) -> None:
        await self._do_all()
        assert await strikes(self.office) == sum(self.counts.values())
        running = {case for case, _ in await self.office.running()} & self.steps.keys()
        assert running == {number for number in self.steps if self._is_left(number)}
        for number in self.counts:
            await self._take_back(number)
        await self._do_all()
        assert await strikes(self.office) == 0 and await self.office.running() == []
        for number in self.counts:
            state = CaseState.RESOLVED if number in self.incidents else CaseState.UNDONE
            assert (await self.office.case(number)).state is state
        assert (await offend(self.office, self.at + 60)).decision.step == 1, "as before"
        await self.opened.__aexit__(None, None, None)

    def teardown(self) -> None:
        self.loop.run_until_complete(self._end())
        self.loop.close()
        self.folder.cleanup()


TestStrikesAndUndos = StrikesAndUndos.TestCase
TestStrikesAndUndos.settings = settings(max_examples=10, stateful_step_count=20, deadline=None)


@pytest.mark.long
class TestManyStrikesAndUndos(StrikesAndUndos.TestCase):  # type: ignore[valid-type, misc]  # hypothesis makes it
    settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
