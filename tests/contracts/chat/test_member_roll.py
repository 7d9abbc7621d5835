"""How much members have said: what every implementation must count, in the very settlement that closes a message."""

import asyncio
from dataclasses import replace

from bot.core.chat.message import Kind, Media
from bot.core.rules.actions import Delete
from bot.core.rules.conditions.author import MOST_FIRST
from tests.builders import NOW, TELEGRAM, home, later, message, settlement
from tests.contracts.stores import Opens

MINJI, DOYUN = (home(), "minji"), (home(), "doyun")


def test_what_a_member_says_is_counted_once_and_outlives_the_process(opens: Opens) -> None:
    async def scenario() -> None:
        said = [message(str(n), sent_at=later(n)) for n in range(3)]
        other = message("x", author="doyun", sent_at=later(9))
        async with opens() as store:
            await store.inbox.keep([*said, other, message("no", author="silent")])
            for _ in range(2):
                await store.inbox.settle([replace(settlement(one), counts_for=1) for one in said])
            await store.inbox.settle([replace(settlement(other), counts_for=MOST_FIRST), settlement(message("no"))])
        async with opens() as store:
            assert await store.members.heard({MINJI, DOYUN, (home(), "silent"), (home("other"), "minji")}) == {
                MINJI: 3, DOYUN: MOST_FIRST
            }  # fmt: skip
            assert await store.members.watched_since({home(), home("other")}) == {home(): NOW}
            more = message("more", author="doyun")
            await store.inbox.keep([more])
            await store.inbox.settle([replace(settlement(more), counts_for=3)])
            assert await store.members.heard([DOYUN]) == {DOYUN: MOST_FIRST}

    asyncio.run(scenario())


def test_members_of_a_group_that_gets_another_id_stay_known(opens: Opens) -> None:
    async def scenario() -> None:
        said = message("1", community="-5", channel="-5", platform=TELEGRAM)
        async with opens() as store:
            await store.inbox.keep([said])
            await store.inbox.settle([replace(settlement(said), counts_for=1)])
            await store.communities.move(home("-5", TELEGRAM), "-1005")
            here = (home("-1005", TELEGRAM), "minji")
            assert await store.members.heard([here]) == {here: 1}

    asyncio.run(scenario())


def test_who_said_the_same_before_is_known_to_who_comes_later(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            said = [
                message("old", "같은 말", sent_at=later(-60)),
                message("1", "같은  말​", media=frozenset({Media.PHOTO}), mentions=50),
                message("2", "같은 말", sent_at=later(5)),
                message("edited", "같은 말", revision=1, kind=Kind.EDIT),
                message("gone", "같은 말", kind=Kind.DELETE),
                message("other", "다른 말"),
                message("jisu", "같은 말", author="jisu"),
                message("elsewhere", "같은 말", community="other"),
                message("nothing", ""),
            ]
            waits = message("waits", "같은 말")
            await store.inbox.keep([*said, waits])
            await store.inbox.settle([settlement(one, *([Delete()] if one is said[2] else [])) for one in said])
        async with opens() as store:
            before, posted, others = await store.members.said_since(NOW)
            assert [at for at, _ in posted(waits)] == [NOW, NOW, NOW, later(5)]
            assert list(posted(message("x", "다른 말"))) == list(posted(waits))
            amounts = sorted((one.messages, one.media, one.lines, one.mentions) for _, one in posted(waits))
            assert amounts == [(1, 0, 0, 0), (1, 0, 1, 0), (1, 0, 1, 0), (1, 1, 1, 50)]
            assert list(before(waits)) == [NOW, later(5)]
            assert list(before(replace(waits, kind=Kind.EDIT))) == [NOW, later(5)]
            for place, who, times in (
                ("cafe", "jisu", 1),
                ("other", "minji", 1),
                ("other", "jisu", 0),
                ("new", "minji", 0),
            ):
                assert len(before(message("x", "같은 말", community=place, author=who))) == times, (place, who)
            assert list(before(message("x", ""))) == []
            assert list(others(waits, ()).values()) == [NOW] and not others(waits, ["jisu"])
            assert sorted(others(message("x", "같은 말", author="new"), ()).values()) == [NOW, later(5)]
            for no in (message("x", ""), message("x", "새 말"), message("x", "같은 말", community="new")):
                assert not others(no, ())

    asyncio.run(scenario())
