"""How guards on trial do: counted by quarter hour, and at each incident what would have become of it."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.chat.message import CommunityRef
from bot.core.guarding.kinds import HarmKind
from bot.core.incidents.review import Call
from bot.core.moderation.ports import Tried
from bot.core.reporting.figures import TrialFigures
from bot.core.rules.difference import Difference
from storage import codec
from storage.columns import microseconds, plain
from storage.community_key import of_community
from storage.database import Database
from storage.flow.tallies import QUARTER, add
from storage.tables import incidents, messages, reviews, tallies

TRIAL = "trial"  # counts by "difference kind guard", or
SAME, PASSED_OVER = "same", "passed"  # in place of the difference

_AT_INCIDENT = (
    update(incidents)
    .where(
        incidents.c.message
        == select(messages.c.id)
        .where(*(column == bindparam(f"of_{column.name}") for column in codec.SETTLED_REF))
        .scalar_subquery()
    )
    .values(trial=bindparam("found"))
)


class SqlTrials:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, tried: Sequence[Tried]) -> None:
        keys = await self._database.keys.of_all({one.community for one in tried})
        counts = Counter[tuple[Any, ...]]()
        found = []
        for one in tried:
            quarter = microseconds(one.sent_at) // QUARTER * QUARTER
            counts[keys[one.community], quarter, TRIAL, _name(one)] += 1
            if one.is_incident and one.difference:
                names = (f"of_{column.name}" for column in codec.SETTLED_REF)
                found.append({**dict(zip(names, codec.key(one.ref), strict=True)), "found": _name(one)})
        async with self._database.write(durable=False) as connection:
            await add(self._database, connection, counts)
            if found:
                await connection.execute(_AT_INCIDENT, found)


def _name(one: Tried) -> str:
    what = (one.difference or SAME) if one.judged else PASSED_OVER
    return plain(f"{what} {one.kind or '-'} {one.guard}")


async def trials_between(
    connection: AsyncConnection, community: CommunityRef, start: datetime, end: datetime
) -> Sequence[TrialFigures]:
    """Of each guard that was on trial then."""
    counted = (
        select(tallies.c.name, func.sum(tallies.c.number).label("number"))
        .where(
            of_community(tallies, community), tallies.c.quarter >= start, tallies.c.quarter < end,
            tallies.c.what == TRIAL,
        )
        .group_by(tallies.c.name)
    )  # fmt: skip
    called = (
        select(incidents.c.trial, reviews.c.call, func.count().label("number"))
        .select_from(incidents.join(reviews))
        .where(
            of_community(incidents, community), incidents.c.decided_at >= start, incidents.c.decided_at < end,
            incidents.c.trial.is_not(None), text("reviews.closes"),
        )
        .group_by(incidents.c.trial, reviews.c.call)
    )  # fmt: skip
    names = {row.name: int(row.number) for row in await connection.execute(counted)}
    calls: dict[str, Counter[bool]] = defaultdict(Counter)
    for row in await connection.execute(called):
        calls[row.trial][row.call == Call.WRONG] += row.number
    return tuple(_figures(names, calls))


def _figures(names: Mapping[str, int], calls: Mapping[str, Counter[bool]]) -> Iterator[TrialFigures]:
    by_guard: dict[str, dict[tuple[str, str], int]] = defaultdict(dict)
    for name, number in names.items():
        what, kind, guard = name.split(" ", 2)
        by_guard[guard][what, kind] = number
    for guard, counts in sorted(by_guard.items()):
        passed_over = sum(number for (what, _), number in counts.items() if what == PASSED_OVER)
        wrong, right = (
            {one: sum(of[is_wrong] for name, of in calls.items() if _is(name, one, guard)) for one in Difference}
            for is_wrong in (True, False)
        )
        yield TrialFigures(
            guard=guard,
            judged=sum(counts.values()) - passed_over,
            passed_over=passed_over,
            counts={
                one: {HarmKind(kind): number for (what, kind), number in counts.items() if what == one}
                for one in Difference
            },
            wrong=wrong,
            right=right,
        )


def _is(name: str, one: Difference, guard: str) -> bool:
    what, _, of = name.split(" ", 2)
    return what == one and of == guard
