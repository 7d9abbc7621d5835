"""How guards on trial do: counted by community, and what moderators say of the incidents they would not have found."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from bot.core.guarding.kinds import HarmKind
from bot.core.incidents.review import Call, Review
from bot.core.moderation.ports import Tried
from bot.core.rules.actions import Delete
from bot.core.rules.difference import Difference
from storage.reports.queries import SqlReportQueries
from storage.reports.trials import SqlTrials
from tests.adapters.storage.keeping.test_forgetting import opened
from tests.builders import NOW, home, message, settlement
from tests.fakes.clock import ManualClock

GUARD = "cascade embedded a b < 0.05, else c"


def test_what_was_tried_is_read_by_guard_kind_and_call(url: str) -> None:
    async def scenario() -> None:
        async with opened(url, ManualClock()) as (database, here, _):
            found = [message(str(number)) for number in range(3)]
            await here.inbox.keep(found)
            await here.inbox.settle([settlement(one, Delete()) for one in found])
            trials, queries = SqlTrials(database), SqlReportQueries(database)

            def tried(id_: str, what: Difference | None, kind: HarmKind | None = None, judged: bool = True) -> Tried:
                about = message(id_)
                ref, place = about.ref, about.community
                return Tried(ref, place, NOW, GUARD, judged, what, kind, id_ in ("0", "1", "2"))

            elsewhere = tried("9", Difference.MORE, HarmKind.HATE)._replace(community=home("elsewhere"))
            await trials.record([
                *(tried(id_, Difference.FEWER, HarmKind.ABUSE) for id_ in ("0", "1", "2")),
                tried("5", Difference.MORE, HarmKind.THREAT), tried("6", Difference.MORE, HarmKind.THREAT),
                tried("7", None), tried("8", None, judged=False), elsewhere,
            ])  # fmt: skip
            later = replace(message("5"), sent_at=NOW)
            await trials.record([tried("5", Difference.MORE, HarmKind.DOXXING)._replace(ref=later.ref)])
            for one, call in zip(found, (Call.WRONG, Call.RIGHT), strict=False):
                (incident,) = await here.incidents.of([one.ref])
                made = Review(incident_id=incident.id, call=call, moderator_id="9", moderator_name="지수", at=NOW)
                await here.reviews.record(home(), made, due=NOW)
            span = NOW - timedelta(minutes=15), NOW + timedelta(minutes=15)
            (tried_by,) = await queries.trials(home(), *span)
            assert (tried_by.guard, tried_by.judged, tried_by.passed_over) == (GUARD, 7, 1)
            assert tried_by.counts == {
                Difference.MORE: {HarmKind.THREAT: 2, HarmKind.DOXXING: 1}, Difference.FEWER: {HarmKind.ABUSE: 3},
                Difference.HARDER: {}, Difference.SOFTER: {},
            }  # fmt: skip
            assert (tried_by.wrong[Difference.FEWER], tried_by.right[Difference.FEWER]) == (1, 1)
            assert (await queries.figures(home(), *span)).trials == (tried_by,)
            assert await queries.trials(home(), NOW + timedelta(days=1), NOW + timedelta(days=2)) == ()

    asyncio.run(scenario())
