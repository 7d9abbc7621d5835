"""Communities of one owner share bans, over both databases: only while all agree, and nobody can misuse it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

from bot.core.base.waiting import Wakeup
from bot.core.chat.message import CommunityRef
from bot.core.communities.community import Community
from bot.core.communities.policies import Policies
from bot.core.communities.sharing import Consent, Shared, consent_key
from bot.core.incidents.case import Case, CaseKind, CaseState, Order, Person, Search, measures
from bot.core.incidents.deeds import Deeds
from bot.core.incidents.elsewhere.sharing import LATELY, MOST_A_DAY, OWNED_FOR, Sharing
from bot.core.incidents.ports import MOST_LINKED
from bot.core.moderation.rulings import Rulings
from bot.core.operations.privacy import written
from bot.core.rules.actions import Ban, Done, Unsanction, Warn
from bot.core.rules.policy import Policy, Watch
from bot.core.text.catalogue import Texts, texts
from storage.database import Database
from storage.records.deeds import SqlCases
from storage.records.erasing import SqlErasing
from storage.records.people import SqlPeople
from storage.records.precedents import SqlPrecedents
from storage.settings.communities import SqlCommunities
from storage.settings.sharing import SqlLinks, SqlSharedBans
from tests.builders import DISCORD, EVERYWHERE, NOW, TELEGRAM, home
from tests.contracts.stores import store
from tests.fakes.clock import ManualClock

A, B, C, FAR = home("-1", TELEGRAM), home("-2", TELEGRAM), home("-3", TELEGRAM), home("77", DISCORD)
OWNER, OTHER, MODERATOR, MINJI = "1", "2", "5", "7"


class Circle:
    """Groups of one owner, whoever carries out what is planned, and what moderators were told."""

    platform = TELEGRAM

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.database, self.clock, self.told = database, clock, list[tuple[str, str]]()
        self.cases, self.store, self.links = SqlCases(database), store(database, clock), SqlLinks(database)
        self.owned = dict.fromkeys((A, B, C, FAR), OWNER)
        self.mode = Watch.LIVE
        self.policies = Policies(
            store=SqlCommunities(database), build=lambda _: Policy(rules=(), mode=self.mode), clock=clock
        )
        self.sharing = self.process()

    def process(self) -> Sharing:
        deeds = Deeds(cases=self.cases, clock=self.clock, planned=Wakeup())
        return Sharing(
            policies=self.policies, bans=SqlSharedBans(self.database), links=self.links, deeds=deeds,
            owners={TELEGRAM: self, DISCORD: self}, tell=self.tell, clock=self.clock,
        )  # fmt: skip

    async def owner(self, community: CommunityRef) -> str | None:
        return self.owned.get(community)

    async def tell(self, community: Community, sentence: Callable[[Community, Texts], str]) -> None:
        self.told.append((community.id, sentence(community, texts("ko"))))

    async def agree(self, here: CommunityRef, there: CommunityRef, by: str = OWNER, *whats: Shared) -> None:
        consents = {consent_key(what, there): Consent(by, self.clock.now()) for what in whats or tuple(Shared)}
        await self.policies.change(here, lambda now: replace(now, shares={**now.shares, **consents}), by="")

    async def leave(self, here: CommunityRef) -> None:
        await self.policies.change(here, lambda now: replace(now, shares={}), by="")

    async def ban(self, where: CommunityRef, member: str = MINJI, lasting: timedelta = timedelta()) -> Case:
        order = Order(
            kind=CaseKind.BAN, member=Person(member), moderator=Person(MODERATOR), at=self.clock.now(),
            channel=where.id, actions=measures(CaseKind.BAN, lasting),
        )  # fmt: skip
        case, _ = await self.cases.open(where, order)
        await self.do_all()
        return case

    async def do_all(self) -> list[tuple[str, object]]:
        planned = await self.store.outbox.claim(500, now=self.clock.now(), platforms=EVERYWHERE)
        await self.store.outbox.record([(one, Done()) for one in planned])
        return [(one.message.community_id, one.action) for one in planned]

    async def look(self) -> list[tuple[str, object]]:
        """What comes of one look at what is shared."""
        await self.sharing.work()
        return [one for one in await self.do_all() if not isinstance(one[1], Warn)]

    async def in_(self, where: CommunityRef) -> list[Case]:
        return [*await self.cases.find(where, Search(), most=500)]


def played(url: str, scene: Callable[[Circle], Awaitable[None]]) -> None:
    async def scenario() -> None:
        clock = ManualClock()
        async with Database.open(url, clock) as database:
            await scene(Circle(database, clock))

    asyncio.run(scenario())


def test_a_ban_crosses_only_once_both_owners_have_agreed_and_goes_with_what_it_came_from(url: str) -> None:
    async def scene(circle: Circle) -> None:
        await circle.ban(A, "6")
        await circle.agree(A, B)
        assert await circle.look() == [], "one alone agrees to nothing"
        await circle.agree(B, A, OTHER)
        await circle.ban(A, "8")
        assert await circle.look() == [], "somebody else has agreed: it is not one owner's"
        await circle.clock.advance(OWNED_FOR + 1)
        await circle.agree(B, A)
        await circle.clock.advance(1)
        case = await circle.ban(A)
        assert await circle.look() == [(B.id, Ban())], "and none from before that"
        assert await circle.look() == []
        (copy,) = await circle.in_(B)
        assert (copy.member.id, copy.moderator.id, copy.kind) == (MINJI, OWNER, CaseKind.BAN)
        assert [action for action, _ in copy.outcomes] == [Ban()], (
            "nothing is said in front of those who may not know them"
        )
        assert copy.words == texts("ko")("share.because", community=A.id, case=case.number)
        assert circle.told[-1] == (B.id, texts("ko")("share.banned", community=A.id, case=copy.number))
        await circle.cases.undo(A, case.number, by=MODERATOR, at=circle.clock.now())
        await circle.do_all()
        assert await circle.look() == [(B.id, Unsanction())]
        assert (await circle.in_(B))[0].state is CaseState.UNDONE
        assert await circle.look() == []

    played(url, scene)


def test_what_is_undone_in_one_place_stays_so_and_what_is_over_ends_by_itself(url: str) -> None:
    async def scene(circle: Circle) -> None:
        await circle.agree(A, B)
        await circle.agree(B, A)
        case = await circle.ban(A, lasting=timedelta(hours=1))
        await circle.clock.advance(60)
        assert await circle.look() == [(B.id, Ban(timedelta(minutes=59)))], "as long as there is left of it"
        (copy,) = await circle.in_(B)
        await circle.cases.undo(B, copy.number, by=OTHER, at=circle.clock.now())
        assert await circle.do_all() == [(B.id, Unsanction())]
        assert await circle.look() == []
        assert (await circle.cases.get(A, case.number) or copy).state is CaseState.RESOLVED
        await circle.clock.advance(3600)
        await circle.cases.end(circle.clock.now(), 10)
        assert [one for one, _ in await circle.do_all()] == [A.id]
        assert await circle.look() == [], "what has ended by itself is undone nowhere"

    played(url, scene)


def test_it_can_be_left_at_any_time_and_what_has_crossed_is_left_to_whoever_has_it(url: str) -> None:
    async def scene(circle: Circle) -> None:
        await circle.agree(A, B)
        await circle.agree(B, A)
        case = await circle.ban(A)
        assert len(await circle.look()) == 1
        await circle.leave(B)
        await circle.ban(A, "8")
        await circle.cases.undo(A, case.number, by=MODERATOR, at=circle.clock.now())
        await circle.do_all()
        assert await circle.look() == [] and (await circle.in_(B))[0].state is CaseState.RESOLVED

    played(url, scene)


def test_whoever_does_not_own_it_any_more_has_agreed_to_nothing(url: str) -> None:
    async def scene(circle: Circle) -> None:
        await circle.agree(A, B)
        await circle.agree(B, A)
        await circle.look()
        circle.owned[A] = OTHER
        await circle.clock.advance(OWNED_FOR + 1)
        await circle.ban(A)
        assert await circle.look() == []
        assert circle.policies.community(A).shares == {} and circle.policies.partners(B, Shared.BANS) == {}
        assert [place for place, _ in circle.told] == [A.id, B.id]
        del circle.owned[B]
        await circle.clock.advance(OWNED_FOR + 1)
        await circle.agree(A, B, OTHER)
        assert await circle.look() == [], "where the network does not say, nothing crosses"
        assert circle.policies.community(B).shares, "and nothing is withdrawn"

    played(url, scene)


def test_what_came_from_another_goes_no_further_and_nobody_is_banned_twice(url: str) -> None:
    async def scene(circle: Circle) -> None:
        for here, there in ((A, B), (B, A), (B, C), (C, B)):
            await circle.agree(here, there)
        own = await circle.ban(B, "8")
        await circle.clock.advance(60)
        first = await circle.ban(A, "8")
        await circle.ban(A)
        banned = await circle.look() + await circle.look()
        assert sorted(place for place, _ in banned) == [B.id, C.id], "what B has done itself goes to C, and A's to B"
        assert {one.member.id for one in await circle.in_(C)} == {"8"}
        await circle.cases.undo(A, first.number, by=MODERATOR, at=circle.clock.now())
        await circle.do_all()
        assert await circle.look() == []
        assert (await circle.cases.get(B, own.number) or first).state is CaseState.RESOLVED, "B's own is B's"

    played(url, scene)


def test_who_dies_in_between_bans_nobody_twice(url: str) -> None:
    async def scene(circle: Circle) -> None:
        await circle.agree(A, B)
        await circle.agree(B, A)
        await circle.ban(A)
        dies = circle.process()
        dies.bans = Forgetful(circle.database)
        await dies.work()
        await circle.sharing.work()
        assert len(await circle.in_(B)) == 1
        assert await SqlSharedBans(circle.database).due(A, B, NOW, most=5, a_day=5) == []

    played(url, scene)


class Forgetful(SqlSharedBans):
    """Dies before it is noted."""

    async def done(self, *given: object) -> None: ...


def test_nobody_is_banned_whom_a_community_spares_nor_where_it_only_watches(url: str) -> None:
    async def scene(circle: Circle) -> None:
        await circle.agree(A, B)
        await circle.agree(B, A)
        await circle.policies.change(B, lambda now: replace(now, exempt_roles=frozenset({MINJI})), by="")
        await circle.ban(A)
        assert await circle.look() == []
        circle.mode = Watch.WATCH
        circle.policies.rebuild()
        await circle.ban(A, "8")
        assert await circle.look() == [] and await circle.in_(B) == []
        circle.mode = Watch.LIVE
        circle.policies.rebuild()
        await circle.clock.advance(LATELY.total_seconds() + 1)
        assert await circle.look() == [], "what is old crosses no more"

    played(url, scene)


def test_who_bans_a_crowd_bans_it_in_one_place(url: str) -> None:
    async def scene(circle: Circle) -> None:
        await circle.agree(A, B)
        await circle.agree(B, A)
        for member in range(100, 100 + MOST_A_DAY + 10):
            await circle.ban(A, str(member))
        banned = [await circle.look() for _ in range(MOST_A_DAY // 10)]
        assert sum(map(len, banned)) == MOST_A_DAY

    played(url, scene)


def test_on_another_network_only_calls_and_records_are_shared(url: str) -> None:
    async def scene(circle: Circle) -> None:
        await circle.agree(A, FAR)
        await circle.agree(FAR, A, OTHER)  # ids cannot be compared there
        circle.owned[FAR] = OTHER
        await circle.ban(A)
        assert await circle.look() == []
        rulings = Rulings(
            store=SqlPrecedents(circle.database), mark=circle.database.sealing.text_hash, clock=circle.clock,
            partners=lambda place: circle.policies.partners(place, Shared.PRECEDENTS),
        )  # fmt: skip
        assert list(rulings.partners(A)) == [FAR] and list(rulings.partners(FAR)) == [A]
        await circle.leave(FAR)
        assert list(rulings.partners(A)) == []

    played(url, scene)


def test_accounts_are_one_persons_until_somebody_unlinks_them_or_is_erased(url: str) -> None:
    async def scene(circle: Circle) -> None:
        links = circle.links
        assert await links.link((A, MINJI), (FAR, "70"), by=MODERATOR, at=NOW)
        assert await links.link((FAR, "70"), (B, MINJI), by=MODERATOR, at=NOW)
        assert await links.of(A, MINJI) == [(FAR, "70"), (B, MINJI)]
        assert await links.of(A, "70") == [] == await links.of(FAR, MINJI)
        people = SqlPeople(circle.database)
        assert list(await people.places(DISCORD, "70")) == [FAR]
        told = written([await people.of_member(FAR, "70")]).decode()
        assert '"community": "-1"' in told and f'"{MINJI}"' not in told, "where, and not as whom"
        await SqlErasing(circle.database).erase_member(FAR, "70")
        assert await links.of(A, MINJI) == [(B, MINJI)] and await links.of(FAR, "70") == []
        assert await links.unlink(B, MINJI) and not await links.unlink(B, MINJI)
        assert await links.of(A, MINJI) == []
        joined = [await links.link((A, MINJI), (C, str(one)), by=MODERATOR, at=NOW) for one in range(MOST_LINKED)]
        assert joined == [*[True] * (MOST_LINKED - 1), False]

    played(url, scene)


def test_a_group_that_gets_another_id_shares_on(url: str) -> None:
    async def scene(circle: Circle) -> None:
        await circle.agree(A, B)
        await circle.agree(B, A)
        await circle.agree(A, FAR)
        await circle.agree(FAR, A)
        moved = home("-100200", TELEGRAM)
        await circle.policies.move(A, moved.id)
        circle.owned[moved] = OWNER
        await circle.ban(moved)
        assert await circle.look() == [(B.id, Ban())]
        assert {*circle.policies.partners(moved, Shared.RECORDS)} == {B, FAR}, "on another network, too"
        assert {*circle.policies.partners(FAR, Shared.RECORDS)} == {moved}

    played(url, scene)
