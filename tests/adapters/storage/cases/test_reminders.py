"""Urgent cases and appeals that wait, over both databases: people hear of them again, once, and not without end."""

import asyncio
from datetime import timedelta

from bot.core.incidents.case import PATIENCE
from bot.core.incidents.reminding import CALL_AGAIN, MOST_CALLS, MOST_SHOWN, SHOW_AGAIN
from bot.core.incidents.review import Appeal, Call, Review
from bot.core.rules.actions import Action, Delete, Escalate, Flag
from tests.adapters.storage.cases.test_deeds import HERE, Office, in_office
from tests.builders import TELEGRAM, message, settlement


async def open_incident(office: Office, id: str, *planned: Action) -> int:
    said = message(id, community="-5", platform=TELEGRAM, sent_at=office.clock.now())
    await office.store.inbox.keep([said])
    await office.store.inbox.settle([settlement(said, *planned, decided_at=office.clock.now())])
    await office.do_all()
    return (await office.store.incidents.of([said.ref]))[0].id


async def later(office: Office, span: timedelta) -> list[Action]:
    """What two who remind at the same time plan, that much later."""
    await office.clock.advance(span.total_seconds())
    await asyncio.gather(*(office.cases.remind(office.clock.now(), 10) for _ in range(2)))
    return await office.do_all()


async def call(office: Office, incident: int, which: Call) -> None:
    made = Review(incident_id=incident, call=which, moderator_id="9", moderator_name="지수", at=office.clock.now())
    assert await office.store.reviews.record(HERE, made, due=office.clock.now()) is None


def test_an_urgent_call_is_repeated_until_somebody_has_taken_it(url: str) -> None:
    async def scene(office: Office) -> None:
        await open_incident(office, "calm", Delete(), Flag())
        urgent, other = [await open_incident(office, id, Delete(), Escalate()) for id in ("1", "2")]
        assert await later(office, CALL_AGAIN - timedelta(seconds=1)) == []
        assert await later(office, timedelta(seconds=1)) == [Escalate(), Escalate()]
        await call(office, urgent, Call.TAKE)
        assert await later(office, CALL_AGAIN) == [Escalate()]
        await call(office, other, Call.RIGHT)
        assert await later(office, CALL_AGAIN) == []

    in_office(url, scene)


def test_nobody_is_called_without_end(url: str) -> None:
    async def scene(office: Office) -> None:
        await open_incident(office, "1", Escalate())
        called = [await later(office, CALL_AGAIN) for _ in range(2 * MOST_CALLS)]
        assert called == [[Escalate()]] * (MOST_CALLS - 1) + [[]] * (MOST_CALLS + 1)

    in_office(url, scene)


def test_an_appeal_is_shown_again_until_it_is_answered(url: str) -> None:
    async def scene(office: Office) -> None:
        first, second = [await open_incident(office, id, Delete(), Flag()) for id in ("1", "2")]
        await office.clock.advance(60)
        for incident in (first, second):
            now = office.clock.now()
            appeal = Appeal(incident_id=incident, words="왜", at=now)
            await office.store.reviews.appeal(HERE, appeal, (Flag(),), due=now)
        await office.do_all()
        assert await later(office, timedelta(hours=23)) == []
        assert await later(office, SHOW_AGAIN) == [Flag(), Flag()]
        await call(office, first, Call.UPHOLD)
        await office.do_all()
        shown = [await later(office, SHOW_AGAIN) for _ in range(3)]
        assert shown == [[Flag()]] * (MOST_SHOWN - 2) + [[]] * (5 - MOST_SHOWN)

    in_office(url, scene)


def test_what_waits_is_found_the_most_severe_and_oldest_first(url: str) -> None:
    async def scene(office: Office) -> None:
        plans: tuple[list[Action], ...] = ([Delete(), Flag()], [Flag()], [Escalate()], [Flag()], [Delete(), Escalate()])
        opened = [await open_incident(office, f"w{number}", *planned) for number, planned in enumerate(plans)]

        async def waiting() -> list[int]:
            found = await office.cases.waiting(HERE, most=4)
            assert {one.rule for one in found} == {"insult"}
            return [one.incident or 0 for one in found]

        assert await waiting() == [opened[2], opened[4], opened[1], opened[3]]
        assert await office.cases.neglected(office.clock.now()) == []
        await call(office, opened[2], Call.RIGHT)
        await call(office, opened[4], Call.TAKE)
        await call(office, opened[1], Call.ESCALATE)
        assert await waiting() == [opened[1], opened[3], opened[0]]
        await office.clock.advance(PATIENCE.total_seconds())
        assert await office.cases.neglected(office.clock.now()) == [HERE]
        for incident in (opened[1], opened[3]):
            await call(office, incident, Call.RIGHT)
        assert await office.cases.neglected(office.clock.now()) == [], "what was acted on needs no call"

    in_office(url, scene)
