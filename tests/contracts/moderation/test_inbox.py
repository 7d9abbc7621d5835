"""Inbox: what every implementation must do."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.core.chat.message import Author, Kind, Message
from bot.core.communities.journal import Aside, Tally
from bot.core.guarding.verdict import Unscreened
from bot.core.incidents.incident import Settlement
from bot.core.rules.actions import Delete, Done, Flag, Gone, Refused
from tests.builders import EVERYWHERE, GUARD, NOW, decision, home, later, message, settlement
from tests.contracts.stores import Opens, Store


def ids(messages: Sequence[Message]) -> list[str]:
    return [message.ref.message_id for message in messages]


async def claim(store: Store, limit: int = 100, fresh_since: datetime = NOW) -> Sequence[Message]:
    return await store.inbox.claim(limit, fresh_since=fresh_since)


def test_a_revision_is_kept_once(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            first, edited = message("1"), message("1", revision=1, kind=Kind.EDIT)
            assert list(await store.inbox.keep([first, message("2"), first])) == [True, True, False]
            assert list(await store.inbox.keep([first, edited])) == [False, True]
        async with opens() as store:
            assert list(await store.inbox.keep([edited, message("2")])) == [False, False]
            assert list(await store.inbox.keep([])) == []

    asyncio.run(scenario())


def test_the_first_content_of_a_revision_stays(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await store.inbox.keep([message("1", "처음")])
            await store.inbox.keep([message("1", "나중")])
            assert [kept.text for kept in await claim(store)] == ["처음"]

    asyncio.run(scenario())


def test_of_keeps_that_come_together_one_wins(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            both = [message("1"), message("2")]
            answers = await asyncio.gather(*(store.inbox.keep(both) for _ in range(20)))
            assert [sum(answer[0] for answer in answers), sum(answer[1] for answer in answers)] == [1, 1]

    asyncio.run(scenario())


def test_what_was_kept_comes_out_as_it_went_in(opens: Opens) -> None:
    full = message(
        "1",
        "줄\n바꿈 \0 😀 ' \" \\ 끝",
        author="7",
        sent_at=later(0.123456),
        reply_to="0",
        prompt="질문",
        mentions=3,
        filtered="낱말",
        extra={"thread": "9", "빈 값": ""},
    )
    member = Author(id="7", name="민지", roles=frozenset({"moderator", "회원"}), bot=True, myself=True, since=later(-9))
    full = Message(**{name: getattr(full, name) for name in Message.__dataclass_fields__} | {"author": member})

    async def scenario() -> None:
        async with opens() as store:
            await store.inbox.keep([full])
        async with opens() as store:
            assert list(await claim(store)) == [full]

    asyncio.run(scenario())


def test_a_leased_message_is_not_handed_out_again_before_its_holder_has_gone(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await store.inbox.keep([message(str(number), sent_at=later(number)) for number in range(5)])
            assert ids(await claim(store, 2)) == ["3", "4"]
            assert ids(await claim(store, 2)) == ["1", "2"]
            await store.inbox.settle([settlement(message("4"))])
        async with opens() as store:
            assert ids(await claim(store)) == ["0", "1", "2", "3"]
            assert ids(await claim(store)) == []

    asyncio.run(scenario())


def test_claims_that_come_together_share_the_messages_out(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await store.inbox.keep([message(str(number)) for number in range(100)])
            claimed = await asyncio.gather(*(claim(store, 15) for _ in range(10)))
            assert sorted(int(one) for some in claimed for one in ids(some)) == list(range(100))

    asyncio.run(scenario())


def test_fresh_messages_go_first_and_old_ones_follow(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await store.inbox.keep(
                [message("fresh later", sent_at=later(5)), message("old", sent_at=later(-60)), message("fresh")]
            )
            assert ids(await claim(store)) == ["fresh", "fresh later", "old"]

    asyncio.run(scenario())


def test_communities_take_turns_and_of_one_the_newest_go_in_the_order_of_their_sending(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await store.inbox.keep([message(f"a{n}", community="a", sent_at=later(n)) for n in reversed(range(20))])
            await store.inbox.keep([message(f"b{n}", community="b", sent_at=later(100 + n)) for n in range(3)])
            await store.inbox.keep([message("c0", community="c", sent_at=later(200))])
            assert ids(await claim(store, 8)) == ["a16", "b0", "c0", "a17", "b1", "a18", "b2", "a19"]
            assert ids(await claim(store, 3)) == ["a13", "a14", "a15"]

    asyncio.run(scenario())


def test_turns_go_on_from_one_claim_to_the_next(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await store.inbox.keep([message(f"a{n}", community="a", sent_at=later(n)) for n in range(5)])
            await store.inbox.keep([message(f"b{n}", community="b", sent_at=later(100 + n)) for n in range(5)])
            assert [ids(await claim(store, 1)) for _ in range(4)] == [["a4"], ["b4"], ["a3"], ["b3"]]

    asyncio.run(scenario())


def test_a_message_is_settled_once(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            bad, good = message("1"), message("2")
            await store.inbox.keep([bad, good])
            await claim(store)
            assert list(await store.inbox.settled([good.ref, bad.ref])) == [False, False]
            await store.inbox.settle([settlement(bad, Delete()), settlement(bad, Flag())])
            await store.inbox.settle([settlement(bad, Flag())])
            assert list(await store.inbox.settled([good.ref, bad.ref])) == [False, True]
            await store.inbox.settle([settlement(good)])
            await store.inbox.settle([settlement(good, Flag()), settlement(message("3"), Flag())])
            assert list(await store.inbox.settled([message("3").ref, good.ref])) == [False, True]
            (incident,) = await store.incidents.between(NOW, later(1))
            assert incident.decision.actions == (Delete(),)
        async with opens() as store:
            assert list(await claim(store)) == []
            assert await store.inbox.tally(NOW, later(1)) == Tally(kept=2, settled=2)

    asyncio.run(scenario())


def test_settlements_that_come_together_open_one_incident(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            await store.inbox.keep([message("1")])
            await asyncio.gather(*(store.inbox.settle([settlement(message("1"), Flag())]) for _ in range(10)))
            assert len(await store.incidents.between(NOW, later(1))) == 1
            assert len(await store.outbox.claim(100, now=NOW, platforms=EVERYWHERE)) == 1

    asyncio.run(scenario())


def test_only_an_incident_keeps_its_text(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            bad, good = message("1", "나쁜 말"), message("2", "좋은 말", sent_at=later(1), prompt="질문")
            waiting = message("3", "기다리는 말", sent_at=later(2))
            await store.inbox.keep([bad, good, waiting])
            await store.inbox.settle([settlement(bad, Flag()), settlement(good)])
            await store.inbox.settle([settlement(bad)])  # too late to be innocent
            known = await store.inbox.recent(NOW)
            assert ids(known) == ["1", "2", "3"]
            assert [one.text for one in known] == ["나쁜 말", "", "기다리는 말"]
            assert known[1].prompt is None
            assert known[1].author.id == "", "nor who it is by"
            assert ids(await store.inbox.recent(later(1))) == ["2", "3"]

    asyncio.run(scenario())


def test_an_incident_knows_its_author_as_they_were_met(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            kept = message("1", "나쁜 말")
            kept = replace(kept, author=replace(kept.author, roles=frozenset(), unmet=True))
            author = Author(id=kept.author.id, name="민지", roles=frozenset({"회원"}), since=NOW)
            met = replace(kept, author=author)
            await store.inbox.keep([kept])
            assert list(await claim(store)) == [kept]
            await store.inbox.settle([settlement(met, Flag())])
        async with opens() as store:
            (incident,) = await store.incidents.of([kept.ref])
            assert incident.decision.message == met

    asyncio.run(scenario())


def test_a_tally_counts_what_was_sent_from_the_start_to_before_the_end(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            some = [message(str(number), community="ab"[number % 2], sent_at=later(number)) for number in range(6)]
            await store.inbox.keep(some)
            await store.inbox.settle([settlement(some[1]), settlement(some[2], Flag()), settlement(some[5])])
            assert await store.inbox.tally(later(1), later(5)) == Tally(kept=4, settled=2)
            assert await store.inbox.tally(later(1), later(5), home("a")) == Tally(kept=2, settled=1)
            assert await store.inbox.tally(later(1), later(5), home("nobody")) == Tally(kept=0, settled=0)

    asyncio.run(scenario())


def test_a_deletion_withdraws_the_incidents_of_its_message(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            first, edit = message("1"), message("1", revision=1, kind=Kind.EDIT)
            other, gone = message("2"), message("1", "", revision=2, kind=Kind.DELETE, sent_at=later(30))
            again = message("1", "", revision=3, kind=Kind.DELETE, sent_at=later(40))
            elsewhere = message("1", channel="other")
            await store.inbox.keep([first, edit, other, elsewhere, gone, again])
            await store.inbox.settle([settlement(one, Flag()) for one in (first, edit, other, elsewhere)])
            await store.inbox.settle([settlement(gone)])
            await store.inbox.settle([settlement(again)])
            found = await store.incidents.of([first.ref, edit.ref, other.ref, elsewhere.ref])
            assert [incident.withdrawn_at for incident in found] == [later(30), later(30), None, None]

    asyncio.run(scenario())


def test_an_incident_settled_after_the_deletion_is_withdrawn_too(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            early, late = message("1"), message("2")
            await store.inbox.keep([early, late])
            await store.inbox.keep([message(id_, "", revision=9, kind=Kind.DELETE, sent_at=later(5)) for id_ in "12"])
            await store.inbox.settle([settlement(message("1", revision=9, kind=Kind.DELETE))])
            await store.inbox.settle([settlement(early, Flag())])
            await store.inbox.settle([settlement(message("2", revision=9, kind=Kind.DELETE)), settlement(late, Flag())])
            found = await store.incidents.of([early.ref, late.ref])
            assert [incident.withdrawn_at for incident in found] == [later(5), later(5)]

    asyncio.run(scenario())


def test_what_we_deleted_ourselves_was_not_withdrawn(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            ours, just_now, theirs, not_yet = (message(id_) for id_ in "1234")
            await store.inbox.keep([ours, just_now, theirs, not_yet])
            await store.inbox.settle([settlement(one, Delete()) for one in (ours, just_now, theirs, not_yet)])
            first, _, third = await store.outbox.claim(3, now=NOW, platforms=EVERYWHERE)
            await store.outbox.record([(first, Done()), (third, Gone())])
            gone = [message(id_, "", revision=1, kind=Kind.DELETE, sent_at=later(5)) for id_ in "1234"]
            await store.inbox.keep(gone)
            await store.inbox.settle([settlement(one) for one in gone])
            found = await store.incidents.of([ours.ref, just_now.ref, theirs.ref, not_yet.ref])
            assert [incident.withdrawn_at for incident in found] == [None, None, later(5), later(5)]

    asyncio.run(scenario())


def test_what_waits_is_counted(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            assert await store.inbox.waiting() == 0
            await store.inbox.keep([message("1"), message("2"), message("3")])
            await claim(store, 1)
            assert await store.inbox.waiting() == 3
            await store.inbox.settle([settlement(message("1")), settlement(message("2"), Delete())])
            assert await store.inbox.waiting() == 1

    asyncio.run(scenario())


def test_where_more_comes_than_is_taken_most_are_taken_at_once(opens: Opens) -> None:
    """Six arrive while five are taken, for an hour and more: what is taken is not always just as old as `fresh`."""

    async def scenario() -> None:
        async with opens() as store:
            ages = []
            for minute in range(90):
                now = later(minute * 60)
                await store.inbox.keep([message(f"{minute}-{n}", sent_at=now, community=f"c{n % 2}") for n in range(6)])
                taken = await claim(store, 5, now - timedelta(minutes=10))
                await store.inbox.settle([settlement(one) for one in taken])
                ages += [now - one.sent_at for one in taken]
            assert len(ages) == 5 * 90, "and as many are taken"
            assert sum(age == timedelta(0) for age in ages) > 0.9 * len(ages)

    asyncio.run(scenario())


def test_what_is_set_aside_is_looked_at_again_and_only_then(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            some = [message(str(number), sent_at=later(number), channel=f"c{number % 2}") for number in range(4)]
            await store.inbox.keep([*some, message("other", community="elsewhere")])
            await claim(store)
            await store.inbox.set_aside([one.ref for one in some])
            assert ids(await claim(store)) == [] and await store.inbox.waiting() == 5
            assert await store.inbox.tally(NOW, later(9)) == Tally(kept=5, settled=0)
        async with opens() as store:
            assert ids(await claim(store)) == ["other"]
            assert ids(await store.inbox.look_again(10, sent_before=later(2))) == ["1", "0"]
            assert ids(await store.inbox.look_again(1, sent_before=later(9))) == ["3"]
            await store.inbox.set_aside([some[3].ref])
            assert ids(await store.inbox.look_again(10, sent_before=later(9))) == ["3", "2"]
            assert [one.text for one in some] == ["안녕하세요"] * 4
            away = Unscreened("the guard is away", GUARD)
            unjudged = Settlement(decision=decision(some[0], screening=away), decided_at=NOW)
            await store.inbox.settle([unjudged, settlement(some[1])])
            assert await store.inbox.were_aside(NOW) == {home(): Aside(4, 2, 1)}
            assert await store.inbox.were_aside(later(1)) == {}
            assert await store.inbox.tally(NOW, later(9)) == Tally(kept=5, settled=2)

    asyncio.run(scenario())


@pytest.mark.parametrize("odd", ["\0", "\ud83d"])
def test_what_no_database_can_store_keeps_no_neighbour_from_being_kept(opens: Opens, odd: str) -> None:
    async def scenario() -> None:
        async with opens() as store:
            author = Author(id=f"u{odd}", name=f"봇{odd}", bot=True)
            poison = replace(
                message(f"1{odd}", "답", community=f"c{odd}"), author=author, reply_to=odd, extra={odd: odd}
            )
            assert list(await store.inbox.keep([message("2"), poison, message("3")])) == [True, True, True]
            claimed = await claim(store)
            assert len(claimed) == 3
            await store.inbox.settle([settlement(one, Flag()) for one in claimed])
            (planned, *_) = await store.outbox.claim(10, now=NOW, platforms=EVERYWHERE)
            await store.outbox.record([(planned, Refused(f"no{odd}"))])
            assert await store.inbox.waiting() == 0

    asyncio.run(scenario())


def test_however_many_communities_wait_each_has_its_turn(opens: Opens) -> None:
    """Claims of fewer messages than there are communities, which cannot look at all of them each time."""

    async def scenario() -> None:
        async with opens() as store:
            old = [message(str(number), sent_at=later(-3600), community=f"c{number:02}") for number in range(40)]
            await store.inbox.keep(old)
            first = await claim(store, 7)
            assert len(first) == 7
            await store.inbox.keep([message("fresh", community="c39")])
            taken = await claim(store, 7)
            assert "fresh" in ids(taken), "what is fresh does not wait behind everybody's backlog"
            seen = [*first, *taken]
            while more := await claim(store, 7):
                seen += more
            assert sorted(ids(seen)) == sorted([*ids(old), "fresh"])
            await store.inbox.settle([settlement(one) for one in seen[:3]])
            assert await store.inbox.waiting() == 38 and not await claim(store)

    asyncio.run(scenario())
