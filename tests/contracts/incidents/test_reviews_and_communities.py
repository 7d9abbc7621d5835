"""Reviews, members' records and communities' settings: what every implementation must do."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.chat.message import CommunityRef, MessageRef
from bot.core.communities.community import Community
from bot.core.communities.hours import Hours, Night
from bot.core.incidents.review import (
    APPEALS_WITHIN,
    MOST_APPEALS,
    TAKEN_FOR,
    TIMEOUT,
    Appeal,
    Call,
    Filed,
    History,
    Review,
)
from bot.core.rules.actions import (
    Action,
    Answer,
    Ban,
    CalledOff,
    Delete,
    DeletePost,
    Done,
    Flag,
    Notice,
    Outcome,
    Refused,
    Restore,
    Timeout,
    Unsanction,
    Warn,
)
from bot.core.rules.policy import Watch
from tests.builders import DISCORD, EVERYWHERE, NOW, REHEARSAL, TELEGRAM, home, later, message, put_settings, settlement
from tests.contracts.stores import Opens, Store

HERE, GROUP = home(), CommunityRef(TELEGRAM, "-5")


async def incident(store: Store, number: str = "1", *planned: Action) -> int:
    await store.inbox.keep([message(number)])
    await store.inbox.settle([settlement(message(number), *(planned or (Delete(),)))])
    (opened,) = await store.incidents.of([message(number).ref])
    return opened.id


def review(incident_id: int, call: Call, moderator: str = "dal") -> Review:
    return Review(incident_id=incident_id, call=call, moderator_id=moderator, moderator_name=moderator, at=later(5))


async def done(store: Store, number: int) -> Sequence[tuple[Action, Outcome | None]]:
    opened = await store.incidents.get(HERE, number)
    assert opened
    return list(opened.outcomes)


def test_of_two_calls_that_close_a_review_one_counts(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            number = await incident(store)
            wrong, ban = review(number, Call.WRONG), review(number, Call.BAN, "byul")
            (deleted,) = await store.outbox.claim(10, now=NOW, platforms=EVERYWHERE)
            await store.outbox.record([(deleted, Done())])
            answers = await asyncio.gather(
                store.reviews.record(HERE, wrong, due=NOW), store.reviews.record(HERE, ban, due=NOW)
            )
            assert sorted(answers, key=repr) in ([None, wrong], [None, ban], [wrong, None], [ban, None])
            opened = await store.incidents.get(HERE, number)
            assert opened and opened.review in (wrong, ban)
            follows = [Restore()] if opened.review == wrong else [Warn(), Ban()]
            assert [action for action, _ in opened.outcomes] == [Delete(), *follows]
            assert [one.action for one in await store.outbox.claim(10, now=NOW, platforms=EVERYWHERE)] == follows

    asyncio.run(scenario())


def test_what_is_called_wrong_before_it_was_done_is_never_done(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            number = await incident(store, "1", Delete(), Notice(), Timeout(timedelta(minutes=5)), Warn(), Flag())
            other = await incident(store, "2", Delete())
            assert await store.reviews.record(HERE, review(number, Call.WRONG), due=NOW) is None
            assert await store.reviews.record(HERE, review(other, Call.RIGHT), due=NOW) is None
            assert await done(store, number) == [
                (Delete(), CalledOff()), (Notice(), CalledOff()), (Timeout(timedelta(minutes=5)), CalledOff()),
                (Warn(), CalledOff()), (Flag(), None),
            ]  # fmt: skip
            planned = await store.outbox.claim(10, now=NOW, platforms=EVERYWHERE)
            assert [one.action for one in planned] == [Delete(), Flag()]

    asyncio.run(scenario())


def test_what_is_called_wrong_while_it_is_being_done_is_undone_afterwards(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            number = await incident(store, "1", Delete(), Notice(), Ban(), Warn())
            delete, notice, ban, warn = await store.outbox.claim(10, now=NOW, platforms=EVERYWHERE)
            assert await store.reviews.record(HERE, review(number, Call.WRONG), due=NOW) is None
            # Nothing is undone before it was done.
            assert await store.outbox.claim(10, now=NOW, platforms=EVERYWHERE) == []
            for _ in range(2):
                await store.outbox.record([(ban, Refused("ban_members")), (delete, Done())])
            await store.outbox.record([(notice, Done("1/2")), (warn, Done())])
            undone = await store.outbox.claim(10, now=store.clock.now(), platforms=EVERYWHERE)
            assert [one.action for one in undone] == [Restore(), DeletePost("1/2")]
            assert await done(store, number) == [
                (Delete(), Done()), (Notice(), Done("1/2")), (Ban(), Refused("ban_members")), (Warn(), Done()),
                (Restore(), None), (DeletePost("1/2"), None),
            ]  # fmt: skip

    asyncio.run(scenario())


def test_what_is_called_wrong_and_comes_back_is_not_tried_again(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            number = await incident(store, "1", Delete(), Ban())
            delete, _ = await store.outbox.claim(10, now=NOW, platforms=EVERYWHERE)
            assert await store.reviews.record(HERE, review(number, Call.WRONG), due=NOW) is None
            await store.outbox.postpone(delete, NOW)
            assert await done(store, number) == [(Delete(), CalledOff()), (Ban(), None)]
        async with opens() as store:  # who had the other one in hand is no more
            assert await done(store, number) == [(Delete(), CalledOff()), (Ban(), CalledOff())]
            assert await store.outbox.claim(10, now=NOW, platforms=EVERYWHERE) == []

    asyncio.run(scenario())


def test_whichever_comes_first_the_call_or_the_outcome_it_is_undone_once(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            numbers = [await incident(store, str(place), Delete(), Ban()) for place in range(20)]
            taken = await store.outbox.claim(100, now=NOW, platforms=EVERYWHERE)
            finished = [store.outbox.record([(one, Done())]) for one in reversed(taken)]
            called = [store.reviews.record(HERE, review(number, Call.WRONG), due=NOW) for number in numbers]
            await asyncio.gather(*finished[:20], *called, *finished[20:])
            for number in numbers:
                follows = [action for action, _ in await done(store, number)][2:]
                assert sorted(action.kind for action in follows) == ["lift", "restore"]

    asyncio.run(scenario())


def test_a_later_call_overrules_and_both_stay_on_record(opens: Opens) -> None:
    """Discord review, H2; Telegram review, B17."""

    async def scenario() -> None:
        async with opens() as store:
            number = await incident(store, "1", Delete())
            (delete,) = await store.outbox.claim(10, now=NOW, platforms=EVERYWHERE)
            await store.outbox.record([(delete, Done())])
            ban = review(number, Call.BAN)
            wrong = replace(review(number, Call.WRONG, "byul"), at=later(3600))
            assert await store.reviews.record(HERE, ban, due=NOW) is None
            warn, banned = await store.outbox.claim(10, now=NOW, platforms=EVERYWHERE)
            assert (warn.action, banned.action) == (Warn(), Ban())
            await store.outbox.record([(warn, Done()), (banned, Done())])
            appeal = Appeal(incident_id=number, words="억울해요", at=later(60))
            assert await store.reviews.appeal(HERE, appeal, [], due=NOW)
            upheld = replace(ban, call=Call.UPHOLD, at=later(120))
            assert await store.reviews.record(HERE, upheld, due=NOW) is None
            opened = await store.incidents.get(HERE, number)
            assert opened and opened.review == ban, "what was upheld still counts"
            assert await store.reviews.record(HERE, wrong, due=NOW) is None
            opened = await store.incidents.get(HERE, number)
            assert opened and opened.review == wrong
            follows = [action for action, _ in opened.outcomes]
            assert follows == [
                Delete(), Warn(), Ban(), Answer(accepted=False), Restore(), Unsanction(), Answer(accepted=True)
            ]  # fmt: skip
            assert await done(store, number) == list(opened.outcomes)
            record = await store.incidents.history(HERE, "minji")
            assert (record.upheld, record.overturned) == (0, 1)
            others = await store.incidents.history(HERE, "minji", besides=[number])
            assert (others.incidents, others.overturned, others.last_at) == (0, 0, None), "a first offender on a card"

    asyncio.run(scenario())


def test_the_next_step_comes_when_the_one_before_is_done(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            number = await incident(store, "1", Delete(), Ban())
            first = await store.outbox.claim(10, now=NOW, platforms=EVERYWHERE)
            await store.outbox.record([(one, Done()) for one in first])
            assert await store.reviews.record(HERE, review(number, Call.TIMEOUT), due=NOW) is None
            warn, lift = await store.outbox.claim(10, now=NOW, platforms=EVERYWHERE)
            assert (warn.action, lift.action) == (Warn(), Unsanction())
            await store.outbox.record([(lift, Done())])
            (timeout,) = await store.outbox.claim(10, now=store.clock.now(), platforms=EVERYWHERE)
            assert timeout.action == Timeout(TIMEOUT)
            await store.outbox.record([(timeout, Refused("no")), (warn, Done())])
            assert await store.outbox.claim(10, now=store.clock.now(), platforms=EVERYWHERE) == []

    asyncio.run(scenario())


def test_an_escalation_leaves_the_review_open(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            number = await incident(store)
            for _ in range(2):
                assert await store.reviews.record(HERE, review(number, Call.ESCALATE), due=NOW) is None
            assert await store.reviews.record(HERE, review(number, Call.RIGHT), due=NOW) is None
            opened = await store.incidents.get(HERE, number)
            assert opened and opened.review == review(number, Call.RIGHT)
            assert await store.incidents.get(HERE, number + 1000) is None

    asyncio.run(scenario())


def test_of_two_appeals_the_first_counts_and_decides_nothing(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            number, other = [await incident(store, name) for name in "12"]
            appeal = Appeal(incident_id=number, words="억울해요", at=later(5))
            assert await store.reviews.appeal(HERE, appeal, [Flag()], due=NOW)
            again = await store.reviews.appeal(HERE, replace(appeal, words="정말로"), [Flag()], due=NOW)
            assert again is Filed.HEARD_BEFORE
            opened = await store.incidents.get(HERE, number)
            assert opened and opened.appeal == appeal and opened.review is None
            assert [action for action, _ in opened.outcomes] == [Delete(), Flag()]
            untouched = await store.incidents.get(HERE, other)
            assert untouched and untouched.appeal is None
            assert await store.reviews.record(HERE, review(number, Call.WRONG), due=NOW) is None

    asyncio.run(scenario())


def test_planned_later_means_not_before(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            number = await incident(store)
            appeal = Appeal(incident_id=number, words="억울해요", at=NOW)
            assert await store.reviews.appeal(HERE, appeal, [Flag()], due=later(60))
            planned = await store.outbox.claim(10, now=later(59), platforms=EVERYWHERE)
            assert [one.action for one in planned] == [Delete()]
            (flag,) = await store.outbox.claim(10, now=later(60), platforms=EVERYWHERE)
            await store.outbox.record([(flag, Done("card 7"))])
            opened = await store.incidents.get(HERE, number)
            assert opened and opened.outcomes[1] == (Flag(), Done("card 7"))

    asyncio.run(scenario())


def test_a_members_record(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            first, second, _ = [await incident(store, number) for number in "123"]
            await store.reviews.record(HERE, review(first, Call.RIGHT), due=NOW)
            await store.reviews.record(HERE, review(second, Call.WRONG), due=NOW)
            record = await store.incidents.history(HERE, "minji")
            assert record == History(incidents=3, upheld=1, overturned=1, last_at=NOW)
            for elsewhere in ((CommunityRef(DISCORD, "cafe"), "minji"), (HERE, "other")):
                assert await store.incidents.history(*elsewhere) == History(
                    incidents=0, upheld=0, overturned=0, last_at=None
                )

    asyncio.run(scenario())


CAFE = Community(
    platform=TELEGRAM,
    id="-5",
    name="카페",
    mode=Watch.LIVE,
    moderators_channel="-5",
    urgent=("dal",),
    exempt_channels=frozenset({"-5", "x"}),
    thresholds={"abuse": 0.7},
    kinds={"abuse": "strict", "fraud": "off"},
    shadow=frozenset({"slur"}),
    rules={"mine": 'then = ["flag"]'},
    night=Night(hours=Hours(start=23, end=7), mode=Watch.WATCH),
    quiet=Hours(start=22, end=8),
    paused_until=later(60),
)


def test_settings_come_back_as_they_were_put(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            other = Community(platform=DISCORD, id="-5", preset="strict")
            await put_settings(store.communities, replace(CAFE, name="옛 이름"))
            for community in (CAFE, other):
                await put_settings(store.communities, community)
        async with opens() as store:
            assert await store.communities.all() == [other, CAFE]

    asyncio.run(scenario())


def test_of_two_changes_at_a_time_neither_undoes_the_other(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:

            async def exempt(number: int) -> None:
                def edit(now: Community) -> Community:
                    return replace(now, exempt_roles=now.exempt_roles | {str(number)})

                await store.communities.change(GROUP, edit, by=str(number))

            await asyncio.gather(*map(exempt, range(20)))
            (community,) = await store.communities.all()
            assert community.exempt_roles == set(map(str, range(20)))
            assert community.version == 20
            assert len(await store.journal.amendments(GROUP, NOW, later(1))) == 20

    asyncio.run(scenario())


def test_what_was_stored_since_a_version_and_nothing_else(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            settings = store.communities
            assert await settings.since(0) == ([], 0)
            for id_ in ("-5", "-7", "-9"):
                await put_settings(settings, Community(platform=TELEGRAM, id=id_, preset="strict"))
            everything, number = await settings.since(0)
            assert ([one.id for one in everything], number) == (["-5", "-7", "-9"], 3)
            assert [one.version for one in everything] == sorted({one.version for one in everything})
            newest = everything[-1].version
            await settings.change(GROUP, lambda now: replace(now, preset="strict"), by="달")
            assert await settings.since(newest) == ([], 3)  # nothing has changed
            await settings.change(GROUP, lambda now: replace(now, preset="gentle"), by="달")
            changed, _ = await settings.since(newest)
            assert [(one.id, one.preset, one.version) for one in changed] == [("-5", "gentle", newest + 1)]
            await settings.move(CommunityRef(TELEGRAM, "-7"), "-1007")
            changed, number = await settings.since(newest + 1)
            assert ([one.id for one in changed], number) == (["-1007"], 3)
            assert {one.id for one in await settings.refs()} == {"-5", "-1007", "-9"}

    asyncio.run(scenario())


def test_a_change_that_raises_changes_nothing(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:

            def refuse(_: Community) -> Community:
                raise ZeroDivisionError

            await put_settings(store.communities, CAFE)
            with pytest.raises(ZeroDivisionError):
                await store.communities.change(GROUP, refuse, by="달")
            assert await store.communities.all() == [CAFE]

    asyncio.run(scenario())


def test_another_communitys_incident_is_not_there(opens: Opens) -> None:
    """Security review, 15."""

    async def scenario() -> None:
        async with opens() as store:
            number = await incident(store)
            appeal = Appeal(incident_id=number, words="억울해요", at=later(5))
            for elsewhere in (home("other"), CommunityRef(DISCORD, "cafe")):
                assert await store.incidents.get(elsewhere, number) is None
                assert await store.reviews.record(elsewhere, review(number, Call.BAN), due=NOW) is None
                assert not await store.reviews.appeal(elsewhere, appeal, [Flag()], due=NOW)
            opened = await store.incidents.get(HERE, number)
            assert opened and opened.review is None and opened.appeal is None
            assert opened.outcomes == ((Delete(), None),)
            assert await store.incidents.mine(REHEARSAL, "minji", opened.code) == opened
            assert await store.incidents.mine(REHEARSAL, "minji", str(number)) == opened, (
                "as earlier versions called it"
            )
            assert await store.incidents.mine(REHEARSAL, "minji", "BCDFGHJKLM") is None
            for code in (opened.code, str(number)):
                assert await store.incidents.mine(REHEARSAL, "other", code) is None
                assert await store.incidents.mine(DISCORD, "minji", code) is None
            assert await store.incidents.whose(REHEARSAL, number) == HERE
            assert await store.incidents.whose(DISCORD, number) is None

    asyncio.run(scenario())


def test_a_group_that_moves_takes_everything_along(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            posted = replace(message("1", community="-5"), ref=MessageRef(TELEGRAM, "-5", "1"), text="남아 있는 글")
            others = Community(platform=TELEGRAM, id="-7", moderators_channel="-5", report_channel="x")
            for community in (CAFE, others):
                await put_settings(store.communities, community)
            await store.inbox.keep([posted])
            await store.inbox.settle([settlement(posted, Delete())])
            for _ in range(2):
                await store.communities.move(GROUP, "-1005")
            (opened,) = await store.incidents.of([posted.ref])
            assert opened.decision.message.community_id == "-1005"
            assert await store.inbox.settled([posted.ref]) == [True]
            (planned,) = await store.outbox.claim(10, now=NOW, platforms=EVERYWHERE)
            assert planned.message == replace(posted, community_id="-1005")
            assert (await store.incidents.history(CommunityRef(TELEGRAM, "-1005"), "minji")).incidents == 1
            assert {community.id: community for community in await store.communities.all()} == {
                "-1005": replace(
                    CAFE, id="-1005", moderators_channel="-1005", exempt_channels=frozenset({"-1005", "x"})
                ),
                "-7": replace(others, moderators_channel="-1005"),
            }

    asyncio.run(scenario())


def test_what_is_under_way_while_a_group_moves_is_settled_and_moves_along(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            posted = replace(message("1", community="-5"), ref=MessageRef(TELEGRAM, "-5", "1"))
            await store.inbox.keep([posted])
            (claimed,) = await store.inbox.claim(10, fresh_since=NOW)
            await store.communities.move(GROUP, "-1005")
            await store.inbox.settle([settlement(claimed, Delete())])
            assert await store.inbox.settled([posted.ref]) == [True]
            assert (await store.incidents.history(CommunityRef(TELEGRAM, "-1005"), "minji")).incidents == 1
            (planned,) = await store.outbox.claim(10, now=NOW, platforms=EVERYWHERE)
            assert planned.message.community_id == "-1005"

    asyncio.run(scenario())


def test_settings_that_the_new_id_has_already_win(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            for id_, preset in (("-5", "gentle"), ("-1005", "strict")):
                await put_settings(store.communities, Community(platform=TELEGRAM, id=id_, preset=preset))
            await store.communities.move(GROUP, "-1005")
            assert await store.communities.all() == [Community(platform=TELEGRAM, id="-1005", preset="strict")]

    asyncio.run(scenario())


def test_of_two_opposite_answers_to_an_appeal_one_counts(opens: Opens) -> None:
    """Also where the review was closed long before, so that turning it down would change nothing."""

    async def scenario() -> None:
        async with opens() as store:
            number = await incident(store)
            await store.reviews.record(HERE, review(number, Call.BAN), due=NOW)
            await store.reviews.appeal(HERE, Appeal(incident_id=number, words="왜", at=later(60)), [], due=NOW)
            accept = replace(review(number, Call.WRONG, "dal"), at=later(120))
            uphold = replace(review(number, Call.UPHOLD, "byul"), at=later(120.01))
            answers = await asyncio.gather(
                store.reviews.record(HERE, uphold, due=NOW), store.reviews.record(HERE, accept, due=NOW)
            )
            assert sorted(map(repr, answers)) in (sorted(map(repr, (None, uphold))), sorted(map(repr, (None, accept))))
            given = [action for action, _ in await done(store, number) if isinstance(action, Answer)]
            assert given == [Answer(accepted=answers[1] is None)], "the member is told one result"

    asyncio.run(scenario())


def test_nobody_appeals_without_end(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            numbers = [await incident(store, str(number)) for number in range(MOST_APPEALS + 1)]
            filed = await asyncio.gather(
                *(
                    store.reviews.appeal(HERE, Appeal(incident_id=number, words="왜", at=NOW), [], due=NOW)
                    for number in numbers
                )
            )
            assert sorted(map(str, filed)) == [*["heard"] * MOST_APPEALS, "too_many"]
            (left,) = [number for number, one in zip(numbers, filed, strict=True) if one is Filed.TOO_MANY]
            another = Appeal(incident_id=left, words="왜", at=NOW + APPEALS_WITHIN)
            assert await store.reviews.appeal(HERE, another, [], due=NOW) is Filed.HEARD

    asyncio.run(scenario())


def test_what_somebody_has_taken_others_leave_alone_for_a_while(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            number = await incident(store)
            take = replace(review(number, Call.TAKE), at=later(0))
            assert await store.reviews.record(HERE, take, due=NOW) is None
            opened = await store.incidents.get(HERE, number)
            assert opened and opened.taken == take and opened.review is None
            assert [action for action, _ in opened.outcomes] == [Delete()], "nothing follows"
            for which in (Call.WRONG, Call.TAKE):
                theirs = replace(review(number, which, "byul"), at=later(60))
                assert await store.reviews.record(HERE, theirs, due=NOW) == take
            shout = replace(review(number, Call.ESCALATE, "byul"), at=later(60))
            assert await store.reviews.record(HERE, shout, due=NOW) is None, "but people can be called"
            late = replace(review(number, Call.RIGHT, "byul"), at=later(0) + TAKEN_FOR)
            assert await store.reviews.record(HERE, late, due=NOW) is None
            opened = await store.incidents.get(HERE, number)
            assert opened and opened.taken is None and opened.review == late

    asyncio.run(scenario())


def test_of_two_who_take_it_at_once_one_has_it(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            number = await incident(store)
            both = [review(number, Call.TAKE, who) for who in ("dal", "byul")]
            answers = await asyncio.gather(*(store.reviews.record(HERE, one, due=NOW) for one in both))
            opened = await store.incidents.get(HERE, number)
            assert opened and opened.taken in both
            assert [one for one in answers if one] == [opened.taken]

    asyncio.run(scenario())


def test_what_was_called_can_be_called_again_and_stays_as_it_is_until_then(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            number = await incident(store)
            await store.reviews.record(HERE, review(number, Call.WRONG), due=NOW)
            before = await done(store, number)
            at_once = replace(review(number, Call.REOPEN, "byul"), at=later(6))
            assert await store.reviews.record(HERE, at_once, due=NOW) == review(number, Call.WRONG)
            reopen = replace(at_once, at=later(60))
            assert await store.reviews.record(HERE, reopen, due=NOW) is None
            opened = await store.incidents.get(HERE, number)
            assert opened and opened.review is None and await done(store, number) == before
            again = replace(review(number, Call.BAN, "byul"), at=later(120))
            assert await store.reviews.record(HERE, again, due=NOW) is None
            opened = await store.incidents.get(HERE, number)
            assert opened and opened.review == again and opened.standing.sanction == Ban()

    asyncio.run(scenario())
