"""Whoever asks to be erased is, everywhere and in the end; other processes hear of it; who looked stays on record."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.base.errors import Unavailable
from bot.core.communities.community import Community
from bot.core.incidents.case import CaseKind, Look, Order, Person, Search
from bot.core.incidents.review import Call, Review
from bot.core.operations.erasing import Erased, Forgetful
from bot.core.operations.retention import Limits
from bot.core.reporting.figures import Stored
from bot.core.rules.actions import Delete, Done, Flag, Timeout, Warn
from bot.core.rules.conditions import Explanation
from bot.core.rules.decision import Finding
from bot.core.rules.precedent import Likeness, Precedent, Ruling
from storage.database import Database
from storage.records import erasing as module
from storage.records.deeds import SqlCases
from storage.records.erasing import SqlErasing
from storage.records.forgetting import SqlForgetting
from storage.records.people import SqlPeople
from storage.reports.queries import SqlReportQueries
from tests.adapters.storage.keeping.test_forgetting import DAY, act, call, everything, incident, opened
from tests.builders import NOW, home, later, message, put_settings, settlement
from tests.fakes.clock import ManualClock

CAFE = home()


def order(kind: CaseKind, member: str, moderator: str = "9", *actions: Warn | Timeout, at: int = 0) -> Order:
    return Order(
        kind=kind,
        member=Person(member, f"이름 {member}"),
        moderator=Person(moderator, f"이름 {moderator}"),
        at=later(at),
        words="까닭",
        actions=actions,
    )


def test_what_is_on_record_about_somebody_is_found_wherever_it_is(url: str) -> None:
    async def scenario() -> None:
        async with opened(url, ManualClock()) as (database, here, _):
            people, cases = SqlPeople(database), SqlCases(database)
            await incident(here, "1", community="cafe")
            await here.inbox.keep([message("2", author="minji", community="waits")])
            said = message("3", author="minji", community="heard")
            await here.inbox.keep([said])
            await here.inbox.settle([replace(settlement(said), counts_for=1)])
            await incident(here, "4", author="jisu", community="others")
            await cases.open(CAFE, order(CaseKind.WARN, "minji", "9", Warn()))
            await cases.open(CAFE, order(CaseKind.NOTE, "minji"))
            places = [home(one) for one in ("cafe", "heard", "waits")]
            assert list(await people.places(CAFE.platform, "minji")) == places
            assert list(await people.places(CAFE.platform, "nobody")) == []
            await SqlForgetting(database).forget(limits(), later(8 * 86_400))
            assert home("heard") in await people.places(CAFE.platform, "minji"), "it is counted how much was heard"
            found = await people.of_member(CAFE, "minji")
            assert [one.decision.message.text for one in found.incidents] == ["말 minji 1"]
            assert [(one.kind, one.words) for one in found.deeds] == [(CaseKind.WARN, "까닭")], (
                "notes are moderators' own"
            )

    asyncio.run(scenario())


def test_who_has_only_reported_something_is_found_erased_and_told_nothing(url: str) -> None:
    async def scenario() -> None:
        async with opened(url, ManualClock()) as (database, here, _):
            people, said = SqlPeople(database), message("1", author="jisu", community="cafe")
            shown = await incident(here, "1", author="jisu", community="cafe")
            await here.flags.add(said, "minji", at=NOW)
            assert list(await people.places(CAFE.platform, "minji")) == [CAFE]
            assert [who for _, who in await here.flags.untold(CAFE, shown)] == ["minji"]
            await SqlErasing(database).erase_member(CAFE, "minji")
            assert list(await people.places(CAFE.platform, "minji")) == []
            assert await here.flags.untold(CAFE, shown) == []

    asyncio.run(scenario())


def limits() -> Limits:
    return Limits()


def test_what_had_to_stay_goes_by_itself_when_it_is_over(url: str) -> None:
    clock = ManualClock()

    async def scenario() -> None:
        async with opened(url, clock) as (database, here, forgetting):
            erasing, cases = SqlErasing(database), SqlCases(database)
            held = await incident(here, "held", author="회원갑")
            await forgetting.hold(CAFE, held, NOW + 30 * DAY, "경찰에 신고")
            open_ = message("open", "말 회원갑", author="회원갑")
            await here.inbox.keep([open_])
            await here.inbox.settle([settlement(open_, Delete())])
            await cases.open(CAFE, order(CaseKind.MUTE, "회원갑", "9", Timeout(2 * DAY)))
            planned = await here.outbox.claim(9, now=clock.now(), platforms=[CAFE.platform])
            deed = [one for one in planned if one.case]
            await here.outbox.record([(one, Done()) for one in deed])
            first = await erasing.erase_member(CAFE, "회원갑")
            assert first and first.left == 3
            await here.outbox.record([(one, Done()) for one in planned if not one.case])
            await erasing.go_on()
            assert "회원갑".encode() in await everything(database)
            clock.jump(3 * DAY)
            await cases.end(clock.now(), 9)
            await erasing.go_on()
            again = await erasing.erase_member(CAFE, "회원갑")
            assert again and (again.code, again.left) == (first.code, 1), "one receipt until all is gone"
            clock.jump(30 * DAY)
            assert await erasing.go_on()
            assert "회원갑".encode() not in await everything(database)
            assert await erasing.go_on() == 0

    asyncio.run(scenario())


def test_nobody_gets_round_being_judged_or_looked_at_by_being_erased(url: str) -> None:
    """What waits is judged, and what is said afterwards stays for the moderators, while evidence of before is held."""
    clock = ManualClock()

    async def scenario() -> None:
        async with opened(url, clock) as (database, here, forgetting):
            erasing = SqlErasing(database)
            held = await incident(here, "held", author="회원갑")
            await forgetting.hold(CAFE, held, NOW + 90 * DAY, "경찰에 신고")
            waits = message("waits", "기다리는 말", author="회원갑", sent_at=clock.now())
            await here.inbox.keep([waits])
            asked = await erasing.erase_member(CAFE, "회원갑")
            assert asked and asked.left == 2
            (claimed,) = await here.inbox.claim(9, fresh_since=NOW)
            assert claimed.text == "기다리는 말"
            await here.inbox.settle([settlement(claimed, Delete())])
            await act(here)
            clock.jump(DAY)
            later_ = await incident(here, "later", author="회원갑")
            await erasing.go_on()
            found = {one.id: one.decision.message for one in await here.incidents.between(NOW, clock.now() + DAY)}
            assert {one.text for one in found.values()} == {"말 회원갑 held", "", "말 회원갑 later"}
            assert found[later_].author.id == "회원갑"

    asyncio.run(scenario())


def test_an_erasure_that_was_broken_off_is_gone_on_with(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    async def killed(*_: object) -> None:
        raise Killed

    async def scenario() -> None:
        async with opened(url, ManualClock()) as (database, here, _):
            await incident(here, "1", author="회원갑")
            with monkeypatch.context() as patched, pytest.raises(Killed):
                patched.setattr(module, "without_texts", killed)
                await SqlErasing(database).erase_member(CAFE, "회원갑")
            assert "회원갑".encode() in await everything(database)
            assert await SqlErasing(database).go_on()
            assert "회원갑".encode() not in await everything(database)

    asyncio.run(scenario())


def test_another_process_hears_whom_it_is_to_forget(url: str) -> None:
    clock = ManualClock()

    async def scenario() -> None:
        async with opened(url, clock) as (database, here, _):
            number = await incident(here, "1", author="minji")
            await incident(here, "2", author="minji", community="other")
            heard, drawn = list[Erased](), list[tuple[object, int]]()
            forgetful = Forgetful(
                erasing=SqlErasing(database),
                memories=(heard.append,),
                changed=lambda *what: drawn.append(what),
                clock=clock,
            )
            await forgetful.follow()
            async with Database.visit(url, clock) as elsewhere:
                await SqlErasing(elsewhere).erase_member(CAFE, "minji")
            await forgetful.follow()
            await forgetful.follow()
            (erased,) = heard
            assert erased.community == CAFE and erased.is_theirs("minji") and not erased.is_theirs("jisu")
            assert drawn == [(CAFE, number)], "cards of theirs are drawn anew, once"
            async with Database.visit(url, clock) as elsewhere:
                await SqlErasing(elsewhere).erase_community(home("other"))
            await forgetful.follow()
            assert heard[-1].community == home("other") and heard[-1].is_theirs("anybody")

    asyncio.run(scenario())


def test_what_was_called_wrong_or_right_of_theirs_speaks_for_nothing_any_more(url: str) -> None:
    async def scenario() -> None:
        async with opened(url, ManualClock()) as (database, here, _):
            number = await incident(here, "1", author="minji")
            seen = Likeness(letters=b"l" * 16, carries=b"c" * 16, pieces=frozenset({1}))
            ruling = Precedent(
                incident_id=number, ruling=Ruling.WRONG, rules=frozenset({"insult"}), likeness=seen, until=later(10**6)
            )
            made = review(number)
            await here.reviews.record(CAFE, made, due=NOW, precedent=ruling)
            await act(here)
            assert await here.precedents.of(CAFE)
            await SqlErasing(database).erase_member(CAFE, "minji")
            assert await here.precedents.of(CAFE) == []
            assert [one for *_, one in await here.precedents.since(NOW)] == [None], "other processes hear of it"
            assert b"l" * 16 not in await everything(database)

    asyncio.run(scenario())


def review(number: int) -> Review:
    return Review(incident_id=number, call=Call.WRONG, moderator_id="9", moderator_name="지수", at=NOW)


def test_a_moderator_who_is_erased_is_told_to_have_looked(url: str) -> None:
    """And leaves neither number nor name: in calls, deeds and changed settings."""

    async def scenario() -> None:
        async with opened(url, ManualClock()) as (database, here, _):
            cases, who = SqlCases(database), Person("운영갑", "이름 운영갑")
            number = await incident(here, "1", author="minji")
            await call(here, number, Call.UPHOLD, "운영갑")
            await cases.open(CAFE, order(CaseKind.WARN, "minji", "운영갑", Warn()))
            await put_settings(here.communities, replace(Community.blank(CAFE), preset="strict"), by="이름 운영갑")
            await cases.looked(CAFE, who, Look.REVEAL, incident=number)
            await cases.looked(CAFE, Person("9", "지수"), Look.HISTORY)
            assert {one.by for one in await cases.looks(CAFE, most=9)} == {who, Person("9", "지수")}
            await act(here)
            await SqlErasing(database).erase_member(CAFE, "운영갑")
            assert "운영갑".encode() not in await everything(database)
            (look,) = [one for one in await cases.looks(CAFE, most=9) if one.what is Look.REVEAL]
            assert look.by.id.startswith("erased-") and look.case == 1
            (deed,) = await cases.find(CAFE, Search(kind=CaseKind.WARN), most=9)
            assert (deed.words, deed.member.name, deed.moderator) == ("까닭", "이름 minji", Person(""))
            assert await cases.looks(home("other"), most=9) == []

    asyncio.run(scenario())


def test_the_report_says_what_is_still_stored(url: str) -> None:
    clock = ManualClock()

    async def scenario() -> None:
        async with opened(url, clock) as (database, here, forgetting):
            queries = SqlReportQueries(database)
            held, plain = await incident(here, "1"), await incident(here, "2")
            await incident(here, "3", community="other")
            assert await forgetting.hold(CAFE, held, NOW + 90 * DAY, "신고")
            assert (await queries.figures(CAFE, NOW, NOW + DAY)).stored == Stored(texts=2, oldest=NOW, held=1)
            await forgetting.forget_texts([plain])
            assert (await queries.figures(CAFE, NOW, NOW + DAY)).stored == Stored(texts=1, oldest=NOW, held=1)

    asyncio.run(scenario())


def test_the_weekly_report_counts_who_looked_at_what(url: str) -> None:
    clock = ManualClock()

    async def scenario() -> None:
        async with opened(url, clock) as (database, here, _):
            cases = SqlCases(database)
            number = await incident(here, "1")
            for by, what in (("달", Look.REVEAL), ("해", Look.REVEAL), ("달", Look.HISTORY), ("달", Look.REVEAL)):
                await cases.looked(CAFE, Person(by, f"{by}님"), what, incident=number)
            await cases.looked(home("other"), Person("달", "달님"), Look.REVEAL)
            found = (await SqlReportQueries(database).figures(CAFE, NOW, NOW + DAY)).looks
            assert [(one.moderator, dict(one.looks)) for one in found] == [
                ("달님", {Look.REVEAL: 2, Look.HISTORY: 1}),
                ("해님", {Look.REVEAL: 1}),
            ]
            clock.jump(timedelta(days=366))
            await SqlForgetting(database).forget(limits(), clock.now())
            assert await cases.looks(CAFE, most=9) == []

    asyncio.run(scenario())


def test_no_setting_names_whoever_is_erased_now_or_before(url: str) -> None:
    """Nor what was set before, nor who says so; other processes hear of it as of any change."""

    async def scenario() -> None:
        async with opened(url, ManualClock()) as (database, here, _):
            one = here.communities
            first = await one.change(CAFE, lambda now: replace(now, urgent=("회원갑", "지수")), by="달")
            await one.change(CAFE, lambda now: replace(now, exempt_roles=frozenset({"회원갑", "운영진"})), by="달")
            await one.change(CAFE, lambda now: replace(now, exempt_roles=frozenset({"회원갑"})), by="달")
            last = await one.change(CAFE, lambda now: replace(now, bot_owners={"robot": "회원갑"}), by="달")
            await one.change(home("other"), lambda now: replace(now, urgent=("회원갑",)), by="달")
            await SqlErasing(database).erase_member(CAFE, "회원갑")
            (now,) = [found for found in (await one.since(last.version)).communities if found.ref == CAFE]
            assert (now.urgent, now.exempt_roles, now.bot_owners) == (("지수",), frozenset(), {})
            assert now.version > last.version > first.version
            await SqlErasing(database).erase_member(home("other"), "회원갑")
            found = await everything(database)
            assert "회원갑".encode() not in found and "지수".encode() in found and "운영진".encode() in found

    asyncio.run(scenario())


def test_who_changes_what_another_process_has_just_erased_tries_again(url: str) -> None:
    clock = ManualClock()

    async def scenario() -> None:
        async with opened(url, clock) as (_, here, _):
            await put_settings(here.communities, replace(Community.blank(CAFE), preset="strict"), by="달")
            async with Database.visit(url, clock) as elsewhere:
                assert await SqlErasing(elsewhere).erase_community(CAFE)
            with pytest.raises(Unavailable):
                await put_settings(here.communities, replace(Community.blank(CAFE), preset="relaxed"), by="달")
            await put_settings(here.communities, replace(Community.blank(CAFE), preset="relaxed"), by="달")
            assert [one.preset for one in await here.communities.all()] == ["relaxed"]

    asyncio.run(scenario())


def test_whoever_is_erased_is_named_in_nobody_elses_incident_and_its_card_is_drawn_anew(url: str) -> None:
    async def scenario() -> None:
        async with opened(url, ManualClock()) as (database, here, _):
            said = message("1", author="minji", text="너야말로")
            quarrel = Finding("quarrel", True, Explanation("quarrel", {"other": "jisu", "times": 3}))
            decided = settlement(said, Flag())
            await here.inbox.keep([said])
            await here.inbox.settle([replace(decided, decision=replace(decided.decision, findings=(quarrel,)))])
            (found,) = await here.incidents.of([said.ref])
            assert found.decision.other == "jisu"
            assert await SqlPeople(database).places(CAFE.platform, "jisu") == [CAFE]
            erasing = SqlErasing(database)
            await here.clock.advance(1)
            receipt = await erasing.erase_member(CAFE, "jisu")
            assert receipt and receipt.rows == 1
            (left,) = await here.incidents.of([said.ref])
            assert left.decision.other == "" and left.decision.message == said, "what the author said is the author's"
            (erased,) = await erasing.since(NOW)
            assert list(erased.incidents) == [found.id]

    asyncio.run(scenario())
