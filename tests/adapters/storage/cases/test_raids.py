"""Raids over both databases, with who watches for them: one case, dealt with once, whoever dies in the middle."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta

from sqlalchemy import text

from bot.core.base.waiting import Wakeup
from bot.core.chat.message import CommunityRef
from bot.core.incidents.case import CaseKind, CaseState, Person, Search
from bot.core.incidents.deeds import Deeds
from bot.core.incidents.raids.noticing import BARS
from bot.core.incidents.raids.raid import CALM, Press, Raid, Remedy, Sign, Whom
from bot.core.incidents.raids.watch import ON_RAID, RaidWatch
from bot.core.incidents.review import Appeal
from bot.core.rules.actions import Ban, Delete, DeletePost, Done, Flag, Lock, Refused, Unlock
from storage.records.erasing import SqlErasing
from storage.records.raids import BEFORE, SqlRaids
from tests.adapters.storage.cases.test_deeds import HERE, JISU, THERE, Office, in_office, order
from tests.builders import NOW, TELEGRAM, later, message, settlement

MANY = BARS[Sign.OFFENCES][0][0]


class Watched:
    """A process that watches over a database; `settle` is what it hears."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.raids = SqlRaids(office.database)
        deeds = Deeds(cases=office.cases, clock=office.clock, planned=Wakeup())
        self.watch = RaidWatch(raids=self.raids, deeds=deeds, clock=office.clock, planned=Wakeup())

    async def settle(self, members: Iterable[object], *, at: float = 0, where: CommunityRef = HERE) -> None:
        said = [
            message(f"{one} {at}", community=where.id, platform=TELEGRAM, author=str(one), sent_at=later(at))
            for one in members
        ]
        await self.office.store.inbox.keep(said)
        settled = [settlement(one, Delete(), Flag(), decided_at=one.sent_at) for one in said]
        await self.office.store.inbox.settle(settled)
        self.watch.settled(settled)

    async def work(self, looks: int = 1) -> None:
        """As its `run` does, so many times."""
        await self.watch.resume()
        for _ in range(looks):
            await self.watch.work()
            await self.office.clock.advance(2.5)
            await self.watch.renew()

    async def raid(self, number: int = 1) -> Raid:
        found = await self.office.cases.find(HERE, Search(kind=CaseKind.RAID), most=9)
        assert len(found) == number, found
        raid = await self.raids.numbered(HERE, found[0].number)
        assert raid
        return raid

    async def press(self, remedy: Remedy, whom: Whom, count: int) -> int:
        return await self.watch.press(Press(remedy, whom, (await self.raid()).id, count), by=JISU)


def watched(url: str, scene: Callable[[Watched], Awaitable[None]]) -> None:
    in_office(url, lambda office: scene(Watched(office)))


def test_a_raid_is_one_case_with_one_card_and_another_community_has_none(url: str) -> None:
    async def scene(here: Watched) -> None:
        await here.settle(range(MANY - 1), where=THERE)
        await here.settle(range(MANY - 1))
        await here.office.do_all(Done("-9/5"))  # all on one card of their own
        await here.settle([MANY])
        await here.work()
        raid = await here.raid()
        assert (raid.sign, raid.members, raid.offenders, raid.is_over) == (Sign.OFFENCES, MANY, MANY, False)
        assert await here.office.cases.find(THERE, Search(kind=CaseKind.RAID), most=9) == []
        claimed = await here.office.claim()
        of_raid = [one.action for one in claimed if one.case and one.case.kind is CaseKind.RAID]
        assert of_raid == [Flag()], "the card on which others stand, too, stays"
        for planned in claimed:
            if planned.incident_id:
                assert await here.watch.shows(planned) == (f"raid:{raid.id}" if planned.action == Flag() else "")

    watched(url, scene)


def test_a_card_that_shows_somebody_elses_older_incident_stays(url: str) -> None:
    async def scene(here: Watched) -> None:
        await here.settle(["bystander"], at=-BEFORE.total_seconds() - 60)
        await here.settle(range(MANY - 1))
        claimed = await here.office.claim()
        theirs = {str(number): f"-9/{min(number, 1)}" for number in range(MANY)} | {"bystander": "-9/0"}
        shown = [Done(theirs[one.message.author.id] if one.action == Flag() else "") for one in claimed]
        await here.office.store.outbox.record(list(zip(claimed, shown, strict=True)))
        await here.settle([MANY])
        await here.work(2)
        gone = [one.action for one in await here.office.claim() if isinstance(one.action, DeletePost)]
        assert gone == [DeletePost("-9/1")]

    watched(url, scene)


def test_cards_of_before_it_was_noticed_go_unless_somebody_has_said_something(url: str) -> None:
    async def scene(here: Watched) -> None:
        await here.settle(range(MANY - 1))
        claimed = await here.office.claim()
        receipts = [(one, Done(f"-9/{one.incident_id}" if one.action == Flag() else "")) for one in claimed]
        await here.office.store.outbox.record(receipts)
        await here.settle([MANY])
        await here.work(2)
        gone = [one.action for one in await here.office.claim() if isinstance(one.action, DeletePost)]
        assert len(gone) == MANY - 1
        await here.work(2)
        assert not [one for one in await here.office.claim() if isinstance(one.action, DeletePost)], "once"

    watched(url, scene)


def test_a_press_bans_as_many_as_it_said_and_is_taken_back(url: str) -> None:
    async def scene(here: Watched) -> None:
        await here.settle(range(MANY))
        await here.work()
        await here.settle([100, 101], at=3)
        await here.work()
        assert (await here.raid()).left == {Whom.OFFENDERS: MANY + 2, Whom.ALL: MANY + 2}
        assert await here.press(Remedy.BAN, Whom.OFFENDERS, MANY) == MANY
        assert await here.press(Remedy.BAN, Whom.OFFENDERS, 1) == 1, "who came since takes another press"
        await here.work()
        bans = [one for one in await here.office.claim() if isinstance(one.action, Ban)]
        assert len(bans) == MANY + 1 and {one.case.moderator for one in bans if one.case} == {JISU}
        refused = Refused("stands above")
        await here.office.store.outbox.record([(one, refused if one is bans[0] else Done()) for one in bans])
        raid = await here.raid()
        assert (raid.banned, raid.refused, raid.left[Whom.ALL]) == (MANY, 1, 1)
        assert await here.press(Remedy.UNDO, Whom.ALL, MANY) == MANY + 1
        await here.work()
        await here.office.do_all()
        raid = await here.raid()
        assert (raid.banned, raid.refused, raid.freed) == (0, 0, MANY + 1) and not await here.office.running()

    watched(url, scene)


def test_who_dies_in_the_middle_of_it_has_banned_nobody_twice(url: str) -> None:
    async def scene(here: Watched) -> None:
        await here.settle(range(MANY))
        await here.work()
        await here.press(Remedy.BAN, Whom.ALL, MANY)
        first, *_ = await here.raids.ordered(50)
        await here.watch._carry_out(first)  # and dies before it could say so
        async with here.office.database.write() as connection:
            await connection.execute(
                text(f"UPDATE raiders SET due = {int(first.at.timestamp() * 1e6)}, deed = NULL WHERE id = {first.id}")
            )
        other = Watched(here.office)
        await other.work()
        bans = await here.office.cases.find(HERE, Search(kind=CaseKind.BAN), most=99)
        assert sorted(one.member.id for one in bans) == sorted(map(str, range(MANY)))

    watched(url, scene)


def test_another_process_goes_on_with_it_and_it_ends_by_itself(url: str) -> None:
    async def scene(here: Watched) -> None:
        await here.settle(range(MANY))
        await here.work()
        other = Watched(here.office)
        await other.work()
        await other.settle(["late"], at=10)
        await other.work()
        assert (await here.raid()).members == MANY + 1
        await here.office.clock.advance(CALM.total_seconds() + 60)
        await other.work(2)
        raid = await here.raid()
        assert raid.is_over
        (case,) = await here.office.cases.find(HERE, Search(kind=CaseKind.RAID), most=1)
        assert case.state is CaseState.RESOLVED

    watched(url, scene)


def test_an_objection_is_shown_however_many_there_are(url: str) -> None:
    async def scene(here: Watched) -> None:
        await here.settle(range(MANY))
        await here.work()
        planned = next(one for one in await here.office.claim() if one.incident_id and one.action == Flag())
        assert await here.watch.shows(planned)

        appeal = Appeal(incident_id=planned.incident_id, words="아니에요", at=NOW)
        await here.office.store.outbox.record([(planned, Done(await here.watch.shows(planned)))])
        await here.office.store.reviews.appeal(HERE, appeal, (Flag(),), due=NOW)
        (again,) = [one for one in await here.office.claim() if one.incident_id == planned.incident_id]
        assert again.action == Flag() and await here.watch.shows(again) == ""

    watched(url, scene)


def test_who_is_erased_takes_part_in_nothing(url: str) -> None:
    async def scene(here: Watched) -> None:
        await here.settle(range(MANY))
        await here.work()
        await here.office.clock.advance(1)
        await SqlErasing(here.office.database).erase_member(HERE, "3")
        assert await here.press(Remedy.BAN, Whom.ALL, 99) == MANY - 1
        here.watch.forget(HERE, lambda member: member == "3")
        await here.work()
        assert "3" not in {
            one.member.id for one in await here.office.cases.find(HERE, Search(kind=CaseKind.BAN), most=99)
        }

    watched(url, scene)


def test_who_needs_it_on_record_writes_it_down(url: str) -> None:
    async def scene(here: Watched) -> None:
        await here.settle(range(MANY))
        flags = [one for one in await here.office.claim() if one.action == Flag()]
        receipts = await asyncio.gather(*(here.watch.shows(planned) for planned in flags))
        (raid,) = await here.watch.raids.running()
        assert len(raid.members) == MANY and set(receipts) == {f"{ON_RAID}{raid.id}"}

    watched(url, scene)


def test_a_lock_ends_by_itself_whatever_process_is_there_and_once(url: str) -> None:
    async def scene(here: Watched) -> None:
        office, hour = here.office, timedelta(hours=1)
        await office.cases.open(HERE, order(CaseKind.LOCK, Person(""), actions=(Lock(hour),)))
        assert await office.do_all(Done("before")) == [Lock(hour)] and await office.do_all() == []
        await office.store.die()
        await office.clock.advance(hour.total_seconds() + 1)
        assert await office.do_all() == [Unlock("before")] and await office.do_all() == []
        await office.cases.open(HERE, order(CaseKind.LOCK, Person(""), at=later(9000), actions=(Lock(hour),)))
        await office.do_all(Done("again"))
        await office.cases.undo(HERE, 2, by="9", at=later(9001))
        assert await office.do_all() == [Unlock("again")]
        await office.clock.advance(2 * hour.total_seconds())
        assert await office.do_all() == [], "nor a second time when it would have ended"

    watched(url, scene)
