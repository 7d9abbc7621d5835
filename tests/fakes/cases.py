"""Cases in memory, for what stands before the record: whatever is ordered is done at once."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime

from bot.core.base.errors import BotError
from bot.core.base.waiting import Wakeup
from bot.core.chat.message import CommunityRef, Platform
from bot.core.communities.community import Community
from bot.core.communities.policies import Policies
from bot.core.incidents.case import Case, CaseState, Look, Looked, Order, Person, Sanction, Search
from bot.core.incidents.deeds import Deeds
from bot.core.incidents.elsewhere.sharing import Sharing
from bot.core.incidents.ports import SharedBan
from bot.core.incidents.raids.ports import Ordered, Running
from bot.core.incidents.raids.raid import Raid, Raider, Remedy, Sign, Whom
from bot.core.incidents.raids.watch import RaidWatch
from bot.core.incidents.review import Filed
from bot.core.rules.actions import Ban, Done, Outcome, Timeout, Unsanction
from bot.core.text.catalogue import Texts
from tests.builders import NOW, code_of
from tests.fakes.clock import HurriedClock


class ScriptedCases:
    def __init__(self) -> None:
        self.opened: list[tuple[CommunityRef, Case]] = []
        self.outcome: Outcome | None = Done()
        self.sanctions: list[Sanction] = []
        self.seen: list[tuple[CommunityRef, Looked]] = []
        self.trouble: BotError | None = None
        self.waits: list[tuple[CommunityRef, Case]] = []

    async def open(self, community: CommunityRef, order: Order) -> tuple[Case, bool]:
        case = Case(
            number=len(self.opened) + 1,
            code=code_of(len(self.opened) + 1),
            kind=order.kind,
            state=CaseState.RESOLVED,
            opened_at=order.at,
            member=order.member,
            moderator=order.moderator,
            words=order.words,
            outcomes=tuple((action, self.outcome) for action in order.actions),
        )
        self.opened.append((community, case))
        return case, True

    async def get(self, community: CommunityRef, number: int) -> Case | None:
        return next((case for of, case in self.opened if (of, case.number) == (community, number)), None)

    async def mine(self, platform: Platform, member: str, code: str) -> tuple[CommunityRef, Case] | None:
        theirs = (one for one in self.opened if one[0].platform == platform and one[1].member.id == member)
        return next((one for one in theirs if one[1].code == code and one[1].kind.strikes), None)

    async def undo(self, community: CommunityRef, number: int, *, by: str, at: datetime) -> tuple[Case, bool] | None:
        case = await self.get(community, number)
        if case is None:
            return None
        if case.state is CaseState.UNDONE:
            return case, False
        self.opened[number - 1] = (community, replace(case, state=CaseState.UNDONE, closed_at=at))
        return self.opened[number - 1][1], True

    async def find(
        self, community: CommunityRef, search: Search, *, most: int, before: int | None = None
    ) -> Sequence[Case]:
        found = [case for of, case in reversed(self.opened) if of == community]
        return [one for one in found if search.member in (None, one.member.id)][:most]

    async def running(self, community: CommunityRef, *, most: int, member: str | None = None) -> Sequence[Sanction]:
        return self.sanctions[:most]

    async def held(
        self, community: CommunityRef, member: str, kind: str, *, besides: int | None = None
    ) -> Sanction | None:
        found: list[Sanction] = []
        for case in (case for of, case in self.opened if of == community and case.member.id == member):
            match case.deed:
                case (Timeout(lasting) | Ban(lasting)) as action, Done() if action.kind == kind:
                    if case.number != besides and case.state is not CaseState.UNDONE:
                        ends_at = case.opened_at + lasting if lasting else None
                        found.append(
                            Sanction(
                                case=case.number, kind=kind, member=case.member, begins_at=case.opened_at,
                                ends_at=ends_at,
                            )
                        )  # fmt: skip
                case Unsanction(), Done() if case.of_bans is (kind == Ban.kind):
                    found.clear()
        return next((one for one in found if one.ends_at is None), None) or max(
            found, key=lambda one: one.ends_at or one.begins_at, default=None
        )

    async def end(self, now: datetime, most: int) -> int:
        return 0

    async def appeal(
        self, community: CommunityRef, number: int, member: str, words: str, *, at: datetime
    ) -> Filed | None:
        found = await self.get(community, number)
        if found is None or found.member.id != member:
            return None
        if found.objection:
            return Filed.HEARD_BEFORE
        self.opened[number - 1] = (community, replace(found, state=CaseState.APPEALED, objection=words))
        return Filed.HEARD

    async def uphold(self, community: CommunityRef, number: int, *, by: str, at: datetime) -> tuple[Case, bool] | None:
        if (found := await self.get(community, number)) is None:
            return None
        self.opened[number - 1] = (community, replace(found, state=CaseState.RESOLVED))
        return self.opened[number - 1][1], found.state is CaseState.APPEALED

    async def remind(self, now: datetime, most: int) -> int:
        return 0

    async def looked(
        self, community: CommunityRef, by: Person, what: Look, *, case: int | None = None, incident: int | None = None
    ) -> None:
        if self.trouble:
            raise self.trouble
        self.seen.append((community, Looked(by=by, what=what, at=NOW, case=incident if case is None else case)))

    async def waiting(self, community: CommunityRef, *, most: int) -> Sequence[Case]:
        return [case for of, case in self.waits if of == community][:most]

    async def neglected(self, now: datetime) -> Sequence[CommunityRef]:
        return list(dict.fromkeys(of for of, _ in self.waits))

    async def looks(self, community: CommunityRef, *, most: int, by: str | None = None) -> Sequence[Looked]:
        theirs = [one for of, one in reversed(self.seen) if of == community and by in (None, one.by.id)]
        return theirs[:most]


class ScriptedRaids:
    """Raids that a test has put here; presses that are remembered."""

    def __init__(self) -> None:
        self.known: dict[int, Raid] = {}
        self.presses: list[tuple[int, Remedy, Whom, int, Person]] = []

    async def running(self) -> Sequence[Running]:
        return ()

    async def join(
        self, community: CommunityRef, sign: Sign, raiders: Collection[Raider], *, language: str, at: datetime
    ) -> int:
        return 1

    async def get(self, platform: Platform, raid_id: int) -> Raid | None:
        return self.known.get(raid_id)

    async def numbered(self, community: CommunityRef, number: int) -> Raid | None:
        return next((raid for raid in self.known.values() if raid.number == number), None)

    async def order(self, raid_id: int, remedy: Remedy, whom: Whom, most: int, *, by: Person, at: datetime) -> int:
        self.presses.append((raid_id, remedy, whom, most, by))
        return most

    async def ordered(self, most: int) -> Sequence[Ordered]:
        return ()

    async def done(self, order: Ordered, case: int) -> None: ...

    async def renew(self, now: datetime) -> int:
        return 0


def scripted_raids(deeds: Deeds) -> RaidWatch:
    return RaidWatch(raids=ScriptedRaids(), deeds=deeds, clock=deeds.clock, planned=Wakeup())


def scripted_sharing(deeds: Deeds, policies: Policies) -> Sharing:
    """Of communities whose owners nobody names."""

    async def nobody_hears(community: Community, sentence: Callable[[Community, Texts], str]) -> None: ...

    known = MemoryShares()
    return Sharing(
        policies=policies, bans=known, links=known, deeds=deeds, owners={}, tell=nobody_hears, clock=deeds.clock
    )


class MemoryShares:
    """No bans to hand on; accounts that are linked."""

    def __init__(self) -> None:
        self.persons: list[set[tuple[CommunityRef, str]]] = []

    async def due(
        self, of: CommunityRef, to: CommunityRef, since: datetime, *, most: int, a_day: int
    ) -> Sequence[SharedBan]:
        return ()

    async def done(self, ban: SharedBan, to: CommunityRef, case: int | None) -> None: ...

    async def freed(self, of: CommunityRef, to: CommunityRef, *, most: int) -> Sequence[int]:
        return ()

    async def link(
        self, one: tuple[CommunityRef, str], other: tuple[CommunityRef, str], *, by: str, at: datetime
    ) -> bool:
        self.persons.append({one, other})
        return True

    async def unlink(self, community: CommunityRef, member: str) -> bool:
        return False

    async def of(self, community: CommunityRef, member: str) -> Sequence[tuple[CommunityRef, str]]:
        this = (community, member)
        return [other for person in self.persons if this in person for other in person - {this}]


def scripted_deeds() -> Deeds:
    return Deeds(cases=ScriptedCases(), clock=HurriedClock(50.0), planned=Wakeup())
