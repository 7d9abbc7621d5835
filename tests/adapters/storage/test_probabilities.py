"""How probable what was: of messages by counts, of incidents from the record, and of one community alone."""

import asyncio
from dataclasses import replace

from bot.core.chat.message import Message
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import GuardVersion, Judgement, Part, Verdict
from bot.core.incidents.incident import Settlement
from bot.core.incidents.review import Call, Review
from bot.core.reporting.what_if import LOOKED_BACK, Scored
from bot.core.rules.actions import Delete
from storage.reports.queries import SqlReportQueries
from tests.adapters.storage.keeping.test_forgetting import opened
from tests.builders import NOW, decision, home, message
from tests.fakes.clock import ManualClock


def judged(about: Message, abuse: float, *, incident: bool = False, guards: int = 1) -> Settlement:
    names = [f"guard {number}" for number in range(guards)]
    found = tuple(
        Judgement(Part.PROMPT, kind, probability, name)
        for kind, probability in ((HarmKind.ABUSE, abuse), (HarmKind.HATE, 0.99))
        for name in names
    )
    screening = Verdict(guard=GuardVersion(name=names[0]), found=found)
    made = decision(about, *([Delete()] if incident else []), screening=screening)
    return Settlement(decision=made, decided_at=about.sent_at, ms=1.0)


def test_messages_are_counted_once_and_incidents_say_what_came_of_them(url: str) -> None:
    async def scenario() -> None:
        async with opened(url, ManualClock()) as (database, here, _):
            all_ = [message(str(number)) for number in range(5)]
            old = replace(message("5"), sent_at=NOW - 2 * LOOKED_BACK)
            elsewhere = message("6", community="elsewhere")
            await here.inbox.keep([*all_, old, elsewhere])
            settled = [
                judged(all_[0], 0.92, incident=True), judged(all_[1], 0.87, incident=True, guards=2),
                *(judged(one, 0.87) for one in all_[2:]), judged(old, 0.87), judged(elsewhere, 0.87, incident=True),
            ]  # fmt: skip
            await here.inbox.settle(settled)
            first, second = [(await here.incidents.of([one.ref]))[0].id for one in all_[:2]]
            wrong = Review(incident_id=first, call=Call.WRONG, moderator_id="9", moderator_name="지수", at=NOW)
            await here.reviews.record(home(), wrong, due=NOW)
            queries = SqlReportQueries(database)
            found = await queries.probabilities(home(), [HarmKind.ABUSE], NOW - LOOKED_BACK)
            assert dict(found.messages) == {17: 4, 18: 1}
            assert {*found.incidents} == {Scored(first, "insult", 0.92, True), Scored(second, "insult", 0.87, None)}
            every = await queries.probabilities(home(), [], NOW - LOOKED_BACK)
            assert (dict(every.messages), {one.probability for one in every.incidents}) == ({}, {0.99})

    asyncio.run(scenario())
