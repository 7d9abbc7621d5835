"""What is due goes, what is held stays, and of whoever is erased nothing is left but hashes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import LargeBinary, func, insert, select, text, type_coerce

from bot.core.chat.message import CommunityRef, Kind
from bot.core.communities.community import Community
from bot.core.incidents.case import CaseKind, Look, Order, Person, Search
from bot.core.incidents.review import Appeal, Call, Review
from bot.core.operations.keys import ApiKey
from bot.core.operations.retention import Limits, Retention
from bot.core.rules.actions import Action, Ban, Delete, Done, Timeout, Warn
from bot.core.rules.precedent import Likeness, Precedent, Ruling
from storage.columns import Sealed
from storage.database import Database
from storage.records.deeds import SqlCases
from storage.records.erasing import SqlErasing
from storage.records.forgetting import SqlForgetting
from storage.records.people import SqlPeople
from storage.reports.coarsening import SqlCoarsening
from storage.tables import deliveries, incidents, messages, metadata
from tests.builders import NOW, REHEARSAL, home, later, message, put_settings, settlement
from tests.contracts.stores import Store, store
from tests.fakes.clock import ImpatientClock, ManualClock
from tests.servers.databases import sqlite_in

DAY = timedelta(days=1)


@asynccontextmanager
async def opened(url: str, clock: ManualClock) -> AsyncIterator[tuple[Database, Store, SqlForgetting]]:
    async with Database.open(url, clock) as database:
        yield database, store(database, clock), SqlForgetting(database)


async def incident(here: Store, id: str, *, author: str = "minji", community: str = "cafe") -> int:
    """One whose action is done."""
    about = message(id, f"말 {author} {id}", author=author, community=community, sent_at=here.clock.now())
    about = replace(about, author=replace(about.author, name=f"이름 {author}"))
    await here.inbox.keep([about])
    await here.inbox.settle([settlement(about, Delete(), decided_at=here.clock.now())])
    await act(here)
    return (await here.incidents.of([about.ref]))[0].id


async def act(here: Store) -> None:
    """What is planned is done: of whom something is still to be done to, nothing is erased before."""
    planned = await here.outbox.claim(9, now=here.clock.now(), platforms=[home().platform])
    await here.outbox.record([(one, Done()) for one in planned])


async def call(here: Store, number: int, which: Call, moderator: str = "9", community: str = "cafe") -> None:
    made = Review(
        incident_id=number, call=which, moderator_id=moderator, moderator_name=f"이름 {moderator}", at=here.clock.now()
    )
    await here.reviews.record(home(community), made, due=here.clock.now())
    await act(here)


async def words_of(here: Store) -> dict[int, str]:
    found = await here.incidents.between(NOW, here.clock.now() + DAY)
    return {one.id: one.decision.message.text for one in found}


def retention(forgetting: SqlForgetting, clock: ManualClock, left: Community | None = None) -> Retention:
    known = [left] if left else []
    return Retention(
        forgetting=forgetting,
        erasing=SqlErasing(forgetting._database),
        counts=SqlCoarsening(forgetting._database),
        limits=Limits(),
        communities=lambda: known,
        timezone=lambda community: "Asia/Seoul",
        clock=clock,
    )


def test_words_go_when_they_are_due_and_not_while_they_are_held(url: str) -> None:
    clock = ManualClock()

    async def scenario() -> None:
        async with opened(url, clock) as (_, here, forgetting):
            plain, wrong, taken_back, held = [await incident(here, str(number)) for number in range(4)]
            await call(here, wrong, Call.WRONG)
            gone = message("2", kind=Kind.DELETE, revision=1, sent_at=NOW)
            async with forgetting._database.write() as connection:
                await connection.execute(text(f"UPDATE actions SET state = 'refused' WHERE incident = {taken_back}"))
            await here.inbox.keep([gone])
            await here.inbox.settle([settlement(gone)])
            assert await forgetting.hold(home(), held, NOW + 180 * DAY, "경찰에 신고")
            assert not await forgetting.hold(home("other"), held, NOW + 180 * DAY, "")
            changed: list[tuple[CommunityRef, int]] = []
            keeping = replace(retention(forgetting, clock), changed=lambda *what: changed.append(what))
            clock.jump(8 * DAY)
            await keeping.turn()
            assert {number for number, words in (await words_of(here)).items() if not words} == {wrong, taken_back}
            clock.jump(83 * DAY)
            await keeping.turn()
            assert {number for number, words in (await words_of(here)).items() if words} == {held}
            assert sorted(changed) == [(home(), number) for number in (plain, wrong, taken_back)], (
                "cards are drawn anew"
            )
            clock.jump(90 * DAY)
            await keeping.turn()
            assert set((await words_of(here)).values()) == {""}
            clock.jump(200 * DAY)
            await keeping.turn()
            assert await words_of(here) == {}

    asyncio.run(scenario())


def test_what_is_old_itself_is_kept_from_when_it_was_taken_in(url: str) -> None:
    """A transcript of last year: nothing of it is lost on the day on which it is judged."""
    clock = ManualClock()

    async def scenario() -> None:
        async with opened(url, clock) as (_, here, forgetting):
            old = NOW - 400 * DAY
            said = [message(str(number), f"말 {number}", sent_at=old) for number in range(2)]
            gone = message("1", kind=Kind.DELETE, revision=1, sent_at=old)
            await here.inbox.keep([*said, gone])
            await here.inbox.settle([replace(settlement(one, Delete()), decided_at=old) for one in said])
            await here.inbox.settle([replace(settlement(gone), decided_at=old)])

            async def left() -> list[str]:
                return [one.decision.message.text for one in await here.incidents.between(old, clock.now())]

            await retention(forgetting, clock).turn()
            assert await left() == ["말 0", "말 1"]
            clock.jump(91 * DAY)
            await retention(forgetting, clock).turn()
            assert await left() == ["", ""]
            clock.jump(275 * DAY)
            await retention(forgetting, clock).turn()
            assert await left() == []

    asyncio.run(scenario())


def test_who_wrote_what_no_rule_matched_goes_and_then_the_row(url: str) -> None:
    clock = ManualClock()

    async def scenario() -> None:
        async with opened(url, clock) as (database, here, forgetting):
            said = [message(str(number)) for number in range(450)]
            await here.inbox.keep(said)
            await here.inbox.settle([settlement(one) for one in said])
            await incident(here, "bad")

            async def left() -> tuple[int, ...]:
                async with database.read() as connection:
                    hashes = func.count(messages.c.author_hash), func.count(messages.c.text_hash)
                    counted = select(func.count(), *hashes).select_from(messages)
                    return tuple((await connection.execute(counted)).one())

            for days, expected in ((1, (451, 451, 451)), (2, (451, 1, 0)), (5, (1, 1, 0))):
                clock.jump(timedelta(days=days, minutes=1))
                await retention(forgetting, clock).turn()
                assert await left() == expected
            assert set((await words_of(here)).values()) == {"말 minji bad"}

    asyncio.run(scenario())


def test_who_wrote_what_no_rule_matched_is_known_by_a_hash_of_their_community_alone(url: str) -> None:
    async def scenario() -> None:
        async with opened(url, ManualClock()) as (database, here, _):
            said = [message(place, "고운 말", author="회원갑", community=place) for place in ("cafe", "other")]
            await here.inbox.keep(said)
            await here.inbox.settle([settlement(one) for one in said])
            assert list(await here.inbox.keep(said)) == [False, False], "what is delivered again is not kept again"
            assert "회원갑".encode() not in await everything(database)
            people = SqlPeople(database)
            assert set(await people.places(REHEARSAL, "회원갑")) == {home("cafe"), home("other")}
            assert await people.places(REHEARSAL, "회원을") == []
            assert (await people.of_member(home("cafe"), "회원갑")).sent == [("general", NOW)]
            async with database.read() as connection:
                hashes = set((await connection.execute(select(messages.c.author_hash))).scalars())
                words = list((await connection.execute(select(messages.c.text_hash))).scalars())
            assert len(hashes) == 2 and None not in hashes, "what two communities know of them cannot be compared"
            assert len(set(words)) == 2 and None not in words, "nor what they said"
            assert await SqlErasing(database).erase_member(home("cafe"), "회원갑")
            found = await everything(database)
            assert words[0] not in found and words[1] in found, "nothing is known again of what they said"
            assert (await people.of_member(home("cafe"), "회원갑")).sent == []
            assert (await people.of_member(home("other"), "회원갑")).sent == [("general", NOW)]

    asyncio.run(scenario())


def test_what_was_done_by_hand_goes_after_a_year_but_for_what_runs(url: str) -> None:
    async def scenario() -> None:
        clock = ManualClock()
        async with opened(url, clock) as (database, here, forgetting):
            known, cafe = SqlCases(database), home("cafe")
            done: tuple[tuple[Action, ...], ...] = ((Warn(),), (Ban(),), (Timeout(DAY),), ())
            for number, actions in enumerate(done):
                member, by = Person(str(number), f"이름 {number}"), Person("9", "지수")
                deed = Order(kind=CaseKind.NOTE, member=member, moderator=by, at=NOW, words="까닭", actions=actions)
                await known.open(cafe, deed)
            planned = await here.outbox.claim(9, now=NOW, platforms=[cafe.platform])
            await here.outbox.record([(one, Done()) for one in planned])
            await known.looked(cafe, Person("9"), Look.CASE, case=1)
            await clock.advance(366 * 86_400)
            await known.end(clock.now(), 9)
            await forgetting.forget(Limits(), clock.now())
            (left,) = await known.find(cafe, Search(), most=9)
            assert (left.number, left.words) == (2, "까닭"), "the ban runs"
            await SqlErasing(database).erase_member(cafe, "1")
            assert await known.find(cafe, Search(), most=9) == [left]

    asyncio.run(scenario())


def test_what_nobody_needs_any_more_goes_with_the_incidents_of_its_time(url: str) -> None:
    """Who changed a setting, keys that were revoked, reports that were sent, what was called wrong or right."""
    clock = ManualClock()

    async def scenario() -> None:
        async with opened(url, clock) as (database, here, forgetting):
            await put_settings(here.communities, replace(Community.blank(home()), preset="strict"), by="바꾼이")
            for name in ("폐기된열쇠", "쓰는열쇠"):
                await here.keys.add(ApiKey(id=name, digest="d", community=home(), name=name, created_at=NOW))
            await here.keys.revoke("폐기된열쇠", NOW)
            number = await incident(here, "1")
            seen = Likeness(letters=b"l" * 16, carries=b"c" * 16, pieces=frozenset({1}))
            ruling = Precedent(
                incident_id=number, ruling=Ruling.WRONG, rules=frozenset(), likeness=seen, until=NOW + 180 * DAY
            )
            review = Review(incident_id=number, call=Call.WRONG, moderator_id="9", moderator_name="달", at=NOW)
            await here.reviews.record(home(), review, due=NOW, precedent=ruling)
            sent = {"community": 1, "kind": "week", "period": "2026-W19", "due": NOW, "size": 0, "state": "done"}
            times = {"attempts": 1, "planned_at": NOW, "finished_at": NOW, "receipt": "보낸보고", "reason": ""}
            async with database.write() as connection:
                await connection.execute(insert(deliveries).values(sent | times))
            words = {"바꾼이", "폐기된열쇠", "쓰는열쇠", "보낸보고", "l" * 16}

            async def left() -> set[str]:
                found = await everything(database)
                return {word for word in words if word.encode() in found}

            await forgetting.forget(Limits(), NOW + 179 * DAY)
            assert await left() == words
            await forgetting.forget(Limits(), NOW + 181 * DAY)
            assert await left() == words - {"l" * 16}
            await forgetting.forget(Limits(), NOW + 366 * DAY)
            assert await left() == {"쓰는열쇠"}
            (now,) = await here.communities.all()
            assert now.preset == "strict"

    asyncio.run(scenario())


def test_the_database_reaches_a_steady_size(tmp_path: Path) -> None:
    clock = ManualClock()
    limits = Limits(authors=DAY, messages=3 * DAY, texts=4 * DAY, cases=6 * DAY)

    async def scenario() -> list[int]:
        pages = []
        async with opened(sqlite_in(tmp_path), clock) as (database, here, forgetting):
            for day in range(24):
                said = [message(f"{day} {number}", "말" * 50, sent_at=clock.now()) for number in range(150)]
                await here.inbox.keep(said)
                decided = [settlement(one, *([Delete()] if not place % 10 else [])) for place, one in enumerate(said)]
                await here.inbox.settle([replace(one, decided_at=clock.now()) for one in decided])
                clock.jump(DAY)
                await replace(retention(forgetting, clock), limits=limits).turn()
                async with database.read() as connection:
                    pages.append((await connection.execute(text("PRAGMA page_count"))).scalar_one())
        return pages

    pages = asyncio.run(scenario())
    assert pages[4] > pages[0] and max(pages[12:]) <= 1.1 * pages[11], pages


def test_a_community_that_left_is_forgotten_and_no_other_is_touched(url: str) -> None:
    clock = ManualClock()

    async def scenario() -> None:
        async with opened(url, clock) as (database, here, forgetting):
            for community in ("cafe", "other"):
                number = await incident(here, community, community=community)
                await call(here, number, Call.UPHOLD, community=community)
                await here.reviews.appeal(home(community), Appeal(incident_id=number, words="왜", at=NOW), (), due=NOW)
                await put_settings(here.communities, replace(Community.blank(home(community)), name=community), by="달")
                await here.inbox.keep([message(f"waits {community}", community=community)])
            left = replace(Community.blank(home("cafe")), left_at=NOW)
            clock.jump(29 * DAY)
            await retention(forgetting, clock, left).turn()
            assert len(await here.communities.all()) == 2
            clock.jump(2 * DAY)
            await retention(forgetting, clock, left).turn()
            assert [one.id for one in await here.communities.all()] == ["other"]
            assert b"cafe" not in await everything(database)
            assert len(await words_of(here)) == 1
            assert list(await here.inbox.keep([message("again", community="cafe")])) == [True], "it may come back"

    asyncio.run(scenario())


async def everything(database: Database) -> bytes:
    found = bytearray()
    async with database.read() as connection:
        for table in metadata.sorted_tables:
            raw = (type_coerce(one, LargeBinary) if isinstance(one.type, Sealed) else one for one in table.c)
            for row in await connection.execute(select(*raw)):
                for value in row:
                    found += (value if isinstance(value, bytes) else str(value).encode()) + b"\n"
    return bytes(found)


WHO = ("회원갑", "회원을", "회원병")
DEEDS = st.lists(
    st.tuples(
        st.sampled_from(WHO),
        st.sampled_from(
            [
                "say",
                "offend",
                "offend and appeal",
                "offend, wrong",
                "wait",
                "moderate",
                "are warned",
                "are muted and freed",
                "warn",
                "look",
                "set",
                "are set",
                "are warned and object",
            ]
        ),
        st.sampled_from(["cafe", "other"]),
    ),
    max_size=12,
)


@settings(max_examples=10)
@given(DEEDS)
def test_of_whoever_is_erased_nothing_is_left_but_hashes(deeds: list[tuple[str, str, str]]) -> None:
    async def scenario(folder: str) -> None:
        async with opened(sqlite_in(Path(folder)), ImpatientClock()) as (database, here, _):
            await database.keys.of_all([home("cafe"), home("other")])
            for number, (who, deed, where) in enumerate(deeds):
                await do(database, here, str(number), who, deed, where)
            others = {one: await here.incidents.history(home("cafe"), one) for one in WHO}
            for community in ("cafe", "other"):
                await SqlErasing(database).erase_member(home(community), WHO[0])
            waiting = await here.inbox.claim(99, fresh_since=NOW)
            await here.inbox.settle([settlement(one) for one in waiting])
            await SqlErasing(database).go_on()
            found = await everything(database)
            assert WHO[0].encode() not in found
            for one in WHO[1:]:
                named = any(who == one and deed not in ("say", "wait") for who, deed, _ in deeds)
                assert (one.encode() in found) == named, "nobody else is, and whose words were fine never was"
            assert {one: await here.incidents.history(home("cafe"), one) for one in WHO} == others, "no way out"
            again = await incident(here, "again", author=WHO[0])
            history = await here.incidents.history(home("cafe"), WHO[0])
            assert history.incidents == others[WHO[0]].incidents + 1 and again

    with TemporaryDirectory() as folder:
        asyncio.run(scenario(folder))


async def do(database: Database, here: Store, id: str, who: str, deed: str, where: str) -> None:
    if deed in ("are warned", "are warned and object", "are muted and freed", "warn", "look", "set", "are set"):
        await do_by_hand(database, here, who, deed, home(where))
        return
    if deed in ("say", "wait"):
        await here.inbox.keep([message(id, f"말 {who}", author=who, community=where)])
        if deed == "say":
            await here.inbox.settle([settlement(message(id, f"말 {who}", author=who, community=where))])
        return
    number = await incident(here, id, author="someone" if deed == "moderate" else who, community=where)
    if deed == "moderate":
        await call(here, number, Call.UPHOLD, who, where)
    if deed == "offend, wrong":
        await call(here, number, Call.WRONG, community=where)
    if deed == "offend and appeal":
        appeal = Appeal(incident_id=number, words=f"저는 {who}", at=NOW)
        await here.reviews.appeal(home(where), appeal, (), due=later(0))


async def do_by_hand(database: Database, here: Store, who: str, deed: str, where: CommunityRef) -> None:
    """As whom it is about, or as the moderator who does it."""
    known, them = SqlCases(database), Person(who, f"이름 {who}")
    other = Person(str(90 + WHO.index(who)), "지수")  # two who do the same to one member do it once
    if deed == "look":
        await known.looked(where, them, Look.HISTORY)
    elif deed == "set":
        await put_settings(here.communities, replace(Community.blank(where), preset="strict"), by=f"이름 {who}")
        await known.looked(where, them, Look.SEARCH)  # whose name is known
    elif deed == "are set":
        await here.communities.change(
            where, lambda one: replace(one, urgent=(*one.urgent, who), exempt_roles=one.exempt_roles | {who}), by="달"
        )
    else:
        member, by = (other, them) if deed == "warn" else (them, other)
        actions: tuple[Action, ...] = (Timeout(DAY),) if deed == "are muted and freed" else (Warn(),)
        kind = CaseKind.MUTE if deed == "are muted and freed" else CaseKind.WARN
        now = here.clock.now()
        order = Order(kind=kind, member=member, moderator=by, at=now, words="까닭", actions=actions)
        case, _ = await known.open(where, order)
        await act(here)
        if deed == "are muted and freed":
            await known.undo(where, case.number, by=by.id, at=here.clock.now())
            await act(here)
        if deed == "are warned and object":
            await known.appeal(where, case.number, who, f"저는 {who}", at=now)
            await act(here)


def test_evidence_that_is_held_is_not_erased_by_who_wrote_it(url: str) -> None:
    clock = ManualClock()

    async def scenario() -> None:
        async with opened(url, clock) as (database, here, forgetting):
            threat, other = await incident(here, "1"), await incident(here, "2")
            await forgetting.hold(home(), threat, NOW + 90 * DAY, "경찰에 신고")
            await SqlErasing(database).erase_member(home(), "minji")
            assert await words_of(here) == {threat: "말 minji 1", other: ""}
            async with database.read() as connection:
                kept = (await connection.execute(select(incidents.c.id).where(incidents.c.author == "minji"))).scalars()
                assert list(kept) == [threat]

    asyncio.run(scenario())
